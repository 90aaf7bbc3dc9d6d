// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Allocations of known numbers and sizes by named functions, some of them never
 * freed. Prints what it did:
 *   heap PID
 *   FUNCTION ALLOCATIONS BYTES FREES FREED_BYTES
 * With an argument, it only allocates and frees that many times and tells how
 * long one pair took:
 *   pairs COUNT NS_EACH
 */
#define _GNU_SOURCE
#include "clock.h"
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *kept[8192];
static long count;

static void *keep(void *block)
{
	/* What nobody uses, compilers leave out. */
	__asm__ volatile("" : "+r"(block) : : "memory");
	kept[count++ % 8192] = block;
	return block;
}

static void say(const char *name, long allocations, long bytes, long frees,
		long freed)
{
	printf("%s %ld %ld %ld %ld\n", name, allocations, bytes, frees, freed);
}

/* 1009 blocks of 100 bytes; all but 101 are freed. */
__attribute__((noinline)) static void leak_some(void)
{
	for (int i = 0; i < 1009; i++) {
		void *block = keep(malloc(100));

		if (i >= 101)
			free(block);
	}
	say("leak_some", 1009, 100900, 908, 90800);
}

/* 499 blocks of 7 times 33 bytes; none lives. */
__attribute__((noinline)) static void churn_calloc(void)
{
	for (int i = 0; i < 499; i++)
		free(keep(calloc(7, 33)));
	say("churn_calloc", 499, 499 * 231, 499, 499 * 231);
}

/* One block that grows 97 times, to 97 KB, also out of the heap's own area. */
__attribute__((noinline)) static void grow(void)
{
	void *block = NULL;
	long bytes = 0;

	for (int i = 1; i <= 97; i++) {
		block = keep(realloc(block, i * 10007));
		bytes += i * 10007;
	}
	say("grow", 97, bytes, 96, bytes - 97 * 10007);
}

/* Aligned in three ways, 61 blocks of 256 bytes each; one of three is freed. */
__attribute__((noinline)) static void align(void)
{
	for (int i = 0; i < 61; i++) {
		void *block = NULL;

		keep(aligned_alloc(64, 256));
		keep(memalign(64, 256));
		if (posix_memalign(&block, 64, 256))
			exit(1);
		free(keep(block));
	}
	say("align", 183, 183 * 256, 61, 61 * 256);
}

static void *work(void *of)
{
	(void)of;
	for (int i = 0; i < 20011; i++)
		free(keep(malloc(48)));
	return NULL;
}

/* Two threads at the same time. */
__attribute__((noinline)) static void race(void)
{
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	say("work", 40022, 40022 * 48, 40022, 40022 * 48);
}

static void measure(long pairs)
{
	long before = now_ns();

	for (long i = 0; i < pairs; i++)
		free(keep(malloc(64)));
	printf("pairs %ld %ld\n", pairs,
	       (now_ns() - before) / pairs);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		measure(atol(argv[1]));
		return 0;
	}
	printf("heap %d\n", getpid());
	leak_some();
	churn_calloc();
	grow();
	align();
	race();
	return 0;
}
