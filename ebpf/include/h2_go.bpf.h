/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * h2, over the TLS of Go programs: what they give to crypto/tls.(*Conn).Write
 * and get from Read, where it is not encrypted.
 *
 * Go's arguments are in registers where its functions have just begun
 * (ABIInternal, amd64 since Go 1.17, src/cmd/compile/abi-internal.md), also
 * behind the comparison of their prologue that looks whether the stack has
 * room. That is where these programs are put: the kernel emulates the branch or
 * the push there, where it would have to single-step the comparison. A branch
 * taken leads to a larger stack and back to the beginning: the call is counted
 * when it is not taken.
 *
 * No program is put at a return: Go copies its stacks, and would copy the
 * return address that the kernel had exchanged. What Read gives is seen where
 * it copies into the caller's buffer: by a call of runtime.memmove, as which
 * the Read of its bytes.Reader has been compiled into it, or of that one.
 */
#ifndef KTAPE_H2_GO_BPF_H
#define KTAPE_H2_GO_BPF_H

#include "filter.bpf.h"
#include "h2_connections.bpf.h"
#include "h2_go_names.bpf.h"

/* The call of Read that a goroutine is in. */
struct h2_go_call {
	__u64 conn;
	__u64 buffer;	/* 0: it has been copied into */
};

/*
 * Where most goroutines have theirs, by their address: a place is somebody
 * else's as long as that call has not ended, and may be taken then.
 */
#define H2_GO_PLACES 4096

struct h2_go_place {
	__u64 g;
	__u32 tgid;
	__u32 taken;	/* it is being changed */
	struct h2_go_call call;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, H2_GO_PLACES);
	__type(key, __u32);
	__type(value, struct h2_go_place);
} h2_go_places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct h2_go_routine);
	__type(value, struct h2_go_call);
} h2_go_calls SEC(".maps");

static __always_inline struct h2_go_place *
h2_go_place(const struct h2_go_routine *routine)
{
	__u64 hash = (routine->g ^ (__u64)routine->tgid << 40) *
		     0x9e3779b97f4a7c15ULL;
	__u32 at = hash >> 52;

	return bpf_map_lookup_elem(&h2_go_places, &at);
}

/* The current goroutine begins a call. */
static __always_inline void h2_go_begin(const struct h2_go_routine *routine,
					const struct h2_go_call *call)
{
	struct h2_go_place *place = h2_go_place(routine);
	bool own;

	if (place && !__sync_lock_test_and_set(&place->taken, 1)) {
		own = place->g == routine->g && place->tgid == routine->tgid;
		if (own || !place->call.buffer) {
			place->g = routine->g;
			place->tgid = routine->tgid;
			place->call.conn = call->conn;
			/* Last: who finds its buffer here finds the rest. */
			*(volatile __u64 *)&place->call.buffer = call->buffer;
			*(volatile __u32 *)&place->taken = 0;
			return;
		}
		*(volatile __u32 *)&place->taken = 0;
	}
	bpf_map_update_elem(&h2_go_calls, routine, call, BPF_ANY);
}

/* The call that the current goroutine is in and that copies to `buffer`. */
static __always_inline struct h2_go_call *
h2_go_call_of(const struct h2_go_routine *routine, __u64 buffer)
{
	struct h2_go_place *place = h2_go_place(routine);
	struct h2_go_call *call;

	if (place && *(volatile __u64 *)&place->call.buffer == buffer &&
	    place->g == routine->g && place->tgid == routine->tgid)
		return &place->call;
	call = bpf_map_lookup_elem(&h2_go_calls, routine);
	return call && call->buffer == buffer ? call : NULL;
}

/* bytes.Reader (src/bytes/reader.go, as it is since Go 1.0). */
struct h2_go_reader {
	__u64 data;
	__u64 len;
	__u64 cap;
	__u64 at;
};

