// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Page faults of a known number: minor ones by touching fresh memory, major
 * ones by touching pages of a file that was dropped from the page cache.
 *
 *   faults FILE
 *
 * Prints, for each part: name, pages touched, and what the kernel counted
 * for getrusage(2) meanwhile, minor and major; then the process's memory:
 *   minor PID TOUCHED MINFLT MAJFLT
 *   major PID TOUCHED MINFLT MAJFLT
 *   all PID MINFLT MAJFLT
 *   memory PID RSS_ANON_KB GROWTH_PAGES
 * and waits for a line on its standard input if there is one to come.
 */
#define _GNU_SOURCE
#include "clock.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MINOR_PAGES 10007
#define MAJOR_PAGES 53
/* Further apart than anything is read ahead. */
#define STRIDE 64

static long page;

__attribute__((noinline)) static void touch_memory(char *memory, long pages)
{
	for (long i = 0; i < pages; i++)
		*(volatile char *)(memory + i * page) = 1;
	__asm__ volatile("");
}

__attribute__((noinline)) static long touch_file(char *file, long pages)
{
	long sum = 0;

	for (long i = 0; i < pages; i++)
		sum += *(volatile char *)(file + i * STRIDE * page);
	return sum;
}

static struct rusage usage(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage;
}

static void say(const char *what, long touched, struct rusage before)
{
	struct rusage after = usage();

	printf("%s %d %ld %ld %ld\n", what, getpid(), touched,
	       after.ru_minflt - before.ru_minflt,
	       after.ru_majflt - before.ru_majflt);
}

static long anonymous_kb(void)
{
	char line[256];
	long kb = 0;
	FILE *status = fopen("/proc/self/status", "r");

	must(status != NULL, "/proc/self/status");
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "RssAnon: %ld kB", &kb) == 1)
			break;
	fclose(status);
	return kb;
}

int main(int argc, char **argv)
{
	struct rusage before;
	char *memory, *map;
	int file;

	must(argc == 2, "usage: faults FILE");
	page = sysconf(_SC_PAGESIZE);
	/* What the output needs is there before anything is counted. */
	setvbuf(stdout, NULL, _IOFBF, 4096);
	printf("pid %d\n", getpid());
	fflush(stdout);

	file = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	must(file >= 0, argv[1]);
	memory = malloc(STRIDE * page);
	memset(memory, 'x', STRIDE * page);
	for (long i = 0; i < MAJOR_PAGES; i++)
		must(write(file, memory, STRIDE * page) == STRIDE * page,
		     "write");
	must(fsync(file) == 0, "fsync");
	map = mmap(NULL, MAJOR_PAGES * STRIDE * page, PROT_READ, MAP_SHARED,
		   file, 0);
	must(map != MAP_FAILED, "mmap");
	madvise(map, MAJOR_PAGES * STRIDE * page, MADV_RANDOM);
	must(!posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), "posix_fadvise");

	memory = mmap(NULL, MINOR_PAGES * page, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(memory != MAP_FAILED, "mmap");
	madvise(memory, MINOR_PAGES * page, MADV_NOHUGEPAGE);

	before = usage();
	touch_memory(memory, MINOR_PAGES);
	say("minor", MINOR_PAGES, before);
	before = usage();
	must(touch_file(map, MAJOR_PAGES) != 0, "the file");
	say("major", MAJOR_PAGES, before);
	printf("memory %d %ld %d\n", getpid(), anonymous_kb(), MINOR_PAGES);
	before = usage();
	printf("all %d %ld %ld\n", getpid(), before.ru_minflt,
	       before.ru_majflt);
	fflush(stdout);
	/* Its memory stays until it has been seen. */
	sleep_us(1500000);
	return 0;
}
