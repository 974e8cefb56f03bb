/* The value loop of a pixel code, both ways: neighbours, network, mixture and range coder, as FORMAT.md's `pixel` has
   them. It gives the streams and the values that `codec.py` gives with NumPy, which tests compare bit for bit.

   The network's numbers are whole, over powers of two, and their sums proven to stay below 2^24, so float holds them
   exactly in any order. All else is in integers, but for one quotient of doubles, which rounds down rightly. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    TOGETHER = 4, /* images that the network runs on at once */
    MOST_VECTORS = 4,
    MOST_COMPONENTS = 8,
    MOST_OUTPUTS = 1 + 3 * MOST_COMPONENTS,
    LARGEST_LOGIT = 1023,
    LEAST_SCALE = -74,
    REACH = 12288
};

/* What `kernel.py` hands over; widths are multiples of 16, filled up with zeros. */
typedef struct {
    int32_t channels, inputs, values, canvas_size, waves, largest_wave, layers, widest, components, depth, levels;
    int32_t channel_weights;           /* how many weights a channel has */
    int32_t high;                      /* the largest hidden number */
    const int32_t *widths;             /* [layers]: outputs of each */
    const float *weights;              /* [channels][...]: a layer's rows, a layer's between with its bias before them */
    const float *first, *last;         /* [values][outputs]: biases of the first and the last layer, positions added */
    const int32_t *least, *largest;    /* [1 + 3 components]: limits of the outputs */
    const int32_t *alone;              /* [values][1 + 3 components]: the outputs where all neighbours are 0 */
    const int32_t *wave_ends, *order;  /* [waves], [values]: the values, wave after wave */
    const int32_t *taps, *places;      /* [values][inputs], [values]: in the canvas */
    const int32_t *gray, *boundaries;  /* [levels], [2^depth + 1] */
    const int32_t *nonzero, *exponential, *inverse, *logistic;
} Model;

typedef struct {
    uint64_t width, low; /* of the interval; decoding, low is how far into it the stream points */
    uint32_t *words;
    int64_t at, size;
    int32_t encoding, lost; /* lost: the stream points outside of the interval */
} Coder;

typedef struct {
    int64_t low, high, total, mass;
    uint32_t weight;
    int32_t image, value, found;
    int32_t share[MOST_COMPONENTS], mean[MOST_COMPONENTS], inverse[MOST_COMPONENTS];
} Entry;

INLINE int clipped(int number, int least, int largest)
{
    number = number < least ? least : number;
    return number > largest ? largest : number;
}

#define EACH(I, COUNT) _Pragma("GCC unroll 4") for (int I = 0; I < COUNT; I++)

/* For each image, sums[many vectors] += x[count] weights[count][many vectors of size]. `many` is a constant, so the
   sums stay in registers, and a weight that was read serves all images. One function for each width of registers:
   compilers make poor code of wider vectors, and of loops over a vector's numbers. */
