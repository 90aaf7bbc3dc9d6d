// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * tcp: connections from birth to end, their states, retransmits and resets by
 * tracepoints; what they are like every so often by an iterator. Nothing runs
 * per packet.
 *
 * A connection's process is the thread that connected or accepted. Changes of
 * state run in whatever context the packet came in, so the current task says
 * nothing there, but for those that only a system call makes.
 */
#include "open_file.bpf.h"
#include "tcp_rows.bpf.h"
#include "tcp_walks.bpf.h"

/* The process that closes in order is the current one (tcp_close_state()). */
static __always_inline bool tcp_closes(struct sock___tcp *sk,
				       struct tcp_socket *socket, __u8 old,
				       __u8 new)
{
	if (new == TCP_FIN_WAIT1 || new == TCP_LAST_ACK)
		return true;
	/*
	 * Aborted by close(2): neither by a RST or an error, nor without a
	 * process, as those in the accept queue of a listener that is closed.
	 */
	return new == TCP_CLOSE &&
	       (old == TCP_ESTABLISHED || old == TCP_CLOSE_WAIT) &&
	       !socket->reset && !BPF_CORE_READ(sk, sk_err) &&
	       BPF_CORE_READ(sk, sk_socket);
}

static __always_inline void tcp_established(struct tcp_stay *stay,
					    struct sock___tcp *sk,
					    struct tcp_socket *socket)
{
	struct tcp_sock___tcp *tp = (void *)sk;
	__u32 retrans;

	socket->flags |= KTAPE_TCP_CONNECTION_FLAGS_ESTABLISHED;
	if (socket->direction == KTAPE_TCP_CONNECTION_DIRECTION_ACTIVE) {
		retrans = BPF_CORE_READ(tp, total_retrans);
		socket->connect = stay->now - socket->birth;
		socket->syn_retrans = retrans > 255 ? 255 : retrans;
	} else {
		/* The first round trip is that of the handshake. */
		socket->connect = (BPF_CORE_READ(tp, srtt_us) >> 3) * 1000ULL;
	}
}

static __always_inline void tcp_change(struct tcp_stay *stay,
				       struct sock___tcp *sk, __u8 old,
				       __u8 new)
{
	bool child = old == TCP_LISTEN && new == TCP_SYN_RECV;
	struct tcp_socket *socket = tcp_socket_of(sk);
	__u64 key = (__u64)sk;
	bool missed = false;

	if (child || old == TCP_CLOSE) {
		/* Another socket had this address: its end was missed. */
		if (socket && socket->wanted && !socket->told &&
		    socket->state != TCP_LISTEN)
			lose_shared_fact(stay->cpu, KTAPE_TCP_CONNECTION);
		socket = tcp_socket_new(sk, stay, old);
		if (socket)
			socket->birth = socket->since = stay->now;
	} else if (!socket) {
		socket = tcp_socket_new(sk, stay, old);
		if (socket && old != TCP_SYN_SENT && old != TCP_SYN_RECV)
			socket->flags |=
				KTAPE_TCP_CONNECTION_FLAGS_ESTABLISHED;
		if (socket && tcp_is_late(sk, old)) {
			socket->birth = socket->since = stay->now;
			missed = true;
		}
	}
	if (!socket) {
		lose_shared_fact(stay->cpu, KTAPE_TCP_STATE);
		if (new == TCP_CLOSE)
			lose_shared_fact(stay->cpu, KTAPE_TCP_CONNECTION);
		return;
	}
	if (child) {
		socket->direction = KTAPE_TCP_CONNECTION_DIRECTION_PASSIVE;
	} else if (new == TCP_SYN_SENT) {
		socket->direction = KTAPE_TCP_CONNECTION_DIRECTION_ACTIVE;
		tcp_own_current(socket, KTAPE_TCP_CONNECTION_OWNER_CONNECT);
	} else if (new == TCP_LISTEN) {
		tcp_own_current(socket, KTAPE_TCP_CONNECTION_OWNER_LISTEN);
	}
	if (new == TCP_ESTABLISHED &&
	    !(socket->flags & KTAPE_TCP_CONNECTION_FLAGS_ESTABLISHED))
		tcp_established(stay, sk, socket);
	if (!socket->owner && tcp_closes(sk, socket, old, new))
		tcp_own_current(socket, KTAPE_TCP_CONNECTION_OWNER_CLOSE);
	/* The clone of a listener still has the listener's addresses. */
	if (!child)
		tcp_name(stay, sk, socket);
	if (missed || socket->state != old) {
		socket->flags |= KTAPE_TCP_CONNECTION_FLAGS_MISSED;
		if (socket->wanted)
			lose_shared_fact(stay->cpu, KTAPE_TCP_STATE);
	}
	if (socket->wanted)
		tcp_tell_state(stay, socket, old, new);
	socket->state = new;
	socket->since = stay->now;
	if (new != TCP_CLOSE)
		return;
	if (socket->wanted && old != TCP_LISTEN)
		tcp_tell(stay, sk, socket, stay->now, old, false);
	if (old != TCP_LAST_ACK && old != TCP_LISTEN)
		bpf_map_update_elem(&tcp_aborted, &key, socket, BPF_ANY);
	/*
	 * In an interrupt of a program that changes the same part of the map,
	 * the kernel refuses to delete (htab_lock_bucket()).
	 */
	socket->told = true;
	bpf_map_delete_elem(&tcp_sockets, &key);
}

