// y = S x + U (Vᵀ x) for 1 to 16 tokens, S in delta-4 (delta4.py), one warp a row, one launch.
//
// All blocks are on the device at once. Each makes its rows of Vᵀ x while its first rows of S are on
// the way from memory, one warp of a block waits for the others' and brings Vᵀ x to shared memory, and
// the rows of S end with U (Vᵀ x). x lies in shared memory, the tokens of a column side by side: one
// load of a lane brings all that it multiplies a value with.
// Defined by the compiler's options: TOKENS (1, 2, 4, 8, 16), WARPS, UNROLL, BLOCKS (blocks that a
// multiprocessor should have room for), HALF (fp16 in place of bf16).

typedef unsigned int u32;
typedef unsigned long long u64;

#define LANES 32
#define X_BYTES (TOKENS == 1 ? 4 : 2 * TOKENS)  // of one column: fp32, or packed pairs of tokens
#define X_WORDS (X_BYTES / 4)
#define U_WORDS 4  // of a row of U that a lane fetches ahead

struct Operands {
    const uint4 *values;
    const u32 *codes;
    const unsigned short *starts;
    const int *row_chunks;
    const unsigned short *x;  // tokens × columns
    const u32 *v;             // padded rank × padded columns, pairs
    const u32 *u;             // rows × padded rank, pairs
    const float *bias;        // rows, or null
    float *projected;         // tokens × padded rank, zero past the rank
    u32 *arrived;             // two counters: rows of Vᵀ done, blocks that know
    void *y;                  // tokens × rows
    int rows, columns, padded_columns, rank, padded_rank, tokens, full_output;
};

__device__ __forceinline__ float low_half(u32 pair) {
#ifdef HALF
    float value;
    asm("{.reg .f16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, l;}" : "=f"(value) : "r"(pair));
    return value;
#else
    return __uint_as_float(pair << 16);
#endif
}

__device__ __forceinline__ float high_half(u32 pair) {
#ifdef HALF
    float value;
    asm("{.reg .f16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, h;}" : "=f"(value) : "r"(pair));
    return value;
#else
    return __uint_as_float(pair & 0xffff0000u);
#endif
}

__device__ __forceinline__ unsigned short rounded(float value) {
    unsigned short bits;
#ifdef HALF
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
#else
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
#endif
    return bits;
}

// Weights are read once: past the caches, 16 or 4 bytes a lane.
__device__ __forceinline__ uint4 stream(const uint4 *address) {
    uint4 word;
    asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(word.x), "=r"(word.y), "=r"(word.z), "=r"(word.w) : "l"(address));
    return word;
}

__device__ __forceinline__ u32 stream(const u32 *address) {
    u32 word;
    asm volatile("ld.global.nc.L1::no_allocate.u32 %0, [%1];" : "=r"(word) : "l"(address));
    return word;
}

// acc[t] += value · x[column][t]; the address is in shared memory, OFFSET columns on.
template <int OFFSET>
__device__ __forceinline__ void accumulate(float *acc, float value, u32 address) {
#if TOKENS == 1
    float x;
    asm volatile("ld.shared.f32 %0, [%1+%2];" : "=f"(x) : "r"(address), "n"(OFFSET * X_BYTES));
    acc[0] = fmaf(value, x, acc[0]);
#else
    u32 x[X_WORDS];
#if TOKENS == 2
    asm volatile("ld.shared.u32 %0, [%1+%2];"
                 : "=r"(x[0]) : "r"(address), "n"(OFFSET * X_BYTES));
#elif TOKENS == 4
    asm volatile("ld.shared.v2.u32 {%0, %1}, [%2+%3];"
                 : "=r"(x[0]), "=r"(x[1]) : "r"(address), "n"(OFFSET * X_BYTES));
#else
#pragma unroll
    for (int i = 0; i < X_WORDS; i += 4)
        asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4+%5];"
                     : "=r"(x[i]), "=r"(x[i + 1]), "=r"(x[i + 2]), "=r"(x[i + 3])
                     : "r"(address + 4 * i), "n"(OFFSET * X_BYTES));
#endif
#pragma unroll
    for (int i = 0; i < X_WORDS; i++) {
        acc[2 * i] = fmaf(value, low_half(x[i]), acc[2 * i]);
        acc[2 * i + 1] = fmaf(value, high_half(x[i]), acc[2 * i + 1]);
    }
#endif
}

