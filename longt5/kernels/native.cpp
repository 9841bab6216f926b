// Long attention, and the layers of one decode step. Scores never leave the processor's cache.
//
// One product routine computes both products of attention. It reads its left operand row by row;
// its right operand is packed so that a register of columns is contiguous. In bfloat16 two
// consecutive inner elements share a 32-bit word, the layout of the dot-product instruction and of
// the AMX matrix units, which load both operands without repacking.
// S source tokens, H heads, d head dim, L block length, G global tokens, K beams, R decoder rows.
// Requires AVX2; uses AVX-512 and AMX where the compiler flags allow them.

#if !defined(__AVX2__) || !defined(__GNUC__)
#error "This source needs g++ or clang++ and an x86 processor with AVX2; elsewhere torch computes."
#endif
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <new>
#include <vector>
#include <immintrin.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif
#include "team.h"

namespace {

// The size of a vector register in bytes, and the shape of the products that fit the registers.
#if defined(__AVX512BW__) && defined(__AVX512DQ__)
#define WIDE
#define REGISTER 64
constexpr int ROWS = 8, VECS = 2, STREAMED = 4, OUTPUTS = 4;
#else
#define REGISTER 32
constexpr int ROWS = 4, VECS = 2, STREAMED = 2, OUTPUTS = 2;
#endif
#if defined(WIDE) && defined(__AMX_BF16__) && defined(__linux__)
#define TILED
constexpr int64_t SIDE = 16;           // rows of a matrix register, and words per row
#endif
constexpr int64_t LANES = REGISTER / 4;
constexpr int64_t TILE = 32;           // most query rows that share a strip of scores
constexpr int64_t STRIP = 128;         // inner elements of a product computed at once
constexpr int64_t SEGMENT = 8;         // blocks whose keys are packed together
constexpr int64_t SPAN = 2048;         // keys of one piece of cross-attention
constexpr int64_t KEYS_AHEAD = 4096, VALUES_AHEAD = 4096;  // words to prefetch
constexpr float MASKED = -1e10f;

typedef float vec __attribute__((vector_size(REGISTER)));
typedef int32_t ivec __attribute__((vector_size(REGISTER)));

inline vec load(const float* p) { vec v; std::memcpy(&v, p, sizeof v); return v; }
inline void store(float* p, vec v) { std::memcpy(p, &v, sizeof v); }
inline vec splat(float x) { return x - vec{}; }  // free, unlike x + 0, which makes -0 to 0
inline vec larger(vec a, vec b) { return a > b ? a : b; }

inline float lane_max(vec v) {
#ifdef WIDE
    return _mm512_reduce_max_ps((__m512)v);
#else
    float out = v[0];
    for (int i = 1; i < LANES; ++i) out = std::max(out, v[i]);
    return out;
#endif
}

inline float lane_sum(vec v) {
#ifdef WIDE
    return _mm512_reduce_add_ps((__m512)v);
#else
    __m128 x = _mm256_castps256_ps128((__m256)v) + _mm256_extractf128_ps((__m256)v, 1);
    x += _mm_movehl_ps(x, x);
    return x[0] + x[1];
#endif
}

constexpr float LOG2E = 1.44269504f;

// 2^x as a power of two times a polynomial of the fraction; above 2^126 any value that is as large.
// DEGREE 5 has an error of 3e-7, DEGREE 3 of 1e-4, far below the rounding of bfloat16.
template <int DEGREE>
inline vec power_of_two(vec x) {
#ifdef WIDE
    const vec f = (vec)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEG_INF);  // x - floor(x)
    vec p;
    if (DEGREE == 3) {
        p = splat(7.802452004e-02f) * f + splat(2.260671591e-01f);
    } else {
        p = splat(1.877576645e-03f) * f + splat(8.989340163e-03f);
        p = p * f + splat(5.582631799e-02f);
        p = p * f + splat(2.401536171e-01f);
    }
    p = p * f + splat(DEGREE == 3 ? 6.958335392e-01f : 6.931530732e-01f);
    p = p * f + splat(DEGREE == 3 ? 9.999252186e-01f : 9.999999251e-01f);
    return (vec)_mm512_scalef_ps((__m512)p, (__m512)x);  // p * 2^floor(x)
#else
    x = x < -125.0f ? splat(-125.0f) : x;  // NaN stays NaN
    x = x > 126.0f ? splat(126.0f) : x;
    const vec shift = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    const vec n = x + shift;
    const vec f = x - (n - shift);
    vec p;
    if (DEGREE == 3) {
        p = splat(5.517162512e-02f) * f + splat(2.426111188e-01f);
    } else {
        p = splat(1.327646696e-03f) * f + splat(9.675541294e-03f);
        p = p * f + splat(5.550713289e-02f);
        p = p * f + splat(2.402211972e-01f);
    }
    p = p * f + splat(DEGREE == 3 ? 6.932609936e-01f : 6.931469671e-01f);
    p = p * f + splat(DEGREE == 3 ? 9.999280740e-01f : 1.000000072e+00f);
    // The low bits of n are the integer, which is added to the exponent.
    ivec integer, bits;
    std::memcpy(&integer, &n, sizeof n);
    std::memcpy(&bits, &p, sizeof p);
    bits += integer << 23;
    std::memcpy(&p, &bits, sizeof p);
    return p;
#endif
}

inline vec fast_exp(vec x) { return power_of_two<5>(x * splat(LOG2E)); }

struct Float {
    typedef float element;
    typedef float word;
    typedef vec some;
    static constexpr int64_t pair = 1;
    static constexpr int64_t columns = LANES;  // scores computed at a time
    static constexpr int exp_degree = 5;
    static vec dot(vec acc, word a, some b) { return acc + splat(a) * b; }
    static void put(element* p, vec v) { store(p, v); }
    static element narrow(float x) { return x; }
    static vec get(const element* p) { return load(p); }
    static word join(element low, element) { return low; }
    // For sums along both operands; the result is the sum of all lanes.
    typedef float left;
    typedef vec total;
    static constexpr int64_t stride = LANES;
    static some take(const float* p) { return load(p); }
    static vec along(vec acc, some a, some b) { return acc + a * b; }
};

inline uint16_t half(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

struct Brain {
    typedef uint16_t element;
    typedef uint32_t word;
    typedef ivec some;
    static constexpr int64_t pair = 2;
#ifdef TILED
    static constexpr int64_t columns = 2 * SIDE;
#else
    static constexpr int64_t columns = LANES;
#endif
    static constexpr int exp_degree = 3;
    static vec dot(vec acc, word a, some b) { return along(acc, ivec{} + int32_t(a), b); }
    static void put(element* p, vec v) {
#ifdef __AVX512BF16__
        _mm256_storeu_si256((__m256i*)p, (__m256i)_mm512_cvtneps_pbh((__m512)v));
#else
        for (int i = 0; i < LANES; ++i) p[i] = half(v[i]);
#endif
    }
    static element narrow(float x) { return half(x); }
    static vec get(const element* p) {
        typedef uint16_t narrow __attribute__((vector_size(REGISTER / 2)));
        narrow raw;
        std::memcpy(&raw, p, sizeof raw);
        ivec wide = __builtin_convertvector(raw, ivec) << 16;
        vec v;
        std::memcpy(&v, &wide, sizeof v);
        return v;
    }
    static word join(element low, element high) { return word(low) | word(high) << 16; }
    typedef uint16_t left;
    typedef vec total;
    static constexpr int64_t stride = 2 * LANES;
    static some take(const void* p) {
        ivec v;
        std::memcpy(&v, p, sizeof v);
        return v;
    }
    static vec along(vec acc, some a, some b) {
#ifdef __AVX512BF16__
        return (vec)_mm512_dpbf16_ps((__m512)acc, (__m512bh)a, (__m512bh)b);
#else
        const ivec high = ivec{} + int32_t(0xffff0000u);
        return acc + as_vec(a << 16) * as_vec(b << 16) + as_vec(a & high) * as_vec(b & high);
#endif
    }
    static vec as_vec(ivec bits) {
        vec v;
        std::memcpy(&v, &bits, sizeof v);
        return v;
    }
};

// 8-bit weights times 16-bit activations, summed in 32-bit integers.
struct Whole {
    typedef int8_t element;
    typedef int16_t left;
    typedef ivec total;
    static constexpr int64_t stride = 2 * LANES;
    typedef int16_t some __attribute__((vector_size(REGISTER)));
    static some take(const int16_t* p) {
        some v;
        std::memcpy(&v, p, sizeof v);
        return v;
    }
    static some take(const int8_t* p) {
        typedef int8_t narrow __attribute__((vector_size(REGISTER / 2)));
        narrow v;
        std::memcpy(&v, p, sizeof v);
        return __builtin_convertvector(v, some);
    }
    static ivec along(ivec acc, some a, some b) {
#ifdef __AVX512VNNI__
        return (ivec)_mm512_dpwssd_epi32((__m512i)acc, (__m512i)a, (__m512i)b);
#elif defined(WIDE)
        return acc + (ivec)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#else
        return acc + (ivec)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#endif
    }
};

// Compilers tend to load a value again for each product, but loads are the bottleneck.
template <class V>
inline void in_register(V& v) {
#ifdef WIDE
    asm("" : "+v"(v));
#else
    asm("" : "+x"(v));
#endif
}

inline vec as_floats(vec v) { return v; }
inline vec as_floats(ivec v) { return __builtin_convertvector(v, vec); }

// C[R, LANES * V] (+)= A[R, steps] B[steps, LANES * V]; b + k * ldb + v * next is one packed vector.
// A right operand in memory is prefetched ``ahead`` words early (0: it is in the cache).
template <class T, int R, int V>
inline void product(const typename T::word* a, int64_t lda, const typename T::word* b,
                    int64_t ldb, int64_t next, int64_t steps, float* c, int64_t ldc, bool add,
                    int64_t ahead = 0) {
    vec acc[R][V];
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) acc[r][v] = add ? load(c + r * ldc + v * LANES) : vec{};
    for (int64_t k = 0; k < steps; ++k) {
        if (ahead)
            for (int v = 0; v < V; ++v) __builtin_prefetch(b + k * ldb + v * next + ahead);
        typename T::some right[V];
        for (int v = 0; v < V; ++v) {
            right[v] = T::take(b + k * ldb + v * next);
            in_register(right[v]);
        }
        for (int r = 0; r < R; ++r)
            for (int v = 0; v < V; ++v) acc[r][v] = T::dot(acc[r][v], a[r * lda + k], right[v]);
    }
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) store(c + r * ldc + v * LANES, acc[r][v]);
}

