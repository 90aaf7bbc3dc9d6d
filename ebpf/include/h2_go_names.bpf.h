/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Names on connections of gRPC-Go that are older than the recording.
 *
 * Their frames say :path and grpc-status by an index into HPACK's dynamic
 * table, which was filled before. But the functions of gRPC-Go that write and
 * take header fields have them in full, and know the stream; the connection is
 * that which the same goroutine writes to or has just read from. What they tell
 * is also put into the table, at the place that the frame named: so it is known
 * for all later streams, and these programs are needed no more.
 *
 * They tell nothing where the table was filled before our eyes, and nothing is
 * overwritten that frames have told.
 */
#ifndef KTAPE_H2_GO_NAMES_BPF_H
#define KTAPE_H2_GO_NAMES_BPF_H

#include "filter.bpf.h"
#include "h2_frames.bpf.h"
#include "h2_go_told.bpf.h"

/* The connection that a goroutine reads from or writes to. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct h2_go_routine);
	__type(value, struct h2_key);
} h2_go_conns SEC(".maps");

/* h2_dir.routine: who reads or writes there is no goroutine. */
#define H2_NO_ROUTINE 1

/*
 * Notes which goroutine feeds a connection. In system calls, too, g is in its
 * register: the stubs of the package syscall keep it (src/internal/runtime/
 * syscall/linux/asm_linux_amd64.s). Whether it is one its stack tells, which is
 * the first field of runtime.g and must be the current one.
 */
static __noinline void h2_go_meet(struct h2_conn *conn, struct h2_dir *d,
				  __u64 g, __u64 sp)
{
	struct h2_go_routine routine = {
		.g = g,
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};
	__u64 stack[2];

	if (!conn || !d || d->routine == H2_NO_ROUTINE)
		return;
	if (!g || bpf_probe_read_user(stack, sizeof(stack), (void *)g) ||
	    sp < stack[0] || sp >= stack[1]) {
		d->routine = H2_NO_ROUTINE;
		return;
	}
	d->routine = g;
	bpf_map_update_elem(&h2_go_conns, &routine, &conn->key, BPF_ANY);
}

/*
 * To be called before and after data is fed. Not for what may be no HTTP/2: the
 * goroutine of a TLS connection writes to its socket, too.
 */
static __always_inline void h2_go_note(struct h2_conn *conn, struct h2_dir *d,
				       struct pt_regs *regs)
{
	if (h2_go >= H2_GO_LEARN && conn->confirmed &&
	    d->routine != H2_GO_G(regs))
		h2_go_meet(conn, d, H2_GO_G(regs), REGS_SP(regs));
}

/* The connection of the current goroutine if its table is not all known. */
static __always_inline struct h2_conn *h2_go_conn(struct pt_regs *regs,
						  bool sent)
{
	struct h2_go_routine routine = h2_go_routine(regs);
	struct h2_conn *conn;
	struct h2_key *key;

	if (H2_GO_GROWS_STACK(regs) || stopped())
		return NULL;
	key = bpf_map_lookup_elem(&h2_go_conns, &routine);
	if (!key)
		return NULL;
	conn = bpf_map_lookup_elem(&h2_conns, key);
	if (!conn || !conn->confirmed ||
	    !(conn->row.flags & KTAPE_OFF_CPU_FLAGS_BEGAN_BEFORE) ||
	    h2_direction(conn, sent)->routine != routine.g)
		return NULL;
	return conn;
}

/* golang.org/x/net/http2/hpack.HeaderField, as it is since 2015. */
struct h2_go_field {
	__u64 name;
	__u64 name_len;
	__u64 value;
	__u64 value_len;
	__u64 sensitive;
};

/* Fields are searched for these names, in this order. */
struct h2_go_search {
	struct h2_told told;
	__u64 fields;
	__u64 count;
};

static __always_inline bool h2_go_is(const struct h2_go_field *field,
				     const char *name, __u32 len)
{
	char bytes[12] = {};
	__u32 i;

	if (field->name_len != len ||
	    bpf_probe_read_user(bytes, len, (void *)field->name))
		return false;
	for (i = 0; i < len; i++)
		if (bytes[i] != name[i])
			return false;
	return true;
}

/* The id of a path in the memory of the process. */
static __noinline __u32 h2_go_path(__u64 path, __u64 len)
{
	struct text_buffer *text = text_buffer(TEXT_H2);
	__u32 zero = 0, id = 0, *lock;
	__u32 size = len > H2_TEXT ? H2_TEXT : len;

	lock = bpf_map_lookup_elem(&h2_text_lock, &zero);
	if (!text || !lock || !size)
		return 0;
	if (__sync_lock_test_and_set(lock, 1))
		return 0;
	asm volatile("%0 &= 255" : "+r"(size));
	if (!bpf_probe_read_user(text->bytes, size, (void *)path))
		id = intern_text(text, size,
				 KTAPE_WIRE_TEXT_FORM_REQUEST_PATH);
	*lock = 0;
	return id;
}

