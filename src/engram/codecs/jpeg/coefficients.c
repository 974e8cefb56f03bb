/* The coder of JPEG coefficients, both ways, as `coefficients_reference.py` describes it and has it in Python: tests
   compare the two bit for bit. All numbers are whole; `down` rounds down, `/` rounds toward zero. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    NODES = 12, INPUTS = 20, FEATURES = 22, MOST_COUNT = 255,
    /* where the tables' slots begin */
    BY_SIZE = 0,                                 /* [4 groups][48 sizes][12 nodes] */
    BY_PLACE = BY_SIZE + 4 * 48 * NODES,         /* [128 places][12] */
    BY_NEAR = BY_PLACE + 128 * NODES,            /* [4][64][12] */
    BY_OTHER = BY_NEAR + 4 * 64 * NODES,         /* [6][16][12 sizes][12] */
    LOW_BY_SIZE = BY_OTHER + 6 * 16 * 12 * NODES, /* [4][17 lengths][3 nodes][48] */
    LOW_BY_BORDER = LOW_BY_SIZE + 4 * 17 * 3 * 48, /* [4][17][3][24] */
    SIGN_BY_BORDER = LOW_BY_BORDER + 4 * 17 * 3 * 24, /* [8 zones][2 classes][4][21] */
    SIGN_BY_BORDERS = SIGN_BY_BORDER + 8 * 2 * 4 * 21, /* [2][4][15][15] */
    LAST_BY_NEAR = SIGN_BY_BORDERS + 2 * 4 * 15 * 15, /* [3][4][22][64] */
    LAST_BY_OTHER = LAST_BY_NEAR + 3 * 4 * 22 * 64, /* [3][16][64] */
    LAST = LAST_BY_OTHER + 3 * 16 * 64,          /* [3][64] */
    SLOTS = LAST + 3 * 64,
    /* where the sets of weights begin */
    SIGN_SET = 4 * 8 * 6, LOW_SET = SIGN_SET + 128, LAST_SET = LOW_SET + 17, SETS = LAST_SET + 3
};

/* What `coefficients.py` hands over. The state is changed. */
typedef struct {
    uint16_t *chances, *counts; /* [SLOTS] */
    int32_t *weights;           /* [SETS][INPUTS] */
    int32_t *scales;            /* [3][64][FEATURES] */
    const int16_t *stretched;   /* [4096] */
    const uint16_t *squashed;   /* [4095] */
    const int32_t *rates;       /* [MOST_COUNT + 1] */
    uint8_t *data;              /* the stream */
    int64_t size, at;           /* its length or room; what was written or read */
    uint32_t low, high, point;
    int32_t decoding;
} Coder;

typedef struct {
    const int32_t *form; /* rows, columns, 64 steps */
    int16_t *blocks;     /* [rows][columns][64] */
    uint8_t *lasts;      /* [rows][columns] */
} Plane;

static const uint8_t order[64] = {
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};
/* where a coefficient stands in that order */
static const uint8_t rank[64] = {
    0, 1, 5, 6, 14, 15, 27, 28, 2, 4, 7, 13, 16, 26, 29, 42, 3, 8, 12, 17, 25, 30,
    41, 43, 9, 11, 18, 24, 31, 40, 44, 53, 10, 19, 23, 32, 39, 45, 52, 54, 20, 22, 33, 38,
    46, 51, 55, 60, 21, 34, 37, 47, 50, 56, 59, 61, 35, 36, 48, 49, 57, 58, 62, 63};
static const int8_t near_v[12] = {0, 1, 1, 0, 2, 1, 2, 0, 3, 2, -1, 1};
static const int8_t near_u[12] = {1, 0, 1, 2, 0, 2, 1, 3, 0, 2, 1, -1};
/* 8192 c(k) (1.3 cos(k pi / 16) - 0.3 cos(3 k pi / 16)), c(0) = sqrt(1/8), else 1/2 */
static const int64_t edge[8] = {2896, 4201, 4449, 4667, 4634, 4163, 3173, 1722};

static int64_t down(int64_t number, int bits) { return number < 0 ? ~(~number >> bits) : number >> bits; }
static int64_t within(int64_t number, int64_t most) { return number < -most ? -most : number > most ? most : number; }
static int64_t size_of(int64_t number) { return number < 0 ? -number : number; }
static int least(int64_t number, int most) { return number < most ? (int)number : most; }

static int length(int64_t number)
{
    int bits = 0;
    for (; number; number >>= 1)
        bits++;
    return bits;
}

/* Two, and four, to each doubling */
static int halves(int64_t number)
{
    int bits = length(number);
    return number < 4 ? (int)number : 2 * bits - 2 + (int)(number >> (bits - 2) & 1);
}

