// SPDX-License-Identifier: MIT OR Apache-2.0
/* Network namespaces of the workloads, and what the kernel counts in them. */
#ifndef WORKLOADS_NETNS_H
#define WORKLOADS_NETNS_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

static inline void interface_up(const char *name, const char *address)
{
	struct sockaddr_in *in;
	struct ifreq request = {0};
	int control = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (address) {
		in = (void *)&request.ifr_addr;
		in->sin_family = AF_INET;
		inet_pton(AF_INET, address, &in->sin_addr);
		must(!ioctl(control, SIOCSIFADDR, &request), "SIOCSIFADDR");
		inet_pton(AF_INET, "255.255.255.0", &in->sin_addr);
		must(!ioctl(control, SIOCSIFNETMASK, &request),
		     "SIOCSIFNETMASK");
	}
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	must(!ioctl(control, SIOCSIFFLAGS, &request), "SIOCSIFFLAGS");
	close(control);
}

/* A network namespace of its own, with a loopback interface. */
static inline void new_netns(void)
{
	must(!unshare(CLONE_NEWNET), "unshare");
	interface_up("lo", NULL);
}

/* A counter of /proc/self/net/snmp or netstat: a line of names, one of numbers.
 */
static inline unsigned long long counter(const char *file, const char *protocol,
					 const char *name)
{
	static char names[8192], numbers[8192];
	char path[64], *word, *value, *save, *save_value;
	unsigned long long found = 0;
	FILE *text;

	snprintf(path, sizeof(path), "/proc/self/net/%s", file);
	text = fopen(path, "r");
	must(text != NULL, path);
	while (fgets(names, sizeof(names), text) &&
	       fgets(numbers, sizeof(numbers), text)) {
		if (strncmp(names, protocol, strlen(protocol)) ||
		    names[strlen(protocol)] != ':')
			continue;
		word = strtok_r(names, " \n", &save);
		value = strtok_r(numbers, " \n", &save_value);
		for (; word && value;
		     word = strtok_r(NULL, " \n", &save),
		     value = strtok_r(NULL, " \n", &save_value))
			if (!strcmp(word, name))
				found = strtoull(value, NULL, 10);
	}
	fclose(text);
	return found;
}

#endif
