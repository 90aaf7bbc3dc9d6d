/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Connections and streams: their maps, and their facts.
 *
 * Programs of this probe run in system calls, in uprobes and in interrupts, and
 * may interrupt each other: what is counted is counted by atomic adds.
 */
#ifndef KTAPE_H2_STREAMS_BPF_H
#define KTAPE_H2_STREAMS_BPF_H

#include "h2_go_types.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct h2_key);
	__type(value, struct h2_conn);
} h2_conns SEC(".maps");

/*
 * Few enough that they stay in the caches of the CPUs: streams come and go, and
 * in a large table each would be found at a place that is not.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, struct h2_stream_key);
	__type(value, struct h2_stream_state);
} h2_streams SEC(".maps");

/* Those for which there is no room: see h2_conn.overflows. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct h2_stream_key);
	__type(value, struct h2_stream_state);
} h2_more_streams SEC(".maps");

/* How often what a socket carried was no HTTP/2. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct h2_key);
	__type(value, __u32);
} h2_misses SEC(".maps");

/* A connection of which nothing is known: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct h2_conn);
} h2_blank SEC(".maps");

/* Connections that were given a number here. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} h2_numbers SEC(".maps");

/* reserve_fact(), for programs that interrupt each other. */
static __always_inline void *h2_reserve(struct cpu_state *cpu, __u32 record,
					__u32 size)
{
	__u32 id = bpf_get_smp_processor_id();
	struct item *item = NULL;
	void *ring;

	__sync_fetch_and_add(&cpu->counters[record].produced, 1);
	ring = bpf_map_lookup_elem(&facts, &id);
	if (ring)
		item = bpf_ringbuf_reserve(ring, sizeof(*item) + size, 0);
	if (!item) {
		__sync_fetch_and_add(&cpu->counters[record].lost, 1);
		return NULL;
	}
	item->record = record;
	item->spare = 0;
	return item + 1;
}

/* lose_fact(), likewise. */
static __always_inline void h2_lose(__u32 record)
{
	struct cpu_state *cpu = this_cpu();

	if (!cpu)
		return;
	__sync_fetch_and_add(&cpu->counters[record].produced, 1);
	__sync_fetch_and_add(&cpu->counters[record].lost, 1);
}

static __always_inline __u32 h2_new_number(void)
{
	__u32 zero = 0, *count = bpf_map_lookup_elem(&h2_numbers, &zero);

	if (!count)
		return 0;
	return __sync_fetch_and_add(count, 1) * cpus +
	       bpf_get_smp_processor_id() + 1;
}

/* How its frames are seen, if that is from its beginning on. */
static __always_inline __u8 h2_source(struct h2_conn *conn)
{
	switch (conn->key.kind) {
	case H2_OPENSSL:
		return KTAPE_H2_CONNECTION_SOURCE_OPENSSL;
	case H2_GO:
		return KTAPE_H2_CONNECTION_SOURCE_GO;
	default:
		return KTAPE_H2_CONNECTION_SOURCE_PLAINTEXT;
	}
}

/*
 * The connection is HTTP/2, for certain or by guess: from now on its streams
 * are told.
 */
static __always_inline void h2_confirm(struct h2_conn *conn, bool guessed)
{
	if (conn->confirmed)
		return;
	conn->row.connection = h2_new_number();
	conn->row.source = h2_source(conn);
	if (guessed) {
		conn->row.source++;
		conn->row.flags = KTAPE_OFF_CPU_FLAGS_BEGAN_BEFORE;
	}
	conn->confirmed = 1;
}