static __always_inline int tcp_changed(struct sock___tcp *sk, __u8 old,
				       __u8 new)
{
	struct tcp_stay stay;

	if (old == new || stopped() || !tcp_is(sk) || !tcp_enter(&stay))
		return 0;
	tcp_change(&stay, sk, old, new);
	tcp_leave(&stay);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int tcp_set_state(__u64 *ctx)
{
	return tcp_changed((void *)ctx[0], ctx[1], ctx[2]);
}

/* From 7.0 on, where that can be preempted: see syscalls.bpf.c. */
SEC("tracepoint/sock/inet_sock_set_state")
int tcp_set_state_event(struct trace_event_raw_inet_sock_set_state___tcp *ctx)
{
	return tcp_changed((void *)ctx->skaddr, ctx->oldstate, ctx->newstate);
}

/* Why something is sent again: see tcp_retransmit_kind in the schema. */
static __always_inline __u8 tcp_kind(__u8 state, __u8 ca_state, __u8 pending)
{
	if (state == TCP_SYN_SENT)
		return KTAPE_TCP_RETRANSMIT_KIND_SYN;
	if (ca_state == KTAPE_TCP_RETRANSMIT_CA_STATE_LOSS)
		/* The timer's own code clears it first. */
		return pending ? KTAPE_TCP_RETRANSMIT_KIND_AFTER_TIMEOUT :
				 KTAPE_TCP_RETRANSMIT_KIND_TIMEOUT;
	if (ca_state == KTAPE_TCP_RETRANSMIT_CA_STATE_RECOVERY)
		return KTAPE_TCP_RETRANSMIT_KIND_FAST;
	if (pending == ICSK_TIME_LOSS_PROBE)
		return KTAPE_TCP_RETRANSMIT_KIND_TAIL_LOSS_PROBE;
	return pending ? KTAPE_TCP_RETRANSMIT_KIND_OTHER :
			 KTAPE_TCP_RETRANSMIT_KIND_TIMEOUT;
}

/* What is known of a socket, or what can be told of one that is not. */
static __always_inline bool tcp_known(struct tcp_stay *stay,
				      struct sock___tcp *sk,
				      struct tcp_socket *known)
{
	struct tcp_socket *socket = tcp_socket_of(sk);
	__u64 key = (__u64)sk;

	/* Now, since at its end it has no port any more. */
	if (socket && socket->wanted)
		tcp_name(stay, sk, socket);
	if (!socket)
		socket = bpf_map_lookup_elem(&tcp_aborted, &key);
	if (socket) {
		*known = *socket;
	} else {
		__builtin_memset(known, 0, sizeof(*known));
		known->wanted = !tcp_filtered();
		known->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net,
					     ns.inum);
		if (known->wanted)
			tcp_name(stay, sk, known);
	}
	return known->wanted;
}

