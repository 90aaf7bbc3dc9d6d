/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Sockets of the probe `tcp`: what is known of each, where it is kept, and how
 * it is read.
 */
#ifndef KTAPE_TCP_BPF_H
#define KTAPE_TCP_BPF_H

#include "filter.bpf.h"
#include "tcp_types.h"
#include "text.bpf.h"
#include "thread.bpf.h"

/* Whether any filter is set that asks for the process. */
static __always_inline bool tcp_filtered(void)
{
	return filter_targets || filter_uid || wanted_cgroup || allow_count ||
	       deny_count || filter_cpu;
}

/* What is known of a socket, from its first state to CLOSE. */
struct tcp_socket {
	__u64 birth;	/* 0: before the recording */
	__u64 since;	/* in its state */
	__u64 connect;	/* how long it took, ns */
	__u32 id;
	__u32 tid;
	__u32 tgid;
	__u32 local;
	__u32 remote;
	__u32 netns;
	__u16 num;	/* ports, to know the socket by */
	__be16 dport;
	__u8 state;
	__u8 direction;
	__u8 owner;
	__u8 flags;
	__u8 syn_retrans;
	bool wanted;	/* its owner is recorded */
	bool reset;	/* a RST came */
	bool told;	/* as closed, or as open at the stop */
};

/*
 * By address, which never leaves the kernel. A socket is taken out when it
 * changes to CLOSE, which every one does before it is freed. Old kernels warn
 * of programs at kprobes and tracepoints whose maps allocate as they go
 * (check_map_prog_compatibility() of kernel/bpf/verifier.c).
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
#if !defined(KTAPE_OLD_KERNEL)
	__uint(map_flags, BPF_F_NO_PREALLOC);
#endif
	__type(key, __u64);
	__type(value, struct tcp_socket);
} tcp_sockets SEC(".maps");

/*
 * The kernel sends a RST after it has closed the socket (__tcp_close() of
 * net/ipv4/tcp.c): those that were aborted are remembered for a while.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct tcp_socket);
} tcp_aborted SEC(".maps");

/* A process of each network namespace, by which the recorder reads counters. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} tcp_namespaces SEC(".maps");

/*
 * Programs may run on top of each other on a CPU: in a softirq that interrupts
 * one in a system call, and from 7.0 on in a thread that preempts another. Each
 * takes one of two places, which has its own text buffer; one that finds both
 * taken gives no addresses. (Kernels since 6.2 do not run a program that runs
 * already, commit 05b24ff9b2cf: a change of state is then missed, which the
 * socket's next one shows, see tcp_change().)
 */
#define TCP_PLACES 2

struct tcp_scratch {
	__u32 taken;	/* bits; before 5.17 a number, see tcp_take_place() */
	__u32 made[TCP_PLACES];	/* sockets numbered here */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcp_scratch);
} tcp_scratches SEC(".maps");

/* One program's stay. */
struct tcp_stay {
	struct cpu_state *cpu;
	struct tcp_scratch *scratch;
	__u64 now;
	__u32 place;
};

#if defined(KTAPE_OLD_KERNEL)
/* Nothing is preempted: who came last leaves first, so a counter will do. */
static __always_inline __u32 tcp_take_place(struct tcp_scratch *scratch)
{
	return scratch->taken++;
}

static __always_inline void tcp_give_place(struct tcp_scratch *scratch,
					   __u32 place)
{
	scratch->taken = place;
}

static __always_inline __u32 tcp_number(struct tcp_scratch *scratch,
					__u32 place)
{
	place &= 1;
	return scratch->made[place]++ * TCP_PLACES + place;
}
#else
/* Who was preempted may leave before who came later: a bit for each place. */
static __always_inline __u32 tcp_take_place(struct tcp_scratch *scratch)
{
	if (!(__sync_fetch_and_or(&scratch->taken, 1) & 1))
		return 0;
	if (!(__sync_fetch_and_or(&scratch->taken, 2) & 2))
		return 1;
	return TCP_PLACES;
}

static __always_inline void tcp_give_place(struct tcp_scratch *scratch,
					   __u32 place)
{
	if (place == 0)
		__sync_fetch_and_and(&scratch->taken, ~1U);
	else if (place == 1)
		__sync_fetch_and_and(&scratch->taken, ~2U);
}

static __always_inline __u32 tcp_number(struct tcp_scratch *scratch,
					__u32 place __attribute__((unused)))
{
	return __sync_fetch_and_add(&scratch->made[0], 1);
}
#endif

static __always_inline bool tcp_enter(struct tcp_stay *stay)
{
	__u32 zero = 0;

	stay->cpu = this_cpu();
	stay->scratch = bpf_map_lookup_elem(&tcp_scratches, &zero);
	if (!stay->cpu || !stay->scratch)
		return false;
	stay->place = tcp_take_place(stay->scratch);
	stay->now = bpf_ktime_get_ns();
	return true;
}

