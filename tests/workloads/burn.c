// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Three functions that burn CPU 5:3:2 by a fixed amount of arithmetic.
 *
 *   burn [ROUNDS]
 *
 * Prints the name and the CPU time in ns of each.
 */
#define _GNU_SOURCE
#include "clock.h"

static volatile uint64_t sink;

/* The same loop in three functions: a macro, so that nothing is folded. */
#define BURN(name, share)                                                      \
	__attribute__((noinline)) static void name(void)                       \
	{                                                                      \
		uint64_t x = share;                                            \
		for (long i = 0; i < share * 1000000L; i++)                    \
			x = x * 6364136223846793005ull +                       \
			    1442695040888963407ull;                            \
		sink = x;                                                      \
	}

BURN(burn_five, 5)
BURN(burn_three, 3)
BURN(burn_two, 2)

int main(int argc, char **argv)
{
	static void (*const functions[])(void) = {burn_five, burn_three,
						  burn_two};
	static const char *const names[] = {"burn_five", "burn_three",
					    "burn_two"};
	uint64_t cpu[3] = {0};
	int rounds = argc > 1 ? atoi(argv[1]) : 331;

	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < 3; i++) {
			uint64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);

			functions[i]();
			cpu[i] += clock_ns(CLOCK_THREAD_CPUTIME_ID) - before;
		}
	}
	for (int i = 0; i < 3; i++)
		printf("%s %llu\n", names[i], (unsigned long long)cpu[i]);
	return 0;
}
