/* The entropy-coded data of a JPEG file into its coefficients and back, as `scans.py` does it in Python: tests compare
   the two bit for bit. ITU-T T.81 has the sequential coding in clause F, the progressive one in clause G. Where an
   encoder may choose, this one chooses as libjpeg does.

   `scans.py` hands over a program, which it has checked: the steps of a file, one after the other. Everything else,
   the file, the coefficients and the literal bytes, may be anything. No call allocates memory. */

#include <stdint.h>
#include <string.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT
#endif

enum { LITERAL, SIZE, TABLES, TABLE, SCAN };            /* steps */
enum { DECODING, COUNTING, WRITING };                   /* what a coder does */
enum { CORRUPT = -1, TOO_SMALL = -2 };                  /* what ends it */
enum { SLOTS = 8, LOOK = 9, MOST_COMPONENTS = 4, SCAN_LENGTH = 20 };
enum { LONGEST_RUN = 0x7FFF, MOST_PENDING = 1000 - 64 + 1 }; /* blocks, and correction bits, that wait in libjpeg */
enum { ROOM = 1024 };                                   /* more than any block adds to a file, and what waits before */

static const uint8_t ZIGZAG[64] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

static const uint8_t PLACE[64] = { /* the inverse of it */
    0,  1,  5,  6,  14, 15, 27, 28, 2,  4,  7,  13, 16, 26, 29, 42, 3,  8,  12, 17, 25, 30,
    41, 43, 9,  11, 18, 24, 31, 40, 44, 53, 10, 19, 23, 32, 39, 45, 52, 54, 20, 22, 33, 38,
    46, 51, 55, 60, 21, 34, 37, 47, 50, 56, 59, 61, 35, 36, 48, 49, 57, 58, 62, 63};

/* A Huffman table, for both ways. */
typedef struct {
    int known;
    uint8_t lengths[17], values[256]; /* how many codes of each length, and their symbols in order */
    uint16_t look[1 << LOOK];         /* decoding: length and symbol of the code that these bits begin with, or 0 */
    uint32_t limit[17];               /* decoding: of 16 bits, what is past the codes of a length */
    int32_t shift[17];                /* decoding: from a code to its place in values */
    uint16_t code[256];               /* encoding */
    uint8_t size[256];                /* encoding: 0 where the symbol has no code */
} Table;

typedef struct {
    int32_t rows, columns; /* of blocks that a scan of this component alone has */
    int32_t stride;        /* columns of blocks, filled up to whole units */
    int32_t across, down;  /* sampling factors */
} Component;

typedef struct {
    int32_t count;
    struct { int32_t component, dc, ac; } parts[MOST_COMPONENTS];
    int32_t first, last, high, low, interval, progressive;
} Scan;

typedef struct {
    int mode, failed;
    uint64_t buffer; /* decoding: the next bits at its top; writing: the last ones at its bottom */
    int bits;        /* in the buffer; decoding, below 0 past the end of the data */
    const uint8_t *in, *in_end;
    uint8_t *out, *out_end;
    const Component *components;
    int units_down, units_across; /* of an interleaved scan of all components */
    int16_t *const *coefficients;
    Scan scan;
    int32_t last_dc[MOST_COMPONENTS];
    int32_t run;     /* blocks whose end is not yet coded; decoding, those whose end was */
    int pending;     /* correction bits of these */
    uint8_t corrections[1000 + 64];
    const uint8_t *fillings; /* what is encoded of the padding: a byte for each interval, the last one repeated */
    int64_t filling_count;
    uint8_t *found; /* the same, as decoded */
    int64_t intervals;
    Table tables[SLOTS];
    uint32_t counts[SLOTS][257];
} Coder;

/* How many bits a number below 2^17 has. */
static int bits_of(uint32_t number)
{
#ifdef __GNUC__
    return number ? 32 - __builtin_clz(number) : 0;
#else
    int bits = 0;
    while (number) bits++, number >>= 1;
    return bits;
#endif
}

/* The place of the lowest bit of a number that is not 0. */
static int lowest(uint64_t number)
{
#ifdef __GNUC__
    return __builtin_ctzll(number);
#else
    int place = 0;
    while (!(number >> place & 1)) place++;
    return place;
#endif
}

static void fail(Coder *c, int how)
{
    if (!c->failed) c->failed = how;
}