// One chunk: eight values, whose columns come from two words of four prefix sums each.
__device__ __forceinline__ u32 consume(float *acc, uint4 w, u32 code, u32 address) {
    const u32 odd = (code >> 4) & 0x0f0f0f0fu;
    const u32 through_odd = ((code & 0x0f0f0f0fu) + odd) * 0x01010101u;
    const u32 through_even = through_odd - odd;
#define PAIR(K, WORD)                                                                        \
    accumulate<2 * K>(acc, low_half(WORD),                                                   \
                      __dp4a(through_even, (u32)X_BYTES << (8 * K), address));               \
    accumulate<2 * K + 1>(acc, high_half(WORD),                                              \
                          __dp4a(through_odd, (u32)X_BYTES << (8 * K), address));
    PAIR(0, w.x) PAIR(1, w.y) PAIR(2, w.z) PAIR(3, w.w)
#undef PAIR
    return __dp4a(through_odd, (u32)X_BYTES << 24, address) + 8 * X_BYTES;
}

// A lane's way through a row: where its next chunk lies, and how many are left to it and to any lane.
struct Cursor {
    int chunk, left, longest;
    u32 start;
};

// The chunks of a lane that are on their way from memory.
struct Ring {
    uint4 values[UNROLL];
    u32 codes[UNROLL];
};

__device__ __forceinline__ Cursor row_start(const Operands &s, int row, int lane) {
    if (row >= s.rows) return {0, 0, 0, 0};
    const int first = s.row_chunks[row], chunks = s.row_chunks[row + 1] - first;
    return {first + lane, (chunks + LANES - 1 - lane) / LANES, (chunks + LANES - 1) / LANES,
            s.starts[row * LANES + lane]};
}

__device__ __forceinline__ void fetch(Ring &ring, const Operands &s, const Cursor &at, int j) {
    if (j < at.left) {
        ring.values[j] = stream(s.values + at.chunk + j * LANES);
        ring.codes[j] = stream(s.codes + at.chunk + j * LANES);
    }
}

__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
    for (int distance = 16; distance; distance /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, distance);
    return value;
}

__device__ __forceinline__ u32 token_pair(const Operands &s, int column, int i) {
    const unsigned short *x = s.x + (u64)(2 * i) * s.columns + column;
    u32 pair = 0;
    if (column < s.columns && 2 * i < s.tokens) pair = x[0];
    if (column < s.columns && 2 * i + 1 < s.tokens) pair |= (u32)x[s.columns] << 16;
    return TOKENS == 1 ? __float_as_uint(low_half(pair)) : pair;
}

__device__ __forceinline__ void stage(const Operands &s, u32 *shared) {
#pragma unroll 4
    for (int column = threadIdx.x; column < s.padded_columns; column += WARPS * LANES) {
#pragma unroll
        for (int i = 0; i < X_WORDS; i++)
            shared[column * X_WORDS + i] = token_pair(s, column, i);
    }
}

__device__ __forceinline__ u32 pair_of_v(const Operands &s, int k, int pair) {
    return pair < s.padded_columns / 2 ? stream(s.v + (u64)k * (s.padded_columns / 2) + pair) : 0;
}

// projected[t][k] = V[:, k]ᵀ x[t], by all warps of the block; the first pairs of V come ready.
__device__ __forceinline__ void project(const Operands &s, int k, u32 first, u32 x_address,
                                        float *parts) {
    float acc[TOKENS] = {0};
    for (int pair = threadIdx.x; pair < s.padded_columns / 2; pair += WARPS * LANES) {
        const u32 w = first;
        first = pair_of_v(s, k, pair + WARPS * LANES);
        const u32 address = x_address + pair * 2 * X_BYTES;
        accumulate<0>(acc, low_half(w), address);
        accumulate<1>(acc, high_half(w), address);
    }
    const int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
#pragma unroll
    for (int t = 0; t < TOKENS; t++) {
        const float total = warp_sum(acc[t]);
        if (lane == 0) parts[t * WARPS + warp] = total;
    }
    __syncthreads();
    if (warp != 0) return;
#pragma unroll
    for (int t = 0; t < TOKENS; t++) {
        const float total = warp_sum(lane < WARPS ? parts[t * WARPS + lane] : 0.0f);
        if (lane == 0) s.projected[t * s.padded_rank + k] = total;
    }
    if (lane == 0)
        asm volatile("red.release.gpu.global.add.u32 [%0], 1;" :: "l"(s.arrived) : "memory");
}

// One warp of a block waits for all of Vᵀ x and brings it to shared memory.
__device__ __forceinline__ void collect(const Operands &s, float *projected, volatile int *ready,
                                        int lane) {
    u32 arrived = 0;
    if (lane == 0)
        do
            asm volatile("ld.acquire.gpu.global.u32 %0, [%1];"
                         : "=r"(arrived) : "l"(s.arrived) : "memory");
        while (arrived < (u32)s.rank);
    __syncwarp();
    for (int i = lane; i < TOKENS * s.padded_rank; i += LANES) projected[i] = s.projected[i];
    __threadfence_block();
    __syncwarp();
    if (lane != 0) return;
    *ready = 1;
    if (atomicAdd(s.arrived + 1, 1u) == gridDim.x - 1)
        s.arrived[0] = s.arrived[1] = 0;  // every block has seen them: ready for the next launch
}