template <class T, int V>
inline void product_column(int64_t rows, const typename T::word* a, int64_t lda,
                           const typename T::word* b, int64_t ldb, int64_t next, int64_t steps,
                           float* c, int64_t ldc, bool add) {
    int64_t r = 0;
    for (; r + ROWS <= rows; r += ROWS)
        product<T, ROWS, V>(a + r * lda, lda, b, ldb, next, steps, c + r * ldc, ldc, add);
    for (; r < rows; ++r)
        product<T, 1, V>(a + r * lda, lda, b, ldb, next, steps, c + r * ldc, ldc, add);
}

// Multiplies all rows with one strip of the right operand while it is in the first-level cache.
template <class T>
void multiply(int64_t rows, const typename T::word* a, int64_t lda, const typename T::word* b,
              int64_t ldb, int64_t next, int64_t steps, int64_t vectors, float* c, int64_t ldc,
              bool add) {
    for (int64_t k = 0; k < steps; k += STRIP) {
        const int64_t some = std::min(STRIP, steps - k);
        const bool more = add || k > 0;
        int64_t v = 0;
        for (; v + VECS <= vectors; v += VECS)
            product_column<T, VECS>(rows, a + k, lda, b + k * ldb + v * next, ldb, next, some,
                                    c + v * LANES, ldc, more);
        for (; v < vectors; ++v)
            product_column<T, 1>(rows, a + k, lda, b + k * ldb + v * next, ldb, next, some,
                                 c + v * LANES, ldc, more);
    }
}

#ifdef TILED

// Returns whether the system permits the matrix registers, which a process must request (Linux,
// Documentation/arch/x86/xstate.rst).
bool tiles_granted() {
    constexpr int ASK = 0x1023, TILE_DATA = 18;
    static const bool granted = syscall(SYS_arch_prctl, ASK, TILE_DATA) == 0;
    return granted;
}

// Configures a thread's eight matrix registers, all of full size, for the lifetime of the object.
struct Registers {
    const bool held;
    Registers(bool wanted) : held(wanted && tiles_granted()) {
        // Palette 1; from byte 16 the bytes per row of each register, from byte 48 its rows.
        alignas(64) static const uint8_t config[64] = {
            1, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0,
            64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0,
            0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0,
            16, 16, 16, 16, 16, 16, 16, 16};
        if (held) _tile_loadconfig(config);
    }
    ~Registers() {
        if (held) _tile_release();
    }
};

