// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Many short-lived processes: 53 children, four at a time, each of which execs
 * this program again, takes a name of its own, burns CPU for 20 ms and exits
 * with its number modulo 7.
 *
 * Prints "parent PID" and, for each child, "child PID NUMBER STATUS".
 */
#define _GNU_SOURCE
#include "clock.h"
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 53
#define AT_ONCE 4

static volatile uint64_t sink;

__attribute__((noinline)) static void short_lived_work(void)
{
	uint64_t x = 1;

	while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < 20000000)
		for (int i = 0; i < 100000; i++)
			x = x * 6364136223846793005ull + 1;
	sink = x;
}

static int child(int number)
{
	char name[16];

	snprintf(name, sizeof(name), "short-%d", number);
	prctl(PR_SET_NAME, name);
	short_lived_work();
	return number % 7;
}

static pid_t pids[CHILDREN];

static void reap(void)
{
	int status, number = 0;
	pid_t pid = wait(&status);

	while (number < CHILDREN && pids[number] != pid)
		number++;
	must(number < CHILDREN && WIFEXITED(status), "wait");
	printf("child %d %d %d\n", pid, number, WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	char number[16];

	if (argc == 3 && strcmp(argv[1], "child") == 0)
		return child(atoi(argv[2]));
	setvbuf(stdout, NULL, _IOFBF, 65536);
	printf("parent %d\n", getpid());
	for (int i = 0; i < CHILDREN; i++) {
		if (i >= AT_ONCE)
			reap();
		snprintf(number, sizeof(number), "%d", i);
		pids[i] = fork();
		must(pids[i] >= 0, "fork");
		if (pids[i] == 0) {
			execl(argv[0], argv[0], "child", number, NULL);
			_exit(127);
		}
	}
	for (int i = 0; i < AT_ONCE; i++)
		reap();
	return 0;
}
