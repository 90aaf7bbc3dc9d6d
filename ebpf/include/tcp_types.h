/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The kernel types that the probe `tcp` touches, as flavours of its own
 * (`___tcp` is no part of the kernel's name), and TCP's constants.
 */
#ifndef KTAPE_TCP_TYPES_H
#define KTAPE_TCP_TYPES_H

#include "kernel_types.h"

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define ETIMEDOUT 110

/* include/net/tcp_states.h */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_FIN_WAIT1 4
#define TCP_TIME_WAIT 6
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LAST_ACK 9
#define TCP_LISTEN 10
#define TCP_NEW_SYN_RECV 12

/* include/net/inet_connection_sock.h */
#define ICSK_TIME_LOSS_PROBE 5

struct ns_common___tcp {
	unsigned int inum;
} CORE;

struct net___tcp {
	struct ns_common___tcp ns;
} CORE;

struct possible_net___tcp {
	struct net___tcp *net;
} CORE;

struct in6_addr___tcp {
	__u8 bytes[16];	/* only its address and size are used */
};

struct sock_common___tcp {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct possible_net___tcp skc_net;
	struct in6_addr___tcp skc_v6_daddr;
	struct in6_addr___tcp skc_v6_rcv_saddr;
} CORE;

struct socket___tcp;

struct sock___tcp {
	struct sock_common___tcp __sk_common;
	int sk_err;
	struct socket___tcp *sk_socket;
	__u16 sk_protocol;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
} CORE;

struct inet_connection_sock___tcp {
	__u8 icsk_ca_state : 5;
	__u8 icsk_retransmits;
	__u8 icsk_pending;
} CORE;

struct minmax_sample___tcp {
	__u32 t;
	__u32 v;
} CORE;

struct minmax___tcp {
	struct minmax_sample___tcp s[3];
} CORE;


struct tcp_sock___tcp {
	__u32 snd_wnd;
	__u32 mss_cache;
	__u32 snd_cwnd;
	__u32 lost_out;
	__u32 copied_seq;
	__u32 retrans_out;
	__u32 lost;
	__u32 snd_ssthresh;
	struct minmax___tcp rtt_min;
	__u32 segs_out;
	__u64 bytes_sent;
	__u32 write_seq;
	__u32 mdev_us;
	__u32 rcv_nxt;
	__u32 snd_una;
	__u32 srtt_us;
	__u32 packets_out;
	__u32 delivered;
	__u32 rcv_wnd;
	__u64 bytes_received;
	__u32 segs_in;
	__u32 rate_delivered;
	__u32 rate_interval_us;
	__u64 bytes_acked;
	struct {
		__u32 rtt_us;
	} rcv_rtt_est;
	__u32 dsack_dups;
	__u32 reord_seen;
	__u64 bytes_retrans;
	__u32 total_retrans;
	__u32 rcv_ooopack;
} CORE;

/* What TCP keeps in sk_buff.cb. */
struct tcp_skb_cb___tcp {
	__u32 seq;
	__u16 tcp_gso_segs;
} CORE;

struct sk_buff___tcp {
	char cb[48];
	unsigned int len;
	__u16 transport_header;
	__u16 network_header;
	unsigned char *head;
} CORE;

struct request_sock___tcp {
	struct sock_common___tcp __req_common;
	__u8 num_retrans;
} CORE;

struct socket___tcp {
	void *file;	/* none: a socket of the kernel's own */
	struct sock___tcp *sk;
} CORE;

struct inode___tcp {
	__u16 i_mode;
} CORE;

struct file___tcp {
	void *private_data;
	struct inode___tcp *f_inode;
} CORE;

/* include/net/rstreason.h, since 6.10: the numbers differ between kernels. */
enum sk_rst_reason {
	SK_RST_REASON_NOT_SPECIFIED,
	SK_RST_REASON_NO_SOCKET,
	SK_RST_REASON_TCP_INVALID_ACK_SEQUENCE,
	SK_RST_REASON_TCP_RFC7323_PAWS,
	SK_RST_REASON_TCP_TOO_OLD_ACK,
	SK_RST_REASON_TCP_ACK_UNSENT_DATA,
	SK_RST_REASON_TCP_FLAGS,
	SK_RST_REASON_TCP_OLD_ACK,
	SK_RST_REASON_TCP_ABORT_ON_DATA,
	SK_RST_REASON_TCP_TIMEWAIT_SOCKET,
	SK_RST_REASON_INVALID_SYN,
	SK_RST_REASON_TCP_ABORT_ON_CLOSE,
	SK_RST_REASON_TCP_ABORT_ON_LINGER,
	SK_RST_REASON_TCP_ABORT_ON_MEMORY,
	SK_RST_REASON_TCP_STATE,
	SK_RST_REASON_TCP_KEEPALIVE_TIMEOUT,
	SK_RST_REASON_TCP_DISCONNECT_WITH_DATA,
	SK_RST_REASON_MPTCP_RST_EUNSPEC,
	SK_RST_REASON_MPTCP_RST_EMPTCP,
	SK_RST_REASON_MPTCP_RST_ERESOURCE,
	SK_RST_REASON_MPTCP_RST_EPROHIBIT,
	SK_RST_REASON_MPTCP_RST_EWQ2BIG,
	SK_RST_REASON_MPTCP_RST_EBADPERF,
	SK_RST_REASON_MPTCP_RST_EMIDDLEBOX,
	SK_RST_REASON_ERROR,
};

/* Whether a tracepoint has an argument: its text event would have a field. */
struct trace_event_raw_tcp_retransmit_skb___tcp {
	int err;	/* since 6.17 */
} CORE;

struct trace_event_raw_tcp_send_reset___tcp {
	enum sk_rst_reason reason;	/* since 6.10 */
} CORE;

/* sock:inet_sock_set_state */
struct trace_event_raw_inet_sock_set_state___tcp {
	const void *skaddr;
	int oldstate;
	int newstate;
} CORE;

/* net/ipv4/tcp_ipv4.c, fs/proc: what iterators are given. */
struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common___tcp *sk_common;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file___tcp *file;
};

/* syscalls:sys_exit_*: what the program of a tracepoint is given. */
struct syscall_exit_args {
	__u64 common;
	__s64 nr;
	__s64 ret;
};

#endif