// ``multiply`` for 32 rows and a multiple of 16 steps and of two vectors: four accumulators share
// two left and two right operands.
void multiply_tiles(const uint32_t* a, int64_t lda, const uint32_t* b, int64_t ldb, int64_t next,
                    int64_t steps, int64_t vectors, float* c, int64_t ldc, bool add) {
    const int64_t a_row = 4 * lda, b_row = 4 * ldb, c_row = 4 * ldc;
    for (int64_t v = 0; v < vectors; v += 2) {
        float *upper = c + v * SIDE, *lower = upper + SIDE * ldc;
        asm volatile("" ::: "memory");  // some compilers do not know that tile loads read memory
        if (add) {
            _tile_loadd(0, upper, c_row);
            _tile_loadd(1, upper + SIDE, c_row);
            _tile_loadd(2, lower, c_row);
            _tile_loadd(3, lower + SIDE, c_row);
        } else {
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
        }
        for (int64_t k = 0; k < steps; k += SIDE) {
            const uint32_t* right = b + k * ldb + v * next;
            _tile_loadd(4, a + k, a_row);
            _tile_loadd(6, right, b_row);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(7, right + next, b_row);
            _tile_dpbf16ps(1, 4, 7);
            _tile_loadd(5, a + SIDE * lda + k, a_row);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
        _tile_stored(0, upper, c_row);
        _tile_stored(1, upper + SIDE, c_row);
        _tile_stored(2, lower, c_row);
        _tile_stored(3, lower + SIDE, c_row);
    }
}
#else
struct Registers {
    static constexpr bool held = false;
    Registers(bool) {}
};
#endif

// Multiplies the few rows of a decode step by many columns at once, to read memory in order.
template <class T, int R>
void stream_rows(const typename T::word* a, int64_t lda, const typename T::word* b, int64_t ldb,
                 int64_t next, int64_t steps, int64_t vectors, float* c, int64_t ldc,
                 int64_t ahead) {
    int64_t v = 0;
    for (; v + STREAMED <= vectors; v += STREAMED)
        product<T, R, STREAMED>(a, lda, b + v * next, ldb, next, steps, c + v * LANES, ldc, false, ahead);
    for (; v < vectors; ++v)
        product<T, R, 1>(a, lda, b + v * next, ldb, next, steps, c + v * LANES, ldc, false, ahead);
}

template <class T>
void stream(int64_t rows, const typename T::word* a, int64_t lda, const typename T::word* b,
            int64_t ldb, int64_t next, int64_t steps, int64_t vectors, float* c, int64_t ldc,
            int64_t ahead) {
    for (int64_t r = 0; r < rows; r += 4) {
        const typename T::word* left = a + r * lda;
        float* out = c + r * ldc;
        switch (std::min<int64_t>(4, rows - r)) {
            case 4: stream_rows<T, 4>(left, lda, b, ldb, next, steps, vectors, out, ldc, ahead); break;
            case 3: stream_rows<T, 3>(left, lda, b, ldb, next, steps, vectors, out, ldc, ahead); break;
            case 2: stream_rows<T, 2>(left, lda, b, ldb, next, steps, vectors, out, ldc, ahead); break;
            default: stream_rows<T, 1>(left, lda, b, ldb, next, steps, vectors, out, ldc, ahead);
        }
    }
}

// Packs keys [count, d] into panels of LANES keys, [d / pair, LANES] words; missing rows are 0.
template <class T>
void pack_keys(const typename T::element* src, int64_t stride, int64_t count, int64_t panels,
               int64_t d, typename T::word* out) {
    const int64_t steps = d / T::pair;
    for (int64_t p = 0; p < panels; ++p)
        for (int64_t i = 0; i < LANES; ++i) {
            const int64_t key = p * LANES + i;
            typename T::word* to = out + p * steps * LANES + i;
            if (key < 0 || key >= count) {
                for (int64_t k = 0; k < steps; ++k) to[k * LANES] = 0;
                continue;
            }
            const typename T::element* row = src + key * stride;
            for (int64_t k = 0; k < steps; ++k)
                to[k * LANES] = T::join(row[k * T::pair], row[k * T::pair + T::pair - 1]);
        }
}

// Packs values [count, d] into [rows / pair, d] words, each of `pair` consecutive keys.
template <class T>
void pack_values(const typename T::element* src, int64_t stride, int64_t count, int64_t rows,
                 int64_t d, typename T::word* out) {
    for (int64_t j = 0; j < rows; j += T::pair) {
        typename T::word* to = out + j / T::pair * d;
        const bool one = j < count, two = j + T::pair - 1 < count;
        for (int64_t x = 0; x < d; ++x)
            to[x] = T::join(one ? src[j * stride + x] : 0,
                            two ? src[(j + T::pair - 1) * stride + x] : 0);
    }
}

inline int64_t up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

inline void* scratch(int64_t bytes) { return std::aligned_alloc(64, up(bytes + 64, 64)); }

struct Long {
    const void *q, *k, *v, *side_k, *side_v;
    const float *local_table, *side_table;  // [H, 4L - 1], [H, 2G]: biases times log2(e)
    const int64_t *rows, *seen;  // [B, R] the global block of each run of queries; [B]
    const uint8_t* mask;         // [B, S], null when every key is a token
    void* out;
    int64_t B, S, H, d, L, block, G, R, q_stride, k_stride, v_stride, side_k_stride, side_v_stride;
    int64_t threads;
};

// Buffers of one thread for one head and one segment of blocks; the globals of ``head`` are packed.
template <class T>
struct Strip {
    typedef typename T::word word;
    typedef typename T::element element;
    int64_t keys, side, width, head = -1;
    bool hides;  // true if any key of the segment is hidden
    const Registers registers;
    word *k, *v, *side_k, *side_v;
    float *hidden, *scores, *sums, *result;
    element *weights, *queries;
    Strip(const Long& a)
        : registers(T::pair == 2 && a.L % TILE == 0 && a.d % (2 * LANES) == 0) {
        keys = (SEGMENT + 2) * a.L;
        side = up(a.G, T::columns);  // of the current head; no head has more
        width = up(3 * a.L, LANES) + side;
        const int64_t w = sizeof(word), steps = a.d / T::pair;
        k = (word*)scratch(keys * steps * w);
        v = (word*)scratch(keys / T::pair * a.d * w);
        side_k = (word*)scratch(side * steps * w);
        side_v = (word*)scratch(side / T::pair * a.d * w);
        hidden = (float*)scratch(keys * 4);
        scores = (float*)scratch(TILE * width * 4);
        weights = (element*)scratch(TILE * width * sizeof(element));
        queries = (element*)scratch(TILE * a.d * sizeof(element));
        sums = (float*)scratch(TILE * 4);
        result = (float*)scratch(TILE * a.d * 4);
    }
    ~Strip() {
        for (void* p : {(void*)k, (void*)v, (void*)side_k, (void*)side_v, (void*)hidden,
                        (void*)scores, (void*)weights, (void*)queries, (void*)sums, (void*)result})
            std::free(p);
    }

    void times(int64_t rows, const word* a, int64_t lda, const word* b, int64_t ldb, int64_t next,
               int64_t steps, int64_t vectors, float* c, int64_t ldc, bool add) const {
#ifdef TILED
        if constexpr (T::pair == 2)
            if (registers.held)
                return multiply_tiles(a, lda, b, ldb, next, steps, vectors, c, ldc, add);
#endif
        multiply<T>(rows, a, lda, b, ldb, next, steps, vectors, c, ldc, add);
    }
};

template <class T>
void pack_segment(const Long& a, Strip<T>& s, int64_t b, int64_t h, int64_t first) {
    typedef typename T::element element;
    // Packed key 0 is the first key of the block before the segment.
    const int64_t begin = (first - 1) * a.L, lead = std::max<int64_t>(0, -begin);
    const int64_t from = begin + lead, count = std::min(a.S - from, s.keys - lead);
    const int64_t steps = a.d / T::pair;
    std::memset((void*)s.k, 0, lead * steps * sizeof(typename T::word));
    std::memset((void*)s.v, 0, lead / T::pair * a.d * sizeof(typename T::word));
    pack_keys<T>((const element*)a.k + (b * a.S + from) * a.k_stride + h * a.d, a.k_stride, count,
                 (s.keys - lead) / LANES, a.d, s.k + lead * steps);
    pack_values<T>((const element*)a.v + (b * a.S + from) * a.v_stride + h * a.d, a.v_stride,
                   count, s.keys - lead, a.d, s.v + lead / T::pair * a.d);
    s.hides = false;
    for (int64_t j = 0; j < s.keys; ++j) {
        const int64_t at = begin + j;
        const bool seen = at >= 0 && at < a.S && (!a.mask || a.mask[b * a.S + at]);
        s.hidden[j] = seen ? 0.0f : MASKED;
        s.hides |= !seen;
    }
    if (s.head == b * a.H + h) return;
    s.head = b * a.H + h;
    const int64_t seen = a.G ? a.seen[b] : 0;
    s.side = up(seen, T::columns);
    pack_keys<T>((const element*)a.side_k + b * a.G * a.side_k_stride + h * a.d, a.side_k_stride,
                 seen, s.side / LANES, a.d, s.side_k);
    pack_values<T>((const element*)a.side_v + b * a.G * a.side_v_stride + h * a.d,
                   a.side_v_stride, seen, s.side, a.d, s.side_v);
}

// If the sum of powers of two exceeds this, they are computed again from the overall maximum.
constexpr float TOO_MUCH = 1e18f;

// Computes (scores + hidden) * log2(e) + bias in place; returns the largest.
inline float biased(float* scores, int64_t count, const float* bias, const float* hidden) {
    vec top = splat(8 * MASKED);
    for (int64_t j = 0; j < count; j += LANES) {
        vec x = load(scores + j);
        if (hidden) x += load(hidden + j);
        x = x * splat(LOG2E) + load(bias + j);
        store(scores + j, x);
        top = larger(top, x);
    }
    return lane_max(top);
}

// Converts scores of one row to unnormalized weights; returns their sum. ``hidden`` may be null.
// For most rows the largest local score is close to the overall maximum, so that one pass over the
// many scores of the globals is enough.
template <class T>
float soften(float* scores, int64_t local, const float* bias, const float* hidden, int64_t side,
             int64_t seen, const float* side_bias, typename T::element* weights) {
    typedef typename T::element element;
    float most = biased(scores, local, bias, hidden);
    const float* s = scores + local;
    const int64_t whole = seen / LANES * LANES;
    float last[T::columns];
    for (int64_t j = 0; j < T::columns; ++j)
        last[j] = whole + j < seen ? s[whole + j] * LOG2E + side_bias[whole + j] : 8 * MASKED;
    for (bool exact = false;; exact = true) {
        const vec offset = splat(most);
        vec sum = vec{};
        auto put = [&](vec x, element* to) {
            const vec w = power_of_two<T::exp_degree>(x);
            sum += w;
            T::put(to, w);
        };
        for (int64_t i = 0; i < local; i += LANES) put(load(scores + i) - offset, weights + i);
        for (int64_t j = 0; j < whole; j += LANES)
            put(load(s + j) * splat(LOG2E) + (load(side_bias + j) - offset), weights + local + j);
        for (int64_t j = whole; j < side; j += LANES)
            put(load(last + j - whole) - offset, weights + local + j);
        const float total = lane_sum(sum);
        if (exact || total < TOO_MUCH) return total;
        for (int64_t j = 0; j < seen; ++j) most = std::max(most, s[j] * LOG2E + side_bias[j]);
    }
}

template <class T>
void attend_tile(const Long& a, Strip<T>& s, int64_t b, int64_t h, int64_t first, int64_t row) {
    typedef typename T::element element;
    typedef typename T::word word;
    const int64_t tile = a.L % TILE ? LANES : TILE;
    const int64_t block = row / a.L, in_block = row % a.L, count = std::min(tile, a.S - row);
    const int64_t steps = a.d / T::pair;
    const element* q = (const element*)a.q + (b * a.S + row) * a.q_stride + h * a.d;
    for (int64_t i = 0; i < tile; ++i)
        if (i < count) std::memcpy(s.queries + i * a.d, q + i * a.q_stride, a.d * sizeof(element));
        else std::memset((void*)(s.queries + i * a.d), 0, a.d * sizeof(element));
    // A query sees L - 1 keys on each side: only these columns of its three blocks are computed.
    const int64_t low = (in_block + 1) / T::columns * T::columns;
    const int64_t high = std::min(3 * a.L, up(in_block + tile + 2 * a.L - 1, T::columns));
    const int64_t local = high - low, key = (block - first) * a.L + low;
    const word* left = (const word*)s.queries;
    s.times(tile, left, steps, s.k + key * steps, LANES, steps * LANES, steps, local / LANES,
            s.scores, s.width, false);
    if (s.side)
        s.times(tile, left, steps, s.side_k, LANES, steps * LANES, steps, s.side / LANES,
                s.scores + local, s.width, false);
    for (int64_t i = 0; i < tile; ++i) {
        // Rows of both biases are slices of their tables, since only the distance matters.
        const float* bias = a.local_table + h * (4 * a.L - 1) + a.L - 1 - in_block - i + low;
        const float* side_bias = nullptr;
        if (s.side) {
            const int64_t run = std::min((row + i) / a.block, a.R - 1);
            side_bias = a.side_table + h * 2 * a.G + a.G - 1 - a.rows[b * a.R + run];
        }
        s.sums[i] = soften<T>(s.scores + i * s.width, local, bias, s.hides ? s.hidden + key : nullptr,
                              s.side, s.side ? a.seen[b] : 0, side_bias, s.weights + i * s.width);
    }
    const word* weights = (const word*)s.weights;
    const int64_t lda = s.width / T::pair, vectors = a.d / LANES;
    s.times(tile, weights, lda, s.v + key / T::pair * a.d, a.d, LANES, local / T::pair,
            vectors, s.result, a.d, false);
    if (s.side)
        s.times(tile, weights + local / T::pair, lda, s.side_v, a.d, LANES, s.side / T::pair,
                vectors, s.result, a.d, true);
    element* out = (element*)a.out + ((b * a.S + row) * a.H + h) * a.d;
    for (int64_t i = 0; i < count; ++i)
        for (int64_t x = 0; x < a.d; x += LANES)
            T::put(out + i * a.H * a.d + x, load(s.result + i * a.d + x) / splat(s.sums[i]));
}

template <class T>
void long_attention(const Long& a) {
    const int64_t blocks = (a.S + a.L - 1) / a.L, segments = (blocks + SEGMENT - 1) / SEGMENT;
#pragma omp parallel num_threads(a.threads)
    {
        Strip<T> strip(a);
#pragma omp for schedule(dynamic, 1)
        for (int64_t item = 0; item < a.B * a.H * segments; ++item) {
            const int64_t b = item / (a.H * segments), h = item / segments % a.H;
            const int64_t first = item % segments * SEGMENT;
            pack_segment<T>(a, strip, b, h, first);
            const int64_t end = std::min(a.S, (first + SEGMENT) * a.L);
            const int64_t tile = a.L % TILE ? LANES : TILE;
            for (int64_t row = first * a.L; row < end; row += tile)
                attend_tile<T>(a, strip, b, h, first, row);
        }
    }
}

struct Cross {
    const void *q, *keys, *values;  // q [B, K, H, d]; keys, values packed per (b, h)
    const float* bias;              // [B, S] or null
    void* out;                      // [B, K, H, d]
    float* weights;                 // [B, H, K, S] or null
    int64_t B, S, H, d, K, threads;
    float* raw;                     // weights of each piece before they are merged, like weights
};

// Computes one head over one span of keys: weights relative to the span's maximum, and output.
template <class T>
void cross_piece(const Cross& a, int64_t b, int64_t h, int64_t begin, float* scores,
                 typename T::element* weights, typename T::element* queries, float* part) {
    typedef typename T::element element;
    typedef typename T::word word;
    const int64_t padded = up(a.S, LANES), count = std::min(SPAN, padded - begin);
    const int64_t steps = a.d / T::pair, head = (b * a.H + h) * padded;
    for (int64_t i = 0; i < a.K; ++i)
        std::memcpy(queries + i * a.d, (const element*)a.q + ((b * a.K + i) * a.H + h) * a.d,
                    a.d * sizeof(element));
    const word* keys = (const word*)a.keys + (head + begin) * steps;
    const word* values = (const word*)a.values + (head + begin) / T::pair * a.d;
    stream<T>(a.K, (const word*)queries, steps, keys, LANES, steps * LANES, steps, count / LANES,
              scores, SPAN, KEYS_AHEAD);
    float* result = part + 2 * a.K;
    for (int64_t i = 0; i < a.K; ++i) {
        float* s = scores + i * SPAN;
        if (a.bias)
            for (int64_t j = 0; j < std::min(count, a.S - begin); ++j)
                s[j] += a.bias[b * a.S + begin + j];
        for (int64_t j = std::max<int64_t>(0, a.S - begin); j < count; ++j) s[j] = 4 * MASKED;
        vec top = load(s), sum = vec{};
        for (int64_t j = LANES; j < count; j += LANES) top = larger(top, load(s + j));
        const float most = lane_max(top);
        for (int64_t j = 0; j < count; j += LANES) {
            vec w = fast_exp(load(s + j) - splat(most));
            sum += w;
            T::put(weights + i * SPAN + j, w);
            if (a.raw) store(s + j, w);
        }
        part[2 * i] = most;
        part[2 * i + 1] = lane_sum(sum);
        if (a.raw)
            std::memcpy(a.raw + ((b * a.H + h) * a.K + i) * a.S + begin, s,
                        std::min(count, a.S - begin) * 4);
    }
    stream<T>(a.K, (const word*)weights, SPAN / T::pair, values, a.d, LANES, count / T::pair,
              a.d / LANES, result, a.d, VALUES_AHEAD);
}

// Merges the pieces of one head by their log-sum-exp.
template <class T>
void cross_merge(const Cross& a, int64_t b, int64_t h, int64_t pieces, const float* parts) {
    const int64_t size = a.K * (2 + a.d);
    for (int64_t i = 0; i < a.K; ++i) {
        float most = 8 * MASKED, total = 0;
        for (int64_t p = 0; p < pieces; ++p) most = std::max(most, parts[p * size + 2 * i]);
        typename T::element* out =
            (typename T::element*)a.out + ((b * a.K + i) * a.H + h) * a.d;
        for (int64_t p = 0; p < pieces; ++p)
            total += fast_exp(splat(parts[p * size + 2 * i] - most))[0] * parts[p * size + 2 * i + 1];
        for (int64_t x = 0; x < a.d; x += LANES) {
            vec sum = vec{};
            for (int64_t p = 0; p < pieces; ++p)
                sum += fast_exp(splat(parts[p * size + 2 * i] - most)) *
                       load(parts + p * size + 2 * a.K + i * a.d + x);
            T::put(out + x, sum / splat(total));
        }
        if (!a.weights) continue;
        const int64_t row = ((b * a.H + h) * a.K + i) * a.S;
        for (int64_t p = 0; p < pieces; ++p) {
            const float scale = fast_exp(splat(parts[p * size + 2 * i] - most))[0] / total;
            for (int64_t j = p * SPAN; j < std::min(a.S, (p + 1) * SPAN); ++j)
                a.weights[row + j] = a.raw[row + j] * scale;
        }
    }
}

template <class T>
void cross_attention(const Cross& a) {
    typedef typename T::element element;
    const int64_t pieces = (a.S + SPAN - 1) / SPAN, size = a.K * (2 + a.d);
    float* parts = (float*)scratch(a.B * a.H * pieces * size * 4);
#pragma omp parallel num_threads(a.threads)
    {
        float* scores = (float*)scratch(a.K * SPAN * 4);
        element* weights = (element*)scratch(a.K * SPAN * sizeof(element));
        element* queries = (element*)scratch(a.K * a.d * sizeof(element));
#pragma omp for schedule(dynamic, 1)
        for (int64_t item = 0; item < a.B * a.H * pieces; ++item)
            cross_piece<T>(a, item / (a.H * pieces), item / pieces % a.H, item % pieces * SPAN,
                           scores, weights, queries, parts + item * size);
#pragma omp for schedule(static)
        for (int64_t head = 0; head < a.B * a.H; ++head)
            cross_merge<T>(a, head / a.H, head % a.H, pieces, parts + head * pieces * size);
        std::free(scores);
        std::free(weights);
        std::free(queries);
    }
    std::free(parts);
}

// Packs rows [begin, begin + count) of projected keys and values [B, count, H, d].
template <class T>
void pack_cross(const void* k, const void* v, void* keys, void* values, int64_t B, int64_t S,
                int64_t H, int64_t d, int64_t begin, int64_t count, int64_t threads) {
    typedef typename T::element element;
    typedef typename T::word word;
    const int64_t padded = up(S, LANES), steps = d / T::pair, rows = up(count, LANES);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t item = 0; item < B * H; ++item) {
        const int64_t b = item / H, h = item % H, from = b * count * H * d + h * d;
        const int64_t at = item * padded + begin;
        pack_keys<T>((const element*)k + from, H * d, count, rows / LANES, d,
                     (word*)keys + at * steps);
        pack_values<T>((const element*)v + from, H * d, count, rows, d,
                       (word*)values + at / T::pair * d);
    }
}

