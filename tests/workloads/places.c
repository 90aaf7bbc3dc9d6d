// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Page faults at more places than there is room for: each of some processes
 * touches a page below each of 4096 call paths, and prints:
 *
 *   places PID TOUCHED MINOR_FAULTS
 */
#define _GNU_SOURCE
#include "clock.h"
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 7
#define STEPS 12
#define PAGES (1 << STEPS)

static volatile char *page;

static void left(int path, int steps);

__attribute__((noinline)) static void right(int path, int steps)
{
	if (!steps)
		*page = 1;
	else if (path & 1)
		right(path >> 1, steps - 1);
	else
		left(path >> 1, steps - 1);
	__asm__ volatile("");
}

__attribute__((noinline)) static void left(int path, int steps)
{
	if (!steps)
		*page = 1;
	else if (path & 1)
		right(path >> 1, steps - 1);
	else
		left(path >> 1, steps - 1);
	__asm__ volatile("");
}

static void child(void)
{
	char *pages = mmap(NULL, PAGES * 4096l, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rusage usage;

	must(pages != MAP_FAILED, "mmap");
	madvise(pages, PAGES * 4096l, MADV_NOHUGEPAGE);
	for (int i = 0; i < PAGES; i++) {
		page = pages + i * 4096l;
		left(i, STEPS);
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("places %d %d %ld\n", getpid(), PAGES, usage.ru_minflt);
	fflush(stdout);
	_exit(0);
}

int main(void)
{
	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		must(pid >= 0, "fork");
		if (!pid)
			child();
		waitpid(pid, NULL, 0);
	}
	return 0;
}
