// SPDX-License-Identifier: MIT OR Apache-2.0
/* Clocks and counters of the calling thread, for the workloads. */
#ifndef WORKLOADS_CLOCK_H
#define WORKLOADS_CLOCK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static inline uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

__attribute__((noinline, unused)) static void sleep_us(long us)
{
	struct timespec time = {us / 1000000, us % 1000000 * 1000};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

/* What a thread knows of itself between two looks. */
struct look {
	uint64_t mono, cpu;
	long voluntary, involuntary;
};

/*
 * The clock is read between two readings of the counters that agree: what is
 * counted is what was before. The first reading of a clock may wait, too (its
 * page is not mapped yet).
 */
static inline struct look look(void)
{
	struct look now;
	struct rusage before, after;

	do {
		getrusage(RUSAGE_THREAD, &before);
		now.cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		now.mono = now_ns();
		getrusage(RUSAGE_THREAD, &after);
	} while (before.ru_nvcsw != after.ru_nvcsw ||
		 before.ru_nivcsw != after.ru_nivcsw);
	now.voluntary = after.ru_nvcsw;
	now.involuntary = after.ru_nivcsw;
	return now;
}

static inline void must(int fine, const char *what)
{
	if (!fine) {
		perror(what);
		exit(99);
	}
}

#endif
