// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Short waits without end at one place, and a long one there now and then:
 * what no history foretells.
 *
 * Prints "rare TID LONG": the waiting thread, and how many of its waits were
 * long (30 ms).
 */
#define _GNU_SOURCE
#include "clock.h"
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#define WAITS 9001
#define RARE 1009

static int there[2], back[2];
static volatile int tid;

__attribute__((noinline)) static void wait_here(void)
{
	char byte;

	must(read(there[0], &byte, 1) == 1, "read");
	__asm__ volatile("");
}

static void *waiter(void *argument)
{
	char byte = 0;

	(void)argument;
	prctl(PR_SET_NAME, "waiter");
	tid = gettid();
	for (int at = 0; at < WAITS; at++) {
		wait_here();
		must(write(back[1], &byte, 1) == 1, "write");
	}
	return NULL;
}

int main(void)
{
	pthread_t thread;
	char byte = 0;
	int rare = 0;

	must(pipe(there) == 0 && pipe(back) == 0, "pipe");
	pthread_create(&thread, NULL, waiter, NULL);
	for (int at = 0; at < WAITS; at++) {
		if (at % RARE == RARE - 1) {
			sleep_us(30000);
			rare++;
		}
		must(write(there[1], &byte, 1) == 1, "write");
		must(read(back[0], &byte, 1) == 1, "read");
	}
	pthread_join(thread, NULL);
	printf("rare %d %d\n", tid, rare);
	return 0;
}
