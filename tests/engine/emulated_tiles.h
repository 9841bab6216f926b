// The matrix registers of AMX in plain C++, so that what is written for them runs anywhere:
// -include this file and the kernel takes these for the processor's own. Each function does what
// Intel's manual says of the instruction of its name; a register that was not set up ends the run.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define __AMX_BF16__ 1

namespace {
namespace emulated {

struct Register {
    int rows, bytes;  // of a row; none until a configuration is loaded
    uint32_t words[16][16];
};
thread_local Register registers[8] = {};
int64_t products = 0;

inline Register& ready(int i) {
    if (!registers[i].rows || !registers[i].bytes) std::abort();
    return registers[i];
}

inline void release() { std::memset(registers, 0, sizeof registers); }

inline void configure(const void* config) {
    const uint8_t* bytes = (const uint8_t*)config;
    if (bytes[0] != 1) std::abort();
    release();
    for (int i = 0; i < 8; ++i)
        registers[i] = {bytes[48 + i], bytes[16 + 2 * i] | bytes[17 + 2 * i] << 8, {}};
}

inline void zero(int i) { std::memset(ready(i).words, 0, sizeof registers[i].words); }

inline void load(int i, const void* from, int64_t stride) {
    zero(i);
    for (int r = 0; r < registers[i].rows; ++r)
        std::memcpy(registers[i].words[r], (const char*)from + r * stride, registers[i].bytes);
}

inline void store(int i, void* to, int64_t stride) {
    for (int r = 0; r < ready(i).rows; ++r)
        std::memcpy((char*)to + r * stride, registers[i].words[r], registers[i].bytes);
}

inline float number(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}

inline void dot(int c, int a, int b) {
    const Register &left = ready(a), &right = ready(b);
    Register& out = ready(c);
    if (left.bytes / 4 != right.rows || left.rows != out.rows || right.bytes != out.bytes) std::abort();
    for (int m = 0; m < out.rows; ++m)
        for (int n = 0; n < out.bytes / 4; ++n) {
            float sum = number(out.words[m][n]);
            for (int k = 0; k < right.rows; ++k) {
                const uint32_t x = left.words[m][k], y = right.words[k][n];
                sum += number(x << 16) * number(y << 16);
                sum += number(x & 0xffff0000u) * number(y & 0xffff0000u);
            }
            std::memcpy(&out.words[m][n], &sum, 4);
        }
    __atomic_add_fetch(&products, 1, __ATOMIC_RELAXED);
}

inline long grant() { return std::getenv("EMULATED_TILES_REFUSED") ? -1 : 0; }

}  // namespace emulated
}  // namespace

extern "C" __attribute__((visibility("default"))) int64_t emulated_products() {
    return emulated::products;
}

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#define _tile_loadconfig emulated::configure
#define _tile_release emulated::release
#define _tile_loadd(i, from, stride) emulated::load(i, from, stride)
#define _tile_stored(i, to, stride) emulated::store(i, to, stride)
#define _tile_zero(i) emulated::zero(i)
#define _tile_dpbf16ps(c, a, b) emulated::dot(c, a, b)
#define syscall(...) emulated::grant()