/* ---- Huffman tables: T.81 annex C, and annex K.2 as libjpeg follows it ---- */

/* Derives a table from its lengths and values. Returns whether it is one. */
static int derive(Table *t)
{
    uint32_t code = 0;
    int place = 0;
    memset(t->look, 0, sizeof t->look);
    memset(t->size, 0, sizeof t->size);
    t->known = 0;
    for (int length = 1; length <= 16; length++) {
        t->shift[length] = place - (int32_t)code;
        if (code + t->lengths[length] > 1u << length || place + t->lengths[length] > 256) return 0;
        for (int end = place + t->lengths[length]; place < end; place++, code++) {
            int symbol = t->values[place];
            if (t->size[symbol]) return 0;
            t->code[symbol] = (uint16_t)code, t->size[symbol] = (uint8_t)length;
            if (length <= LOOK) {
                uint16_t entry = (uint16_t)(length << 8 | symbol);
                uint32_t first = code << (LOOK - length), many = 1u << (LOOK - length);
                for (uint32_t i = first; i < first + many; i++) t->look[i] = entry;
            }
        }
        t->limit[length] = code << (16 - length);
        code <<= 1;
    }
    t->known = 1;
    return 1;
}

/* Reads a table's lengths and values. Returns how many bytes they take, or 0 where that is more than there are. */
static int read_table(Table *t, const uint8_t *from, int64_t size)
{
    int total = 0;
    t->known = 0;
    if (size < 16) return 0;
    t->lengths[0] = 0;
    memcpy(t->lengths + 1, from, 16);
    for (int i = 1; i <= 16; i++) total += t->lengths[i];
    if (total > 256 || size < 16 + total) return 0;
    memcpy(t->values, from + 16, (size_t)total);
    return 16 + total;
}

/* The lengths and values that libjpeg gives symbols with these counts. Returns how many values, or 0 for none.
   Of equal counts the later symbol is taken first. A symbol 256 keeps the code of only ones free. */
static int optimal(const uint32_t counts[257], uint8_t lengths[17], uint8_t values[256])
{
    uint32_t weight[257];
    int symbol[257], size[257] = {0}, next[257], alive[257], of_size[33] = {0}, count = 0, total = 0;
    for (int i = 0; i < 257; i++)
        if (i == 256 || counts[i]) {
            symbol[count] = i, next[count] = -1, alive[count] = count;
            weight[count++] = i == 256 ? 1 : counts[i];
        }
    if (count < 2) return 0;
    for (int left = count; left > 1; left--) {
        int a = -1, b = -1; /* places in alive of the smallest and the next */
        uint32_t least = UINT32_MAX, second = UINT32_MAX;
        for (int i = 0; i < left; i++) {
            uint32_t w = weight[alive[i]];
            if (w > second) continue;
            if (w <= least) b = a, second = least, a = i, least = w;
            else b = i, second = w;
        }
        int one = alive[a], other = alive[b];
        weight[one] += weight[other];
        for (size[one]++; next[one] >= 0; size[one]++) one = next[one];
        next[one] = other;
        for (size[other]++; next[other] >= 0; size[other]++) other = next[other];
        memmove(alive + b, alive + b + 1, (size_t)(left - b - 1) * sizeof *alive);
    }
    for (int i = 0; i < count; i++) {
        if (size[i] > 32) return 0;
        of_size[size[i]]++;
    }
    for (int length = 1; length <= 32; length++)
        for (int i = 0; i < count - 1; i++)
            if (size[i] == length) values[total++] = (uint8_t)symbol[i];
    int longest = 32;
    for (; longest > 16; longest--)
        while (of_size[longest] > 0) {
            int shorter = longest - 2;
            while (of_size[shorter] == 0) shorter--;
            of_size[longest] -= 2, of_size[longest - 1]++;
            of_size[shorter + 1] += 2, of_size[shorter]--;
        }
    while (of_size[longest] == 0) longest--;
    of_size[longest]--;
    for (int length = 0; length <= 16; length++) lengths[length] = (uint8_t)of_size[length];
    return total;
}

/* ---- bits ---- */

