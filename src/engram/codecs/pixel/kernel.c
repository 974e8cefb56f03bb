/* The value loop of a pixel code, both ways: neighbours, network, mixture and range coder, as FORMAT.md's `pixel` has
   them. It gives the streams and the values that `codec.py` gives with NumPy, which tests compare bit for bit.

   The network's numbers are whole, over powers of two, and their sums proven to stay below 2^24, so float holds them
   exactly in any order. All else is in integers, but for one quotient of doubles, which rounds down rightly. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EACH_PROCESSOR
#endif
#define INLINE static inline __attribute__((always_inline))

enum { MOST_COMPONENTS = 8, LARGEST_ACTIVATION = 1023, LARGEST_LOGIT = 1023, LEAST_SCALE = -74, REACH = 12288 };

/* What `kernel.py` hands over; widths are multiples of 16, filled up with zeros. */
typedef struct {
    int32_t channels, inputs, values, canvas_size, waves, largest_wave, layers, widest, components, depth, levels;
    int32_t channel_weights;           /* how many weights a channel has */
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
    int64_t low, high, total;
    int32_t image, value, found;
    int32_t share[MOST_COMPONENTS], mean[MOST_COMPONENTS], inverse[MOST_COMPONENTS];
} Entry;

INLINE int clipped(int number, int least, int largest)
{
    number = number < least ? least : number;
    return number > largest ? largest : number;
}

/* What a layer takes, and which of it is not 0: half of it is, mostly. */
typedef struct {
    long count;
    int32_t *row;
    float *x;
} Taken;

INLINE void take(Taken *taken, const int32_t *numbers, long count)
{
    long found = 0;
    for (long i = 0; i < count; i++) taken->x[i] = numbers[i];
#pragma GCC unroll 8
    for (long i = 0; i < count; i++) taken->row[found] = i, found += numbers[i] != 0;
    taken->count = found;
}

/* sums[lanes] += x weights[rows][lanes of size]; lanes is a constant, so that sums stay in registers. */
INLINE void multiply_lanes(const long lanes, float *sums, const float *weights, long size, const Taken *taken)
{
    float even[64], odd[64];
    long k = 0;
    for (long j = 0; j < lanes; j++) even[j] = sums[j], odd[j] = 0;
    for (; k + 2 <= taken->count; k += 2) {
        const float *w = weights + taken->row[k] * size, *v = weights + taken->row[k + 1] * size;
        float x = taken->x[taken->row[k]], y = taken->x[taken->row[k + 1]];
        for (long j = 0; j < lanes; j++) even[j] += x * w[j];
        for (long j = 0; j < lanes; j++) odd[j] += y * v[j];
    }
    if (k < taken->count)
        for (long j = 0; j < lanes; j++) even[j] += taken->x[taken->row[k]] * weights[taken->row[k] * size + j];
    for (long j = 0; j < lanes; j++) sums[j] = even[j] + odd[j];
}

INLINE void multiply(float *sums, const float *weights, long size, const Taken *taken)
{
    long j = 0;
    for (; j + 64 <= size; j += 64) multiply_lanes(64, sums + j, weights + j, size, taken);
    for (; j + 32 <= size; j += 32) multiply_lanes(32, sums + j, weights + j, size, taken);
    for (; j < size; j += 16) multiply_lanes(16, sums + j, weights + j, size, taken);
}

/* The outputs for one value with some neighbours; the rest is room for the widest layer. */
INLINE void predict(const Model *m, int value, const Taken *near, Taken *hidden, int32_t *numbers, float *sums,
                    int32_t *outputs)
{
    const float *weights = m->weights + (size_t)(value % m->channels) * m->channel_weights, *bias;
    const Taken *from = near;
    long count = m->inputs, last = m->layers - 1;
    for (long layer = 0; layer < last; layer++) {
        long size = m->widths[layer];
        if (layer == 0) bias = m->first + (size_t)value * size;
        else bias = weights, weights += size;
        memcpy(sums, bias, size * sizeof *sums);
        multiply(sums, weights, size, from);
        weights += count * size;
        for (long j = 0; j < size; j++) numbers[j] = clipped((int)sums[j], 0, LARGEST_ACTIVATION);
        take(hidden, numbers, size);
        from = hidden, count = size;
    }
    long size = m->widths[last];
    memcpy(sums, m->last + (size_t)value * size, size * sizeof *sums);
    multiply(sums, weights, size, from);
    multiply(sums, weights + count * size, size, near);
    for (int j = 0; j < 1 + 3 * m->components; j++)
        outputs[j] = clipped((int)floorf(sums[j]), m->least[j], m->largest[j]);
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

/* Codes symbols[count][values] from their canvases, or decodes both, which are 0 then. Returns 0, or -1 without memory,
   or a symbol that there is not. */
EACH_PROCESSOR int32_t engram_code(const Model *m, Coder *coder, int32_t count, uint8_t *symbols, uint8_t *canvases)
{
    Coder c = *coder;
    int failed = 0, start = 0;
    Entry *entries = malloc(sizeof *entries * (size_t)m->largest_wave * count + 1);
    size_t room = (size_t)m->inputs + m->widest;
    float *x = malloc((sizeof *x + sizeof(int32_t)) * 3 * room), *sums = x + 2 * room;
    int32_t *row = (int32_t *)(x + 3 * room), *numbers = row + 2 * room;
    Taken near = {0, row, x}, hidden = {0, row + room, x + room};
    if (!entries || !x) failed = -1;
    for (int wave = 0; wave < m->waves && !failed && !c.lost; start = m->wave_ends[wave++]) {
        int found = 0;
        for (int at = start; at < m->wave_ends[wave]; at++) {
            int value = m->order[at];
            const int32_t *taps = m->taps + (size_t)value * m->inputs;
            for (int image = 0; image < count; image++) {
                const uint8_t *canvas = canvases + (size_t)image * m->canvas_size;
                int32_t predicted[1 + 3 * MOST_COMPONENTS];
                const int32_t *outputs = m->alone + (size_t)value * (1 + 3 * m->components);
                for (int i = 0; i < m->inputs; i++) numbers[i] = canvas[taps[i]];
                take(&near, numbers, m->inputs);
                if (near.count) predict(m, value, &near, &hidden, numbers, sums, predicted), outputs = predicted;
                uint32_t weight = m->nonzero[outputs[0] + LARGEST_LOGIT];
                if (decide(&c, weight, symbols[(size_t)image * m->values + value] != 0))
                    begin(m, entries + found++, image, value, outputs);
            }
        }
        for (int level = m->depth - 1; level >= 0; level--)
            for (Entry *e = entries; e < entries + found; e++) {
                int middle = e->found + (1 << level);
                int64_t mass = mass_below(m, e, middle);
                uint32_t share = (uint32_t)((double)(65534 * (e->high - mass)) / (double)(e->high - e->low));
                int wanted = symbols[(size_t)e->image * m->values + e->value] - 1;
                if (decide(&c, 256 * (1 + share), wanted >> level & 1)) e->found = middle, e->low = mass;
                else e->high = mass;
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
    free(entries), free(x);
    *coder = c;
    return failed;
}
