// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Many threads that wait in the same calls at the same time: more than a kernel
 * probe of returns can follow.
 *
 *   crowd
 *
 * 53 threads wait in accept(2) at one listener on the loopback interface; when
 * all do, they get a connection each and wait in read(2) there; when all do,
 * they get 101 bytes each. Prints: crowd PID THREADS BYTES
 */
#define _GNU_SOURCE
#include "clock.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS 53
#define BYTES 101

static int listener;
static _Atomic int threads[THREADS];

static void *one(void *argument)
{
	_Atomic int *tid = argument;
	char bytes[2 * BYTES];
	int sock;

	*tid = gettid();
	sock = accept(listener, NULL, NULL);
	must(sock >= 0, "accept");
	must(read(sock, bytes, sizeof(bytes)) == BYTES, "read");
	close(sock);
	return NULL;
}

/* Whether a thread is asleep in a system call, as /proc tells. */
static int is_in(int tid, long call)
{
	char path[64], line[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (!fgets(line, sizeof(line), file))
		line[0] = 0;
	fclose(file);
	return line[0] >= '0' && line[0] <= '9' && atol(line) == call;
}

static void until_all_are_in(long call)
{
	for (int i = 0; i < THREADS; i++)
		while (!threads[i] || !is_in(threads[i], call))
			sleep_us(1000);
	/* A slow one. */
	sleep_us(300000);
}

int main(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int socks[THREADS];
	char bytes[BYTES];
	pthread_t all[THREADS];

	memset(bytes, 'x', BYTES);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	must(listener >= 0, "socket");
	must(!bind(listener, (void *)&in, len), "bind");
	must(!getsockname(listener, (void *)&in, &len), "getsockname");
	must(!listen(listener, THREADS), "listen");
	for (int i = 0; i < THREADS; i++)
		must(!pthread_create(&all[i], NULL, one, (void *)&threads[i]),
		     "pthread_create");
	until_all_are_in(SYS_accept);
	for (int i = 0; i < THREADS; i++) {
		socks[i] = socket(AF_INET, SOCK_STREAM, 0);
		must(!connect(socks[i], (void *)&in, len), "connect");
	}
	until_all_are_in(SYS_read);
	for (int i = 0; i < THREADS; i++)
		must(write(socks[i], bytes, BYTES) == BYTES, "write");
	for (int i = 0; i < THREADS; i++) {
		pthread_join(all[i], NULL);
		close(socks[i]);
	}
	printf("crowd %d %d %d\n", getpid(), THREADS, BYTES);
	return 0;
}
