/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Rows of the probe `tcp`. The sockets are read with bpf_probe_read_kernel(),
 * since most programs have no typed pointer to a tcp_sock: some 10 ns a field.
 */
#ifndef KTAPE_TCP_ROWS_BPF_H
#define KTAPE_TCP_ROWS_BPF_H

#include "tcp.bpf.h"

/* One that was never established has failed, whatever became of it. */
static __always_inline __u8 tcp_outcome(struct tcp_socket *socket, __u8 last,
					__u32 error)
{
	if (!(socket->flags & KTAPE_TCP_CONNECTION_FLAGS_ESTABLISHED))
		return KTAPE_TCP_CONNECTION_OUTCOME_CONNECT_FAILED;
	if (socket->reset)
		return KTAPE_TCP_CONNECTION_OUTCOME_RESET_BY_PEER;
	if (error)
		return KTAPE_TCP_CONNECTION_OUTCOME_FAILED;
	/* In order it takes a FIN, and states that belong to it. */
	if (last == TCP_ESTABLISHED || last == TCP_CLOSE_WAIT)
		return KTAPE_TCP_CONNECTION_OUTCOME_ABORTED;
	return KTAPE_TCP_CONNECTION_OUTCOME_CLOSED;
}

/* A connection: ended at `end`, or open then. */
static __always_inline void tcp_tell(struct tcp_stay *stay,
				     struct sock___tcp *sk,
				     struct tcp_socket *socket, __u64 end,
				     __u8 last, bool open)
{
	struct tcp_sock___tcp *tp = (void *)sk;
	struct ktape_tcp_connection *fact;
	__u32 error;
	__u64 birth;

	fact = reserve_shared_fact(stay->cpu, KTAPE_TCP_CONNECTION,
				   sizeof(*fact));
	if (!fact)
		return;
	birth = socket->birth;
	if (!birth)
		birth = moment(MOMENT_START);
	error = BPF_CORE_READ(sk, sk_err);
	fact->end = end;
	fact->duration = end > birth ? end - birth : 0;
	fact->connect = socket->connect;
	if (!open && socket->birth &&
	    !(socket->flags & KTAPE_TCP_CONNECTION_FLAGS_ESTABLISHED))
		fact->connect = fact->duration;
	fact->bytes_sent = BPF_CORE_READ(tp, bytes_sent);
	fact->bytes_acked = BPF_CORE_READ(tp, bytes_acked);
	fact->bytes_received = BPF_CORE_READ(tp, bytes_received);
	fact->bytes_retrans = BPF_CORE_READ(tp, bytes_retrans);
	fact->connection = socket->id;
	fact->tid = socket->tid;
	fact->tgid = socket->tgid;
	fact->local = socket->local;
	fact->remote = socket->remote;
	fact->netns = socket->netns;
	fact->retrans = BPF_CORE_READ(tp, total_retrans);
	fact->segs_out = BPF_CORE_READ(tp, segs_out);
	fact->segs_in = BPF_CORE_READ(tp, segs_in);
	fact->srtt_us = BPF_CORE_READ(tp, srtt_us) >> 3;
	/* Before the first round trip it is a constant. */
	fact->rttvar_us = 0;
	if (fact->srtt_us)
		fact->rttvar_us = BPF_CORE_READ(tp, mdev_us) >> 2;
	fact->min_rtt_us = BPF_CORE_READ(tp, rtt_min.s[0].v);
	fact->dsack_dups = BPF_CORE_READ(tp, dsack_dups);
	fact->reordered = BPF_CORE_READ(tp, reord_seen);
	fact->out_of_order = BPF_CORE_READ(tp, rcv_ooopack);
	fact->lost = BPF_CORE_READ(tp, lost);
	fact->error = error;
	fact->cpu = bpf_get_smp_processor_id();
	fact->mss = BPF_CORE_READ(tp, mss_cache);
	/* Until there was a round trip it is unknown: minmax_reset(~0U). */
	if (fact->min_rtt_us == ~0U)
		fact->min_rtt_us = 0;
	if (socket->flags & KTAPE_TCP_CONNECTION_FLAGS_ESTABLISHED)
		fact->syn_retrans = socket->syn_retrans;
	else
		fact->syn_retrans = fact->retrans > 255 ? 255 : fact->retrans;
	fact->direction = socket->direction;
	fact->outcome = open ? KTAPE_TCP_CONNECTION_OUTCOME_OPEN :
			       tcp_outcome(socket, last, error);
	fact->owner = socket->owner;
	fact->state = last;
	fact->flags = socket->flags |
		      (open ? KTAPE_TCP_CONNECTION_FLAGS_OPEN : 0) |
		      (socket->birth ? 0 :
				       KTAPE_TCP_CONNECTION_FLAGS_BEGAN_BEFORE);
	submit_fact(stay->cpu, fact, sizeof(*fact));
}