constexpr int64_t SUMS = 4 * OUTPUTS;

// Sums the lanes of each of sixteen registers (eight with AVX2), in order.
#ifdef WIDE
inline __m512 fold_quarters(__m512 a, __m512 b) {
    return _mm512_shuffle_f32x4(a, b, 0x88) + _mm512_shuffle_f32x4(a, b, 0xdd);
}
inline void lane_sums(const vec* acc, float* out) {
    // Each halving interleaves its inputs; this order makes the result sorted.
    static constexpr int order[16] = {0, 2, 1, 3, 8, 10, 9, 11, 4, 6, 5, 7, 12, 14, 13, 15};
    __m512 x[16];
    for (int i = 0; i < 16; ++i) x[i] = (__m512)acc[order[i]];
    for (int i = 0; i < 8; ++i)
        x[i] = _mm512_shuffle_f32x4(x[i], x[i + 8], 0x44) + _mm512_shuffle_f32x4(x[i], x[i + 8], 0xee);
    for (int i = 0; i < 4; ++i) x[i] = fold_quarters(x[i], x[i + 4]);
    for (int i = 0; i < 2; ++i)
        x[i] = _mm512_shuffle_ps(x[i], x[i + 2], 0x44) + _mm512_shuffle_ps(x[i], x[i + 2], 0xee);
    _mm512_storeu_ps(out, _mm512_shuffle_ps(x[0], x[1], 0x88) + _mm512_shuffle_ps(x[0], x[1], 0xdd));
}
#else
inline void lane_sums(const vec* acc, float* out) {
    __m256 x[8];
    for (int i = 0; i < 8; ++i) x[i] = (__m256)acc[i];
    for (int i = 0; i < 4; ++i) x[i] = _mm256_hadd_ps(x[2 * i], x[2 * i + 1]);
    for (int i = 0; i < 2; ++i) x[i] = _mm256_hadd_ps(x[2 * i], x[2 * i + 1]);
    _mm256_storeu_ps(out, _mm256_permute2f128_ps(x[0], x[1], 0x20) +
                              _mm256_permute2f128_ps(x[0], x[1], 0x31));
}
#endif

struct Own {
    const void *q, *keys, *values;  // q [R, H, d]; keys, values [R, H, capacity, d]
    const float* bias;              // [H, length], rows of bias_stride
    const int32_t* rows;            // [R, capacity] cache row that holds each position; null: its own
    void* out;                      // [R, H, d]
    int64_t R, H, d, capacity, length, q_stride, threads, bias_stride;
};

// Locates the keys and values of each position for one row and head of self-attention.
template <class T>
struct Past {
    typedef typename T::element element;
    const Own& a;
    const int64_t row, h;

    const element* at(const void* store, int64_t t) const {
        const int64_t holder = a.rows ? a.rows[row * a.capacity + t] : row;
        return (const element*)store + ((holder * a.H + h) * a.capacity + t) * a.d;
    }
};

// Computes ``WIDTH`` registers of the weighted sum of values.
template <class T, int WIDTH>
void own_values(const Past<T>& past, const float* weights, int64_t x, float total,
                typename T::element* out) {
    vec sum[WIDTH] = {};
    for (int64_t t = 0; t < past.a.length; ++t) {
        const typename T::element* v = past.at(past.a.values, t) + x;
        for (int i = 0; i < WIDTH; ++i) sum[i] += splat(weights[t]) * T::get(v + i * LANES);
    }
    for (int i = 0; i < WIDTH; ++i) T::put(out + x + i * LANES, sum[i] / splat(total));
}