/* Fills the buffer from the data, which a marker ends. Of stuffed bytes, 0xFF and 0, the 0 is left out. */
static void fill(Coder *c)
{
    if (c->in_end - c->in >= 8 && c->bits >= 0) {
        uint64_t word = 0;
        for (int i = 0; i < 8; i++) word = word << 8 | c->in[i];
        if (!((~word - 0x0101010101010101u) & word & 0x8080808080808080u)) { /* surely without 0xFF */
            c->buffer |= word >> c->bits;
            c->in += (63 - c->bits) >> 3;
            c->bits |= 56;
            return;
        }
    }
    while (c->bits <= 56 && c->in < c->in_end) {
        uint8_t byte = *c->in;
        if (byte == 0xFF) {
            if (c->in_end - c->in < 2 || c->in[1] != 0) return;
            c->in++;
        }
        c->in++;
        c->buffer |= (uint64_t)byte << (56 - c->bits);
        c->bits += 8;
    }
}

static void consume(Coder *c, int count)
{
    c->buffer <<= count;
    c->bits -= count;
}

/* The next `count` bits, 1 to 16, of a buffer that has them. */
static int take(Coder *c, int count)
{
    int value = (int)(c->buffer >> (64 - count));
    consume(c, count);
    return value;
}

/* The next bit, whatever the buffer has. */
static int take_bit(Coder *c)
{
    if (c->bits < 1) fill(c);
    return take(c, 1);
}

/* The next symbol; then the buffer has at least 16 bits more, where the data does. */
static int take_symbol(Coder *c, int slot)
{
    const Table *t = &c->tables[slot];
    if (c->bits < 32) fill(c);
    int entry = t->look[c->buffer >> (64 - LOOK)], symbol = entry & 255;
    if (entry) consume(c, entry >> 8);
    else {
        uint32_t code = (uint32_t)(c->buffer >> 48);
        int length = LOOK + 1;
        while (length <= 16 && code >= t->limit[length]) length++;
        if (length > 16) return fail(c, CORRUPT), 0;
        symbol = t->values[(int32_t)(code >> (16 - length)) + t->shift[length]];
        consume(c, length);
    }
    c->counts[slot][symbol]++;
    return symbol;
}

/* The number of `size` bits, 0 to 15: T.81 F.2.2.1, EXTEND. */
static int take_number(Coder *c, int size)
{
    if (size == 0) return 0;
    int value = take(c, size);
    return value + (((value >> (size - 1)) - 1) & (1 - (1 << size)));
}

static void put_byte(Coder *c, uint8_t byte)
{
    *c->out++ = byte;
    if (byte == 0xFF) *c->out++ = 0;
}

/* Up to 32 bits. */
static inline void put(Coder *c, uint32_t value, int count)
{
    if (c->mode == COUNTING) return;
    c->buffer = c->buffer << count | value;
    c->bits += count;
    if (c->bits < 32) return;
    c->bits -= 32;
    uint32_t word = (uint32_t)(c->buffer >> c->bits);
    if ((~word - 0x01010101u) & word & 0x80808080u) { /* it may have a byte of 0xFF */
        for (int shift = 24; shift >= 0; shift -= 8) put_byte(c, (uint8_t)(word >> shift));
    } else {
        for (int i = 0; i < 4; i++) c->out[i] = (uint8_t)(word >> (24 - 8 * i));
        c->out += 4;
    }
}

/* A symbol, and `size` bits after it, 0 to 15. */
static void put_symbol(Coder *c, int slot, int symbol, uint32_t value, int size)
{
    if (c->mode == COUNTING) {
        c->counts[slot][symbol]++;
        return;
    }
    const Table *t = &c->tables[slot];
    if (t->size[symbol] == 0) fail(c, CORRUPT);
    put(c, (uint32_t)t->code[symbol] << size | (value & ((1u << size) - 1)), t->size[symbol] + size);
}

/* A number without its lowest bits, after the symbol of `zeros` and its size: T.81 F.1.2.1. Signs are noise, which
   branches would be guessed wrong by. */
static void put_number(Coder *c, int slot, int zeros, int number, int low)
{
    int sign = -(number < 0), size;
    uint32_t magnitude = (uint32_t)((number ^ sign) - sign) >> low;
    size = bits_of(magnitude);
    if (size > 15) fail(c, CORRUPT);
    else put_symbol(c, slot, zeros << 4 | size, magnitude ^ (uint32_t)sign, size);
}

/* ---- blocks: one function for each kind of scan and way; i is the component's number in the scan ---- */

static int in_range(Coder *c, int number)
{
    if (number < -32768 || number > 32767) return fail(c, CORRUPT), 0;
    return number;
}

