// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A thread that never comes back from its wait.
 *
 * Prints "hung PID TID SINCE_NS" once it waits, then sleeps for a minute.
 */
#define _GNU_SOURCE
#include "clock.h"
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

static int never[2];
static volatile int tid;

__attribute__((noinline)) static void hang_here(void)
{
	char byte;

	must(read(never[0], &byte, 1) == 1, "read");
	__asm__ volatile("");
}

static void *hang(void *argument)
{
	(void)argument;
	prctl(PR_SET_NAME, "hung-thread");
	tid = gettid();
	hang_here();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	must(pipe(never) == 0, "pipe");
	/* With an argument: hang only that many milliseconds after the start.
	 */
	if (argc > 1)
		sleep_us(atol(argv[1]) * 1000);
	pthread_create(&thread, NULL, hang, NULL);
	sleep_us(50000);
	printf("hung %d %d %llu\n", getpid(), tid,
	       (unsigned long long)now_ns());
	fflush(stdout);
	sleep_us(60000000);
	return 0;
}
