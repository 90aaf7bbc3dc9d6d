// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * More threads that wait than what the kernel tells at once has room for.
 *
 *   parked
 *
 * Each of 701 threads sleeps 3 times for 1 ms, then waits for the end, which
 * comes 2.5 s after all are there. Prints: parked PID THREADS SWITCHES, the
 * voluntary switches of these threads until just before their exits.
 */
#define _GNU_SOURCE
#include "clock.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREADS 701
#define SLEEPS 3

static pthread_barrier_t all_are_here, the_end;
static atomic_long switches;

static void *one(void *argument)
{
	struct rusage usage;

	for (int i = 0; i < SLEEPS; i++)
		sleep_us(1000);
	pthread_barrier_wait(&all_are_here);
	pthread_barrier_wait(&the_end);
	must(!getrusage(RUSAGE_THREAD, &usage), "getrusage");
	switches += usage.ru_nvcsw;
	return argument;
}

int main(void)
{
	pthread_t all[THREADS];
	pthread_attr_t small;

	must(!pthread_attr_init(&small), "pthread_attr_init");
	must(!pthread_attr_setstacksize(&small, 65536), "stack size");
	must(!pthread_barrier_init(&all_are_here, NULL, THREADS + 1),
	     "pthread_barrier_init");
	must(!pthread_barrier_init(&the_end, NULL, THREADS + 1),
	     "pthread_barrier_init");
	for (int i = 0; i < THREADS; i++)
		must(!pthread_create(&all[i], &small, one, NULL),
		     "pthread_create");
	pthread_barrier_wait(&all_are_here);
	sleep_us(2500000);
	pthread_barrier_wait(&the_end);
	for (int i = 0; i < THREADS; i++)
		pthread_join(all[i], NULL);
	printf("parked %d %d %ld\n", getpid(), THREADS, (long)switches);
	return 0;
}
