// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A thread that sleeps by a timer, and then wakes another one, all on a CPU
 * that a third one keeps busy: a timer interrupts who spins.
 *
 * Prints "sleeper TID WAITS" and "reader TID WAITS SLEEPER-TID": a thread, how
 * often it waited, and who woke it.
 */
#define _GNU_SOURCE
#include "clock.h"
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#define WAITS 101

static int turns[2];
static volatile int done;

static void on_cpu_0(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	must(sched_setaffinity(0, sizeof(set), &set) == 0, "CPU 0");
}

static void *sleeper(void *tid)
{
	char byte = 0;

	on_cpu_0();
	*(int *)tid = gettid();
	for (int at = 0; at < WAITS; at++) {
		sleep_us(5000);
		must(write(turns[1], &byte, 1) == 1, "write");
	}
	close(turns[1]);
	return NULL;
}

static void *reader(void *tid)
{
	char byte;

	on_cpu_0();
	*(int *)tid = gettid();
	while (read(turns[0], &byte, 1) == 1)
		;
	done = 1;
	return NULL;
}

int main(void)
{
	pthread_t threads[2];
	int tids[2];

	must(pipe(turns) == 0, "pipe");
	pthread_create(&threads[0], NULL, sleeper, &tids[0]);
	pthread_create(&threads[1], NULL, reader, &tids[1]);
	on_cpu_0();
	while (!done)
		;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	printf("sleeper %d %d\n", tids[0], WAITS);
	printf("reader %d %d %d\n", tids[1], WAITS, tids[0]);
	return 0;
}