// Computes one row and head of the decoder's self-attention over the positions so far.
template <class T>
void own_row(const Own& a, int64_t row, int64_t h, float* scores) {
    typedef typename T::element element;
    const Past<T> past = {a, row, h};
    const element* q = (const element*)a.q + row * a.q_stride + h * a.d;
    const int64_t padded = up(a.length, SUMS);
    for (int64_t first = 0; first < padded; first += SUMS) {
        vec sums[SUMS] = {};
        for (int i = 0; i < std::min(SUMS, a.length - first); ++i) {
            const element* k = past.at(a.keys, first + i);
            for (int64_t x = 0; x < a.d; x += LANES) sums[i] += T::get(q + x) * T::get(k + x);
        }
        lane_sums(sums, scores + first);
    }
    float most = 8 * MASKED;
    for (int64_t t = 0; t < a.length; ++t) {
        scores[t] += a.bias[h * a.bias_stride + t];
        most = std::max(most, scores[t]);
    }
    for (int64_t t = a.length; t < up(a.length, LANES); ++t) scores[t] = 8 * MASKED;
    vec total = vec{};
    for (int64_t t = 0; t < a.length; t += LANES) {
        const vec w = fast_exp(load(scores + t) - splat(most));
        store(scores + t, w);
        total += w;
    }
    element* out = (element*)a.out + (row * a.H + h) * a.d;
    int64_t x = 0;
    for (; x + 4 * LANES <= a.d; x += 4 * LANES)
        own_values<T, 4>(past, scores, x, lane_sum(total), out);
    for (; x < a.d; x += LANES) own_values<T, 1>(past, scores, x, lane_sum(total), out);
}

template <class T>
void self_attention(const Own& a) {
    // For less work, waking another thread takes longer than it saves.
    const int64_t work = a.R * a.H * a.length * a.d;
#pragma omp parallel num_threads(a.threads) if (work > 200000)
    {
        float* scores = (float*)scratch(up(up(a.length, LANES), SUMS) * 4);
#pragma omp for schedule(static)
        for (int64_t item = 0; item < a.R * a.H; ++item)
            own_row<T>(a, item / a.H, item % a.H, scores);
        std::free(scores);
    }
}

constexpr int64_t MATRICES = 3;
constexpr int64_t MAX_ROWS = 32;  // multiplied by a block of weights at a time

// x times each of a few row-major matrices, the layout of checkpoints.
struct Thin {
    const void *x, *weights[MATRICES];  // [rows, inputs], [outputs, inputs]
    const float* scales[MATRICES];      // [outputs] of int8 weights
    void* out;                          // the products [rows, outputs], one after another
    int64_t rows, inputs, count, outputs[MATRICES], brain, threads;
};

// Computes one result per row of x and per output of this block; writes SUMS of them for each four
// rows. The sum of a row is the same, bit for bit, whatever R is.
template <class T, int R>
void thin_block(const typename T::left* x, const typename T::element* w, int64_t inputs,
                float* result) {
    typename T::total acc[R][OUTPUTS];
    for (int r = 0; r < R; ++r)
        for (int o = 0; o < OUTPUTS; ++o) acc[r][o] = typename T::total{};
    for (int64_t k = 0; k < inputs; k += T::stride) {
        typename T::some right[OUTPUTS];
        for (int o = 0; o < OUTPUTS; ++o) {
            __builtin_prefetch(w + OUTPUTS * (inputs + k) + o * T::stride, 0, 2);
            right[o] = T::take(w + o * inputs + k);
            in_register(right[o]);
        }
        for (int r = 0; r < R; ++r) {
            typename T::some left = T::take(x + r * inputs + k);
            in_register(left);
            for (int o = 0; o < OUTPUTS; ++o) acc[r][o] = T::along(acc[r][o], left, right[o]);
        }
    }
    for (int first = 0; first < R; first += 4) {
        vec all[SUMS] = {};
        for (int r = first; r < std::min(R, first + 4); ++r)
            for (int o = 0; o < OUTPUTS; ++o) all[(r - first) * OUTPUTS + o] = as_floats(acc[r][o]);
        lane_sums(all, result + first * OUTPUTS);
    }
}

// Multiplies rows by a block; up to SUMS results more than there are rows are written.
template <class T>
void thin_rows(int64_t rows, const typename T::left* x, const typename T::element* w,
               int64_t inputs, float* result) {
    for (int64_t r = 0, some; r < rows; r += some) {
        const int64_t left = rows - r;
        // Six fill the registers best, and a rest of one or two would use them badly.
        some = left <= 6 ? left : left <= 8 ? 4 : left <= 10 ? 5 : 6;
        const typename T::left* from = x + r * inputs;
        float* to = result + r * OUTPUTS;
        switch (some) {
            case 6: thin_block<T, 6>(from, w, inputs, to); break;
            case 5: thin_block<T, 5>(from, w, inputs, to); break;
            case 4: thin_block<T, 4>(from, w, inputs, to); break;
            case 3: thin_block<T, 3>(from, w, inputs, to); break;
            case 2: thin_block<T, 2>(from, w, inputs, to); break;
            default: thin_block<T, 1>(from, w, inputs, to);
        }
    }
}

// Quantizes the activations of one row to 16-bit integers, with fewer levels where sums could
// overflow; returns the step.
template <class T>
float whole_row(const typename T::element* x, int64_t inputs, int16_t* out) {
    const float levels = std::min(32767.0f, std::floor(2147483392.0f / 127 * LANES / inputs));
    vec most = vec{};
    for (int64_t i = 0; i < inputs; i += LANES) {
        const vec v = T::get(x + i);
        most = larger(most, larger(v, -v));
    }
    const float top = lane_max(most), unit = top > 0 ? top / levels : 1;
    for (int64_t i = 0; i < inputs; i += LANES) {
        const vec v = T::get(x + i) / splat(unit);
        for (int64_t j = 0; j < LANES; ++j) out[i + j] = int16_t(std::lrintf(v[j]));
    }
    return unit;
}

// Stores OUTPUTS results of one row in the output's type, scaled if the weights were quantized.
template <class Out>
inline void thin_put(const float* result, float unit, const float* scales,
                     typename Out::element* out) {
    for (int i = 0; i < OUTPUTS; ++i) out[i] = Out::narrow(scales ? result[i] * unit * scales[i] : result[i]);
}

template <class T, class Out>
void thin_product(const Thin& a, const typename T::left* x, const float* units) {
    int64_t first[MATRICES + 1] = {0};
    for (int64_t m = 0; m < a.count; ++m) first[m + 1] = first[m] + a.outputs[m] / OUTPUTS;
#pragma omp parallel num_threads(a.threads)
    {
        std::vector<float> result(a.rows * OUTPUTS + SUMS);
#pragma omp for schedule(static)
        for (int64_t item = 0; item < first[a.count]; ++item) {
            int64_t m = 0;
            while (item >= first[m + 1]) ++m;
            const int64_t o = (item - first[m]) * OUTPUTS;
            thin_rows<T>(a.rows, x, (const typename T::element*)a.weights[m] + o * a.inputs,
                         a.inputs, result.data());
            typename Out::element* out = (typename Out::element*)a.out;
            out += first[m] * OUTPUTS * a.rows + o;
            for (int64_t r = 0; r < a.rows; ++r)
                thin_put<Out>(result.data() + r * OUTPUTS, units ? units[r] : 1,
                              units ? a.scales[m] + o : nullptr, out + r * a.outputs[m]);
        }
    }
}

template <class T>
void thin_whole(const Thin& a) {
    std::vector<int16_t> x(a.rows * a.inputs);
    std::vector<float> units(a.rows);
    for (int64_t r = 0; r < a.rows; ++r)
        units[r] = whole_row<T>((const typename T::element*)a.x + r * a.inputs, a.inputs,
                                x.data() + r * a.inputs);
    thin_product<Whole, T>(a, x.data(), units.data());
}

inline void thin_any(const Thin& a) {
    if (a.scales[0]) a.brain ? thin_whole<Brain>(a) : thin_whole<Float>(a);
    else if (a.brain) thin_product<Brain, Brain>(a, (const uint16_t*)a.x, nullptr);
    else thin_product<Float, Float>(a, (const float*)a.x, nullptr);
}

struct Norm {
    const float *x, *weight;  // [rows, D], [D]
    void* out;                // [rows, D]
    int64_t rows, D, threads;
    double eps;
};

// Divides a row by the root of its mean square, times the weight.
template <class T>
inline void norm_row(const float* x, const float* weight, int64_t width, double eps,
                     typename T::element* out, float factor = 1) {
    vec sum = vec{};
    for (int64_t i = 0; i < width; i += LANES) sum += load(x + i) * load(x + i);
    const vec scale = splat(float(1.0 / std::sqrt(lane_sum(sum) / width + eps)));
    for (int64_t i = 0; i < width; i += LANES) {
        const vec normed = load(x + i) * scale * load(weight + i);
        if (factor == 1) {
            T::put(out + i, normed);
            continue;
        }
        // Rounded twice, as if stored between; but another thread may read ``out`` meanwhile, where
        // this is done again, so nothing is stored there but the result.
        alignas(64) typename T::element rounded[LANES];
        T::put(rounded, normed);
        T::put(out + i, T::get(rounded) * splat(factor));
    }
}