// acc[t] += U[row, :] · projected[t]; the first words of U's row come ready.
__device__ __forceinline__ void expand(const Operands &s, const u32 *u, const u32 *ahead,
                                       const float *projected, float *acc, int lane) {
#pragma unroll
    for (int j = 0; j < U_WORDS; j++) {
        const int pair = lane + j * LANES;
        if (pair >= s.padded_rank / 2) break;
#pragma unroll
        for (int t = 0; t < TOKENS; t++) {
            const float2 p = ((const float2 *)(projected + t * s.padded_rank))[pair];
            acc[t] = fmaf(low_half(ahead[j]), p.x, fmaf(high_half(ahead[j]), p.y, acc[t]));
        }
    }
    for (int pair = lane + U_WORDS * LANES; pair < s.padded_rank / 2; pair += LANES) {
        const u32 w = stream(u + pair);
#pragma unroll
        for (int t = 0; t < TOKENS; t++) {
            const float2 p = ((const float2 *)(projected + t * s.padded_rank))[pair];
            acc[t] = fmaf(low_half(w), p.x, fmaf(high_half(w), p.y, acc[t]));
        }
    }
}

__device__ __forceinline__ void finish(const Operands &s, int row, float *acc, int lane) {
#pragma unroll
    for (int t = 0; t < TOKENS; t++) {
        const float total = warp_sum(acc[t]) + (s.bias ? s.bias[row] : 0.0f);
        if (lane != 0 || t >= s.tokens) continue;
        const u64 place = (u64)t * s.rows + row;
        if (s.full_output)
            ((float *)s.y)[place] = total;
        else
            ((unsigned short *)s.y)[place] = rounded(total);
    }
}

extern "C" __global__ void __launch_bounds__(WARPS *LANES, BLOCKS) delta4_product(const Operands s) {
    extern __shared__ char shared[];
    __shared__ float parts[2][TOKENS * WARPS];
    __shared__ int ready;
    float *projected = (float *)(shared + s.padded_columns * X_BYTES);
    const u32 x_address = (u32)__cvta_generic_to_shared(shared);
    const int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
    const int stride = gridDim.x * WARPS;
    asm volatile("griddepcontrol.launch_dependents;");

    int row = warp * gridDim.x + blockIdx.x;
    Cursor at = row_start(s, row, lane);
    Ring ring;
#pragma unroll
    for (int j = 0; j < UNROLL; j++) fetch(ring, s, at, j);
    u32 first = blockIdx.x < s.rank ? pair_of_v(s, blockIdx.x, threadIdx.x) : 0;
    if (threadIdx.x == 0) ready = 0;
    asm volatile("griddepcontrol.wait;" ::: "memory");
    stage(s, (u32 *)shared);
    __syncthreads();
    for (int k = blockIdx.x, i = 0; k < s.rank; k += gridDim.x, i ^= 1) {
        project(s, k, first, x_address, parts[i]);
        first = k + gridDim.x < s.rank ? pair_of_v(s, k + gridDim.x, threadIdx.x) : 0;
    }
    if (s.rank && warp == WARPS - 1) collect(s, projected, &ready, lane);

    for (; row < s.rows; row += stride) {
        const Cursor next = row_start(s, row + stride, lane);
        const u32 *u = s.u + (u64)row * (s.padded_rank / 2);
        u32 ahead[U_WORDS];
        float acc[TOKENS] = {0};
        u32 address = x_address + at.start * X_BYTES;
        for (int more = 1; more;) {
            const int left = at.left;
            more = at.longest > UNROLL;
            at.chunk += UNROLL * LANES, at.left -= UNROLL, at.longest -= UNROLL;
            if (!more) {
                at = next;
#pragma unroll
                for (int j = 0; j < U_WORDS; j++)
                    if (lane + j * LANES < s.padded_rank / 2) ahead[j] = stream(u + lane + j * LANES);
            }
#pragma unroll
            for (int j = 0; j < UNROLL; j++) {
                if (j < left) address = consume(acc, ring.values[j], ring.codes[j], address);
                fetch(ring, s, at, j);
            }
        }
        if (s.rank) {
            while (!*(volatile int *)&ready) {}
            __threadfence_block();
            expand(s, u, ahead, projected, acc, lane);
        }
        finish(s, row, acc, lane);
    }
}
