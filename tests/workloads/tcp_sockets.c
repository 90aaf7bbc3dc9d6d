// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * TCP sockets on the loopback interface of a network namespace of its own.
 *
 *   tcp_sockets short N
 *	N connections of two processes, every seventh by IPv6
 *   tcp_sockets abort N
 *	N connections that the client ends with a RST, with unread data or not
 *   tcp_sockets refused N
 *	N attempts to connect to a port where nobody listens
 *   tcp_sockets queue N
 *	N connections to a listener of backlog 3 that accepts none, for 4.5 s:
 *	SYNs are sent again after 1 s and 3 s at the latest, and counters are
 *	read every second
 *   tcp_sockets zero BYTES
 *	a server that reads nothing for 1.2 s, then everything
 *   tcp_sockets quiet
 *	a connection of two processes, from before to after a recording: waits
 *	for a line, sends 1013 bytes, waits for another
 */
#define _GNU_SOURCE
#include "netns.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

static int listen_on(int family, int backlog, int *port)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(family, SOCK_STREAM, 0);
	socklen_t len;

	must(listener >= 0, "socket");
	if (family == AF_INET6) {
		len = sizeof(in6);
		must(!bind(listener, (void *)&in6, len), "bind");
		getsockname(listener, (void *)&in6, &len);
		*port = ntohs(in6.sin6_port);
	} else {
		len = sizeof(in);
		must(!bind(listener, (void *)&in, len), "bind");
		getsockname(listener, (void *)&in, &len);
		*port = ntohs(in.sin_port);
	}
	must(!listen(listener, backlog), "listen");
	return listener;
}

static int connect_to(int family, int port, int flags)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
				   .sin6_port = htons(port),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int sock = socket(family, SOCK_STREAM | flags, 0), failed;

	failed = family == AF_INET6 ? connect(sock, (void *)&in6, sizeof(in6))
				    : connect(sock, (void *)&in, sizeof(in));
	must(!failed || (flags && errno == EINPROGRESS), "connect");
	return sock;
}

static void read_all(int sock, size_t bytes)
{
	static char buffer[65536];
	ssize_t got;

	for (; bytes; bytes -= got) {
		got = read(sock, buffer,
			   bytes < sizeof(buffer) ? bytes : sizeof(buffer));
		must(got > 0, "read");
	}
}

static void write_all(int sock, size_t bytes)
{
	static char buffer[65536];
	ssize_t put;

	for (; bytes; bytes -= put) {
		put = write(sock, buffer,
			    bytes < sizeof(buffer) ? bytes : sizeof(buffer));
		must(put > 0, "write");
	}
}

static void said(const char *who, pid_t pid, int connections, const char *rest)
{
	printf("%s %d connections %d%s\n", who, pid, connections, rest);
	fflush(stdout);
}

static void short_ones(int many)
{
	int port, port6, listener = listen_on(AF_INET, 128, &port);
	int listener6 = listen_on(AF_INET6, 128, &port6);
	pid_t server = fork();
	int at, sock;

	for (at = 1; at <= many; at++) {
		int v6 = at % 7 == 0;

		if (!server) {
			sock = accept4(v6 ? listener6 : listener, NULL, NULL,
				       SOCK_CLOEXEC);
			must(sock >= 0, "accept");
			read_all(sock, 101);
			write_all(sock, 211);
		} else {
			sock = connect_to(v6 ? AF_INET6 : AF_INET,
					  v6 ? port6 : port, 0);
			write_all(sock, 101);
			read_all(sock, 211);
		}
		close(sock);
	}
	said(server ? "client" : "server", getpid(), many,
	     server ? " sent 101 received 211" : " sent 211 received 101");
	if (!server)
		_exit(0);
	waitpid(server, NULL, 0);
}