static long h2_go_field_step(__u32 i, void *context)
{
	struct h2_go_search *search = context;
	struct h2_go_field field;
	__u8 digits[2] = {};
	__u32 value;

	if (i >= search->count ||
	    bpf_probe_read_user(&field, sizeof(field),
				(void *)(search->fields +
					 (__u64)i * sizeof(field))))
		return 1;
	if (h2_go_is(&field, ":path", 5)) {
		search->told.path = h2_go_path(field.value, field.value_len);
		search->told.path_field = i;
		return 1;
	}
	if (!h2_go_is(&field, "grpc-status", 11))
		return 0;
	if (!field.value_len || field.value_len > 2 ||
	    bpf_probe_read_user(digits, 1, (void *)field.value))
		return 1;
	value = digits[0] - '0';
	if (field.value_len == 2) {
		if (bpf_probe_read_user(digits, 2, (void *)field.value))
			return 1;
		value = value * 10 + (digits[1] - '0');
	}
	if (digits[0] < '0' || digits[0] > '9' || value > 99)
		return 1;
	search->told.status = value;
	search->told.status_field = i;
	search->told.has_status = 1;
	return 1;
}

/* Neither comes later than that in a block. */
#define H2_GO_FIELDS 32

/* What `count` fields at `fields` say of path and grpc-status. */
static __always_inline bool h2_go_search(struct h2_go_search *search,
					 __u64 fields, __u64 count)
{
	search->fields = fields;
	search->count = count;
	bpf_loop(H2_GO_FIELDS, h2_go_field_step, search, 0);
	return search->told.path || search->told.has_status;
}

/*
 * func (l *loopyWriter) writeHeader(streamID uint32, endStream bool,
 *	hf []hpack.HeaderField, onWrite func()) error
 *
 * The frame is written after that by the same goroutine: h2_headers() then
 * finds what was told here.
 */
SEC("uprobe")
int h2_go_sends_headers(struct pt_regs *regs)
{
	struct h2_conn *conn = h2_go_conn(regs, true);
	struct h2_go_search search = {};
	struct h2_stream_key key;

	if (!conn)
		return 0;
	/* A server says grpc-status in the last block. */
	if (conn->row.role == KTAPE_H2_CONNECTION_ROLE_SERVER &&
	    !(H2_GO_ARG2(regs) & 1))
		return 0;
	if (!h2_go_search(&search, H2_GO_ARG3(regs), H2_GO_ARG4(regs)))
		return 0;
	key.connection = conn->row.connection;
	key.stream = H2_GO_ARG1(regs);
	bpf_map_update_elem(&h2_told, &key, &search.told, BPF_ANY);
	return 0;
}

/* golang.org/x/net/http2.FrameHeader, in front of every frame. */
struct h2_go_frame_header {
	__u8 valid;	/* a bool; no more, once the fields are read */
	__u8 type;
	__u8 flags;
	__u8 spare;
	__u32 length;
	__u32 stream;
};

/* http2.MetaHeadersFrame, as far as it has been the same since 2016. */
struct h2_go_meta_headers {
	__u64 headers;	/* *HeadersFrame */
	__u64 fields;
	__u64 count;
};

/* What else may lie there has no odd number where that of a stream would be. */
static __always_inline bool
h2_go_meta(__u64 at, struct h2_go_meta_headers *meta, __u32 *stream)
{
	struct h2_go_frame_header header;

	if (bpf_probe_read_user(meta, sizeof(*meta), (void *)at) ||
	    bpf_probe_read_user(&header, sizeof(header),
				(void *)meta->headers) ||
	    header.valid > 1 || header.type != H2_HEADERS ||
	    !(header.stream & 1))
		return false;
	*stream = header.stream;
	return true;
}

static __always_inline int h2_go_takes_headers(struct pt_regs *regs,
					       bool server)
{
	struct h2_conn *conn = h2_go_conn(regs, false);
	struct h2_go_search search = {};
	struct h2_go_meta_headers meta;
	struct h2_stream_state *st;
	struct h2_feed feed;
	__u32 stream;

	if (!conn)
		return 0;
	/* From grpc 1.60 on a server's has a context in front of it. */
	if (!h2_go_meta(H2_GO_ARG1(regs), &meta, &stream) &&
	    !(server && h2_go_meta(H2_GO_ARG3(regs), &meta, &stream)))
		return 0;
	feed.conn = conn;
	feed.dir = h2_direction(conn, false);
	feed.now = bpf_ktime_get_ns();
	st = h2_stream(&feed, stream);
	if (!st || (server ? st->row.path : st->row.grpc_status != 255))
		return 0;
	if (h2_go_search(&search, meta.fields, meta.count))
		h2_tell_taken(&feed, st, &search.told, server);
	return 0;
}

/*
 * func (t *http2Server) operateHeaders(frame *http2.MetaHeadersFrame, ..)
 * func (t *http2Server) operateHeaders(ctx context.Context,
 *	frame *http2.MetaHeadersFrame, ..)
 */
SEC("uprobe")
int h2_go_server_headers(struct pt_regs *regs)
{
	return h2_go_takes_headers(regs, true);
}

/* func (t *http2Client) operateHeaders(frame *http2.MetaHeadersFrame) */
SEC("uprobe")
int h2_go_client_headers(struct pt_regs *regs)
{
	return h2_go_takes_headers(regs, false);
}

#endif