template <class T>
void rms_norm(const Norm& a) {
#pragma omp parallel for num_threads(a.threads) schedule(static) if (a.rows > 64)
    for (int64_t r = 0; r < a.rows; ++r)
        norm_row<T>(a.x + r * a.D, a.weight, a.D, a.eps, (typename T::element*)a.out + r * a.D);
}

// One decoder layer's weights. Norms are float32, matrices row-major; int8 matrices have scales.
struct Layer {
    const float *own_norm, *cross_norm, *wide_norm;
    const void *own[4], *cross[2], *wide[3];  // q k v o; q o; gate, up (null: not gated), down
    const float *own_scale[4], *cross_scale[2], *wide_scale[3];
};

// A decoder: layers, last norm and head.
struct Decoder {
    const Layer* layers;
    const float* norm;        // [D]
    const void* head;         // [V, D]
    const float* head_scale;
    int64_t count, D, H, d, F, V, threads, slots, restless;
    double eps, factor;       // factor: of the states before the head
};

// What one search has of one layer.
struct Store {
    void *keys, *values;                      // cache of the positions so far [R, H, capacity, d]
    const void *cross_keys, *cross_values;    // packed by pack_cross
    float* seen;                              // cross-attention [slots, B, H, K, S], or null
};

// A search that takes part in a step with R = B * K rows.
struct Search {
    const Store* stores;      // by layer
    const float* bias;        // [H, capacity], of the distances capacity - 1 .. 0
    const float* cross_bias;  // [B, S] or null
    const int32_t* held;      // [R, capacity] cache row that holds each position of each row
    int64_t B, K, S, capacity, at;
};

// gelu_new: x times the logistic function of twice the argument of its tanh.
inline vec gelu(vec x) {
    const vec y = x * (splat(1.59576912f) + splat(0.0713548162f) * x * x);
    const vec e = fast_exp(y > 0 ? -y : y);
    return x * (y > 0 ? splat(1.0f) : e) / (splat(1.0f) + e);
}

// Hands out parts of a piece of memory; without one it only counts.
struct Room {
    char* base;
    int64_t used = 0;
    template <class E>
    E* take(int64_t count) {
        E* found = base ? (E*)(base + used) : nullptr;
        used += up(count * sizeof(E) + 64, 64);  // vectors may be read past the end
        return found;
    }
};

// Matrices of one input, cut into pieces of some blocks of OUTPUTS outputs.
struct Product {
    const void* weights[MATRICES];
    const float* scales[MATRICES];
    int64_t first[MATRICES + 1];  // block of each matrix
    int64_t outputs[MATRICES], inputs, per_piece, pieces;
};

// A search in a run, and where its part of the run's memory begins.
struct Part : Search {
    std::vector<Store> stores;
    int64_t rows, row;            // its rows, and the first one
    int64_t spans, size;          // pieces of its cross-attention, and the size of their results
    int64_t own, cross, heads;    // its first items of both attentions, and first head to merge
    int64_t parts, raw;           // offsets
};

// Steps of many searches as a program of a team (team.h). The weights multiply the rows of all
// searches at once, in the same order for each row however many there are. Each phase has outputs
// of its own, by slot and layer.
template <class T>
struct StepProgram : team::Program {
    typedef typename T::element element;
    // Bytes of weights in a piece: enough to hide what it costs to take one, while little is lost
    // when it is done twice. A run has at most so many pieces a thread, and a phase of attention at
    // most so many.
    static constexpr int64_t PIECE_BYTES = 65536, PIECES_PER_THREAD = 32, PIECE_WORK = 16384;
    static constexpr int64_t MOST_PIECES = 1024, HEADS_PER_PIECE = 16;
    enum Kind { OWN_NORM, OWN_IN, OWN, OWN_WHOLE, OWN_OUT, CROSS_NORM, CROSS_IN, CROSS, MERGE,
                CROSS_WHOLE, CROSS_OUT, WIDE_NORM, WIDE_IN, WIDE_WHOLE, WIDE_OUT, KINDS };

    struct Input {
        element* x;       // [R, inputs]
        int16_t* whole;   // the same as integers, for int8 weights
        float* units;     // [R]
    };
    struct LayerRoom {
        float* x[3];                 // [R, D] after each branch was added
        Input normed[3], own, cross, wide;
        element *q, *cross_q;        // [R, H * d]
        element* branch[3];          // [R, D]
        float *parts, *raw;
    };
    // The memory of a run, and its searches: R rows in all.
    struct Slot {
        std::vector<Part> searches;
        std::vector<int64_t> owners;         // [R] the search of each row
        int64_t rows, own_pieces, cross_pieces;
        bool watched;
        float *input, *last, *logits;
        Input normed;
        std::vector<LayerRoom> layers;
        std::vector<char*> scratches;        // by thread
        std::unique_ptr<char, void (*)(void*)> memory{nullptr, std::free};
        int64_t bytes = 0;
    };

    Decoder s;
    std::vector<Layer> layers;
    std::vector<std::vector<Product>> products;  // by layer: own in and out, cross, wide; the head
    const int64_t inner;
    mutable std::vector<Slot> slots;
    std::mutex turn;
    std::unique_ptr<team::Team> workers;

    StepProgram(const Decoder& given)
        : s(given), layers(given.layers, given.layers + given.count), inner(s.H * s.d),
          slots(s.slots) {
        for (const Layer& l : layers) {
            std::vector<Product> all;
            all.push_back(product_of({l.own[0], l.own[1], l.own[2]}, l.own_scale, s.D, inner, 3));
            all.push_back(product_of({l.own[3]}, l.own_scale + 3, inner, s.D, 1));
            all.push_back(product_of({l.cross[0]}, l.cross_scale, s.D, inner, 1));
            all.push_back(product_of({l.cross[1]}, l.cross_scale + 1, inner, s.D, 1));
            all.push_back(product_of({l.wide[0], l.wide[1]}, l.wide_scale, s.D, s.F, 1));
            all.push_back(product_of({l.wide[2]}, l.wide_scale + 2, s.F, s.D, 1));
            products.push_back(all);
        }
        const float* const head_scale[1] = {s.head_scale};
        products.push_back({product_of({s.head}, head_scale, s.D, s.V, 1)});
        workers.reset(new team::Team(*this, s.threads, s.slots, s.restless));
    }

    // A gated product has as many blocks as one of its two matrices.
    Product product_of(std::initializer_list<const void*> weights, const float* const* scales,
                       int64_t inputs, int64_t outputs, int64_t matrices) const {
        Product p = {};
        int64_t m = 0;
        for (const void* w : weights) {
            p.weights[m] = w;
            p.scales[m] = scales[m];
            p.outputs[m++] = outputs;
        }
        for (m = 0; m < matrices; ++m)
            p.first[m + 1] = p.first[m] + (outputs + OUTPUTS - 1) / OUTPUTS;
        p.inputs = inputs;
        const int64_t blocks = p.first[matrices], width = scales[0] ? 1 : sizeof(element);
        const int64_t least = std::max<int64_t>(1, PIECE_BYTES / (OUTPUTS * inputs * width));
        const int64_t most = s.threads * PIECES_PER_THREAD;
        p.per_piece = std::max(least, (blocks + most - 1) / most);
        p.pieces = (blocks + p.per_piece - 1) / p.per_piece;
        return p;
    }

    // Makes the memory of a free slot that of a run of these searches.
    void begin(Slot& slot, const Search* searches, int64_t count) const {
        slot.searches.clear();
        slot.owners.clear();
        slot.rows = 0;
        slot.watched = false;
        int64_t own = 0, cross = 0, heads = 0, own_work = 0, cross_work = 0;
        for (int64_t i = 0; i < count; ++i) {
            Part p{};
            static_cast<Search&>(p) = searches[i];
            p.stores.assign(searches[i].stores, searches[i].stores + s.count);
            p.rows = p.B * p.K;
            p.row = slot.rows;
            p.spans = (p.S + SPAN - 1) / SPAN;
            p.size = p.K * (2 + s.d);
            p.own = own;
            p.cross = cross;
            p.heads = heads;
            for (const Store& store : p.stores) slot.watched |= store.seen != nullptr;
            slot.rows += p.rows;
            own += p.rows * s.H;
            cross += p.B * s.H * p.spans;
            heads += p.B * s.H;
            own_work += p.rows * s.H * (p.at + 1) * s.d;
            cross_work += p.rows * s.H * p.S * s.d;
            slot.owners.resize(slot.rows, i);
            slot.searches.push_back(p);
        }
        slot.own_pieces = pieces_of(own, own_work);
        slot.cross_pieces = pieces_of(cross, cross_work);
        Room needed = {nullptr};
        lay_out(needed, slot);
        if (needed.used > slot.bytes) {
            slot.bytes = 0;
            slot.memory.reset();
            slot.memory.reset((char*)scratch(needed.used));
            if (!slot.memory) throw std::bad_alloc();
            slot.bytes = needed.used;
        }
        Room room = {slot.memory.get()};
        lay_out(room, slot);
    }

    static int64_t pieces_of(int64_t items, int64_t work) {
        const int64_t most = std::min(items, MOST_PIECES);
        return std::max<int64_t>(1, std::min(most, work / PIECE_WORK));
    }

    static Input input_of(Room& room, int64_t rows, int64_t width) {
        return {room.take<element>(rows * width), room.take<int16_t>(rows * width),
                room.take<float>(rows)};
    }