static void decode_dc(Coder *c, int i, int16_t *block)
{
    int size = take_symbol(c, c->scan.parts[i].dc);
    if (size > 15) fail(c, CORRUPT), size = 0;
    c->last_dc[i] = in_range(c, c->last_dc[i] + take_number(c, size));
    block[0] = (int16_t)in_range(c, c->last_dc[i] * (1 << c->scan.low));
}

static void encode_dc(Coder *c, int i, int16_t *block)
{
    int value = block[0] < 0 ? ~(~block[0] >> c->scan.low) : block[0] >> c->scan.low;
    put_number(c, c->scan.parts[i].dc, 0, value - c->last_dc[i], 0);
    c->last_dc[i] = value;
}

static void decode_whole(Coder *c, int i, int16_t *block)
{
    int slot = c->scan.parts[i].ac;
    decode_dc(c, i, block);
    for (int k = 1; k < 64; k++) {
        int symbol = take_symbol(c, slot), size = symbol & 15;
        k += symbol >> 4;
        if (size == 0) {
            if (symbol == 0) return;
            if (symbol != 0xF0) fail(c, CORRUPT);
        } else if (k > 63) fail(c, CORRUPT);
        else block[ZIGZAG[k]] = (int16_t)take_number(c, size);
    }
}

/* In zigzag order, which coefficients from `first` to `last` are not 0 without their `low` lowest bits. */
static uint64_t coded(const int16_t *block, int first, int last, int low)
{
    uint64_t found = 0;
    int least = (1 << low) - 1;
    for (int row = 0; row < 64; row += 8) {
        uint64_t halves[2];
        memcpy(halves, block + row, sizeof halves);
        if ((halves[0] | halves[1]) == 0) continue;
        for (int i = row; i < row + 8; i++)
            found |= (uint64_t)((uint32_t)(block[i] + least) > 2u * (uint32_t)least) << PLACE[i];
    }
    return (found & (UINT64_MAX >> (63 - last))) >> first << first;
}

/* The run of blocks that ended, and the correction bits that they have. */
static void put_run(Coder *c);

/* Codes the coefficients of a band up to the last that is not 0. Returns whether there are more. */
static int encode_band(Coder *c, int slot, const int16_t *block, int first)
{
    uint64_t left = coded(block, first, c->scan.last, c->scan.low);
    int next = first;
    if (left && c->run) put_run(c);
    for (; left; left &= left - 1) {
        int k = lowest(left), zeros = k - next;
        for (; zeros > 15; zeros -= 16) put_symbol(c, slot, 0xF0, 0, 0);
        put_number(c, slot, zeros, block[ZIGZAG[k]], c->scan.low);
        next = k + 1;
    }
    return next <= c->scan.last;
}

static void encode_whole(Coder *c, int i, int16_t *block)
{
    encode_dc(c, i, block);
    if (encode_band(c, c->scan.parts[i].ac, block, 1)) put_symbol(c, c->scan.parts[i].ac, 0, 0, 0);
}

static void decode_dc_bit(Coder *c, int i, int16_t *block)
{
    (void)i;
    if (take_bit(c)) block[0] = (int16_t)(block[0] | 1 << c->scan.low);
}

static void encode_dc_bit(Coder *c, int i, int16_t *block)
{
    (void)i;
    put(c, (uint32_t)block[0] >> c->scan.low & 1, 1);
}

static void decode_ac(Coder *c, int i, int16_t *block)
{
    if (c->run > 0) {
        c->run--;
        return;
    }
    for (int k = c->scan.first; k <= c->scan.last; k++) {
        int symbol = take_symbol(c, c->scan.parts[i].ac), zeros = symbol >> 4, size = symbol & 15;
        if (size == 0 && zeros < 15) {
            c->run = (1 << zeros) - 1 + (zeros ? take(c, zeros) : 0);
            return;
        }
        k += zeros;
        if (size == 0) continue;
        if (k > c->scan.last) fail(c, CORRUPT);
        else block[ZIGZAG[k]] = (int16_t)in_range(c, take_number(c, size) * (1 << c->scan.low));
    }
}

static void put_corrections(Coder *c, const uint8_t *bits, int count)
{
    for (int i = 0; i < count; i++) put(c, bits[i], 1);
}

