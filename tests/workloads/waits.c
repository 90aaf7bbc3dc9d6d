// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Threads that wait for known times: a sleeper, a pipe's reader and its
 * writer, a mutex's holder and a locker. Each prints what it knows of itself:
 *
 *   name tid planned voluntary involuntary waited_ns from_ns to_ns cpu_ns
 *
 * planned: waits by construction; voluntary, involuntary: switches that the
 * kernel counted between from and to (CLOCK_MONOTONIC); waited: the sum of the
 * clock's differences around each wait; cpu: CPU time between from and to.
 */
#define _GNU_SOURCE
#include "clock.h"
#include <pthread.h>
#include <unistd.h>

#define SLEEPS 101
#define READS 97
#define LOCKS 53

static int data[2], turn[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

struct self {
	const char *name;
	void (*work)(struct self *);
	long planned;
	uint64_t waited;
	int tid;
	struct look from, to;
};

/* Frames of their own, so that a stack has something to name. */
__attribute__((noinline)) static void sleep_once(long us)
{
	sleep_us(us);
	__asm__ volatile("");
}

__attribute__((noinline)) static int read_once(int fd)
{
	char byte;
	int got = read(fd, &byte, 1);

	__asm__ volatile("");
	return got;
}

__attribute__((noinline)) static void lock_once(void)
{
	pthread_mutex_lock(&mutex);
	__asm__ volatile("");
}

#define TIMED(self, wait)                                                      \
	do {                                                                   \
		uint64_t before = now_ns();                                    \
		wait;                                                          \
		(self)->waited += now_ns() - before;                           \
		(self)->planned++;                                             \
	} while (0)

static void sleeper(struct self *self)
{
	for (int i = 0; i < SLEEPS; i++)
		TIMED(self, sleep_once(10000));
}

static void reader(struct self *self)
{
	int got = 1;

	/* The last read finds the pipe closed: it waits, too. */
	while (got == 1)
		TIMED(self, got = read_once(data[0]));
}

static void writer(struct self *self)
{
	for (int i = 0; i < READS; i++) {
		TIMED(self, sleep_once(7000));
		must(write(data[1], "x", 1) == 1, "write");
	}
	TIMED(self, sleep_once(7000));
	close(data[1]);
}

static void holder(struct self *self)
{
	for (int i = 0; i < LOCKS; i++) {
		pthread_mutex_lock(&mutex);
		must(write(turn[1], "x", 1) == 1, "write");
		TIMED(self, sleep_once(12000));
		pthread_mutex_unlock(&mutex);
		TIMED(self, sleep_once(3000));
	}
	close(turn[1]);
}

static void locker(struct self *self)
{
	for (;;) {
		int got;

		TIMED(self, got = read_once(turn[0]));
		if (got != 1)
			break;
		TIMED(self, lock_once());
		pthread_mutex_unlock(&mutex);
	}
}

static void *start(void *argument)
{
	struct self *self = argument;

	self->tid = gettid();
	self->from = look();
	self->work(self);
	self->to = look();
	return NULL;
}

int main(void)
{
	/* Readers first: nothing is written before somebody waits for it. */
	struct self all[] = {
	    {.name = "reader", .work = reader},
	    {.name = "locker", .work = locker},
	    {.name = "sleeper", .work = sleeper},
	    {.name = "writer", .work = writer},
	    {.name = "holder", .work = holder},
	};
	enum { COUNT = sizeof(all) / sizeof(*all) };
	pthread_t threads[COUNT];

	must(pipe(data) == 0 && pipe(turn) == 0, "pipe");
	for (int i = 0; i < COUNT; i++) {
		must(pthread_create(&threads[i], NULL, start, &all[i]) == 0,
		     "pthread_create");
		sleep_us(2000);
	}
	for (int i = 0; i < COUNT; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < COUNT; i++) {
		struct self *s = &all[i];

		printf("%s %d %ld %ld %ld %llu %llu %llu %llu\n", s->name,
		       s->tid, s->planned, s->to.voluntary - s->from.voluntary,
		       s->to.involuntary - s->from.involuntary,
		       (unsigned long long)s->waited,
		       (unsigned long long)s->from.mono,
		       (unsigned long long)s->to.mono,
		       (unsigned long long)(s->to.cpu - s->from.cpu));
	}
	return 0;
}
