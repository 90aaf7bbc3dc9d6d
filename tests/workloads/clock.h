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

static inline struct look look(void)
{
	struct look now;
	struct rusage usage;

	now.cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	getrusage(RUSAGE_THREAD, &usage);
	now.mono = now_ns();
	now.voluntary = usage.ru_nvcsw;
	now.involuntary = usage.ru_nivcsw;
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