static void put_run(Coder *c)
{
    if (c->run == 0) return;
    int size = bits_of((uint32_t)c->run) - 1;
    put_symbol(c, c->scan.parts[0].ac, size << 4, (uint32_t)c->run, size);
    put_corrections(c, c->corrections, c->pending);
    c->run = 0, c->pending = 0;
}

static void encode_ac(Coder *c, int i, int16_t *block)
{
    if (encode_band(c, c->scan.parts[i].ac, block, c->scan.first) && ++c->run == LONGEST_RUN) put_run(c);
}

/* A correction bit for a coefficient that is not 0. */
static void correct(Coder *c, int16_t *value)
{
    if (take_bit(c)) *value = (int16_t)in_range(c, *value + (*value < 0 ? -1 : 1) * (1 << c->scan.low));
}

static void decode_ac_bit(Coder *c, int i, int16_t *block)
{
    int k = c->scan.first;
    for (; c->run == 0 && k <= c->scan.last; k++) {
        int symbol = take_symbol(c, c->scan.parts[i].ac), zeros = symbol >> 4, size = symbol & 15, value = 0;
        if (size > 1) fail(c, CORRUPT);
        if (size) value = (take(c, 1) ? 1 : -1) * (1 << c->scan.low);
        else if (zeros < 15) {
            c->run = (1 << zeros) + (zeros ? take(c, zeros) : 0);
            break;
        }
        for (; k <= c->scan.last; k++) {
            int16_t *place = block + ZIGZAG[k];
            if (*place) correct(c, place);
            else if (zeros-- == 0) {
                *place = (int16_t)value;
                break;
            }
        }
        if (k > c->scan.last && value) fail(c, CORRUPT);
    }
    if (c->run == 0) return;
    for (c->run--; k <= c->scan.last; k++)
        if (block[ZIGZAG[k]]) correct(c, block + ZIGZAG[k]);
}

static void encode_ac_bit(Coder *c, int i, int16_t *block)
{
    int slot = c->scan.parts[i].ac, first = c->scan.first, last = c->scan.last, low = c->scan.low;
    uint64_t left = coded(block, first, last, low), fresh = left & ~coded(block, first, last, low + 1);
    int next = first, zeros = 0, begin = c->pending, count = 0;
    for (; left; left &= left - 1) {
        int k = lowest(left), value = block[ZIGZAG[k]];
        zeros += k - next, next = k + 1;
        for (; zeros > 15 && fresh >> k; zeros -= 16) {
            put_run(c);
            put_symbol(c, slot, 0xF0, 0, 0);
            put_corrections(c, c->corrections + begin, count);
            begin = count = 0;
        }
        if (!(fresh >> k & 1)) {
            c->corrections[begin + count++] = (value < 0 ? -value : value) >> low & 1;
            continue;
        }
        put_run(c);
        put_symbol(c, slot, zeros << 4 | 1, value > 0, 1);
        put_corrections(c, c->corrections + begin, count);
        begin = count = zeros = 0;
    }
    if (zeros || count || next <= last) {
        c->run++, c->pending += count;
        if (c->run == LONGEST_RUN || c->pending > MOST_PENDING) put_run(c);
    }
}

/* ---- scans ---- */

static void begin_interval(Coder *c)
{
    c->buffer = 0, c->bits = 0, c->run = 0, c->pending = 0;
    memset(c->last_dc, 0, sizeof c->last_dc);
}

/* The end of an interval: its last byte is filled up, with ones by libjpeg. */
static void end_interval(Coder *c)
{
    if (c->mode == DECODING) {
        fill(c);
        if (c->bits < 0 || c->bits > 7 || c->run) {
            fail(c, CORRUPT);
            return;
        }
        int last = c->intervals ? c->found[c->intervals - 1] : 0x7F, ones = (1 << c->bits) - 1;
        int bits = c->bits ? take(c, c->bits) : 0;
        /* Bits that say the same as those before are written as those are. */
        c->found[c->intervals++] = (uint8_t)(bits == (last & ones) ? last : bits == ones ? 0x7F : bits);
        return;
    }
    if (c->mode == WRITING && c->out_end - c->out < ROOM) fail(c, TOO_SMALL);
    if (c->failed) return;
    if (c->run) put_run(c);
    if (c->mode == COUNTING) return;
    int64_t at = c->intervals < c->filling_count ? c->intervals : c->filling_count - 1;
    int many = -c->bits & 7;
    put(c, (at < 0 ? 0x7Fu : c->fillings[at]) & ((1u << many) - 1), many);
    for (; c->bits > 0; c->bits -= 8) put_byte(c, (uint8_t)(c->buffer >> (c->bits - 8)));
    c->intervals++;
}