static __always_inline void h2_control(struct h2_feed *feed, __u32 kind,
				       __u32 length, __u32 frame_flags,
				       __u32 stream, __u32 code, __u32 last,
				       __u32 text)
{
	struct ktape_h2_connection *row = &feed->conn->row;
	struct cpu_state *cpu = this_cpu();
	struct ktape_h2_control *fact;
	__u64 id = bpf_get_current_pid_tgid();

	if (!cpu)
		return;
	fact = h2_reserve(cpu, KTAPE_H2_CONTROL, sizeof(*fact));
	if (!fact)
		return;
	fact->time = feed->now;
	fact->connection = row->connection;
	fact->stream = stream;
	fact->tid = id;
	fact->tgid = id >> 32;
	fact->code = code;
	fact->last_stream = last;
	fact->text = text;
	fact->length = length;
	fact->cpu = bpf_get_smp_processor_id();
	fact->frame_flags = frame_flags & 1;
	fact->kind = kind;
	fact->direction = feed->dir->sent ? KTAPE_H2_CONNECTION_GOAWAY_BY_SENT :
			  KTAPE_H2_CONNECTION_GOAWAY_BY_RECEIVED;
	fact->source = row->source;
	fact->role = row->role;
	submit_fact(cpu, fact, sizeof(*fact));
}

/*
 * A connection ended with open streams. The recorder tells them within a
 * second; it finds when that was under the number of the connection and 0.
 */
static __always_inline void h2_leave_streams(__u32 connection, __u64 now)
{
	struct h2_stream_key key = { .connection = connection };
	struct h2_stream_state state = { .row.end = now };

	bpf_map_update_elem(&h2_more_streams, &key, &state, BPF_ANY);
}

/* Ends a connection that is no longer, whoever sees it first. */
static __always_inline void h2_end_connection(struct h2_conn *conn,
					      __u32 reason)
{
	struct h2_key key = conn->key;
	struct ktape_h2_connection *fact;
	__u64 now = bpf_ktime_get_ns();
	struct cpu_state *cpu;

	if (__sync_fetch_and_or(&conn->ending, 1))
		return;
	cpu = this_cpu();
	if (conn->confirmed && cpu) {
		if (conn->row.opened != conn->row.ended)
			h2_leave_streams(conn->row.connection, now);
		fact = h2_reserve(cpu, KTAPE_H2_CONNECTION, sizeof(*fact));
		if (fact) {
			*fact = conn->row;
			fact->duration = now > fact->end ? now - fact->end : 0;
			fact->end = now;
			fact->cpu = bpf_get_smp_processor_id();
			fact->end_reason = reason;
			submit_fact(cpu, fact, sizeof(*fact));
		}
	}
	bpf_map_delete_elem(&h2_conns, &key);
}

static __always_inline struct h2_stream_state *
h2_stream(struct h2_feed *feed, __u32 stream)
{
	struct h2_stream_key key = {
		.connection = feed->conn->row.connection,
		.stream = stream,
	};
	struct h2_stream_state *st = bpf_map_lookup_elem(&h2_streams, &key);

	if (st || !feed->conn->overflows)
		return st;
	return bpf_map_lookup_elem(&h2_more_streams, &key);
}

/* Gives false when the recorder just has. */
static __always_inline bool h2_remove_stream(const struct h2_stream_key *key)
{
	return !bpf_map_delete_elem(&h2_streams, key) ||
	       !bpf_map_delete_elem(&h2_more_streams, key);
}

/*
 * A new stream, in the state `state`, or the one that is there already. NULL,
 * and lost, when there is no room.
 */
static __noinline struct h2_stream_state *h2_new_stream(struct h2_feed *feed,
							__u32 stream,
							__u32 state)
{
	struct ktape_h2_connection *row = &feed->conn->row;
	__u64 id = bpf_get_current_pid_tgid();
	struct h2_stream_state new = {
		.row.end = feed->now,
		.row.connection = row->connection,
		.row.stream = stream,
		.row.tid = id,
		.row.tgid = id >> 32,
		.row.source = row->source,
		.row.role = row->role,
		.row.grpc_status = 255,
		.state = state,
	};
	struct h2_stream_key key = {
		.connection = row->connection,
		.stream = stream,
	};
	struct h2_stream_state *made;

	bpf_map_update_elem(&h2_streams, &key, &new, BPF_NOEXIST);
	made = bpf_map_lookup_elem(&h2_streams, &key);
	if (made)
		return made;
	feed->conn->overflows = 1;
	bpf_map_update_elem(&h2_more_streams, &key, &new, BPF_NOEXIST);
	made = bpf_map_lookup_elem(&h2_more_streams, &key);
	if (!made)
		h2_lose(KTAPE_H2_STREAM);
	return made;
}

