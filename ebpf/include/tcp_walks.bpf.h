/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * tcp, its iterators: sockets that were there before the recording, whose they
 * are, and what those that are known are like.
 */
#ifndef KTAPE_TCP_WALKS_BPF_H
#define KTAPE_TCP_WALKS_BPF_H

#include "tcp_rows.bpf.h"

/* It is not known where a socket's process runs, so -C keeps none of them. */
static __always_inline bool tcp_task_wanted(struct task_struct *task)
{
	return !tcp_filtered() || (!filter_cpu && task_wanted(task));
}

/* A socket that is met: known from now on, if it is alive. */
static __always_inline struct tcp_socket *tcp_meet(struct tcp_stay *stay,
						   struct sock___tcp *sk)
{
	struct tcp_socket *socket = tcp_socket_of(sk);
	__u8 state = tcp_state_of(sk);

	if (socket)
		return socket;
	/* It may have been opened since. */
	if (stopped())
		return NULL;
	/* The other two are no full sockets: they have no counters. */
	if (state == TCP_CLOSE || state == TCP_TIME_WAIT ||
	    state == TCP_NEW_SYN_RECV)
		return NULL;
	socket = tcp_socket_new(sk, stay, state);
	if (!socket) {
		lose_shared_fact(stay->cpu, KTAPE_TCP_CONNECTION);
		return NULL;
	}
	if (state != TCP_SYN_SENT && state != TCP_SYN_RECV &&
	    state != TCP_LISTEN)
		socket->flags |= KTAPE_TCP_CONNECTION_FLAGS_ESTABLISHED;
	tcp_name(stay, sk, socket);
	return socket;
}

/*
 * Whether the address is that of another socket by now. One that is closed
 * gives its own port back (inet_put_port()), and its memory stays as it was
 * until another socket takes it (SLAB_TYPESAFE_BY_RCU).
 */
static __always_inline bool tcp_is_another(struct sock___tcp *sk,
					   struct tcp_socket *socket)
{
	__u16 num = BPF_CORE_READ(sk, __sk_common.skc_num);

	return socket->local &&
	       ((num && num != socket->num) ||
		BPF_CORE_READ(sk, __sk_common.skc_dport) != socket->dport);
}

/*
 * A socket as it is now, and at the stop its connection as open. The rows go
 * through the ring: an iterator's own buffer takes 32 kB per step
 * (bpf_seq_read() of kernel/bpf/bpf_iter.c), and here all of them are one.
 */
static __always_inline void tcp_look(struct tcp_stay *stay,
				     struct sock___tcp *sk,
				     struct tcp_socket *socket)
{
	struct tcp_socket *still;
	__u64 key = (__u64)sk;
	__u8 state;
	__u64 stop;

	state = tcp_state_of(sk);
	stop = moment(MOMENT_STOP);
	/*
	 * Its change to CLOSE takes it out of the map; if it is closed, or
	 * another one by now, and still in the map after a while, the change
	 * was missed. From the stop on changes are not looked at.
	 */
	if (!stop && stay->now - socket->since > 100000000 &&
	    (state == TCP_CLOSE || tcp_is_another(sk, socket))) {
		still = bpf_map_lookup_elem(&tcp_sockets, &key);
		if (still && still->id == socket->id) {
			if (still->wanted && !still->told &&
			    still->state != TCP_LISTEN)
				lose_shared_fact(stay->cpu,
						 KTAPE_TCP_CONNECTION);
			bpf_map_delete_elem(&tcp_sockets, &key);
		}
		return;
	}
	if (!socket->wanted || socket->told)
		return;
	if (stop && tcp_is_another(sk, socket)) {
		/* What it was like at the stop is gone. */
		socket->told = true;
		if (socket->state != TCP_LISTEN)
			lose_shared_fact(stay->cpu, KTAPE_TCP_CONNECTION);
		return;
	}
	/* Not on its way out of CLOSE, nor closed since the stop. */
	if (state != TCP_CLOSE)
		tcp_tell_sample(stay, sk, socket);
	if (stop && socket->state != TCP_LISTEN) {
		socket->told = true;
		tcp_tell(stay, sk, socket, stop, socket->state, true);
	}
}

/* Every open file of every process: sockets of all network namespaces. */
SEC("iter/task_file")
int tcp_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file___tcp *file = ctx->file;
	struct tcp_socket *known;
	struct socket___tcp *socket;
	struct sock___tcp *sk;
	struct tcp_stay stay;
	__u16 family;

	/* Called once more when there are no more. */
	if (!task)
		tcp_walked = true;
	if (!task || !file ||
	    (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((family != AF_INET && family != AF_INET6) || !tcp_is(sk) ||
	    !tcp_enter(&stay))
		return 0;
	known = tcp_meet(&stay, sk);
	if (known && !known->owner && !tcp_is_another(sk, known))
		tcp_own(known, BPF_CORE_READ(task, tgid),
			BPF_CORE_READ(task, pid),
			KTAPE_TCP_CONNECTION_OWNER_FILE, tcp_task_wanted(task));
#if defined(KTAPE_OLD_KERNEL)
	/* tcp_samples shows those of one network namespace only. */
	if (known && moment(MOMENT_STOP))
		tcp_look(&stay, sk, known);
#endif
	tcp_leave(&stay);
	return 0;
}

/* Those without a file: closed by their process, or not yet accepted. */
SEC("iter/tcp")
int tcp_others(struct bpf_iter__tcp *ctx)
{
	struct sock___tcp *sk = (void *)ctx->sk_common;
	struct tcp_stay stay;

	if (!sk || !tcp_enter(&stay))
		return 0;
	tcp_meet(&stay, sk);
	tcp_leave(&stay);
	return 0;
}

#if defined(KTAPE_OLD_KERNEL)
/*
 * Before 5.13 no program can walk a map: these are the sockets of the
 * recorder's network namespace only. Of others there is what tcp_files says at
 * the stop.
 */
SEC("iter/tcp")
int tcp_samples(struct bpf_iter__tcp *ctx)
{
	struct sock___tcp *sk = (void *)ctx->sk_common;
	struct tcp_socket *socket;
	struct tcp_stay stay;

	if (!sk)
		return 0;
	socket = tcp_socket_of(sk);
	if (!socket || !tcp_enter(&stay))
		return 0;
	tcp_look(&stay, sk, socket);
	tcp_leave(&stay);
	return 0;
}
#else
static long tcp_look_at(void *map, __u64 *key, struct tcp_socket *socket,
			void *context)
{
	struct tcp_stay stay;

	(void)map;
	(void)context;
	if (tcp_enter(&stay)) {
		tcp_look(&stay, (void *)*key, socket);
		tcp_leave(&stay);
	}
	return 0;
}

/*
 * iter/tcp shows one network namespace and walks a hash table that grows with
 * the memory of the host (milliseconds when there is no socket). The map has
 * those of all namespaces, so any iterator will do: it is walked once.
 */
SEC("iter/task")
int tcp_samples(struct bpf_iter__task *ctx)
{
	if (ctx->task && !ctx->meta->seq_num)
		bpf_for_each_map_elem(&tcp_sockets, tcp_look_at, NULL, 0);
	return 0;
}
#endif

#endif