static __always_inline void tcp_leave(struct tcp_stay *stay)
{
	tcp_give_place(stay->scratch, stay->place);
}

/* An address as texts have it: KTAPE_WIRE_TEXT_FORM_ADDRESS. */
struct tcp_address {
	__u16 family;
	__be16 port;
	__u32 ip[4];
	__u32 spare;	/* to whole words */
};

static __noinline __u32 tcp_intern(__u32 place, struct tcp_address *address)
{
	struct text_buffer *buf;
	__u32 len = 4 + (address->family == AF_INET ? 4 : 16);
	__u32 context = TEXT_TCP;

	if (!address->port || place >= TCP_PLACES)
		return 0;
	if (place == 1)
		context = TEXT_TCP_NESTED;
	buf = text_buffer(context);
	if (!buf)
		return 0;
	__builtin_memcpy(buf->words, address, sizeof(*address));
	return intern_text(buf, len, KTAPE_WIRE_TEXT_FORM_ADDRESS);
}

static __always_inline __be16 swap16(__u16 value)
{
	return __builtin_bswap16(value);
}

/* Both addresses of a socket or of a request for one. */
static __noinline void tcp_addresses(struct sock_common___tcp *sk,
				     struct tcp_address *local,
				     struct tcp_address *remote)
{
	__u16 family = BPF_CORE_READ(sk, skc_family);

	if (!local || !remote)
		return;
	local->family = remote->family = family;
	local->port = swap16(BPF_CORE_READ(sk, skc_num));
	remote->port = BPF_CORE_READ(sk, skc_dport);
	if (family == AF_INET) {
		local->ip[0] = BPF_CORE_READ(sk, skc_rcv_saddr);
		remote->ip[0] = BPF_CORE_READ(sk, skc_daddr);
	} else if (bpf_core_field_exists(sk->skc_v6_daddr)) {
		bpf_core_read(local->ip, 16, &sk->skc_v6_rcv_saddr);
		bpf_core_read(remote->ip, 16, &sk->skc_v6_daddr);
	}
}

/* Gives a socket its addresses as soon as it has them. */
static __always_inline void tcp_name(struct tcp_stay *stay,
				     struct sock___tcp *sk,
				     struct tcp_socket *socket)
{
	struct tcp_address local = {}, remote = {};

	if (socket->local && socket->remote)
		return;
	tcp_addresses(&sk->__sk_common, &local, &remote);
	socket->num = swap16(local.port);
	socket->dport = remote.port;
	if (!socket->local)
		socket->local = tcp_intern(stay->place, &local);
	if (!socket->remote)
		socket->remote = tcp_intern(stay->place, &remote);
}

static __always_inline __u8 tcp_state_of(struct sock___tcp *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_state);
}

static __always_inline bool tcp_is(struct sock___tcp *sk)
{
	return BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
}

static __always_inline struct tcp_socket *tcp_socket_of(void *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&tcp_sockets, &key);
}

/* Every socket that a process had at the start has been met. */
static bool tcp_walked;

/*
 * Whether a socket that nothing is known of, and that changes its state, was
 * made during the recording: its first change was missed. One that a process
 * has was met otherwise. A child in SYN_RECV is never left so for long.
 */
static __always_inline bool tcp_is_late(struct sock___tcp *sk, __u8 old)
{
	return tcp_walked && (old == TCP_SYN_RECV ||
			      BPF_CORE_READ(sk, sk_socket, file));
}

/* A socket that nothing is known of yet; NULL when the map is full. */
static __noinline struct tcp_socket *tcp_socket_new(struct sock___tcp *sk,
						    struct tcp_stay *stay,
						    __u8 state)
{
	struct tcp_socket socket = {};
	__u64 key = (__u64)sk;

	if (!stay || !stay->scratch)
		return NULL;
	socket.id = tcp_number(stay->scratch, stay->place) * cpus +
		    bpf_get_smp_processor_id() + 1;
	socket.since = moment(MOMENT_START);
	socket.state = state;
	socket.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	socket.wanted = !tcp_filtered();
	if (bpf_map_update_elem(&tcp_sockets, &key, &socket, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&tcp_sockets, &key);
}

static __always_inline void tcp_own(struct tcp_socket *socket, __u32 tgid,
				    __u32 tid, __u8 how, bool wanted)
{
	__u64 process = tgid;

	socket->tgid = tgid;
	socket->tid = tid;
	socket->owner = how;
	socket->wanted = wanted;
	bpf_map_update_elem(&tcp_namespaces, &socket->netns, &process,
			    BPF_ANY);
}

/* The current thread is the one that a socket belongs to. */
static __always_inline void tcp_own_current(struct tcp_socket *socket, __u8 how)
{
	__u64 id = bpf_get_current_pid_tgid();

	tcp_own(socket, id >> 32, id, how, current_wanted(id >> 32, id));
}

#endif
