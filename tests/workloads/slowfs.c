// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A file system of one file that answers slowly, and a program that uses it a
 * known number of times (include/uapi/linux/fuse.h).
 *
 *   slowfs DIR work    reads, writes and syncs, each of them slow; then waits
 *                      at a pipe, a socket and a terminal
 *   slowfs DIR hang    reads, and never gets an answer
 *   slowfs FILE plain  a known number of fast operations on a file
 *
 * Prints a line per kind of operation: what calls bytes
 */
#define _GNU_SOURCE
#include "clock.h"
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define SIZE (1 << 20)
#define DELAY_MS 25
#define READS 23
#define WRITES 13
#define SYNCS 7
#define WAITS 5

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void answer(int fd, __u64 unique, int error, const void *body,
		   size_t len)
{
	struct fuse_out_header head = {sizeof(head) + len, error, unique};
	struct iovec parts[2] = {{&head, sizeof(head)}, {(void *)body, len}};

	/* The one who asked may be gone. */
	if (writev(fd, parts, 2) < 0)
		return;
}

static struct fuse_attr attr_of(__u64 node)
{
	struct fuse_attr attr = {
		.ino = node,
		.nlink = 1,
		.blksize = 4096,
		.mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0644,
		.size = node == 1 ? 0 : SIZE,
	};

	return attr;
}

static void serve(int fd, int hang)
{
	static char request[SIZE], data[SIZE];

	for (;;) {
		ssize_t got = read(fd, request, sizeof(request));
		struct fuse_in_header *in = (void *)request;
		void *body = in + 1;

		if (got < 0)
			return;
		switch (in->opcode) {
		case FUSE_INIT: {
			struct fuse_init_out out = {
				.major = FUSE_KERNEL_VERSION,
				.minor = FUSE_KERNEL_MINOR_VERSION,
				.max_write = 65536,
			};
			answer(fd, in->unique, 0, &out, sizeof(out));
			break;
		}
		case FUSE_LOOKUP: {
			struct fuse_entry_out out = {
				.nodeid = 2, .attr_valid = 3600,
				.entry_valid = 3600, .attr = attr_of(2),
			};
			answer(fd, in->unique, 0, &out, sizeof(out));
			break;
		}
		case FUSE_GETATTR: {
			struct fuse_attr_out out = {
				.attr_valid = 3600,
				.attr = attr_of(in->nodeid),
			};
			answer(fd, in->unique, 0, &out, sizeof(out));
			break;
		}
		case FUSE_OPEN: {
			/* Each read and write of the program comes here. */
			struct fuse_open_out out = {
				.open_flags = FOPEN_DIRECT_IO,
			};
			answer(fd, in->unique, 0, &out, sizeof(out));
			break;
		}
		case FUSE_READ: {
			struct fuse_read_in *read = body;
			if (hang)
				continue;
			usleep(DELAY_MS * 1000);
			answer(fd, in->unique, 0, data, read->size);
			break;
		}
		case FUSE_WRITE: {
			struct fuse_write_in *write = body;
			struct fuse_write_out out = {.size = write->size};
			usleep(DELAY_MS * 1000);
			answer(fd, in->unique, 0, &out, sizeof(out));
			break;
		}
		case FUSE_FSYNC:
			usleep(DELAY_MS * 1000);
			answer(fd, in->unique, 0, NULL, 0);
			break;
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
		case FUSE_INTERRUPT:
			break;
		case FUSE_FLUSH:
		case FUSE_RELEASE:
			answer(fd, in->unique, 0, NULL, 0);
			break;
		default:
			answer(fd, in->unique, -38 /* ENOSYS */, NULL, 0);
		}
	}
}

static char buffer[4096];

/*
 * The C library's functions have no frame of their own, so who calls them is
 * not in the chain of frame pointers, but who calls that is.
 */
__attribute__((noinline)) static void call_pread(int fd, int at)
{
	if (pread(fd, buffer, sizeof(buffer), at * 4096L) != sizeof(buffer))
		die("pread");
	__asm__ volatile("");
}

__attribute__((noinline)) static void slow_read(int fd, int at)
{
	call_pread(fd, at);
	__asm__ volatile("");
}

__attribute__((noinline)) static void call_pwrite(int fd, int at)
{
	if (pwrite(fd, buffer, 512, at * 512L) != 512)
		die("pwrite");
	__asm__ volatile("");
}