static void aborted(int many)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	int port, listener = listen_on(AF_INET, 128, &port), at;

	for (at = 0; at < many; at++) {
		int sock = connect_to(AF_INET, port, 0),
		    peer = accept(listener, NULL, NULL);

		must(peer >= 0, "accept");
		/* In turn: not lingering, and not reading what has come. */
		if (at & 1) {
			write_all(peer, 7);
			sleep_us(1000);
		} else {
			setsockopt(sock, SOL_SOCKET, SO_LINGER, &at_once,
				   sizeof(at_once));
		}
		close(sock);
		close(peer);
	}
	said("aborter", getpid(), many, "");
	printf("kernel OutRsts %llu EstabResets %llu\n",
	       counter("snmp", "Tcp", "OutRsts"),
	       counter("snmp", "Tcp", "EstabResets"));
}

static void refused(int many)
{
	int port, listener = listen_on(AF_INET, 3, &port), at;
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	close(listener);
	for (at = 0; at < many; at++) {
		int sock = socket(AF_INET, SOCK_STREAM, 0);

		must(connect(sock, (void *)&in, sizeof(in)) &&
			     errno == ECONNREFUSED,
		     "a refused connect");
		close(sock);
	}
	printf("refused %d port %d attempts %d\n", getpid(), port, many);
	printf("kernel OutRsts %llu AttemptFails %llu\n",
	       counter("snmp", "Tcp", "OutRsts"),
	       counter("snmp", "Tcp", "AttemptFails"));
}

static void full_queue(int many)
{
	int port, listener = listen_on(AF_INET, 3, &port), at;

	for (at = 0; at < many; at++)
		connect_to(AF_INET, port, SOCK_NONBLOCK);
	sleep_us(4500000);
	printf("listener %d port %d backlog 3\n", getpid(), port);
	printf(
	    "kernel ListenOverflows %llu ListenDrops %llu RetransSegs %llu\n",
	    counter("netstat", "TcpExt", "ListenOverflows"),
	    counter("netstat", "TcpExt", "ListenDrops"),
	    counter("snmp", "Tcp", "RetransSegs"));
	fflush(stdout);
	(void)listener;
}

static void zero_window(size_t bytes)
{
	int port, listener = listen_on(AF_INET, 3, &port), sock, peer;
	pid_t writer = fork();

	if (!writer) {
		sock = connect_to(AF_INET, port, 0);
		write_all(sock, bytes);
		close(sock);
		_exit(0);
	}
	peer = accept(listener, NULL, NULL);
	sleep_us(1200000);
	read_all(peer, bytes);
	close(peer);
	waitpid(writer, NULL, 0);
	printf("reader %d writer %d bytes %zu\n", getpid(), writer, bytes);
	printf("kernel TCPToZeroWindowAdv %llu TCPFromZeroWindowAdv %llu\n",
	       counter("netstat", "TcpExt", "TCPToZeroWindowAdv"),
	       counter("netstat", "TcpExt", "TCPFromZeroWindowAdv"));
}

static void quiet(void)
{
	int port, listener = listen_on(AF_INET, 7, &port), sock, peer, pipes[2];
	pid_t server;
	char line[16];

	must(!pipe(pipes), "pipe");
	server = fork();
	if (!server) {
		peer = accept(listener, NULL, NULL);
		must(write(pipes[1], "x", 1) == 1, "write");
		read_all(peer, 1013);
		pause();
	}
	close(listener);
	sock = connect_to(AF_INET, port, 0);
	must(read(pipes[0], line, 1) == 1, "read");
	printf("quiet client %d server %d port %d\n", getpid(), server, port);
	fflush(stdout);
	must(fgets(line, sizeof(line), stdin) != NULL, "a line");
	write_all(sock, 1013);
	printf("sent 1013\n");
	fflush(stdout);
	must(fgets(line, sizeof(line), stdin) != NULL, "a line");
	kill(server, SIGKILL);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "short";
	int many = argc > 2 ? atoi(argv[2]) : 7;

	new_netns();
	if (!strcmp(what, "short"))
		short_ones(many);
	else if (!strcmp(what, "abort"))
		aborted(many);
	else if (!strcmp(what, "refused"))
		refused(many);
	else if (!strcmp(what, "queue"))
		full_queue(many);
	else if (!strcmp(what, "zero"))
		zero_window(many);
	else if (!strcmp(what, "quiet"))
		quiet();
	else
		return 2;
	return 0;
}
