/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The frames of HTTP/2 (RFC 9113): what is valid, and what each says.
 */
#ifndef KTAPE_H2_FRAMES_BPF_H
#define KTAPE_H2_FRAMES_BPF_H

#include "h2_go_told.bpf.h"
#include "h2_hpack.bpf.h"
#include "h2_streams.bpf.h"

#define H2_HEADER 9
#define H2_PREFACE 24

#define H2_DATA 0
#define H2_HEADERS 1
#define H2_PRIORITY 2
#define H2_RST_STREAM 3
#define H2_SETTINGS 4
#define H2_PUSH_PROMISE 5
#define H2_PING 6
#define H2_GOAWAY 7
#define H2_WINDOW_UPDATE 8
#define H2_CONTINUATION 9
/* The highest that is registered: PRIORITY_UPDATE (RFC 9218). */
#define H2_MAX_TYPE 16

#define H2_FLAG_END_STREAM 1
#define H2_FLAG_END_HEADERS 4
#define H2_FLAG_PADDED 8
#define H2_FLAG_PRIORITY 0x20

static __always_inline __u32 h2_word(struct h2_dir *d, __u32 at)
{
	return h2_byte(d, at) << 24 | h2_byte(d, at + 1) << 16 |
	       h2_byte(d, at + 2) << 8 | h2_byte(d, at + 3);
}

/* Whether this may be a frame: its type, length and stream fit together. */
static __always_inline bool h2_valid(__u32 type, __u32 flags, __u32 length,
				     __u32 stream, bool trusted)
{
	/* What every peer must take; more only where HTTP/2 is certain. */
	if (length > 16384 && !trusted)
		return false;
	switch (type) {
	case H2_DATA:
		return stream && !(flags & ~0x9);
	case H2_HEADERS:
		return stream && length && !(flags & ~0x2d);
	case H2_CONTINUATION:
	case H2_PUSH_PROMISE:
		return stream;
	case H2_PRIORITY:
		return stream && length == 5;
	case H2_RST_STREAM:
		return stream && length == 4;
	case H2_SETTINGS:
		return !stream && length % 6 == 0 && length < 1024 &&
		       !(flags & ~1);
	case H2_PING:
		return !stream && length == 8 && !(flags & ~1);
	case H2_GOAWAY:
		return !stream && length >= 8;
	case H2_WINDOW_UPDATE:
		return length == 4;
	default:
		return trusted && type <= H2_MAX_TYPE;
	}
}

static __always_inline bool h2_is_preface(struct h2_dir *d)
{
	static const char preface[H2_HEADER] = "PRI * HTT";
	__u32 i;

	for (i = 0; i < H2_HEADER; i++)
		if (h2_byte(d, i) != (__u8)preface[i])
			return false;
	return true;
}

/* The preface tells who is the client, and that both directions are HTTP/2. */
static __always_inline void h2_preface(struct h2_feed *feed)
{
	struct h2_conn *conn = feed->conn;
	struct h2_dir *d = feed->dir, *other = h2_direction(conn, !d->sent);

	conn->row.role = d->sent ? KTAPE_H2_CONNECTION_ROLE_CLIENT :
			 KTAPE_H2_CONNECTION_ROLE_SERVER;
	h2_confirm(conn, false);
	/* A server's first frames may have been taken for an older one. */
	conn->row.source = h2_source(conn);
	conn->row.flags = 0;
	d->skip = H2_PREFACE - H2_HEADER;
	d->have = 0;
	d->good = H2_TRUSTED;
	other->good = H2_TRUSTED;
	/* A server may have sent its settings before the client's preface. */
	if (other->early_settings) {
		struct h2_feed early = {
			.conn = conn,
			.dir = other,
			.now = feed->now,
		};

		h2_control(&early, H2_SETTINGS, other->early_settings - 1, 0, 0,
			   0, 0, 0);
		other->early_settings = 0;
	}
}

/* Bytes of the payload that are looked at. */
static __always_inline __u32 h2_wanted(__u32 type,
				       __u32 flags, __u32 length)
{
	switch (type) {
	case H2_RST_STREAM:
		return 4;
	case H2_GOAWAY:
		return length > 8 + H2_TEXT ? 8 + H2_TEXT : length;
	case H2_HEADERS:
		if (length > H2_GATHER - H2_HEADER ||
		    !(flags & H2_FLAG_END_HEADERS))
			return 0;
		return length;
	default:
		return 0;
	}
}