#define MULTIPLY(NAME, BYTES)                                                                                          \
    typedef float NAME##_vector __attribute__((vector_size(BYTES), aligned(4), may_alias));                            \
    INLINE void NAME(const int many, float *sums, const float *weights, long size, const float *x, long count,         \
                     long room)                                                                                        \
    {                                                                                                                  \
        NAME##_vector sum[TOGETHER][MOST_VECTORS], w[MOST_VECTORS];                                                    \
        EACH(i, TOGETHER) EACH(j, many) sum[i][j] = ((const NAME##_vector *)(sums + i * room))[j];                     \
        for (long k = 0; k < count; k++) {                                                                             \
            EACH(j, many) w[j] = ((const NAME##_vector *)(weights + k * size))[j];                                     \
            EACH(i, TOGETHER) EACH(j, many) sum[i][j] += x[i * room + k] * w[j];                                       \
        }                                                                                                              \
        EACH(i, TOGETHER) EACH(j, many) ((NAME##_vector *)(sums + i * room))[j] = sum[i][j];                           \
    }
MULTIPLY(multiply_16, 16)
MULTIPLY(multiply_32, 32)
MULTIPLY(multiply_64, 64)

/* `bytes` is the width of the processor's registers. */
INLINE void multiply(const int bytes, float *sums, const float *weights, long size, const float *x, long count,
                     long room)
{
    long j = 0;
    if (bytes == 64) {
        for (; j + 48 <= size; j += 48) multiply_64(3, sums + j, weights + j, size, x, count, room);
        for (; j + 32 <= size; j += 32) multiply_64(2, sums + j, weights + j, size, x, count, room);
        for (; j < size; j += 16) multiply_64(1, sums + j, weights + j, size, x, count, room);
    } else if (bytes == 32) {
        for (; j < size; j += 16) multiply_32(2, sums + j, weights + j, size, x, count, room);
    } else {
        for (; j < size; j += 16) multiply_16(4, sums + j, weights + j, size, x, count, room);
    }
}

/* The outputs for one value of some images with their neighbours near[TOGETHER][room]; hidden and sums are as large. */
INLINE void predict(const int bytes, const Model *m, int value, const float *near, float *hidden, float *sums,
                    long room, int32_t outputs[TOGETHER][MOST_OUTPUTS])
{
    const float *weights = m->weights + (size_t)(value % m->channels) * m->channel_weights, *bias, *from = near;
    long count = m->inputs, last = m->layers - 1;
    for (long layer = 0; layer < last; layer++) {
        long size = m->widths[layer];
        if (layer == 0) bias = m->first + (size_t)value * size;
        else bias = weights, weights += size;
        for (int i = 0; i < TOGETHER; i++) memcpy(sums + i * room, bias, size * sizeof *sums);
        multiply(bytes, sums, weights, size, from, count, room);
        weights += count * size;
        for (int i = 0; i < TOGETHER; i++)
            for (long j = 0; j < size; j++)
                hidden[i * room + j] = clipped((int)sums[i * room + j], 0, m->high);
        from = hidden, count = size;
    }
    long size = m->widths[last];
    for (int i = 0; i < TOGETHER; i++) memcpy(sums + i * room, m->last + (size_t)value * size, size * sizeof *sums);
    multiply(bytes, sums, weights, size, from, count, room);
    multiply(bytes, sums, weights + count * size, size, near, m->inputs, room);
    for (int i = 0; i < TOGETHER; i++)
        for (int j = 0; j < 1 + 3 * m->components; j++)
            outputs[i][j] = clipped((int)floorf(sums[i * room + j]), m->least[j], m->largest[j]);
}

/* One decision: codes the bit, or returns the one that was coded. */
INLINE int decide(Coder *c, uint32_t weight, int bit)
{
    uint64_t unit = c->width >> 24, below = unit * ((1u << 24) - weight);
    if (!c->encoding) bit = c->low >= below;
    c->width = bit ? unit * weight : below;
    if (bit && c->encoding) {
        c->low += below;
        if (c->low < below) { /* a carry, which never passes the first word: the interval begins below 1 */
            int64_t word = c->at - 1;
            while (++c->words[word] == 0) word--;
        }
    } else if (bit) {
        c->low -= below;
        if (c->low >= c->width) c->low = 0, c->lost = 1;
    }
    if (c->width >> 32 == 0) {
        uint32_t next = c->encoding || c->at >= c->size ? 0 : c->words[c->at];
        if (c->encoding) c->words[c->at] = (uint32_t)(c->low >> 32);
        c->width <<= 32, c->low = c->low << 32 | next, c->at++;
    }
    return bit;
}

/* What is known of a value that is not 0 before its bits are. */
INLINE void begin(const Model *m, Entry *e, int image, int value, const int32_t *outputs)
{
    int components = m->components, most = outputs[1];
    for (int k = 1; k < components; k++) most = outputs[1 + k] > most ? outputs[1 + k] : most;
    e->image = image, e->value = value, e->found = 0, e->low = 0, e->total = 0;
    for (int k = 0; k < components; k++) {
        e->share[k] = m->exponential[clipped(most - outputs[1 + k], 0, LARGEST_LOGIT)];
        e->mean[k] = outputs[1 + components + k];
        e->inverse[k] = m->inverse[outputs[1 + 2 * components + k] - LEAST_SCALE];
        e->total += (int64_t)e->share[k] << 20;
    }
    e->high = e->total + ((int64_t)1 << (12 + m->depth));
}

/* F(v) */
INLINE int64_t mass_below(const Model *m, const Entry *e, int v)
{
    int64_t mass = 0;
    if (v >= m->levels - 1) return e->total + ((int64_t)v << 12);
    for (int k = 0; k < m->components; k++) {
        int u = (m->boundaries[v] - e->mean[k]) * e->inverse[k] >> 9;
        mass += (int64_t)e->share[k] * m->logistic[clipped(u, -REACH, REACH - 1) + REACH];
    }
    return mass + ((int64_t)v << 12);
}

INLINE int32_t code(const int bytes, const Model *m, Coder *coder, int32_t count, uint8_t *symbols,
                    uint8_t *canvases)
{
    Coder c = *coder;
    int failed = 0, start = 0;
    Entry *entries = malloc(sizeof *entries * (size_t)m->largest_wave * count + 1);
    long room = m->widest > m->inputs ? m->widest : m->inputs;
    float *near = calloc(3 * TOGETHER * (size_t)room, sizeof *near);
    float *hidden = near + TOGETHER * room, *sums = hidden + TOGETHER * room;
    int32_t(*outputs)[MOST_OUTPUTS] = malloc(sizeof *outputs * (size_t)count + 1);
    int32_t predicted[TOGETHER][MOST_OUTPUTS], waiting[TOGETHER];
    size_t outputs_size = sizeof(int32_t) * (1 + 3 * m->components);
    if (!entries || !near || !outputs) failed = -1;
    for (int wave = 0; wave < m->waves && !failed && !c.lost; start = m->wave_ends[wave++]) {
        int found = 0;
        for (int at = start; at < m->wave_ends[wave]; at++) {
            int value = m->order[at];
            const int32_t *taps = m->taps + (size_t)value * m->inputs;
            for (int image = 0, ready = 0; image < count; image++) {
                const uint8_t *canvas = canvases + (size_t)image * m->canvas_size;
                int some = 0;
                for (int i = 0; i < m->inputs; i++) near[ready * room + i] = canvas[taps[i]], some |= canvas[taps[i]];
                if (some) waiting[ready++] = image;
                else memcpy(outputs[image], m->alone + (size_t)value * (1 + 3 * m->components), outputs_size);
                if (ready < TOGETHER && image < count - 1) continue;
                if (ready) predict(bytes, m, value, near, hidden, sums, room, predicted);
                for (; ready; ready--) memcpy(outputs[waiting[ready - 1]], predicted[ready - 1], outputs_size);
            }
            for (int image = 0; image < count; image++)
                if (decide(&c, m->nonzero[outputs[image][0] + LARGEST_LOGIT],
                           symbols[(size_t)image * m->values + value] != 0))
                    begin(m, entries + found++, image, value, outputs[image]);
        }
        for (int level = m->depth - 1; level >= 0; level--) { /* all weights first: none waits for a decision */
            for (Entry *e = entries; e < entries + found; e++) {
                e->mass = mass_below(m, e, e->found + (1 << level));
                e->weight = 256 * (1 + (uint32_t)((double)(65534 * (e->high - e->mass)) / (double)(e->high - e->low)));
            }
            for (Entry *e = entries; e < entries + found; e++) {
                int wanted = symbols[(size_t)e->image * m->values + e->value] - 1;
                if (decide(&c, e->weight, wanted >> level & 1)) e->found += 1 << level, e->low = e->mass;
                else e->high = e->mass;
            }
        }
        for (Entry *e = entries; e < entries + found && !c.encoding; e++) {
            int symbol = e->found + 1;
            if (symbol >= m->levels) failed = symbol > failed ? symbol : failed;
            else {
                symbols[(size_t)e->image * m->values + e->value] = symbol;
                canvases[(size_t)e->image * m->canvas_size + m->places[e->value]] = m->gray[symbol];
            }
        }
    }
    free(entries), free(near), free(outputs);
    *coder = c;
    return failed;
}

/* The same for processors with wider registers than all have. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define FOR(LEVEL, BYTES)                                                                                              \
    __attribute__((target("arch=x86-64-v" #LEVEL))) static int32_t code_v##LEVEL(                                      \
        const Model *m, Coder *coder, int32_t count, uint8_t *symbols, uint8_t *canvases)                              \
    {                                                                                                                  \
        return code(BYTES, m, coder, count, symbols, canvases);                                                        \
    }
FOR(3, 32)
FOR(4, 64)
#define RUN(LEVEL, BYTES)                                                                                              \
    if (most >= BYTES && __builtin_cpu_supports("x86-64-v" #LEVEL))                                                    \
        return code_v##LEVEL(m, coder, count, symbols, canvases);
#else
#define RUN(LEVEL, BYTES)
#endif

/* Codes symbols[count][values] from their canvases, or decodes both, which are 0 then. Returns 0, or -1 without memory,
   or a symbol that there is not. No registers are used that are wider than `most` bytes. */
int32_t engram_code(const Model *m, Coder *coder, int32_t count, uint8_t *symbols, uint8_t *canvases, int32_t most)
{
    (void)most;
    RUN(4, 64)
    RUN(3, 32)
    return code(16, m, coder, count, symbols, canvases);
}
