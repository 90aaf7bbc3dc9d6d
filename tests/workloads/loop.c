// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A process to filter by: two named threads, "loop-one" and "loop-two", and,
 * with the argument "child", a child process "loop-child"; all sleep 5 ms at a
 * time until killed, or for as many milliseconds as the last argument says.
 *
 * Prints "loop PID TID1 TID2 CHILD" (0: no child).
 */
#define _GNU_SOURCE
#include "clock.h"
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t end;
static volatile int tids[2];

static void loop(void)
{
	while (now_ns() < end)
		sleep_us(5000);
}

static void *thread(void *argument)
{
	long number = (long)argument;

	prctl(PR_SET_NAME, number == 0 ? "loop-one" : "loop-two");
	tids[number] = gettid();
	loop();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[2];
	pid_t child = 0;
	int wanted = argc > 1 && strcmp(argv[1], "child") == 0;

	end = now_ns() + (argc > 2 ? atol(argv[2]) : 60000) * 1000000ull;
	if (wanted) {
		child = fork();
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			prctl(PR_SET_NAME, "loop-child");
			loop();
			return 0;
		}
	}
	for (long i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, thread, (void *)i);
	sleep_us(50000);
	printf("loop %d %d %d %d\n", getpid(), tids[0], tids[1], child);
	fflush(stdout);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	if (child)
		waitpid(child, NULL, 0);
	return 0;
}