static __noinline void h2_headers(struct h2_feed *feed, __u32 flags,
				  __u32 length, __u32 stream)
{
	struct ktape_h2_connection *row;
	struct h2_stream_state *st;
	struct h2_conn *conn;
	struct h2_dir *d;
	bool client;
	__u32 from = H2_HEADER, to = H2_HEADER + length;

	if (!feed)
		return;
	conn = feed->conn;
	d = feed->dir;
	row = &conn->row;
	h2_block_begins(d);
	if (d->need <= H2_HEADER && length) {
		h2_block_missed(feed);
	} else {
		if (flags & H2_FLAG_PADDED) {
			to -= h2_byte(d, from);
			from++;
		}
		if (flags & H2_FLAG_PRIORITY)
			from += 5;
		if (to <= H2_GATHER)
			h2_block(feed, from, to);
		else
			h2_block_missed(feed);
	}
	if (!row->role && d->side)
		row->role = (d->side == H2_FIELD_REQUEST) == d->sent ?
			    KTAPE_H2_CONNECTION_ROLE_CLIENT :
			    KTAPE_H2_CONNECTION_ROLE_SERVER;
	/* Streams with even numbers are pushed by the server. */
	if (!row->role || !(stream & 1))
		return;
	client = (row->role == KTAPE_H2_CONNECTION_ROLE_CLIENT) == d->sent;
	/* A new one is looked for when it is made. */
	if (client && stream > conn->max_stream && !conn->overflows)
		st = NULL;
	else
		st = h2_stream(feed, stream);
	if (client) {
		if (stream > conn->max_stream) {
			__u32 in_flight;

			if (!conn->first_stream)
				conn->first_stream = stream;
			conn->max_stream = stream;
			in_flight = ++row->opened - row->ended;
			if (in_flight > row->max_in_flight)
				row->max_in_flight = in_flight;
			if (!st)
				st = h2_new_stream(feed, stream,
						   H2_NOT_OPENED);
			if (!st)
				return;
			st->row.path = d->path;
			st->unknown[0] = d->unknown;
			if (d->sent && !d->path)
				h2_tell_sent(feed, st);
			st->row.in_flight = in_flight;
			/*
			 * An answer can be seen before the request, whose
			 * system call has not returned yet: see h2.bpf.c.
			 */
			if (feed->now < st->row.end)
				st->row.end = feed->now;
			st->row.request_frames++;
			if (flags & H2_FLAG_END_STREAM)
				__sync_fetch_and_or(&st->state,
						    H2_CLOSED_BY_CLIENT);
			__sync_fetch_and_and(&st->state, ~H2_NOT_OPENED);
			h2_half_close(feed, st, 0);
			return;
		}
		if (!st)
			return;
		st->row.request_frames++;
		if (flags & H2_FLAG_END_STREAM)
			h2_half_close(feed, st, H2_CLOSED_BY_CLIENT);
		return;
	}
	if (!st) {
		if (stream > conn->max_stream && conn->first_stream) {
			st = h2_new_stream(feed, stream, H2_NOT_OPENED);
		} else if (row->flags & KTAPE_OFF_CPU_FLAGS_BEGAN_BEFORE &&
			   (!conn->first_stream ||
			    stream < conn->first_stream)) {
			/* Its request was sent before the recording. */
			st = h2_new_stream(feed, stream, H2_CLOSED_BY_CLIENT);
			if (st)
				st->row.flags =
					KTAPE_OFF_CPU_FLAGS_BEGAN_BEFORE;
		} else if (!conn->first_stream &&
			   row->role == KTAPE_H2_CONNECTION_ROLE_CLIENT) {
			st = h2_new_stream(feed, stream, H2_NOT_OPENED);
		}
		if (!st)
			return;
	}
	st->row.response_frames++;
	/* A 1xx answer is not yet the answer. */
	if (!st->row.first_answer && (d->status >= 200 || !d->status))
		st->row.first_answer = feed->now > st->row.end ?
				       feed->now - st->row.end : 1;
	if (d->status >= 200)
		st->row.status = d->status;
	if (d->grpc_status != 255)
		st->row.grpc_status = d->grpc_status;
	st->unknown[1] = d->unknown;
	if (!(flags & H2_FLAG_END_STREAM))
		return;
	/* grpc-status stands in the last block, and was told for that one. */
	if (d->sent)
		h2_tell_sent(feed, st);
	h2_half_close(feed, st, H2_CLOSED_BY_SERVER);
}