/* Feeds what a tls.Conn encrypts or has decrypted. */
static __always_inline int h2_go_feed(struct pt_regs *regs, __u64 conn_at,
				      __u64 data, __u64 len, bool sent)
{
	struct h2_key key = {
		.id = conn_at,
		.tgid = bpf_get_current_pid_tgid() >> 32,
		.kind = H2_GO,
	};
	struct h2_conn *conn;
	struct h2_feed feed;

	if (!len || len >> 31)
		return 0;
	conn = h2_conn_at(&key);
	if (!conn)
		return 0;
	feed.conn = conn;
	feed.dir = h2_direction(conn, sent);
	feed.now = bpf_ktime_get_ns();
	h2_go_note(conn, feed.dir, regs);
	h2_bytes(&feed, data, len);
	h2_go_note(conn, feed.dir, regs);
	h2_fed(&feed);
	return 0;
}

/* func (c *Conn) Write(b []byte) (int, error) */
SEC("uprobe")
int h2_go_write(struct pt_regs *regs)
{
	__u64 id = bpf_get_current_pid_tgid();

	if (H2_GO_GROWS_STACK(regs) || stopped() ||
	    !current_wanted(id >> 32, id))
		return 0;
	return h2_go_feed(regs, H2_GO_ARG0(regs), H2_GO_ARG1(regs),
			  H2_GO_ARG2(regs), true);
}

/* func (c *Conn) Read(b []byte) (int, error) */
SEC("uprobe")
int h2_go_read(struct pt_regs *regs)
{
	struct h2_go_call call = { H2_GO_ARG0(regs), H2_GO_ARG1(regs) };
	__u64 id = bpf_get_current_pid_tgid();
	struct h2_go_routine routine = h2_go_routine(regs);

	if (H2_GO_GROWS_STACK(regs) || stopped() ||
	    !current_wanted(id >> 32, id))
		return 0;
	h2_go_begin(&routine, &call);
	return 0;
}

/*
 * Ends the call of Read in which the current goroutine copies to `buffer`, and
 * gives its tls.Conn; 0 when it is in none.
 */
static __always_inline __u64 h2_go_copies(struct pt_regs *regs, __u64 buffer)
{
	struct h2_go_routine routine = h2_go_routine(regs);
	struct h2_go_call *call;
	__u64 conn;

	if (!buffer)
		return 0;
	call = h2_go_call_of(&routine, buffer);
	if (!call)
		return 0;
	/* Before the place is anybody's. */
	conn = *(volatile __u64 *)&call->conn;
	*(volatile __u64 *)&call->buffer = 0;
	return stopped() ? 0 : conn;
}

/* The call of memmove(to, from unsafe.Pointer, n uintptr) in Read. */
SEC("uprobe")
int h2_go_move(struct pt_regs *regs)
{
	__u64 conn = h2_go_copies(regs, H2_GO_ARG0(regs));

	if (!conn)
		return 0;
	return h2_go_feed(regs, conn, H2_GO_ARG1(regs), H2_GO_ARG2(regs),
			  false);
}

/* The call of (r *bytes.Reader) Read(b []byte) in Read. */
SEC("uprobe")
int h2_go_copy(struct pt_regs *regs)
{
	__u64 conn = h2_go_copies(regs, H2_GO_ARG1(regs));
	struct h2_go_reader reader;
	__u64 len;

	if (!conn ||
	    bpf_probe_read_user(&reader, sizeof(reader),
				(void *)H2_GO_ARG0(regs)) ||
	    reader.at >= reader.len || reader.len > reader.cap)
		return 0;
	len = reader.len - reader.at;
	if (len > H2_GO_ARG2(regs))
		len = H2_GO_ARG2(regs);
	return h2_go_feed(regs, conn, reader.data + reader.at, len,
			  false);
}

/* func (c *Conn) Close() error */
SEC("uprobe")
int h2_go_close(struct pt_regs *regs)
{
	if (!H2_GO_GROWS_STACK(regs) && !stopped())
		h2_let_go(H2_GO_ARG0(regs), H2_GO,
			  KTAPE_H2_CONNECTION_END_REASON_CLOSED);
	return 0;
}

#endif
