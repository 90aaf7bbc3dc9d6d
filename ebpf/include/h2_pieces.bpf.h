/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Frames in a stream of bytes that comes in pieces of any length.
 *
 * What changes from one step of a loop to the next lies in maps: the verifier
 * then takes it for any number, and looks at a step only once.
 */
#ifndef KTAPE_H2_PIECES_BPF_H
#define KTAPE_H2_PIECES_BPF_H

#include "h2_frames.bpf.h"

/* What came is no frame. */
static __always_inline void h2_lost_track(struct h2_feed *feed)
{
	struct h2_dir *d = feed->dir;

	d->skip = 0;
	d->have = 0;
	d->need = 0;
	d->good = 0;
	d->at = d->len;
	d->left = 0;
	h2_forget_table(d);
	if (feed->conn->confirmed)
		feed->conn->row.desyncs++;
	else
		d->failed = 1;
}

/* Reads as much of what has not been looked at as `buf` takes. */
static __always_inline bool h2_read_window(struct h2_dir *d, __u32 left)
{
	__u32 take = left < H2_GATHER + 1 ? left : H2_GATHER + 1;

	/* The verifier wants a mask, the compiler drops a needless one. */
	asm volatile("%0 &= %1" : "+r"(take) : "i"(2 * H2_GATHER + 1));
	d->window = d->window_end = d->at;
	if (bpf_probe_read_user(d->buf, take, (void *)(d->user + d->at)))
		return false;
	d->window_end += take;
	return true;
}

/*
 * Gathers `need` bytes of the frame that begins at `at`, where that many are
 * left: they lie in the window, or are read into a new one.
 */
static __always_inline bool h2_look(struct h2_dir *d, __u32 need, __u32 left)
{
	/* All that is left may reach into memory that is not there just now. */
	if (d->at + need > d->window_end && !h2_read_window(d, left) &&
	    !h2_read_window(d, need))
		return false;
	d->from = d->at - d->window;
	d->ahead = need;
	return true;
}

/* Gathers what there is of a frame that began or goes on in another piece. */
static __always_inline bool h2_gather(struct h2_dir *d, __u32 take)
{
	__u32 have = d->have;

	asm volatile("%0 &= %1" : "+r"(have) : "i"(H2_GATHER));
	asm volatile("%0 &= %1" : "+r"(take) : "i"(H2_GATHER));
	d->window_end = 0;
	d->from = 0;
	d->ahead = 0;
	if (bpf_probe_read_user(d->buf + have, take,
				(void *)(d->user + d->at)))
		return false;
	d->at += take;
	d->have = have + take;
	return true;
}

/* One piece of the data at hand: payload to skip, or a frame to look at. */
static long h2_step(__u32 i, void *context)
{
	struct h2_feed *feed = context;
	struct h2_dir *d = feed->dir;
	__u32 left, take, need, wanted, type, flags, length, stream;

	(void)i;
	if (d->at >= d->len)
		return 1;
	left = d->len - d->at;
	if (d->skip) {
		take = d->skip < left ? d->skip : left;
		d->skip -= take;
		d->at += take;
		return 0;
	}
	need = d->need > H2_HEADER ? d->need : H2_HEADER;
	/* What follows must not know which: it would be verified twice. */
	if (!d->have && need <= left) {
		if (!h2_look(d, need, left)) {
			h2_lost_track(feed);
			return 1;
		}
	} else {
		take = need - d->have < left ? need - d->have : left;
		if (!h2_gather(d, take)) {
			h2_lost_track(feed);
			return 1;
		}
		if (d->have < need)
			return 0;
	}
	length = h2_word(d, 0) >> 8;
	type = h2_byte(d, 3);
	flags = h2_byte(d, 4);
	stream = h2_word(d, 5) & 0x7fffffff;
	if (need == H2_HEADER) {
		if (!h2_valid(type, flags, length, stream,
			      feed->conn->confirmed && d->good >= H2_TRUSTED)) {
			if (h2_is_preface(d)) {
				h2_preface(feed);
				d->at += d->ahead;
				return 0;
			}
			h2_lost_track(feed);
			return 1;
		}
		if (d->good < H2_TRUSTED)
			d->good++;
		if (d->good == H2_TRUSTED)
			h2_confirm(feed->conn, true);
		wanted = h2_wanted(type, flags, length);
		if (wanted) {
			d->need = H2_HEADER + wanted;
			return 0;
		}
	}
	h2_frame(feed, type, flags, length, stream);
	d->at += d->ahead;
	d->skip = length - (need - H2_HEADER);
	d->have = 0;
	d->need = 0;
	return 0;
}

/*
 * The most steps for one piece of data: no program may hold a CPU for long,
 * whatever it is fed. More frames than that in one piece lose the track.
 */
#define H2_MOST_STEPS (1 << 15)

/* Feeds the bytes that lie at `user` in the current process. */
static __always_inline void h2_bytes(struct h2_feed *feed, __u64 user,
				     __u32 len)
{
	struct h2_dir *d = feed->dir;

	if (d->sent)
		feed->conn->row.sent_bytes += len;
	else
		feed->conn->row.received_bytes += len;
	d->user = user;
	d->len = len;
	d->at = 0;
	d->window = d->window_end = 0;
	bpf_loop(H2_MOST_STEPS, h2_step, feed, 0);
	if (d->at < d->len)
		h2_lost_track(feed);
}

#endif
