/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * tcp, its iterators: sockets that were there before the recording, whose they
 * are, and what those that are known are like.
 */
#ifndef KTAPE_TCP_WALKS_BPF_H
#define KTAPE_TCP_WALKS_BPF_H

#include "tcp_rows.bpf.h"

/*
 * What current_wanted() asks of the current task, of another one: it is not
 * known where a socket's process runs, so --cpu keeps none of these.
 */
static __always_inline bool tcp_in_cgroup(struct task_struct *task)
{
	struct task_struct___tcp *of = (void *)task;
	struct cgroup_subsys_state___tcp *css;
	struct cgroup___tcp *cgroup;
	__u32 level;

	cgroup = BPF_CORE_READ(of, cgroups, dfl_cgrp);
	css = __builtin_preserve_access_index(&cgroup->self);
	for (level = 0; level < 16 && css; level++) {
		cgroup = BPF_CORE_READ(css, cgroup);
		if (BPF_CORE_READ(cgroup, kn, id) == wanted_cgroup)
			return true;
		css = BPF_CORE_READ(css, parent);
	}
	return false;
}

static __noinline bool tcp_comm_wanted(struct task_struct *task)
{
	char comm[COMM_LEN] = {};
	bool allowed = !allow_count;
	__u32 i;

	BPF_CORE_READ_STR_INTO(&comm, task, comm);
	for (i = 0; i < MAX_GLOBS && i < allow_count; i++)
		if (comm_matches(allow_comm[i], comm))
			allowed = true;
	for (i = 0; i < MAX_GLOBS && i < deny_count; i++)
		if (comm_matches(deny_comm[i], comm))
			return false;
	return allowed;
}

static __always_inline bool tcp_task_wanted(struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);

	if (!tcp_filtered())
		return true;
	if (filter_cpu || tgid == self_tgid)
		return false;
	if (filter_targets && !is_target(tgid, BPF_CORE_READ(task, pid)))
		return false;
	if (filter_uid &&
	    BPF_CORE_READ(task, real_cred, uid.val) != wanted_uid)
		return false;
	if (wanted_cgroup && !tcp_in_cgroup(task))
		return false;
	if (allow_count || deny_count)
		return tcp_comm_wanted(task);
	return true;
}

/* A socket that is met: known from now on, if it is alive. */
static __always_inline struct tcp_socket *tcp_meet(struct tcp_stay *stay,
						   struct sock___tcp *sk)
{
	struct tcp_socket *socket = tcp_socket_of(sk);
	__u8 state = tcp_state_of(sk);

	if (socket)
		return socket;
	/* The other two are no full sockets: they have no counters. */
	if (state == TCP_CLOSE || state == TCP_TIME_WAIT ||
	    state == TCP_NEW_SYN_RECV)
		return NULL;
	socket = tcp_socket_new(sk, stay, state);
	if (!socket) {
		tcp_lose(stay, KTAPE_TCP_CONNECTION);
		return NULL;
	}
	if (state != TCP_SYN_SENT && state != TCP_SYN_RECV &&
	    state != TCP_LISTEN)
		socket->flags |= KTAPE_TCP_CONNECTION_FLAGS_ESTABLISHED;
	tcp_name(stay, sk, socket);
	return socket;
}

/* Whether the address is that of another socket by now. */
static __always_inline bool tcp_is_another(struct sock___tcp *sk,
					   struct tcp_socket *socket)
{
	return socket->local &&
	       (BPF_CORE_READ(sk, __sk_common.skc_num) != socket->num ||
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
			if (still->wanted && still->state != TCP_LISTEN)
				tcp_lose(stay, KTAPE_TCP_CONNECTION);
			bpf_map_delete_elem(&tcp_sockets, &key);
		}
		return;
	}
	if (!socket->wanted || socket->told)
		return;
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
	if (known && !known->owner)
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