static __always_inline void tcp_again(struct tcp_stay *stay,
				      struct sock___tcp *sk,
				      struct sk_buff___tcp *skb, __s32 error)
{
	struct inet_connection_sock___tcp *icsk = (void *)sk;
	struct tcp_sock___tcp *tp = (void *)sk;
	struct tcp_skb_cb___tcp *cb;
	struct ktape_tcp_retransmit *fact;
	struct tcp_socket known;

	if (!tcp_known(stay, sk, &known))
		return;
	fact = reserve_shared_fact(stay->cpu, KTAPE_TCP_RETRANSMIT,
				   sizeof(*fact));
	if (!fact)
		return;
	cb = (void *)__builtin_preserve_access_index(&skb->cb);
	fact->time = stay->now;
	fact->connection = known.id;
	fact->tid = known.tid;
	fact->tgid = known.tgid;
	fact->local = known.local;
	fact->remote = known.remote;
	fact->netns = known.netns;
	fact->seq = BPF_CORE_READ(cb, seq);
	fact->bytes = BPF_CORE_READ(skb, len);
	fact->segments = BPF_CORE_READ(cb, tcp_gso_segs);
	fact->cwnd = BPF_CORE_READ(tp, snd_cwnd);
	fact->srtt_us = BPF_CORE_READ(tp, srtt_us) >> 3;
	fact->error = error;
	fact->cpu = bpf_get_smp_processor_id();
	fact->state = tcp_state_of(sk);
	fact->ca_state = BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state);
	fact->kind = tcp_kind(fact->state, fact->ca_state,
			      BPF_CORE_READ(icsk, icsk_pending));
	fact->attempt = BPF_CORE_READ(icsk, icsk_retransmits);
	submit_fact(stay->cpu, fact, sizeof(*fact));
}

SEC("tp_btf/tcp_retransmit_skb")
int tcp_retransmit(__u64 *ctx)
{
	struct trace_event_raw_tcp_retransmit_skb___tcp *event = NULL;
	struct tcp_stay stay;
	__s32 error = 0;

	if (stopped() || !tcp_enter(&stay))
		return 0;
	/* What has no third argument is not verified beyond this. */
	if (bpf_core_field_exists(event->err))
		error = ctx[2];
	tcp_again(&stay, (void *)ctx[0], (void *)ctx[1], error);
	tcp_leave(&stay);
	return 0;
}

SEC("tp_btf/tcp_retransmit_synack")
int tcp_retransmit_synack(__u64 *ctx)
{
	struct sock___tcp *listener = (void *)ctx[0];
	struct request_sock___tcp *request = (void *)ctx[1];
	struct tcp_address local = {}, remote = {};
	struct ktape_tcp_retransmit *fact;
	struct tcp_socket known;
	struct tcp_stay stay;
	__u32 to, from;

	if (stopped() || !tcp_enter(&stay))
		return 0;
	if (!tcp_known(&stay, listener, &known))
		goto out;
	tcp_addresses(&request->__req_common, &local, &remote);
	from = tcp_intern(stay.place, &local);
	to = tcp_intern(stay.place, &remote);
	fact = reserve_shared_fact(stay.cpu, KTAPE_TCP_RETRANSMIT,
				   sizeof(*fact));
	if (!fact)
		goto out;
	__builtin_memset(fact, 0, sizeof(*fact));
	fact->time = stay.now;
	fact->connection = known.id;
	fact->tid = known.tid;
	fact->tgid = known.tgid;
	fact->local = from;
	fact->remote = to;
	fact->netns = known.netns;
	fact->segments = 1;
	fact->cpu = bpf_get_smp_processor_id();
	fact->kind = KTAPE_TCP_RETRANSMIT_KIND_SYN_ACK;
	fact->state = TCP_NEW_SYN_RECV;
	fact->attempt = BPF_CORE_READ(request, num_retrans);
	submit_fact(stay.cpu, fact, sizeof(*fact));
out:
	tcp_leave(&stay);
	return 0;
}