static __always_inline void tcp_tell_state(struct tcp_stay *stay,
					   struct tcp_socket *socket, __u8 old,
					   __u8 new)
{
	struct ktape_tcp_state *fact;

	fact = reserve_shared_fact(stay->cpu, KTAPE_TCP_STATE, sizeof(*fact));
	if (!fact)
		return;
	fact->end = stay->now;
	fact->duration = stay->now > socket->since ?
			 stay->now - socket->since : 0;
	fact->connection = socket->id;
	fact->tid = socket->tid;
	fact->tgid = socket->tgid;
	fact->local = socket->local;
	fact->remote = socket->remote;
	fact->netns = socket->netns;
	fact->cpu = bpf_get_smp_processor_id();
	fact->old = old;
	fact->new = new;
	fact->owner = socket->owner;
	fact->flags = socket->flags |
		      (socket->birth ? 0 :
				       KTAPE_TCP_CONNECTION_FLAGS_BEGAN_BEFORE);
	submit_fact(stay->cpu, fact, sizeof(*fact));
}

/* Bytes per second, as tcp_compute_delivery_rate() of net/ipv4/tcp.c. */
static __always_inline __u64 tcp_delivery_rate(struct tcp_sock___tcp *tp,
					       __u32 mss)
{
	__u64 segments = BPF_CORE_READ(tp, rate_delivered);
	__u32 interval_us = BPF_CORE_READ(tp, rate_interval_us);

	return interval_us ? segments * mss * 1000000 / interval_us : 0;
}

static __always_inline void tcp_tell_sample(struct tcp_stay *stay,
					    struct sock___tcp *sk,
					    struct tcp_socket *socket)
{
	struct tcp_sock___tcp *tp = (void *)sk;
	struct ktape_tcp_sample *fact;
	__u8 state = tcp_state_of(sk);

	fact = reserve_shared_fact(stay->cpu, KTAPE_TCP_SAMPLE, sizeof(*fact));
	if (!fact)
		return;
	/* What a listener does not have is 0. */
	__builtin_memset(fact, 0, sizeof(*fact));
	fact->time = bpf_ktime_get_ns();
	fact->connection = socket->id;
	fact->tid = socket->tid;
	fact->tgid = socket->tgid;
	fact->local = socket->local;
	fact->remote = socket->remote;
	fact->netns = socket->netns;
	fact->state = state;
	fact->owner = socket->owner;
	fact->flags = socket->flags |
		      (socket->birth ? 0 :
				       KTAPE_TCP_CONNECTION_FLAGS_BEGAN_BEFORE);
	if (state == TCP_LISTEN) {
		fact->backlog = BPF_CORE_READ(sk, sk_ack_backlog);
		fact->max_backlog = BPF_CORE_READ(sk, sk_max_ack_backlog);
		submit_fact(stay->cpu, fact, sizeof(*fact));
		return;
	}
	fact->bytes_sent = BPF_CORE_READ(tp, bytes_sent);
	fact->bytes_acked = BPF_CORE_READ(tp, bytes_acked);
	fact->bytes_received = BPF_CORE_READ(tp, bytes_received);
	fact->srtt_us = BPF_CORE_READ(tp, srtt_us) >> 3;
	/* Before the first round trip it is a constant. */
	fact->rttvar_us = 0;
	if (fact->srtt_us)
		fact->rttvar_us = BPF_CORE_READ(tp, mdev_us) >> 2;
	fact->min_rtt_us = BPF_CORE_READ(tp, rtt_min.s[0].v);
	if (fact->min_rtt_us == ~0U)
		fact->min_rtt_us = 0;
	fact->rcv_rtt_us = BPF_CORE_READ(tp, rcv_rtt_est.rtt_us) >> 3;
	fact->cwnd = BPF_CORE_READ(tp, snd_cwnd);
	fact->ssthresh = BPF_CORE_READ(tp, snd_ssthresh);
	fact->snd_wnd = BPF_CORE_READ(tp, snd_wnd);
	fact->rcv_wnd = BPF_CORE_READ(tp, rcv_wnd);
	fact->mss = BPF_CORE_READ(tp, mss_cache);
	fact->packets_out = BPF_CORE_READ(tp, packets_out);
	fact->retrans_out = BPF_CORE_READ(tp, retrans_out);
	fact->lost_out = BPF_CORE_READ(tp, lost_out);
	fact->retrans = BPF_CORE_READ(tp, total_retrans);
	fact->segs_out = BPF_CORE_READ(tp, segs_out);
	fact->delivered = BPF_CORE_READ(tp, delivered);
	fact->unread = BPF_CORE_READ(tp, rcv_nxt) -
		       BPF_CORE_READ(tp, copied_seq);
	fact->unacked = BPF_CORE_READ(tp, write_seq) -
			BPF_CORE_READ(tp, snd_una);
	/* Both move: one that was read later may be ahead of the other. */
	if ((__s32)fact->unread < 0)
		fact->unread = 0;
	if ((__s32)fact->unacked < 0)
		fact->unacked = 0;
	fact->delivery_rate = tcp_delivery_rate(tp, fact->mss);
	fact->ca_state = BPF_CORE_READ_BITFIELD_PROBED(
		(struct inet_connection_sock___tcp *)sk, icsk_ca_state);
	submit_fact(stay->cpu, fact, sizeof(*fact));
}

#endif