    static int64_t scores_of(const Search& p) {
        return std::max(p.K * SPAN, up(up(p.capacity, LANES), SUMS));
    }

    void lay_out(Room& room, Slot& slot) const {
        const int64_t rows = slot.rows;
        slot.input = room.take<float>(rows * s.D);
        slot.last = room.take<float>(rows * s.D);
        slot.normed = input_of(room, rows, s.D);
        slot.logits = room.take<float>(rows * s.V);
        slot.layers.resize(layers.size());
        int64_t parts = 0, raw = 0, scores = 0, beams = 0;
        for (Part& p : slot.searches) {
            p.parts = parts;
            p.raw = raw;
            parts += p.B * s.H * p.spans * p.size;
            raw += p.B * s.H * p.K * p.S;
            scores = std::max(scores, scores_of(p));
            beams = std::max(beams, p.K);
        }
        for (LayerRoom& l : slot.layers) {
            for (int b = 0; b < 3; ++b) {
                l.x[b] = room.take<float>(rows * s.D);
                l.normed[b] = input_of(room, rows, s.D);
                l.branch[b] = room.take<element>(rows * s.D);
            }
            l.own = input_of(room, rows, inner);
            l.cross = input_of(room, rows, inner);
            l.wide = input_of(room, rows, s.F);
            l.q = room.take<element>(rows * inner);
            l.cross_q = room.take<element>(rows * inner);
            l.parts = room.take<float>(parts);
            l.raw = slot.watched ? room.take<float>(raw) : nullptr;
        }
        slot.scratches.assign(s.threads, nullptr);
        for (char*& own : slot.scratches) {
            own = (char*)room.take<float>(scores);
            room.take<element>(beams * SPAN);
            room.take<element>(beams * s.d);
        }
    }

    int64_t phases() const override { return s.count * KINDS + 2; }

    // Those of norms are four rows each, which grow with the searches.
    int64_t most_pieces(int64_t phase) const override {
        const int64_t layer = phase / KINDS, product = product_pieces(phase);
        return layer < s.count || phase % KINDS == 0 ? std::max(product, MOST_PIECES) : product;
    }

    int64_t product_pieces(int64_t phase) const {
        const std::vector<Product>& p = products[phase / KINDS];
        if (phase / KINDS == s.count) return phase % KINDS ? p[0].pieces : 0;
        switch (phase % KINDS) {
            case OWN_IN: return p[0].pieces;
            case OWN_OUT: return p[1].pieces;
            case CROSS_IN: return p[2].pieces;
            case CROSS_OUT: return p[3].pieces;
            case WIDE_IN: return p[4].pieces;
            case WIDE_OUT: return p[5].pieces;
            default: return 0;
        }
    }

    int64_t pieces(int64_t slot_number, int64_t phase) const override {
        const Slot& slot = slots[slot_number];
        const int64_t layer = phase / KINDS, product = product_pieces(phase);
        if (product) return product;
        const std::vector<Product>& p = products[layer];
        const int64_t chunks = (slot.rows + 3) / 4;
        if (layer == s.count) return chunks;
        switch (phase % KINDS) {
            case OWN: return slot.own_pieces;
            case CROSS: return slot.cross_pieces;
            case MERGE: return merge_pieces(slot);
            case OWN_WHOLE: return p[1].scales[0] ? chunks : 0;
            case CROSS_WHOLE: return p[3].scales[0] ? chunks : 0;
            case WIDE_WHOLE: return p[5].scales[0] ? chunks : 0;
            default: return chunks;
        }
    }

    int64_t merge_pieces(const Slot& slot) const {
        const int64_t heads = heads_of(slot), few = (heads + HEADS_PER_PIECE - 1) / HEADS_PER_PIECE;
        return std::min(slot.watched ? heads : few, MOST_PIECES);
    }

    int64_t heads_of(const Slot& slot) const {
        const Part& last = slot.searches.back();
        return last.heads + last.B * s.H;
    }

    void piece(int64_t slot_number, int64_t phase, int64_t i, int64_t thread) const override {
        const Slot& slot = slots[slot_number];
        const int64_t layer = phase / KINDS;
        if (layer == s.count) return last_piece(slot, phase % KINDS, i);
        const Layer& l = layers[layer];
        const LayerRoom& r = slot.layers[layer];
        const std::vector<Product>& p = products[layer];
        const LayerRoom* before = layer ? &slot.layers[layer - 1] : nullptr;
        const int64_t rows = slot.rows;
        switch (phase % KINDS) {
            case OWN_NORM:
                add(rows, before ? before->x[2] : slot.input, before ? before->branch[2] : nullptr,
                    i, r.x[0], l.own_norm, 1, r.normed[0], p[0]);
                break;
            case OWN_IN: own_in(slot, layer, p[0], r, i); break;
            case OWN: own(slot, layer, r, i, thread); break;
            case OWN_WHOLE: to_whole(rows, r.own, inner, i); break;
            case OWN_OUT: plain(rows, p[1], r.own, i, r.branch[0]); break;
            case CROSS_NORM:
                add(rows, r.x[0], r.branch[0], i, r.x[1], l.cross_norm, 1, r.normed[1], p[2]);
                break;
            case CROSS_IN: plain(rows, p[2], r.normed[1], i, r.cross_q); break;
            case CROSS: cross(slot_number, layer, r, i, thread); break;
            case MERGE: merge(slot_number, layer, r, i); break;
            case CROSS_WHOLE: to_whole(rows, r.cross, inner, i); break;
            case CROSS_OUT: plain(rows, p[3], r.cross, i, r.branch[1]); break;
            case WIDE_NORM:
                add(rows, r.x[1], r.branch[1], i, r.x[2], l.wide_norm, 1, r.normed[2], p[4]);
                break;
            case WIDE_IN: wide_in(rows, p[4], r, i); break;
            case WIDE_WHOLE: to_whole(rows, r.wide, s.F, i); break;
            case WIDE_OUT: plain(rows, p[5], r.wide, i, r.branch[2]); break;
        }
    }

    void last_piece(const Slot& slot, int64_t kind, int64_t i) const {
        const LayerRoom& before = slot.layers.back();
        const Product& head = products.back()[0];
        if (kind == 0)
            return add(slot.rows, before.x[2], before.branch[2], i, slot.last, s.norm,
                       float(s.factor), slot.normed, head);
        each_block(slot.rows, head, slot.normed, i,
                   [&](int64_t, int64_t o, int64_t first, int64_t count, const float* result) {
            for (int64_t r = 0; r < count; ++r)
                for (int64_t j = 0; j < OUTPUTS; ++j)
                    slot.logits[(first + r) * s.V + o + j] = rounded(result[r * OUTPUTS + j]);
        });
    }

    static float rounded(float x) {
        if constexpr (T::pair == 1) return x;
        const uint32_t bits = uint32_t(half(x)) << 16;
        float out;
        std::memcpy(&out, &bits, 4);
        return out;
    }

    // Adds a branch (or none) to four rows of x, then norms them, times a factor, as an input.
    void add(int64_t rows, const float* x, const element* branch, int64_t i, float* sum,
             const float* weight, float factor, const Input& out, const Product& next) const {
        for (int64_t r = 4 * i; r < std::min(rows, 4 * i + 4); ++r) {
            const int64_t from = r * s.D;
            for (int64_t j = from; j < from + s.D; j += LANES)
                store(sum + j, branch ? load(x + j) + T::get(branch + j) : load(x + j));
            norm_row<T>(sum + from, weight, s.D, s.eps, out.x + from, factor);
        }
        if (next.scales[0]) to_whole(rows, out, s.D, i);
    }

    static void to_whole(int64_t rows, const Input& x, int64_t width, int64_t i) {
        for (int64_t r = 4 * i; r < std::min(rows, 4 * i + 4); ++r)
            x.units[r] = whole_row<T>(x.x + r * width, width, x.whole + r * width);
    }

    // Multiplies ``count`` rows of an input by the outputs from ``o`` of a matrix: result [count,
    // OUTPUTS].
    static void block(const Product& p, const Input& x, int64_t m, int64_t o, int64_t first,
                      int64_t count, float* result) {
        const int64_t from = first * p.inputs;
        if (!p.scales[0])
            return thin_rows<T>(count, x.x + from, (const element*)p.weights[m] + o * p.inputs,
                                p.inputs, result);
        thin_rows<Whole>(count, x.whole + from, (const int8_t*)p.weights[m] + o * p.inputs,
                         p.inputs, result);
        for (int64_t r = 0; r < count; ++r)
            for (int64_t j = 0; j < OUTPUTS; ++j)
                result[r * OUTPUTS + j] *= x.units[first + r] * p.scales[m][o + j];
    }

    // Calls use(matrix, first output, first row, rows, result [rows, OUTPUTS]) for each block of a
    // piece and at most MAX_ROWS rows. The last block of a matrix may overlap the one before it.
    template <class Use>
    void each_block(int64_t rows, const Product& p, const Input& x, int64_t i, Use use) const {
        const int64_t end = std::min((i + 1) * p.per_piece, blocks_of(p));
        for (int64_t item = i * p.per_piece; item < end; ++item) {
            int64_t m = 0;
            while (m + 1 < MATRICES && p.first[m + 1] && item >= p.first[m + 1]) ++m;
            const int64_t o = std::min((item - p.first[m]) * OUTPUTS, p.outputs[m] - OUTPUTS);
            for (int64_t first = 0; first < rows; first += MAX_ROWS) {
                const int64_t count = std::min(MAX_ROWS, rows - first);
                alignas(64) float result[MAX_ROWS * OUTPUTS + SUMS];
                block(p, x, m, o, first, count, result);
                use(m, o, first, count, result);
            }
        }
    }

