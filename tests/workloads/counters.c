// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Context switches, migrations and page faults of known numbers.
 *
 * A child touches fresh pages, sleeps, and moves from one CPU to another and
 * back; then it ends. Its parent looks at what the kernel counted for it, when
 * it is off the CPU for good:
 *   child PID TOUCHED SLEEPS MOVES NVCSW NIVCSW MINFLT MAJFLT CPU_US MIGRATIONS
 * MIGRATIONS is that of /proc/PID/sched, -1 where there is none; MOVES is 0
 * where there is one CPU only. Then it spins for a while:
 *   spin PID CPU_NS
 */
#define _GNU_SOURCE
#include "clock.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 4099
#define SLEEPS 211
#define MOVES 101

__attribute__((noinline)) static void touch_pages(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(memory, PAGES * page, MADV_NOHUGEPAGE);
	for (long i = 0; i < PAGES; i++)
		*(volatile char *)(memory + i * page) = 1;
	__asm__ volatile("");
}

__attribute__((noinline)) static void sleep_often(void)
{
	struct timespec time = { .tv_nsec = 100000 };

	for (int i = 0; i < SLEEPS; i++)
		nanosleep(&time, NULL);
	__asm__ volatile("");
}

static void go_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* From the first CPU that it may use to the second and back; ends elsewhere. */
__attribute__((noinline)) static int move_often(void)
{
	int cpus[2], found = 0, cpu;
	cpu_set_t all;

	sched_getaffinity(0, sizeof(all), &all);
	for (cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
		if (CPU_ISSET(cpu, &all))
			cpus[found++] = cpu;
	if (found < 2)
		return 0;
	go_to(cpus[0]);
	for (int i = 1; i <= MOVES; i++)
		go_to(cpus[i & 1]);
	return MOVES;
}

static long migrations(void)
{
	FILE *file = fopen("/proc/self/sched", "r");
	long count = -1;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, "nr_migrations"))
			count = atol(strchr(line, ':') + 1);
	return count;
}

int main(void)
{
	struct timespec wait = { .tv_nsec = 100000000 };
	long told[2] = { 0, -1 };
	struct rusage usage;
	int ends[2], status;
	long before, now;
	pid_t child;

	if (pipe(ends))
		return 1;
	child = fork();
	if (!child) {
		touch_pages();
		sleep_often();
		told[0] = move_often();
		told[1] = migrations();
		if (write(ends[1], told, sizeof(told)) != sizeof(told))
			_exit(1);
		_exit(0);
	}
	if (read(ends[0], told, sizeof(told)) != sizeof(told))
		return 1;
	nanosleep(&wait, NULL);
	wait4(child, &status, 0, &usage);
	printf("child %d %d %d %ld %ld %ld %ld %ld %ld %ld\n", child, PAGES,
	       SLEEPS, told[0], usage.ru_nvcsw, usage.ru_nivcsw,
	       usage.ru_minflt, usage.ru_majflt,
	       (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L +
		       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec,
	       told[1]);
	before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	do
		now = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	while (now - before < 300000000L);
	printf("spin %d %ld\n", getpid(), now);
	return 0;
}