static int quarters(int64_t number)
{
    int bits = length(number);
    return number < 4 ? (int)number : 4 * bits - 8 + (int)(number >> (bits - 3) & 3);
}

static int towards(int64_t number, int most)
{
    int steps = least(halves(size_of(number)), most);
    return number < 0 ? most - steps : most + steps;
}

/* A decision whose chance of 1 is chance / 2^16 */
static int decide(Coder *coder, int bit, uint32_t chance)
{
    uint32_t range = coder->high - coder->low;
    uint32_t middle = coder->low + (uint32_t)(((uint64_t)range * chance) >> 16);
    if (coder->decoding)
        bit = coder->point <= middle;
    if (bit)
        coder->high = middle;
    else
        coder->low = middle + 1;
    while (!((coder->low ^ coder->high) >> 24)) {
        if (coder->decoding)
            coder->point = coder->point << 8 | (coder->at < coder->size ? coder->data[coder->at] : 0);
        else if (coder->at < coder->size)
            coder->data[coder->at] = (uint8_t)(coder->high >> 24);
        coder->at++;
        coder->low <<= 8;
        coder->high = coder->high << 8 | 255;
    }
    return bit;
}

/* A decision by the chances of `count` slots and, in inputs[count..], as many numbers as make `all` */
static int mixed(Coder *coder, int bit, const int *slots, int count, int32_t *inputs, int all, int set)
{
    int32_t *weights = coder->weights + INPUTS * set;
    int64_t sum = 0;
    for (int i = 0; i < count; i++)
        inputs[i] = coder->stretched[coder->chances[slots[i]] >> 4];
    inputs[all++] = 256;
    for (int i = 0; i < all; i++)
        sum += (int64_t)inputs[i] * weights[i];
    int32_t chance = coder->squashed[within(down(sum, 16), 2047) + 2047];
    bit = decide(coder, bit, (uint32_t)chance);
    int32_t error = (bit ? 65536 : 0) - chance;
    for (int i = 0; i < all; i++) {
        int64_t step = down((int64_t)inputs[i] * error + 32768, 16);
        weights[i] = (int32_t)within(weights[i] + step, 1 << 20);
    }
    for (int i = 0; i < count; i++) {
        uint16_t *slot = coder->chances + slots[i], *seen = coder->counts + slots[i];
        int64_t next = *slot + down((int64_t)((bit ? 65535 : 0) - *slot) * coder->rates[*seen], 16);
        *slot = (uint16_t)(next < 16 ? 16 : next > 65519 ? 65519 : next);
        *seen += *seen < MOST_COUNT;
    }
    return bit;
}

typedef struct {
    int kind, have;                            /* component up to 2; 1: a block above, 2: one to the left, 3: both */
    const int16_t *above, *left, *above_left, *above_right, *before; /* blocks, or zeros */
    const int16_t *luma[4];
    int lumas, luma_last, before_last, above_last, left_last;
    int64_t from_above[8], from_left[8], bottom[8], right[8]; /* sums along the borders */
} Around;

static int last_of(Coder *coder, const Around *around, int last)
{
    int kind = around->kind, near = around->have == 3 ? (around->above_last + around->left_last + 1) / 2
                                                      : around->above_last + around->left_last;
    int other = (kind == 0 ? 0 : kind == 1 ? around->luma_last : around->before_last) / 4;
    int node = 1;
    for (int i = 5; i >= 0; i--) {
        int32_t inputs[INPUTS];
        int slots[3] = {LAST_BY_NEAR + ((kind * 4 + around->have) * 22 + near / 3) * 64 + node,
                        LAST_BY_OTHER + (kind * 16 + other) * 64 + node, LAST + kind * 64 + node};
        node = 2 * node + mixed(coder, last >> i & 1, slots, 3, inputs, 3, LAST_SET + kind);
    }
    return node - 64;
}