/* The kernel's number of a reason as ours. */
#define TCP_REASON(name, raw)						\
	do {								\
		if (bpf_core_enum_value_exists(enum sk_rst_reason,	\
					       SK_RST_REASON_##name) &&	\
		    (raw) == bpf_core_enum_value(enum sk_rst_reason,	\
						 SK_RST_REASON_##name))	\
			return KTAPE_TCP_RESET_REASON_##name;		\
	} while (0)

static __noinline __u8 tcp_reason(__u32 raw)
{
	TCP_REASON(NOT_SPECIFIED, raw);
	TCP_REASON(NO_SOCKET, raw);
	TCP_REASON(TCP_INVALID_ACK_SEQUENCE, raw);
	TCP_REASON(TCP_RFC7323_PAWS, raw);
	TCP_REASON(TCP_TOO_OLD_ACK, raw);
	TCP_REASON(TCP_ACK_UNSENT_DATA, raw);
	TCP_REASON(TCP_FLAGS, raw);
	TCP_REASON(TCP_OLD_ACK, raw);
	TCP_REASON(TCP_ABORT_ON_DATA, raw);
	TCP_REASON(TCP_TIMEWAIT_SOCKET, raw);
	TCP_REASON(INVALID_SYN, raw);
	TCP_REASON(TCP_ABORT_ON_CLOSE, raw);
	TCP_REASON(TCP_ABORT_ON_LINGER, raw);
	TCP_REASON(TCP_ABORT_ON_MEMORY, raw);
	TCP_REASON(TCP_STATE, raw);
	TCP_REASON(TCP_KEEPALIVE_TIMEOUT, raw);
	TCP_REASON(TCP_DISCONNECT_WITH_DATA, raw);
	TCP_REASON(MPTCP_RST_EUNSPEC, raw);
	TCP_REASON(MPTCP_RST_EMPTCP, raw);
	TCP_REASON(MPTCP_RST_ERESOURCE, raw);
	TCP_REASON(MPTCP_RST_EPROHIBIT, raw);
	TCP_REASON(MPTCP_RST_EWQ2BIG, raw);
	TCP_REASON(MPTCP_RST_EBADPERF, raw);
	TCP_REASON(MPTCP_RST_EMIDDLEBOX, raw);
	TCP_REASON(ERROR, raw);
	return KTAPE_TCP_RESET_REASON_UNKNOWN;
}

/* Of a RST without a socket: the addresses of the packet that it answers. */
static __always_inline void tcp_packet_addresses(struct sk_buff___tcp *skb,
						 struct tcp_address *local,
						 struct tcp_address *remote)
{
	unsigned char *head = BPF_CORE_READ(skb, head);
	unsigned char *network = head + BPF_CORE_READ(skb, network_header);
	unsigned char *transport = head + BPF_CORE_READ(skb, transport_header);
	__be16 ports[2] = {};
	__u8 version = 0;

	bpf_probe_read_kernel(&version, 1, network);
	bpf_probe_read_kernel(ports, sizeof(ports), transport);
	remote->port = ports[0];
	local->port = ports[1];
	if (version >> 4 == 4) {
		local->family = remote->family = AF_INET;
		bpf_probe_read_kernel(remote->ip, 4, network + 12);
		bpf_probe_read_kernel(local->ip, 4, network + 16);
	} else {
		local->family = remote->family = AF_INET6;
		bpf_probe_read_kernel(remote->ip, 16, network + 8);
		bpf_probe_read_kernel(local->ip, 16, network + 24);
	}
}

static __always_inline void tcp_rst(struct tcp_stay *stay,
				    struct sock___tcp *sk,
				    struct sk_buff___tcp *skb, __u8 direction,
				    __u8 reason)
{
	struct tcp_address local = {}, remote = {};
	struct ktape_tcp_reset *fact;
	struct tcp_socket known = {};
	__u8 state = 0;

	if (sk) {
		if (!tcp_known(stay, sk, &known))
			return;
		/* That of one that is closed by now: the one before. */
		state = tcp_state_of(sk);
	} else {
		/* Newer kernels' BTF says that it may be NULL, so must we. */
		if (tcp_filtered() || !skb)
			return;
		tcp_packet_addresses(skb, &local, &remote);
		known.local = tcp_intern(stay->place, &local);
		known.remote = tcp_intern(stay->place, &remote);
	}
	fact = reserve_shared_fact(stay->cpu, KTAPE_TCP_RESET, sizeof(*fact));
	if (!fact)
		return;
	fact->time = stay->now;
	fact->connection = known.id;
	fact->tid = known.tid;
	fact->tgid = known.tgid;
	fact->local = known.local;
	fact->remote = known.remote;
	fact->netns = known.netns;
	fact->cpu = bpf_get_smp_processor_id();
	fact->direction = direction;
	fact->reason = reason;
	fact->state = state;
	fact->owner = known.owner;
	submit_fact(stay->cpu, fact, sizeof(*fact));
}

SEC("tp_btf/tcp_send_reset")
int tcp_send_reset(__u64 *ctx)
{
	struct trace_event_raw_tcp_send_reset___tcp *event = NULL;
	struct tcp_stay stay;
	__u8 reason = 0;

	if (stopped() || !tcp_enter(&stay))
		return 0;
	if (bpf_core_field_exists(event->reason))
		reason = tcp_reason(ctx[2]);
	tcp_rst(&stay, (void *)ctx[0], (void *)ctx[1],
		KTAPE_TCP_RESET_DIRECTION_SENT, reason);
	tcp_leave(&stay);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int tcp_receive_reset(__u64 *ctx)
{
	struct sock___tcp *sk = (void *)ctx[0];
	struct tcp_socket *socket;
	struct tcp_stay stay;

	if (stopped() || !tcp_enter(&stay))
		return 0;
	socket = tcp_socket_of(sk);
	if (socket)
		socket->reset = true;
	tcp_rst(&stay, sk, NULL, KTAPE_TCP_RESET_DIRECTION_RECEIVED, 0);
	tcp_leave(&stay);
	return 0;
}

/* accept(2) gives the current thread a socket, of whatever kind. */
static __always_inline void tcp_accepted(struct sock___tcp *sk)
{
	struct tcp_socket *socket;
	struct tcp_stay stay;
	__u16 family;

	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((family != AF_INET && family != AF_INET6) || !tcp_is(sk) ||
	    stopped() || !tcp_enter(&stay))
		return;
	socket = tcp_socket_of(sk);
	if (!socket) {
		socket = tcp_socket_new(sk, &stay, tcp_state_of(sk));
		if (socket) {
			socket->direction =
				KTAPE_TCP_CONNECTION_DIRECTION_PASSIVE;
			socket->flags |=
				KTAPE_TCP_CONNECTION_FLAGS_ESTABLISHED;
		}
	}
	if (socket)
		tcp_own_current(socket, KTAPE_TCP_CONNECTION_OWNER_ACCEPT);
	tcp_leave(&stay);
}

/*
 * Where accept(2) ties the connection to the new file (sock_graft() of
 * include/net/sock.h), with CONFIG_SECURITY_NETWORK. Not the return of
 * inet_csk_accept(): it waits, and a kretprobe loses the returns of all but
 * twice as many threads as there are CPUs. It is called with softirqs off, so
 * that no program here is preempted.
 */
SEC("fentry/security_sock_graft")
int tcp_graft_fentry(__u64 *ctx)
{
	tcp_accepted((void *)ctx[0]);
	return 0;
}

SEC("kprobe/security_sock_graft")
int tcp_graft_kprobe(struct pt_regs *ctx)
{
#if defined(__TARGET_ARCH_x86)
	tcp_accepted((void *)ctx->di);
#else
	tcp_accepted((void *)ctx->regs[0]);
#endif
	return 0;
}

const volatile bool tcp_accept = true;	/* owners are who accepts */

/* The system calls accept and accept4 return a file descriptor. */
static __noinline int tcp_accept_returned(__s64 ret)
{
	struct socket___tcp *socket;
	struct file___tcp *file;

	if (ret < 0 || stopped())
		return 0;
	file = open_file(current_task(), ret);
	if (!file ||
	    (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	tcp_accepted(BPF_CORE_READ(socket, sk));
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int tcp_accept_call(struct syscall_exit_args *ctx)
{
	return tcp_accept_returned(ctx->ret);
}
