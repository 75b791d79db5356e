/* Forced into every file of the peer's build by llama_cpp.sh.
 *
 * GCC before 13 declares that ldtilecfg reads 8 bytes, while the instruction reads 64: at -O3 the stores to the other 56
 * are removed as dead, and the instruction faults on what the stack held. This states the whole operand. */
#if defined(__AMX_TILE__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#include <immintrin.h>
#define _tile_loadconfig(config) __asm__ volatile("ldtilecfg\t%X0" ::"m"(*(const char(*)[64])(config)))
#endif
