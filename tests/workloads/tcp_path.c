// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A TCP connection over a path of its own that delays every packet and drops
 * every n-th data segment: two network namespaces, a TUN device in each, and a
 * process that carries packets from one to the other.
 *
 *   tcp_path BYTES DROP_EVERY DELAY_US
 *
 * The client sends BYTES, gets 1009 bytes back, stays for 1.3 s and closes;
 * then it connects to a port where nobody listens. Says what each side knows:
 * its pid and bytes, what was carried, dropped and seen a second time, and what
 * the kernel counts in the client's namespace, which has nothing else in it.
 */
#define _GNU_SOURCE
#include "netns.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define CLIENT "10.71.0.1"
#define SERVER "10.71.0.2"
#define PORT 7919
#define REPLY 1009
#define QUEUE 8192

struct packet {
	uint64_t due;
	int len;
	unsigned char bytes[2048];
};

struct way {
	int from, to;
	unsigned int head, tail;
	struct packet *queue;
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static int tun(const char *address)
{
	struct ifreq request = {0};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	must(fd >= 0, "/dev/net/tun");
	strcpy(request.ifr_name, "path0");
	request.ifr_flags = IFF_TUN | IFF_NO_PI;
	must(!ioctl(fd, TUNSETIFF, &request), "TUNSETIFF");
	interface_up("path0", address);
	return fd;
}

static struct sockaddr_in address(const char *host, int port)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(port)};

	inet_pton(AF_INET, host, &in.sin_addr);
	return in;
}

/* Bytes of TCP data in an IPv4 packet, and the number of the first one. */
static int data_of(const unsigned char *ip, int len, uint32_t *seq)
{
	int header = (ip[0] & 15) * 4;
	const unsigned char *tcp = ip + header;

	if (ip[0] >> 4 != 4 || ip[9] != IPPROTO_TCP || len < header + 20)
		return 0;
	memcpy(seq, tcp + 4, 4);
	*seq = ntohl(*seq);
	return len - header - (tcp[12] >> 4) * 4;
}

static void carry(int client, int server, unsigned long drop_every,
		  uint64_t delay)
{
	struct way ways[2] = {{.from = client, .to = server},
			      {.from = server, .to = client}};
	unsigned long carried = 0, dropped = 0, data = 0, again = 0;
	uint32_t next = 0;
	int started = 0;

	for (int at = 0; at < 2; at++)
		must((ways[at].queue = calloc(QUEUE, sizeof(struct packet))) !=
			 NULL,
		     "calloc");
	signal(SIGTERM, end);
	while (!ended) {
		struct pollfd fds[2] = {{.fd = client, .events = POLLIN},
					{.fd = server, .events = POLLIN}};
		uint64_t now = now_ns(), due = now + 50000000;
		struct timespec wait;

		for (int at = 0; at < 2; at++) {
			struct way *way = &ways[at];

			for (; way->tail != way->head; way->tail++) {
				struct packet *packet =
				    &way->queue[way->tail % QUEUE];

				if (packet->due > now) {
					due = packet->due < due ? packet->due
								: due;
					break;
				}
				must(write(way->to, packet->bytes,
					   packet->len) == packet->len,
				     "write");
				carried++;
			}
		}
		wait.tv_sec = 0;
		wait.tv_nsec = due - now;
		ppoll(fds, 2, &wait, NULL);
		for (int at = 0; at < 2; at++) {
			struct way *way = &ways[at];

			while (way->head - way->tail < QUEUE) {
				struct packet *packet =
				    &way->queue[way->head % QUEUE];
				uint32_t seq;
				int bytes;

				packet->len = read(way->from, packet->bytes,
						   sizeof(packet->bytes));
				if (packet->len <= 0)
					break;
				packet->due = now_ns() + delay;
				bytes = at == 0 ? data_of(packet->bytes,
							  packet->len, &seq)
						: 0;
				if (bytes > 0) {
					data++;
					if (started &&
					    (int32_t)(seq - next) < 0)
						again++;
					else
						next = seq + bytes;
					started = 1;
					if (drop_every &&
					    data % drop_every == 0) {
						dropped++;
						continue;
					}
				}
				way->head++;
			}
		}
	}
	printf(
	    "path carried %lu data_segments %lu dropped %lu seen_again %lu\n",
	    carried, data, dropped, again);
	fflush(stdout);
	_exit(0);
}

