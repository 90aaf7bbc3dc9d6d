// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * HTTP/2 of a known number of requests, without a library: a client and a
 * server, one connection over the loopback interface, one stream after the
 * other, all for GET / and answered with 200.
 *
 *   streams
 *
 * Prints: streams CLIENT_PID SERVER_PID STREAMS
 */
#define _GNU_SOURCE
#include "clock.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Prime. */
#define STREAMS 97

#define HEAD 9
#define HEADERS 1
#define SETTINGS 4
#define END_STREAM 1
#define END_HEADERS 4

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/* Entries of HPACK's static table: GET, http, /; and 200. */
static const unsigned char request[] = {0x82, 0x86, 0x84}, answer[] = {0x88};

static void send_frame(int sock, int type, int flags, unsigned int stream,
		       const void *payload, int len)
{
	unsigned char frame[HEAD + 16] = {0,	0, len, type, flags,
					  stream >> 24, stream >> 16,
					  stream >> 8, stream};

	memcpy(frame + HEAD, payload, len);
	must(write(sock, frame, HEAD + len) == HEAD + len, "write");
}

static void read_whole(int sock, void *into, int len)
{
	must(recv(sock, into, len, MSG_WAITALL) == len, "recv");
}

/* Reads up to the next frame of headers; gives its stream. */
static unsigned int next_headers(int sock)
{
	unsigned char head[HEAD], payload[256];

	for (;;) {
		read_whole(sock, head, HEAD);
		must(!head[0] && !head[1], "a short frame");
		if (head[2])
			read_whole(sock, payload, head[2]);
		if (head[3] == HEADERS)
			return (unsigned int)head[5] << 24 | head[6] << 16 |
			       head[7] << 8 | head[8];
	}
}

static void serve(int listener)
{
	char start[sizeof(preface) - 1];
	int sock = accept(listener, NULL, NULL);

	must(sock >= 0, "accept");
	read_whole(sock, start, sizeof(start));
	send_frame(sock, SETTINGS, 0, 0, "", 0);
	for (int i = 0; i < STREAMS; i++)
		send_frame(sock, HEADERS, END_HEADERS | END_STREAM,
			   next_headers(sock), answer, sizeof(answer));
	close(sock);
	_exit(0);
}

int main(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int listener = socket(AF_INET, SOCK_STREAM, 0), sock, on = 1;
	pid_t server;

	must(listener >= 0, "socket");
	must(!bind(listener, (void *)&in, len), "bind");
	must(!getsockname(listener, (void *)&in, &len), "getsockname");
	must(!listen(listener, 3), "listen");
	server = fork();
	must(server >= 0, "fork");
	if (!server)
		serve(listener);
	sock = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	must(!connect(sock, (void *)&in, len), "connect");
	len = sizeof(preface) - 1;
	must(write(sock, preface, len) == (ssize_t)len, "write");
	send_frame(sock, SETTINGS, 0, 0, "", 0);
	for (unsigned int i = 0; i < STREAMS; i++) {
		send_frame(sock, HEADERS, END_HEADERS | END_STREAM, 2 * i + 1,
			   request, sizeof(request));
		must(next_headers(sock) == 2 * i + 1, "the stream's answer");
	}
	close(sock);
	waitpid(server, NULL, 0);
	printf("streams %d %d %d\n", getpid(), server, STREAMS);
	return 0;
}
