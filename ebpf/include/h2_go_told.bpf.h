/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What gRPC-Go has told of a stream, put to where it was missing: into the
 * stream, and into the table of HPACK.
 */
#ifndef KTAPE_H2_GO_TOLD_BPF_H
#define KTAPE_H2_GO_TOLD_BPF_H

#include "h2_streams.bpf.h"

/* What a header block says, and which of its fields does. */
struct h2_told {
	__u32 path;
	__u16 status;
	__u8 has_status;
	__u8 path_field;
	__u8 status_field;
	__u8 spare[3];
};

/* By the stream: what is about to be sent. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct h2_stream_key);
	__type(value, struct h2_told);
} h2_told SEC(".maps");

/* The place in the table that a field of a block named is that of `value`. */
static __always_inline void h2_learn(struct h2_dir *d,
				     union h2_unknown *unknown, __u32 field,
				     __u32 kind, __u32 value)
{
	__u32 slot;

	if (field >= H2_LEARNED)
		return;
	slot = unknown->slots[field & (H2_LEARNED - 1)];
	if (!slot || slot > H2_TABLE)
		return;
	slot = (slot - 1) & (H2_TABLE - 1);
	if (d->kinds[slot] != H2_FIELD_UNKNOWN)
		return;
	d->values[slot] = value;
	d->kinds[slot] = kind;
}

/* Puts what was told into the stream, if it is missing there. */
static __always_inline void h2_tell(struct h2_feed *feed,
				    struct h2_stream_state *st,
				    const struct h2_told *told,
				    union h2_unknown *unknown)
{
	struct ktape_h2_connection *row = &feed->conn->row;
	struct h2_go_use *use = h2_go_use();
	bool used = false;

	if (told->path && !st->row.path) {
		st->row.path = told->path;
		h2_learn(feed->dir, unknown, told->path_field, H2_FIELD_PATH,
			 told->path);
		used = true;
	}
	if (told->has_status && st->row.grpc_status == 255) {
		st->row.grpc_status = told->status;
		h2_learn(feed->dir, unknown, told->status_field,
			 H2_FIELD_GRPC_STATUS, told->status);
		used = true;
	} else if (told->has_status && st->row.grpc_status != told->status) {
		__sync_fetch_and_add(&row->misnamed, 1);
	}
	if (!used)
		return;
	__sync_fetch_and_add(&row->named, 1);
	if (use)
		__sync_fetch_and_add(&use->used, 1);
}

/* What was told of a header block that is being sent. */
static __always_inline void h2_tell_sent(struct h2_feed *feed,
					 struct h2_stream_state *st)
{
	struct h2_stream_key key = {
		.connection = st->row.connection,
		.stream = st->row.stream,
	};
	struct h2_told *told;

	if (!h2_go_tells(feed->conn, feed->dir))
		return;
	told = bpf_map_lookup_elem(&h2_told, &key);
	if (!told)
		return;
	h2_tell(feed, st, told, &feed->dir->unknown);
	bpf_map_delete_elem(&h2_told, &key);
}

/* What was told of a header block that was received a while ago. */
static __always_inline void h2_tell_taken(struct h2_feed *feed,
					  struct h2_stream_state *st,
					  const struct h2_told *told,
					  bool server)
{
	h2_tell(feed, st, told, &st->unknown[server ? 0 : 1]);
	if (st->state & H2_WAITS)
		h2_tell_waiting(st);
}

#endif