/* Codes a block; where it is decoded, it is zeros before. */
static int block(Coder *coder, const int32_t *steps, Around *around, int16_t *values)
{
    static const uint8_t zones[64] = {
        0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6,
        6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    int kind = around->kind, chroma = kind > 0, last = 63;
    int64_t total = 0;
    while (!coder->decoding && last && !values[order[last]])
        last--;
    last = last_of(coder, around, last);
    for (int z = last; z >= 0; z--) {
        int place = order[z], v = place >> 3, u = place & 7, group = 2 * chroma + !z;
        int64_t step = steps[place];
        /* what the neighbours' borders tell, in quarters of a step */
        int64_t by_above = around->have & 1 ? 4 * around->from_above[u] / (edge[v] * step) : 0;
        int64_t by_left = around->have & 2 ? 4 * around->from_left[v] / (edge[u] * step) : 0;
        by_above = within(by_above, 1 << 17), by_left = within(by_left, 1 << 17);
        int64_t border = around->have == 3 ? (by_above + by_left) / 2 : by_above + by_left;
        int64_t expected = z ? 0 : (border + (border < 0 ? -2 : 2)) / 4;
        int value = coder->decoding ? 0 : (int16_t)(uint16_t)(values[place] - expected);
        /* the size that is expected, in 1/16 */
        int near[12];
        int64_t features[FEATURES], luma = 0, size = 0;
        int before = around->before[place], n = 0;
        for (int i = 0; i < 12; i++) {
            int row = v + near_v[i], column = u + near_u[i];
            int known = row >= 0 && row < 8 && column >= 0 && column < 8 && rank[8 * row + column] > z;
            near[i] = known ? values[8 * row + column] : 0;
            features[n++] = near[i];
        }
        features[n++] = around->above[place], features[n++] = around->left[place];
        features[n++] = around->above_left[place], features[n++] = around->above_right[place];
        for (int i = 0; i < around->lumas; i++)
            luma += size_of(around->luma[i][place]);
        features[n++] = around->lumas ? luma / around->lumas : 0;
        features[n++] = before;
        for (int i = 0; i < n; i++)
            features[i] = 16 * least(size_of(features[i]), 255);
        features[n++] = 4 * least(size_of(z ? border : around->have == 3 ? by_above - by_left : 0), 1020);
        features[n++] = z ? 4 * least(size_of(by_above), 1020) : 0;
        features[n++] = z ? 4 * least(size_of(by_left), 1020) : 0;
        features[n++] = 16;
        int32_t *scales = coder->scales + (kind * 64 + z) * FEATURES;
        for (int i = 0; i < FEATURES; i++)
            size += features[i] * scales[i];
        size = down(size, 16);
        size = size < 1 ? 1 : size > 4095 ? 4095 : size;
        /* the magnitude's length: a decision for each bit that is more */
        int fine = quarters(size), coarse = least(fine / 4, 11);
        int other = least(halves(kind == 0 ? total : kind == 1 ? luma : 2 * size_of(before)), 15);
        int slots[4] = {BY_SIZE + (group * 48 + fine) * NODES, BY_PLACE + (chroma * 64 + z) * NODES,
                        BY_NEAR + (group * 64 + least(size_of(near[0]), 3) * 16 + least(size_of(near[1]), 3) * 4 +
                                   least(size_of(near[2]), 3)) * NODES,
                        BY_OTHER + (((2 * kind + !z) * 16 + other) * 12 + coarse) * NODES};
        int32_t inputs[INPUTS];
        int64_t magnitude = size_of(value);
        int bits = z && z == last, all = length(magnitude);
        for (int more = 1; more && bits < 16; bits += more) {
            int node = least(bits, 11), at[4];
            for (int i = 0; i < 4; i++)
                at[i] = slots[i] + node;
            more = mixed(coder, bits < all, at, 4, inputs, 4, (group * 8 + zones[z]) * 6 + least(bits, 5));
        }
        /* its bits below the highest, of which two have contexts */
        int64_t found = bits > 0;
        for (int i = bits - 2, node = 0; i >= 0; i--) {
            int bit = (int)(magnitude >> i & 1);
            if (node < 3) {
                int at[2] = {LOW_BY_SIZE + ((group * 17 + bits) * 3 + node) * 48 + fine,
                             LOW_BY_BORDER + ((group * 17 + bits) * 3 + node) * 24 +
                                 least(halves(size_of(border)), 23)};
                bit = mixed(coder, bit, at, 2, inputs, 2, LOW_SET + bits);
            } else
                bit = decide(coder, bit, 1 << 15);
            node = 2 * node + 1 + bit;
            found = 2 * found + bit;
        }
        if (found) {
            int sized = least(bits, 3), all_inputs = 2;
            int at[2] = {SIGN_BY_BORDER + ((zones[z] * 2 + chroma) * 4 + sized) * 21 + (z ? towards(border, 10) : 10),
                         SIGN_BY_BORDERS + ((chroma * 4 + sized) * 15 + (z ? towards(by_above, 7) : 7)) * 15 +
                             (z ? towards(by_left, 7) : 7)};
            if (z) {
                inputs[2] = (int32_t)within(16 * by_above, 1024), inputs[3] = (int32_t)within(16 * by_left, 1024);
                inputs[4] = (int32_t)within(64 * before, 1024);
                inputs[5] = (int32_t)within(64 * around->above[place], 1024);
                inputs[6] = (int32_t)within(64 * around->left[place], 1024);
                for (int i = 0; i < 10; i++)
                    inputs[7 + i] = (int32_t)within(64 * near[i], 1024);
                all_inputs = 17;
            }
            if (mixed(coder, value < 0, at, 2, inputs, all_inputs, SIGN_SET + chroma * 64 + z))
                found = -found;
        }
        /* what was seen teaches the scales */
        int64_t seen = 16 * least(size_of(found), 255), room = (size + 8) * (size + 8);
        int64_t slope = within((seen - size) * 65536 / room, 4096);
        for (int i = 0; i < FEATURES; i++)
            scales[i] = (int32_t)within(scales[i] + down(slope * features[i], 11), 1 << 20);
        values[place] = (int16_t)(uint16_t)(found + expected);
        int64_t amount = values[place] * step;
        around->from_above[u] -= amount * edge[v], around->from_left[v] -= amount * edge[u];
        around->bottom[u] += (v & 1 ? -amount : amount) * edge[v];
        around->right[v] += (u & 1 ? -amount : amount) * edge[u];
        total += least(size_of(values[place]), 255);
    }
    return last;
}

static void plane(Coder *coder, Plane *planes, int component, int64_t *borders)
{
    static const int16_t zeros[64];
    Plane *own = planes + component, *luma = component ? planes : 0, *before = component > 1 ? own - 1 : 0;
    int rows = own->form[0], columns = own->form[1];
    if (before && (before->form[0] != rows || before->form[1] != columns))
        before = 0;
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            int64_t at = (int64_t)row * columns + column;
            int16_t *values = own->blocks + 64 * at;
            Around around = {component < 2 ? component : 2, (row > 0) + 2 * (column > 0),
                             zeros, zeros, zeros, zeros, zeros, {0}, 0, 0, 0, 0, 0, {0}, {0}, {0}, {0}};
            if (row) {
                around.above = values - 64 * (int64_t)columns;
                around.above_left = column ? around.above - 64 : zeros;
                around.above_right = column + 1 < columns ? around.above + 64 : zeros;
                around.above_last = own->lasts[at - columns];
                memcpy(around.from_above, borders + 8 * (int64_t)column, sizeof around.from_above);
            }
            if (column) {
                around.left = values - 64;
                around.left_last = own->lasts[at - 1];
                memcpy(around.from_left, borders + 8 * (int64_t)columns, sizeof around.from_left);
            }
            if (luma) {
                int64_t high = luma->form[0], wide = luma->form[1];
                int64_t top = row * high / rows, side = column * wide / columns;
                int64_t bottom = ((row + 1) * high - 1) / rows, end = ((column + 1) * wide - 1) / columns;
                for (int64_t i = top; i <= bottom && i < top + 2; i++)
                    for (int64_t j = side; j <= end && j < side + 2; j++) {
                        around.luma_last += luma->lasts[i * wide + j];
                        around.luma[around.lumas++] = luma->blocks + 64 * (i * wide + j);
                    }
                around.luma_last /= around.lumas;
            }
            if (before) {
                around.before = before->blocks + 64 * at;
                around.before_last = before->lasts[at];
            }
            own->lasts[at] = (uint8_t)block(coder, own->form + 2, &around, values);
            memcpy(borders + 8 * (int64_t)column, around.bottom, sizeof around.bottom);
            memcpy(borders + 8 * (int64_t)columns, around.right, sizeof around.right);
        }
}

/* Codes files: forms has of each file the number of components, 1 to 4, and of each its rows, columns and 64 steps;
   blocks has the coefficients of all. 0, or -1 where memory is out. */
#ifdef _WIN32
__declspec(dllexport)
#endif
int engram_coefficients(Coder *coder, int32_t files, const int32_t *forms, int16_t *blocks)
{
    for (int file = 0; file < files; file++) {
        Plane planes[4];
        int components = *forms++;
        int64_t count = 0, widest = 0;
        for (int i = 0; i < components; i++, forms += 66) {
            int64_t own = (int64_t)forms[0] * forms[1];
            planes[i].form = forms;
            planes[i].blocks = blocks + 64 * count;
            count += own;
            widest = forms[1] > widest ? forms[1] : widest;
        }
        uint8_t *lasts = malloc((size_t)count + 1);
        int64_t *borders = malloc((size_t)(widest + 1) * 8 * sizeof *borders);
        if (lasts && borders)
            for (int i = 0; i < components; i++) {
                planes[i].lasts = lasts + (planes[i].blocks - blocks) / 64;
                plane(coder, planes, i, borders);
            }
        free(lasts);
        free(borders);
        if (!lasts || !borders)
            return -1;
        blocks += 64 * count;
    }
    return 0;
}