static void restart(Coder *c, int number)
{
    end_interval(c);
    if (c->failed) return;
    if (c->mode == DECODING) {
        if (c->in_end - c->in < 2 || c->in[0] != 0xFF || c->in[1] != 0xD0 + number) fail(c, CORRUPT);
        else c->in += 2;
    } else if (c->mode == WRITING) {
        *c->out++ = 0xFF, *c->out++ = (uint8_t)(0xD0 + number);
    }
    begin_interval(c);
}

typedef void Block(Coder *c, int i, int16_t *block);

/* All blocks of a scan, in order: T.81 A.2. */
static void run_scan(Coder *c)
{
    const Scan *s = &c->scan;
    static Block *const BLOCKS[5][2] = {{decode_whole, encode_whole}, {decode_dc, encode_dc},
        {decode_dc_bit, encode_dc_bit}, {decode_ac, encode_ac}, {decode_ac_bit, encode_ac_bit}};
    Block *block = BLOCKS[s->progressive ? 1 + 2 * (s->first > 0) + (s->high > 0) : 0][c->mode != DECODING];
    int alone = s->count == 1;
    const Component *one = &c->components[s->parts[0].component];
    int rows = alone ? one->rows : c->units_down, columns = alone ? one->columns : c->units_across;
    int left = s->interval, number = 0;
    if (c->mode != COUNTING)
        for (int i = 0; i < s->count; i++) {
            int dc = s->progressive ? s->first == 0 && s->high == 0 : 1, ac = s->last > 0;
            if ((dc && !c->tables[s->parts[i].dc].known) || (ac && !c->tables[s->parts[i].ac].known)) fail(c, CORRUPT);
        }
    if (c->failed) return;
    if (c->mode != WRITING) memset(c->counts, 0, sizeof c->counts);
    begin_interval(c);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            if (s->interval && left-- == 0) {
                restart(c, number);
                number = (number + 1) & 7, left = s->interval - 1;
            }
            for (int i = 0; i < s->count; i++) {
                const Component *part = &c->components[s->parts[i].component];
                int across = alone ? 1 : part->across, down = alone ? 1 : part->down;
                int16_t *blocks = c->coefficients[s->parts[i].component];
                for (int y = row * down; y < (row + 1) * down; y++)
                    for (int x = column * across; x < (column + 1) * across; x++) {
                        if (c->mode == WRITING && c->out_end - c->out < ROOM) fail(c, TOO_SMALL);
                        if (c->failed || c->bits < 0) {
                            fail(c, CORRUPT);
                            return;
                        }
                        block(c, i, blocks + ((int64_t)y * part->stride + x) * 64);
                    }
            }
        }
    end_interval(c);
}

static void begin(Coder *c, int mode, const int32_t *geometry, int16_t *const *coefficients)
{
    c->mode = mode, c->failed = 0, c->intervals = 0;
    c->units_down = geometry[0], c->units_across = geometry[1];
    c->components = (const Component *)(geometry + 2);
    c->coefficients = coefficients;
    for (int slot = 0; slot < SLOTS; slot++) c->tables[slot].known = 0;
}

static int step_length(int step)
{
    return step == SCAN ? SCAN_LENGTH : step == TABLE ? 3 : step == LITERAL ? 2 : 1;
}

/* Decodes a file's scans into coefficients, which are 0 before. `found` takes the padding, a byte for each interval;
   `made`, for each table, whether it is the one that libjpeg makes for the scan after it. Returns 0 or an error. */
