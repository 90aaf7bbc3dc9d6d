// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Two threads that spin on CPU 0 for two seconds.
 *
 * Each prints: spinner TID CPU_NS RUNQ_NS SLICES FROM_NS TO_NS
 * CPU, run-queue time and time slices are the differences of
 * /proc/self/task/TID/schedstat between FROM and TO (CLOCK_MONOTONIC).
 */
#define _GNU_SOURCE
#include "clock.h"
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

struct stat_line {
	unsigned long long cpu, runq, slices;
};

static struct stat_line schedstat(int tid)
{
	char path[64];
	struct stat_line line;

	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", tid);
	FILE *file = fopen(path, "r");
	must(file && fscanf(file, "%llu %llu %llu", &line.cpu, &line.runq,
			    &line.slices) == 3,
	     path);
	fclose(file);
	return line;
}

static pthread_barrier_t barrier;

static void *spin(void *argument)
{
	char *line = argument;
	int tid = gettid();

	pthread_barrier_wait(&barrier);
	struct stat_line before = schedstat(tid);
	uint64_t from = now_ns();

	while (now_ns() - from < 2000000000)
		;
	uint64_t to = now_ns();
	struct stat_line after = schedstat(tid);

	snprintf(line, 256, "spinner %d %llu %llu %llu %llu %llu\n", tid,
		 after.cpu - before.cpu, after.runq - before.runq,
		 after.slices - before.slices, (unsigned long long)from,
		 (unsigned long long)to);
	return NULL;
}

int main(void)
{
	cpu_set_t first;
	pthread_t threads[2];
	static char lines[2][256];

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	pthread_barrier_init(&barrier, NULL, 2);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, spin, lines[i]);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		fputs(lines[i], stdout);
	}
	return 0;
}
