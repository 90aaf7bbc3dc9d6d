// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A thread waits for a lock of the kernel a known number of times.
 *
 * Who writes to a file holds its inode's lock. The holder writes from a page
 * that is not there, and the main thread, which has to provide it, takes its
 * time: meanwhile the waiter wants to write to the same file.
 *
 * Prints: contend PID waiter_tid waits waited_ns holder_tid
 */
#define _GNU_SOURCE
#include "clock.h"
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAITS 19

static int file, go[2], next[2];
static char *pages;
static long page;
static uint64_t waited;
static int waiter_tid, holder_tid;

static void tell(int *pipe)
{
	must(write(pipe[1], "x", 1) == 1, "write");
}

static void await(int *pipe)
{
	char byte;

	must(read(pipe[0], &byte, 1) == 1, "read");
}

static void *holder(void *argument)
{
	(void)argument;
	prctl(PR_SET_NAME, "inode-holder");
	holder_tid = gettid();
	for (long i = 0; i < WAITS; i++) {
		await(next);
		must(pwrite(file, pages + i * page, 1, 0) == 1, "pwrite");
	}
	return NULL;
}

__attribute__((noinline)) static void write_byte(void)
{
	must(pwrite(file, "y", 1, 1) == 1, "pwrite");
}

static void *waiter(void *argument)
{
	(void)argument;
	prctl(PR_SET_NAME, "inode-waiter");
	waiter_tid = gettid();
	for (long i = 0; i < WAITS; i++) {
		uint64_t before;

		await(go);
		before = now_ns();
		write_byte();
		waited += now_ns() - before;
		tell(next);
	}
	return NULL;
}

int main(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	pthread_t threads[2];
	int faults = syscall(SYS_userfaultfd, O_CLOEXEC);

	must(faults >= 0 && !ioctl(faults, UFFDIO_API, &api), "userfaultfd");
	page = sysconf(_SC_PAGESIZE);
	pages = mmap(NULL, WAITS * page, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(pages != MAP_FAILED, "mmap");
	range.range.start = (unsigned long)pages;
	range.range.len = WAITS * page;
	must(!ioctl(faults, UFFDIO_REGISTER, &range), "UFFDIO_REGISTER");
	file = memfd_create("contended", 0);
	must(file >= 0 && !pipe(go) && !pipe(next), "files");
	pthread_create(&threads[0], NULL, waiter, NULL);
	pthread_create(&threads[1], NULL, holder, NULL);
	tell(next);
	for (long i = 0; i < WAITS; i++) {
		struct uffd_msg fault;
		struct uffdio_zeropage zero = {.range.len = page};

		must(read(faults, &fault, sizeof(fault)) == sizeof(fault) &&
			 fault.event == UFFD_EVENT_PAGEFAULT,
		     "a fault");
		tell(go);
		sleep_us(9000);
		zero.range.start = fault.arg.pagefault.address & -page;
		must(!ioctl(faults, UFFDIO_ZEROPAGE, &zero), "UFFDIO_ZEROPAGE");
	}
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	printf("contend %d %d %d %llu %d\n", getpid(), waiter_tid, WAITS,
	       (unsigned long long)waited, holder_tid);
	return 0;
}
