// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Exactly known numbers of system calls at full speed: three threads and one
 * child. Only calls that neither the loader nor the C library makes by itself.
 *
 *   calls [full|small]
 *
 * Prints one line per process and call: who pid name calls errors
 */
#define _GNU_SOURCE
#include "clock.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct job {
	const char *name;
	long nr, a, b, c, full, small;
	int error;
};

static int small, zero, null;
static char byte;
static struct iovec one = {&byte, 1};

/* All primes; no two alike, so that a mix-up shows. */
static struct job jobs[4][2] = {
	{{"getppid", SYS_getppid, 0, 0, 0, 100003, 1009, 0},
	 {"fchdir", SYS_fchdir, -1, 0, 0, 10007, 503, EBADF}},
	{{"readv", SYS_readv, 0, 0, 1, 50021, 1013, 0},
	 {"faccessat", SYS_faccessat, AT_FDCWD, 0, 0, 20011, 509, ENOENT}},
	{{"writev", SYS_writev, 0, 0, 1, 30011, 1019, 0},
	 {"tgkill", SYS_tgkill, 0, 0, 0, 5003, 521, EINVAL}},
	{{"getpgid", SYS_getpgid, 0, 0, 0, 13007, 1021, 0},
	 {"sched_yield", SYS_sched_yield, 0, 0, 0, 3001, 523, 0}},
};

static long times(const struct job *job)
{
	return small ? job->small : job->full;
}

static void *work(void *argument)
{
	struct job *pair = argument;

	for (int i = 0; i < 2; i++) {
		struct job *job = &pair[i];

		for (long n = times(job); n > 0; n--) {
			long got = syscall(job->nr, job->a, job->b, job->c);

			must((got < 0 ? errno : 0) == job->error, job->name);
		}
	}
	return NULL;
}

static void print(const char *who, struct job *pair)
{
	for (int i = 0; i < 2; i++)
		printf("%s %d %s %ld %ld\n", who, getpid(), pair[i].name,
		       times(&pair[i]), pair[i].error ? times(&pair[i]) : 0);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	pthread_t threads[3];

	small = argc > 1 && argv[1][0] == 's';
	zero = open("/dev/zero", O_RDONLY);
	null = open("/dev/null", O_WRONLY);
	must(zero >= 0 && null >= 0, "open");
	jobs[1][0].a = zero;
	jobs[2][0].a = null;
	jobs[1][0].b = jobs[2][0].b = (long)&one;
	jobs[1][1].b = (long)"/nonexistent";

	pid_t child = fork();

	must(child >= 0, "fork");
	if (child == 0) {
		work(jobs[3]);
		print("child", jobs[3]);
		return 0;
	}
	for (int i = 0; i < 3; i++)
		must(pthread_create(&threads[i], NULL, work, jobs[i]) == 0,
		     "pthread_create");
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	waitpid(child, NULL, 0);
	for (int i = 0; i < 3; i++)
		print("parent", jobs[i]);
	return 0;
}
