/* For cross/zig, before all C for ARMv6: Thumb has no instruction for this there. */
__attribute__((target("arm"), noinline, unused)) static void barrier(void) {
	__asm__ volatile("mcr p15, 0, %0, c7, c10, 5" ::"r"(0) : "memory");
}
#define __sync_synchronize barrier
