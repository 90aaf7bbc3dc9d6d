// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Threads that wait for locks a known number of times, each for a known time.
 *
 *   locks         prints a line per kind of lock and ends:
 *                 kind waiter_tid waits waited_ns word holder_tid
 *   locks hang    prints "hang PID TID WORD HOLDER" and has a thread wait for
 *                 a mutex that is never unlocked
 *
 * waited: the sum of the clock's differences around each wait; word: the
 * address of the futex in hexadecimal, 0 where the C library hides it; holder:
 * who holds the lock, or who signals.
 */
#define _GNU_SOURCE
#include "clock.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MUTEX_WAITS 53
#define PI_WAITS 31
#define CONDITION_WAITS 37
#define TIMED_WAITS 23

/* Who waits, and who makes it wait. */
struct pair {
	const char *kind, *waits_name, *holds_name;
	void (*wait)(struct pair *);
	void (*hold)(struct pair *);
	long count;
	pthread_mutex_t mutex;
	pthread_cond_t condition;
	int turn[2];
	long ready;
	uint64_t waited;
	int waiter, holder;
};

static int read_turn(struct pair *pair)
{
	char byte;

	return read(pair->turn[0], &byte, 1);
}

static void give_turn(struct pair *pair)
{
	must(write(pair->turn[1], "x", 1) == 1, "write");
}

/* Frames of their own, so that a stack has something to name. */
__attribute__((noinline)) static void wait_for_mutex(struct pair *pair)
{
	while (read_turn(pair) == 1) {
		uint64_t before = now_ns();

		pthread_mutex_lock(&pair->mutex);
		pair->waited += now_ns() - before;
		pthread_mutex_unlock(&pair->mutex);
	}
}

__attribute__((noinline)) static void hold_mutex(struct pair *pair)
{
	for (long i = 0; i < pair->count; i++) {
		pthread_mutex_lock(&pair->mutex);
		give_turn(pair);
		sleep_us(12000);
		pthread_mutex_unlock(&pair->mutex);
		sleep_us(3000);
	}
	close(pair->turn[1]);
}

__attribute__((noinline)) static void wait_for_condition(struct pair *pair)
{
	for (long i = 1; i <= pair->count; i++) {
		pthread_mutex_lock(&pair->mutex);
		while (pair->ready < i) {
			uint64_t before = now_ns();

			pthread_cond_wait(&pair->condition, &pair->mutex);
			pair->waited += now_ns() - before;
		}
		pthread_mutex_unlock(&pair->mutex);
	}
}

__attribute__((noinline)) static void signal_condition(struct pair *pair)
{
	for (long i = 0; i < pair->count; i++) {
		sleep_us(11000);
		pthread_mutex_lock(&pair->mutex);
		pair->ready++;
		pthread_mutex_unlock(&pair->mutex);
		pthread_cond_signal(&pair->condition);
	}
}

__attribute__((noinline)) static void wait_in_vain(struct pair *pair)
{
	struct timespec until;

	must(read_turn(pair) == 1, "read");
	for (long i = 0; i < pair->count; i++) {
		uint64_t before = now_ns();

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 9000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		must(pthread_mutex_timedlock(&pair->mutex, &until) == ETIMEDOUT,
		     "pthread_mutex_timedlock");
		pair->waited += now_ns() - before;
	}
	give_turn(pair);
}

__attribute__((noinline)) static void hold_long(struct pair *pair)
{
	pthread_mutex_lock(&pair->mutex);
	give_turn(pair);
	sleep_us(pair->count * 9000 + 200000);
	pthread_mutex_unlock(&pair->mutex);
}

static void *waiter(void *argument)
{
	struct pair *pair = argument;

	prctl(PR_SET_NAME, pair->waits_name);
	pair->waiter = gettid();
	pair->wait(pair);
	return NULL;
}

static void *holder(void *argument)
{
	struct pair *pair = argument;

	prctl(PR_SET_NAME, pair->holds_name);
	pair->holder = gettid();
	pair->hold(pair);
	return NULL;
}

static pthread_mutex_t never_unlocked = PTHREAD_MUTEX_INITIALIZER;

static void *hang(void *argument)
{
	(void)argument;
	prctl(PR_SET_NAME, "hung-thread");
	printf("hang %d %d %lx %d\n", getpid(), gettid(),
	       (unsigned long)&never_unlocked, getpid());
	fflush(stdout);
	pthread_mutex_lock(&never_unlocked);
	return NULL;
}

int main(int argc, char **argv)
{
	struct pair all[] = {
	    {.kind = "mutex", .count = MUTEX_WAITS,
	     .waits_name = "mutex-waiter", .wait = wait_for_mutex,
	     .holds_name = "mutex-holder", .hold = hold_mutex},
	    {.kind = "pi", .count = PI_WAITS,
	     .waits_name = "pi-waiter", .wait = wait_for_mutex,
	     .holds_name = "pi-holder", .hold = hold_mutex},
	    {.kind = "condition", .count = CONDITION_WAITS,
	     .waits_name = "cond-waiter", .wait = wait_for_condition,
	     .holds_name = "cond-signaler", .hold = signal_condition},
	    {.kind = "timed", .count = TIMED_WAITS,
	     .waits_name = "timed-waiter", .wait = wait_in_vain,
	     .holds_name = "timed-holder", .hold = hold_long},
	};
	enum { COUNT = sizeof(all) / sizeof(*all) };
	pthread_t waiters[COUNT], holders[COUNT];
	pthread_mutexattr_t pi;

	if (argc > 1 && !strcmp(argv[1], "hang")) {
		pthread_mutex_lock(&never_unlocked);
		must(pthread_create(waiters, NULL, hang, NULL) == 0,
		     "pthread_create");
		for (;;)
			pause();
	}
	pthread_mutexattr_init(&pi);
	pthread_mutexattr_setprotocol(&pi, PTHREAD_PRIO_INHERIT);
	for (int i = 0; i < COUNT; i++) {
		struct pair *pair = &all[i];

		must(pipe(pair->turn) == 0, "pipe");
		pthread_mutex_init(&pair->mutex, i == 1 ? &pi : NULL);
		pthread_cond_init(&pair->condition, NULL);
	}
	/* One pair after the other: nobody waits for a CPU. */
	for (int i = 0; i < COUNT; i++) {
		must(pthread_create(&waiters[i], NULL, waiter, &all[i]) == 0,
		     "pthread_create");
		sleep_us(2000);
		must(pthread_create(&holders[i], NULL, holder, &all[i]) == 0,
		     "pthread_create");
		pthread_join(holders[i], NULL);
		pthread_join(waiters[i], NULL);
	}
	for (int i = 0; i < COUNT; i++) {
		struct pair *pair = &all[i];

		printf("%s %d %ld %llu %lx %d\n", pair->kind, pair->waiter,
		       pair->count, (unsigned long long)pair->waited,
		       i == 2 ? 0 : (unsigned long)&pair->mutex, pair->holder);
	}
	return 0;
}
