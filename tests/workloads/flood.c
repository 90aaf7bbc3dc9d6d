// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * More events than any ring holds, exactly counted.
 *
 *   flood switches ROUNDS   two threads on one CPU hand each other a byte
 *   flood calls COUNT       getppid in a loop
 *
 * Waits for a line on stdin before and after, and in between prints:
 *   switches TID VOLUNTARY INVOLUNTARY   (of each thread, while it ran)
 *   calls PID COUNT
 */
#define _GNU_SOURCE
#include "clock.h"
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int there[2], back[2];
static long rounds;

static void *echo(void *argument)
{
	char byte;

	(void)argument;
	printf("tid %d\n", gettid());
	fflush(stdout);
	while (read(there[0], &byte, 1) == 1)
		must(write(back[1], &byte, 1) == 1, "write");
	return NULL;
}

static void wait_for_line(void)
{
	char line[16];

	must(read(0, line, sizeof(line)) >= 0, "read");
}

int main(int argc, char **argv)
{
	cpu_set_t first;
	pthread_t thread;
	char byte = 'x';

	must(argc == 3, "usage");
	rounds = atol(argv[2]);
	if (strcmp(argv[1], "calls") == 0) {
		printf("ready\n");
		fflush(stdout);
		wait_for_line();
		for (long i = 0; i < rounds; i++)
			syscall(SYS_getppid);
		printf("calls %d %ld\n", getpid(), rounds);
		fflush(stdout);
		wait_for_line();
		return 0;
	}
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	must(pipe(there) == 0 && pipe(back) == 0, "pipe");
	pthread_create(&thread, NULL, echo, NULL);
	sleep_us(20000);
	printf("ready\n");
	fflush(stdout);
	wait_for_line();
	for (long i = 0; i < rounds; i++) {
		must(write(there[1], &byte, 1) == 1, "write");
		must(read(back[0], &byte, 1) == 1, "read");
	}
	printf("done\n");
	fflush(stdout);
	wait_for_line();
	close(there[1]);
	pthread_join(thread, NULL);
	return 0;
}