EXPORT int32_t engram_scans_decode(const int32_t *program, int64_t length, const int32_t *geometry, const uint8_t *data,
                                   int64_t size, int16_t *const *coefficients, uint8_t *found, uint8_t *made)
{
    Coder coder, *c = &coder;
    int64_t table = 0, fresh[SLOTS];
    const uint8_t *source[SLOTS];
    begin(c, DECODING, geometry, coefficients);
    c->in = data, c->in_end = data + size, c->found = found;
    for (int slot = 0; slot < SLOTS; slot++) fresh[slot] = -1;
    for (const int32_t *step = program, *end = program + length; step < end; step += step_length(step[0])) {
        int64_t skip = step[0] == LITERAL ? step[1] : step[0] == SCAN ? 0 : step[0] == TABLE ? 1 : 4;
        if (c->in_end - c->in < skip) return CORRUPT;
        c->in += skip;
        if (step[0] == TABLE) {
            Table *t = &c->tables[step[1]];
            int read = read_table(t, c->in, c->in_end - c->in);
            if (!read || !derive(t)) return CORRUPT;
            source[step[1]] = c->in, fresh[step[1]] = table;
            c->in += read, made[table++] = 0;
        } else if (step[0] == SCAN) {
            memcpy(&c->scan, step + 1, sizeof c->scan);
            run_scan(c);
            if (c->failed) return c->failed;
            for (int slot = 0; slot < SLOTS; slot++) {
                if (fresh[slot] < 0) continue;
                int used = 0, total = 0;
                uint8_t lengths[17], values[256];
                for (int i = 0; i < 256; i++) used += c->counts[slot][i] > 0;
                for (int i = 1; i <= 16; i++) total += c->tables[slot].lengths[i];
                made[fresh[slot]] = used == total && optimal(c->counts[slot], lengths, values) == total
                    && memcmp(lengths + 1, source[slot], 16) == 0
                    && memcmp(values, source[slot] + 16, (size_t)total) == 0;
                fresh[slot] = -1;
            }
        }
    }
    return 0;
}

/* Writes a file to out[capacity]: `text` has the literal bytes and the tables, `size` the four bytes of the frame's.
   Returns its length or an error. */
EXPORT int64_t engram_scans_encode(const int32_t *program, int64_t length, const int32_t *geometry, const uint8_t *text,
                                   const uint8_t *size, const uint8_t *fillings, int64_t filling_count,
                                   int16_t *const *coefficients, uint8_t *out, int64_t capacity)
{
    Coder coder, *c = &coder;
    uint8_t *tables = out; /* the segment of tables that is being written */
    const int32_t *counted = NULL;
    begin(c, WRITING, geometry, coefficients);
    c->out = out, c->out_end = out + capacity, c->fillings = fillings, c->filling_count = filling_count;
    for (const int32_t *step = program, *end = program + length; step < end; step += step_length(step[0])) {
        if (c->out_end - c->out < (step[0] == LITERAL ? step[1] : 0) + ROOM) return TOO_SMALL;
        if (step[0] == LITERAL) {
            memcpy(c->out, text, (size_t)step[1]);
            c->out += step[1], text += step[1];
        } else if (step[0] == SIZE) {
            memcpy(c->out, size, 4);
            c->out += 4;
        } else if (step[0] == TABLES) {
            tables = c->out;
            memcpy(c->out, "\xFF\xC4\x00\x02", 4);
            c->out += 4;
        } else if (step[0] == TABLE) {
            Table *t = &c->tables[step[1]];
            int total = 0, segment = 0;
            *c->out++ = *text++;
            if (step[2]) {
                const int32_t *scan = step;
                while (scan < end && scan[0] != SCAN) scan += step_length(scan[0]);
                if (scan >= end) return CORRUPT;
                if (scan != counted) {
                    memcpy(&c->scan, scan + 1, sizeof c->scan);
                    c->mode = COUNTING;
                    run_scan(c);
                    c->mode = WRITING, counted = scan;
                    if (c->failed) return c->failed;
                }
                total = optimal(c->counts[step[1]], t->lengths, t->values);
                if (!total) return CORRUPT;
            } else {
                int read = read_table(t, text, INT64_MAX);
                if (!read) return CORRUPT;
                text += read, total = read - 16;
            }
            if (!derive(t)) return CORRUPT;
            memcpy(c->out, t->lengths + 1, 16);
            memcpy(c->out + 16, t->values, (size_t)total);
            c->out += 16 + total;
            segment = (tables[2] << 8 | tables[3]) + 17 + total;
            if (segment > 65535) return CORRUPT;
            tables[2] = (uint8_t)(segment >> 8), tables[3] = (uint8_t)segment;
        } else {
            memcpy(&c->scan, step + 1, sizeof c->scan);
            run_scan(c);
            if (c->failed) return c->failed;
        }
    }
    return c->out - out;
}

/* What Windows' linker asks of an extension module; nothing imports it. */
EXPORT void *PyInit__scans(void);
EXPORT void *PyInit__scans(void)
{
    return NULL;
}