    static int64_t blocks_of(const Product& p) {
        int64_t all = 0;
        for (int64_t m = 1; m <= MATRICES; ++m) all = std::max(all, p.first[m]);
        return all;
    }

    void plain(int64_t rows, const Product& p, const Input& x, int64_t i, element* out) const {
        each_block(rows, p, x, i,
                   [&](int64_t, int64_t o, int64_t first, int64_t count, const float* result) {
            for (int64_t r = 0; r < count; ++r)
                for (int64_t j = 0; j < OUTPUTS; ++j)
                    out[(first + r) * p.outputs[0] + o + j] = T::narrow(result[r * OUTPUTS + j]);
        });
    }

    // Queries go to the next phase, keys and values to their place in the cache of their search.
    void own_in(const Slot& slot, int64_t layer, const Product& p, const LayerRoom& room,
                int64_t i) const {
        each_block(slot.rows, p, room.normed[0], i,
                   [&](int64_t m, int64_t o, int64_t first, int64_t count, const float* result) {
            const int64_t h = o / s.d, x = o % s.d;
            for (int64_t r = 0; r < count; ++r) {
                element* out = room.q + (first + r) * inner + o;
                if (m) {
                    const Part& mine = slot.searches[slot.owners[first + r]];
                    const Store& cache = mine.stores[layer];
                    const int64_t row = first + r - mine.row;
                    out = (element*)(m == 1 ? cache.keys : cache.values) +
                          ((row * s.H + h) * mine.capacity + mine.at) * s.d + x;
                }
                for (int64_t j = 0; j < OUTPUTS; ++j) out[j] = T::narrow(result[r * OUTPUTS + j]);
            }
        });
    }

    // Calls use(search, its item) for each item of a piece; ``first``: of a search, its first item.
    template <class Use>
    static void each_item(const Slot& slot, int64_t Part::*first, int64_t items, int64_t pieces,
                          int64_t i, Use use) {
        int64_t item = items * i / pieces;
        const int64_t end = items * (i + 1) / pieces;
        for (size_t n = 0; n < slot.searches.size() && item < end; ++n) {
            const bool last = n + 1 == slot.searches.size();
            const int64_t stop = last ? items : slot.searches[n + 1].*first;
            for (; item < std::min(end, stop); ++item)
                use(slot.searches[n], item - slot.searches[n].*first);
        }
    }

    void own(const Slot& slot, int64_t layer, const LayerRoom& r, int64_t i, int64_t thread) const {
        each_item(slot, &Part::own, slot.rows * s.H, slot.own_pieces, i,
                  [&](const Part& p, int64_t item) {
            const Store& cache = p.stores[layer];
            const Own a = {r.q + p.row * inner, cache.keys, cache.values,
                           p.bias + p.capacity - 1 - p.at, p.held, r.own.x + p.row * inner, p.rows,
                           s.H, s.d, p.capacity, p.at + 1, inner, 1, p.capacity};
            own_row<T>(a, item / s.H, item % s.H, (float*)slot.scratches[thread]);
        });
    }

    Cross cross_of(int64_t slot_number, const Part& p, int64_t layer, const LayerRoom& r) const {
        const Store& cache = p.stores[layer];
        const int64_t size = p.B * s.H * p.K * p.S;
        return {r.cross_q + p.row * inner, cache.cross_keys, cache.cross_values, p.cross_bias,
                r.cross.x + p.row * inner, cache.seen ? cache.seen + slot_number * size : nullptr,
                p.B, p.S, s.H, s.d, p.K, 1, cache.seen ? r.raw + p.raw : nullptr};
    }

    void cross(int64_t slot_number, int64_t layer, const LayerRoom& r, int64_t i,
               int64_t thread) const {
        const Slot& slot = slots[slot_number];
        const Part& last = slot.searches.back();
        const int64_t items = last.cross + last.B * s.H * last.spans;
        each_item(slot, &Part::cross, items, slot.cross_pieces, i,
                  [&](const Part& p, int64_t item) {
            Room room = {slot.scratches[thread]};
            float* scores = room.take<float>(scores_of(p));
            element* weights = room.take<element>(p.K * SPAN);
            element* queries = room.take<element>(p.K * s.d);
            cross_piece<T>(cross_of(slot_number, p, layer, r), item / (s.H * p.spans),
                           item / p.spans % s.H, item % p.spans * SPAN, scores, weights, queries,
                           r.parts + p.parts + item * p.size);
        });
    }

    void merge(int64_t slot_number, int64_t layer, const LayerRoom& r, int64_t i) const {
        const Slot& slot = slots[slot_number];
        each_item(slot, &Part::heads, heads_of(slot), merge_pieces(slot), i,
                  [&](const Part& p, int64_t head) {
            cross_merge<T>(cross_of(slot_number, p, layer, r), head / s.H, head % s.H, p.spans,
                           r.parts + p.parts + head * p.spans * p.size);
        });
    }

    void wide_in(int64_t rows, const Product& p, const LayerRoom& room, int64_t i) const {
        const bool gated = p.weights[1] != nullptr;
        each_block(rows, p, room.normed[2], i,
                   [&](int64_t, int64_t o, int64_t first, int64_t count, const float* result) {
            // Rounded as if they had been stored, in vectors over all rows.
            alignas(64) element gate[MAX_ROWS * OUTPUTS + LANES], lift[MAX_ROWS * OUTPUTS + LANES];
            alignas(64) float second[MAX_ROWS * OUTPUTS + SUMS];
            if (gated) block(p, room.normed[2], 1, o, first, count, second);
            for (int64_t j = 0; j < count * OUTPUTS; ++j) {
                gate[j] = T::narrow(result[j]);
                if (gated) lift[j] = T::narrow(second[j]);
            }
            for (int64_t j = 0; j < count * OUTPUTS; j += LANES) {
                const vec x = T::get(gate + j);
                T::put(gate + j, gated ? gelu(x) * T::get(lift + j) : larger(x, vec{}));
            }
            for (int64_t r = 0; r < count; ++r)
                std::memcpy(room.wide.x + (first + r) * s.F + o, gate + r * OUTPUTS,
                            OUTPUTS * sizeof(element));
        });
    }

    // Computes one step of each search, of embeddings and logits one after another; returns the
    // slot that holds what was seen.
    int64_t run(const float* x, const Search* searches, int64_t count, float* logits) {
        std::lock_guard<std::mutex> held(turn);
        const int64_t number = workers->free_slot();
        Slot& slot = slots[number];
        begin(slot, searches, count);
        std::memcpy(slot.input, x, slot.rows * s.D * sizeof(float));
        workers->compute(number);
        std::memcpy(logits, slot.logits, slot.rows * s.V * sizeof(float));
        return number;
    }

    // Waits until no thread reads what belongs to the searches of earlier runs.
    void leave() {
        std::lock_guard<std::mutex> held(turn);
        workers->leave_runs();
    }
};

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void longt5_long_attention(int64_t brain, const Long* a) {
    brain ? long_attention<Brain>(*a) : long_attention<Float>(*a);
}

EXPORT void longt5_cross_attention(int64_t brain, const Cross* a) {
    brain ? cross_attention<Brain>(*a) : cross_attention<Float>(*a);
}

EXPORT void longt5_self_attention(int64_t brain, const Own* a) {
    brain ? self_attention<Brain>(*a) : self_attention<Float>(*a);
}

EXPORT void longt5_thin_product(const Thin* a) { thin_any(*a); }

// Returns the steps of a decoder, null without memory; their threads end with ``steps_end``.
EXPORT void* longt5_steps_begin(int64_t brain, const Decoder* s) {
    try {
        if (brain) return new StepProgram<Brain>(*s);
        return new StepProgram<Float>(*s);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

// Returns -1 without memory.
EXPORT int64_t longt5_steps_run(int64_t brain, void* steps, const float* x,
                                const Search* searches, int64_t count, float* logits) {
    try {
        return brain ? ((StepProgram<Brain>*)steps)->run(x, searches, count, logits)
                     : ((StepProgram<Float>*)steps)->run(x, searches, count, logits);
    } catch (const std::bad_alloc&) {
        return -1;
    }
}

EXPORT void longt5_steps_leave(int64_t brain, void* steps) {
    brain ? ((StepProgram<Brain>*)steps)->leave() : ((StepProgram<Float>*)steps)->leave();
}

template <class T>
void end_steps(StepProgram<T>* steps) {
    if (!steps->workers->is_forked()) delete steps;
}

EXPORT void longt5_steps_end(int64_t brain, void* steps) {
    if (brain) end_steps((StepProgram<Brain>*)steps);
    else end_steps((StepProgram<Float>*)steps);
}

EXPORT void longt5_rms_norm(int64_t brain, const Norm* a) {
    brain ? rms_norm<Brain>(*a) : rms_norm<Float>(*a);
}

EXPORT void longt5_pack_cross(int64_t brain, const void* k, const void* v, void* keys,
                              void* values, int64_t B, int64_t S, int64_t H, int64_t d,
                              int64_t begin, int64_t count, int64_t threads) {
    brain ? pack_cross<Brain>(k, v, keys, values, B, S, H, d, begin, count, threads)
          : pack_cross<Float>(k, v, keys, values, B, S, H, d, begin, count, threads);
}
