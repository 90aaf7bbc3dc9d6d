// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A worker that takes a mutex every millisecond, and a holder that sleeps for
 * 20 ms ten times a second: beside the mutex, or with it.
 *
 *   held beside|with SECONDS
 *
 * Prints: worker TID TURNS SLOW, where SLOW are the turns in which the mutex
 * took 10 ms or longer.
 */
#define _GNU_SOURCE
#include "clock.h"
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t end;
static int with;

__attribute__((noinline)) static void hold(void)
{
	if (with)
		pthread_mutex_lock(&mutex);
	sleep_us(20000);
	if (with)
		pthread_mutex_unlock(&mutex);
}

static void *holder(void *argument)
{
	(void)argument;
	while (now_ns() < end) {
		hold();
		sleep_us(80000);
	}
	return NULL;
}

__attribute__((noinline)) static uint64_t take(void)
{
	uint64_t before = now_ns();

	pthread_mutex_lock(&mutex);
	before = now_ns() - before;
	pthread_mutex_unlock(&mutex);
	return before;
}

/* On the stack of the wait; take() is not: libc keeps no frame pointers. */
__attribute__((noinline)) static int take_turn(void)
{
	return take() >= 10000000;
}

static void *worker(void *argument)
{
	long turns = 0, slow = 0;

	(void)argument;
	pthread_setname_np(pthread_self(), "worker");
	for (; now_ns() < end; turns++) {
		slow += take_turn();
		sleep_us(1000);
	}
	printf("worker %d %ld %ld\n", gettid(), turns, slow);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t first, second;

	must(argc == 3, "held beside|with SECONDS");
	with = !strcmp(argv[1], "with");
	end = now_ns() + strtoull(argv[2], NULL, 10) * 1000000000ull;
	must(!pthread_create(&first, NULL, holder, NULL), "pthread_create");
	must(!pthread_create(&second, NULL, worker, NULL), "pthread_create");
	pthread_join(first, NULL);
	pthread_join(second, NULL);
	return 0;
}