__attribute__((noinline)) static void slow_write(int fd, int at)
{
	call_pwrite(fd, at);
	__asm__ volatile("");
}

__attribute__((noinline)) static void call_fsync(int fd)
{
	if (fsync(fd))
		die("fsync");
	__asm__ volatile("");
}

__attribute__((noinline)) static void slow_sync(int fd)
{
	call_fsync(fd);
	__asm__ volatile("");
}

/* Lets the other end wait for each byte. */
static void *give(void *fd)
{
	for (int i = 0; i < WAITS; i++) {
		usleep(DELAY_MS * 1000);
		if (write(*(int *)fd, "x", 1) != 1)
			die("write");
	}
	return NULL;
}

static void wait_for(const char *what, int from, int to)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, give, &to))
		die("pthread_create");
	for (int i = 0; i < WAITS; i++)
		if (read(from, buffer, 1) != 1)
			die("read");
	pthread_join(thread, NULL);
	printf("%s %d %d\n", what, WAITS, WAITS);
}

static void wait_elsewhere(void)
{
	int ends[2], master, slave;
	struct termios raw;

	if (pipe(ends))
		die("pipe");
	wait_for("pipe", ends[0], ends[1]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		die("socketpair");
	wait_for("socket", ends[0], ends[1]);
	if (openpty(&master, &slave, NULL, NULL, NULL) ||
	    tcgetattr(slave, &raw))
		die("openpty");
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	wait_for("terminal", slave, master);
}

/* Fast operations: pwrite, pread, readv, fdatasync, ftruncate. */
static int plain(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct iovec two[2] = {{buffer, 10}, {buffer + 10, 20}};

	if (fd < 0)
		die(path);
	for (int i = 0; i < 1009; i++)
		if (pwrite(fd, buffer, 100, i * 100) != 100)
			die("pwrite");
	for (int i = 0; i < 503; i++)
		if (pread(fd, buffer, 37, i * 37) != 37)
			die("pread");
	for (int i = 0; i < 101; i++)
		if (readv(fd, two, 2) != 30)
			die("readv");
	for (int i = 0; i < 7; i++)
		if (fdatasync(fd))
			die("fdatasync");
	for (int i = 0; i < 3; i++)
		if (ftruncate(fd, 1000 - i))
			die("ftruncate");
	close(fd);
	printf("open 1 0\npwrite64 1009 %d\npread64 503 %d\nreadv 101 %d\n"
	       "fdatasync 7 0\nftruncate 3 0\n",
	       1009 * 100, 503 * 37, 101 * 30);
	return 0;
}

int main(int argc, char **argv)
{
	char options[128], path[4096];
	int fd, file, hang;
	pid_t server;

	if (argc != 3)
		return 2;
	if (!strcmp(argv[2], "plain"))
		return plain(argv[1]);
	hang = !strcmp(argv[2], "hang");
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("/dev/fuse");
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (mount("slowfs", argv[1], "fuse", MS_NOSUID | MS_NODEV, options))
		die("mount");
	server = fork();
	if (!server) {
		/* Whoever waits for an answer then gets an error. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fd, hang);
		_exit(0);
	}
	close(fd);
	snprintf(path, sizeof(path), "%s/file", argv[1]);
	file = open(path, O_RDWR);
	if (file < 0)
		die(path);
	if (hang) {
		/* In a process of its own, so that this one can clean up. */
		pid_t reader = fork();
		char byte;

		if (!reader) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			slow_read(file, 3);
			_exit(0);
		}
		printf("hang %d\n", reader);
		fflush(stdout);
		/* Until the test says so, or is gone. */
		if (read(0, &byte, 1) < 0)
			die("read");
		kill(server, SIGKILL);
		kill(reader, SIGKILL);
		waitpid(reader, NULL, 0);
	} else {
		for (int i = 0; i < READS; i++)
			slow_read(file, i);
		for (int i = 0; i < WRITES; i++)
			slow_write(file, i);
		for (int i = 0; i < SYNCS; i++)
			slow_sync(file);
		printf("pread64 %d %d\npwrite64 %d %d\nfsync %d 0\n", READS,
		       READS * 4096, WRITES, WRITES * 512, SYNCS);
		wait_elsewhere();
	}
	close(file);
	umount2(argv[1], MNT_DETACH);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}