static void serve(int ready)
{
	struct sockaddr_in in = address(SERVER, PORT);
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, peer;
	unsigned long long received = 0;
	static char bytes[65536];
	ssize_t got;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	must(!bind(listener, (void *)&in, sizeof(in)) && !listen(listener, 5),
	     "listen");
	must(write(ready, "x", 1) == 1, "write");
	peer = accept(listener, NULL, NULL);
	must(peer >= 0, "accept");
	/* The client says when it has sent everything by shutting down its
	 * side. */
	while ((got = read(peer, bytes, sizeof(bytes))) > 0)
		received += got;
	must(write(peer, bytes, REPLY) == REPLY, "write");
	printf("server %d received %llu sent %d\n", getpid(), received, REPLY);
	fflush(stdout);
	close(peer);
	_exit(0);
}

static void print_rtt(int sock)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	must(!getsockopt(sock, IPPROTO_TCP, TCP_INFO, &info, &len), "TCP_INFO");
	printf("tcp_info rtt_us %u rttvar_us %u retrans %u cwnd %u\n",
	       info.tcpi_rtt, info.tcpi_rttvar, info.tcpi_total_retrans,
	       info.tcpi_snd_cwnd);
	fflush(stdout);
	/* The same through another program; -H has no header, -i the numbers.
	 */
	must(system("ss -Htin state connected 2>/dev/null | sed 's/^/ss /'") >=
		 0,
	     "ss");
}

static void request(unsigned long long bytes)
{
	struct sockaddr_in in = address(SERVER, PORT);
	int sock = socket(AF_INET, SOCK_STREAM, 0), error;
	unsigned long long sent = 0, received = 0;
	static char buffer[65536];
	uint64_t begin = now_ns(), connected;
	socklen_t len = sizeof(in);
	ssize_t got;

	must(!connect(sock, (void *)&in, sizeof(in)), "connect");
	connected = now_ns() - begin;
	getsockname(sock, (void *)&in, &len);
	while (sent < bytes) {
		size_t most = bytes - sent < sizeof(buffer) ? bytes - sent
							    : sizeof(buffer);

		got = write(sock, buffer, most);
		must(got > 0, "write");
		sent += got;
	}
	/* Everything is acknowledged before anything else is asked. */
	for (int left = 1; left;) {
		sleep_us(10000);
		must(!ioctl(sock, TIOCOUTQ, &left), "TIOCOUTQ");
	}
	print_rtt(sock);
	sleep_us(1300000);
	shutdown(sock, SHUT_WR);
	while ((got = read(sock, buffer, sizeof(buffer))) > 0)
		received += got;
	close(sock);
	sleep_us(300000);
	printf("client %d port %d sent %llu received %llu connect_ns %llu\n",
	       getpid(), ntohs(in.sin_port), sent, received,
	       (unsigned long long)connected);
	sock = socket(AF_INET, SOCK_STREAM, 0);
	in = address(SERVER, PORT + 2);
	error = connect(sock, (void *)&in, sizeof(in)) ? errno : 0;
	printf("refused %d error %d\n", getpid(), error);
	printf("kernel RetransSegs %llu ActiveOpens %llu AttemptFails %llu "
	       "TCPTimeouts %llu\n",
	       counter("snmp", "Tcp", "RetransSegs"),
	       counter("snmp", "Tcp", "ActiveOpens"),
	       counter("snmp", "Tcp", "AttemptFails"),
	       counter("netstat", "TcpExt", "TCPTimeouts"));
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned long long bytes =
	    argc > 1 ? strtoull(argv[1], NULL, 10) : 1000003;
	unsigned long drop_every = argc > 2 ? strtoul(argv[2], NULL, 10) : 41;
	uint64_t delay = 1000 * (argc > 3 ? strtoull(argv[3], NULL, 10) : 5000);
	int client, server, client_ns, server_ns, ready[2], status;
	pid_t carrier, server_pid, client_pid;
	char one;

	new_netns();
	client = tun(CLIENT);
	client_ns = open("/proc/self/ns/net", O_RDONLY);
	new_netns();
	server = tun(SERVER);
	server_ns = open("/proc/self/ns/net", O_RDONLY);
	must(!pipe(ready), "pipe");
	carrier = fork();
	if (!carrier)
		carry(client, server, drop_every, delay);
	server_pid = fork();
	if (!server_pid) {
		must(!setns(server_ns, CLONE_NEWNET), "setns");
		serve(ready[1]);
	}
	must(read(ready[0], &one, 1) == 1, "read");
	client_pid = fork();
	if (!client_pid) {
		must(!setns(client_ns, CLONE_NEWNET), "setns");
		request(bytes);
	}
	must(waitpid(client_pid, &status, 0) == client_pid && !status,
	     "the client");
	must(waitpid(server_pid, &status, 0) == server_pid && !status,
	     "the server");
	kill(carrier, SIGTERM);
	waitpid(carrier, &status, 0);
	return 0;
}