static __always_inline void h2_data(struct h2_feed *feed, __u32 flags,
				    __u32 length, __u32 stream)
{
	struct ktape_h2_connection *row = &feed->conn->row;
	struct h2_stream_state *st = h2_stream(feed, stream);
	bool client;

	if (!st)
		return;
	client = (row->role == KTAPE_H2_CONNECTION_ROLE_CLIENT) ==
		 feed->dir->sent;
	if (client) {
		st->row.request_bytes += length;
		st->row.request_frames++;
	} else {
		st->row.response_bytes += length;
		st->row.response_frames++;
	}
	if (flags & H2_FLAG_END_STREAM)
		h2_half_close(feed, st, client ? H2_CLOSED_BY_CLIENT :
			      H2_CLOSED_BY_SERVER);
}

static __noinline void h2_reset(struct h2_feed *feed, __u32 stream, __u32 code)
{
	struct h2_stream_state *st;
	struct h2_dir *d;

	if (!feed)
		return;
	d = feed->dir;
	st = h2_stream(feed, stream);
	/* Of a request whose system call has not returned yet. */
	if (!st && stream & 1 && stream > feed->conn->max_stream && !d->sent &&
	    feed->conn->row.role == KTAPE_H2_CONNECTION_ROLE_CLIENT)
		st = h2_new_stream(feed, stream, H2_NOT_OPENED);
	if (!st || st->row.reset_by)
		return;
	st->row.reset_code = code;
	st->row.reset_by = d->sent ? KTAPE_H2_CONNECTION_GOAWAY_BY_SENT :
			   KTAPE_H2_CONNECTION_GOAWAY_BY_RECEIVED;
	h2_half_close(feed, st, H2_RESET);
}

static __noinline void h2_goaway(struct h2_feed *feed, __u32 length)
{
	struct ktape_h2_connection *row;
	struct h2_dir *d;
	__u32 text = 0;

	if (!feed)
		return;
	row = &feed->conn->row;
	d = feed->dir;
	if (length > 8)
		text = h2_intern(d->buf + ((d->from + H2_HEADER + 8) &
					   H2_GATHER),
				 length - 8, KTAPE_WIRE_TEXT_FORM_PLAIN);
	row->goaway_last = h2_word(d, H2_HEADER) & 0x7fffffff;
	row->goaway_code = h2_word(d, H2_HEADER + 4);
	row->goaway_text = text;
	row->goaway_by = d->sent ? KTAPE_H2_CONNECTION_GOAWAY_BY_SENT :
			 KTAPE_H2_CONNECTION_GOAWAY_BY_RECEIVED;
	h2_control(feed, H2_GOAWAY, length, 0, 0, row->goaway_code,
		   row->goaway_last, text);
}

/* Takes the frame whose header, and what is wanted of it, has been gathered. */
static __always_inline void h2_frame(struct h2_feed *feed, __u32 type,
				     __u32 flags, __u32 length, __u32 stream)
{
	struct h2_conn *conn = feed->conn;
	struct h2_dir *d = feed->dir;
	bool told = conn->confirmed && d->good >= H2_TRUSTED;

	if (d->sent) {
		conn->row.sent_frames++;
		if (type == H2_DATA)
			conn->row.sent_data += length;
		if (type == H2_WINDOW_UPDATE)
			conn->row.window_updates_sent++;
		if (type == H2_PING && !(flags & 1))
			conn->row.pings_sent++;
	} else {
		conn->row.received_frames++;
		if (type == H2_DATA)
			conn->row.received_data += length;
		if (type == H2_WINDOW_UPDATE)
			conn->row.window_updates_received++;
		if (type == H2_PING && !(flags & 1))
			conn->row.pings_received++;
	}
	if (!told) {
		if (type == H2_SETTINGS && !flags && d->good == 1 &&
		    length < 250)
			d->early_settings = length + 1;
		if (type == H2_HEADERS || type == H2_CONTINUATION)
			h2_block_missed(feed);
		return;
	}
	switch (type) {
	case H2_DATA:
		h2_data(feed, flags, length, stream);
		break;
	case H2_HEADERS:
		h2_headers(feed, flags, length, stream);
		break;
	case H2_PUSH_PROMISE:
	case H2_CONTINUATION:
		h2_block_missed(feed);
		break;
	case H2_RST_STREAM:
		h2_control(feed, type, length, flags, stream,
			   h2_word(d, H2_HEADER), 0, 0);
		h2_reset(feed, stream, h2_word(d, H2_HEADER));
		break;
	case H2_SETTINGS:
	case H2_PING:
		h2_control(feed, type, length, flags, 0, 0, 0, 0);
		break;
	case H2_GOAWAY:
		h2_goaway(feed, length);
		break;
	}
}

#endif
