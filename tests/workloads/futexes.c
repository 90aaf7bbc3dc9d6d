// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Known numbers of waits in futex(2), however slow the machine is: the word
 * never changes, so each call waits.
 *
 *   futexes
 *
 * Prints: timed TID WAITS, and woken TID WAITS WAKER.
 */
#define _GNU_SOURCE
#include "clock.h"
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* All primes. */
#define TIMED 53
#define WOKEN 31

static uint32_t word;
static int waiter;

static long futex(int op, long value, const struct timespec *timeout)
{
	return syscall(SYS_futex, &word, op | FUTEX_PRIVATE_FLAG, value,
		       timeout, NULL, 0);
}

static void *wait_for_wakes(void *argument)
{
	(void)argument;
	waiter = gettid();
	for (int i = 0; i < WOKEN; i++)
		must(!futex(FUTEX_WAIT, 0, NULL), "a wait");
	return NULL;
}

int main(void)
{
	struct timespec timeout = {0, 2000000};
	pthread_t thread;

	for (int i = 0; i < TIMED; i++)
		must(futex(FUTEX_WAIT, 0, &timeout) && errno == ETIMEDOUT,
		     "a timed wait");
	must(!pthread_create(&thread, NULL, wait_for_wakes, NULL),
	     "pthread_create");
	/* One wakes nobody until the thread waits again. */
	for (int i = 0; i < WOKEN; i++)
		while (futex(FUTEX_WAKE, 1, NULL) != 1)
			sleep_us(500);
	pthread_join(thread, NULL);
	printf("timed %d %d\n", getpid(), TIMED);
	printf("woken %d %d %d\n", waiter, WOKEN, getpid());
	return 0;
}