/* Tells a stream that is over, unless the recorder just has. */
static __noinline void h2_tell_waiting(struct h2_stream_state *st)
{
	struct h2_stream_key key;
	struct cpu_state *cpu = this_cpu();
	struct ktape_h2_stream row, *fact;

	if (!st || !cpu)
		return;
	row = st->row;
	key.connection = row.connection;
	key.stream = row.stream;
	if (!h2_remove_stream(&key))
		return;
	fact = h2_reserve(cpu, KTAPE_H2_STREAM, sizeof(*fact));
	if (!fact)
		return;
	*fact = row;
	submit_fact(cpu, fact, sizeof(*fact));
}

/* Whether gRPC-Go will say what the frames of a stream did not. */
static __always_inline bool h2_awaits_name(struct h2_conn *conn,
					   struct h2_stream_state *st)
{
	struct h2_dir *received = h2_direction(conn, false);
	struct h2_go_use *use;
	bool path, status;

	if (h2_go < H2_GO_LEARN || received->routine <= 1)
		return false;
	use = h2_go_use();
	if (!use || !use->attached)
		return false;
	__sync_fetch_and_add(&use->ended, 1);
	if (!h2_go_tells(conn, received))
		return false;
	path = !st->row.path && st->unknown[0].any;
	status = st->row.grpc_status == 255 && st->unknown[1].any &&
		 st->state & H2_CLOSED_BY_SERVER;
	if (path || status)
		__sync_fetch_and_add(&use->nameless, 1);
	return conn->row.role == KTAPE_H2_CONNECTION_ROLE_SERVER ? path :
								   status;
}

/* The stream is over: whoever ends it first tells it. */
static __always_inline void h2_end_stream(struct h2_feed *feed,
					  struct h2_stream_state *st)
{
	struct h2_stream_key key = {
		.connection = st->row.connection,
		.stream = st->row.stream,
	};
	struct cpu_state *cpu = this_cpu();
	struct ktape_h2_stream *fact, *row;
	__u32 state;

	state = __sync_fetch_and_or(&st->state, H2_ENDED);
	if (state & H2_ENDED || !cpu)
		return;
	if (!(st->row.flags & KTAPE_OFF_CPU_FLAGS_BEGAN_BEFORE)) {
		__sync_fetch_and_add(&feed->conn->row.ended, 1);
		if (state & H2_RESET)
			__sync_fetch_and_add(&feed->conn->row.resets, 1);
	}
	row = &st->row;
	row->duration = feed->now > row->end ? feed->now - row->end : 0;
	row->end = feed->now;
	row->cpu = bpf_get_smp_processor_id();
	row->end_reason = state & H2_RESET ?
			  KTAPE_H2_STREAM_END_REASON_RESET :
			  KTAPE_H2_STREAM_END_REASON_COMPLETE;
	row->closed = state & 3;
	if (h2_awaits_name(feed->conn, st)) {
		__sync_fetch_and_or(&st->state, H2_WAITS);
		return;
	}
	fact = h2_reserve(cpu, KTAPE_H2_STREAM, sizeof(*fact));
	if (fact) {
		*fact = *row;
		submit_fact(cpu, fact, sizeof(*fact));
	}
	h2_remove_stream(&key);
}

/* One side has sent END_STREAM, or RST_STREAM. */
static __always_inline void h2_half_close(struct h2_feed *feed,
					  struct h2_stream_state *st, __u32 bit)
{
	__u32 state = __sync_fetch_and_or(&st->state, bit) | bit;

	if (((state & 3) == 3 || state & H2_RESET) &&
	    !(state & H2_NOT_OPENED))
		h2_end_stream(feed, st);
}

#endif
