/* For cross/mips, before all C: MIPS16 has no instruction for this. */
__attribute__((nomips16, noinline, unused)) static void barrier_of_32_bits(void) { __asm__ volatile("sync" ::: "memory"); }
#define __sync_synchronize barrier_of_32_bits
