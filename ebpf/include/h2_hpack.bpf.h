/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * HPACK (RFC 7541), as far as the path of a request, the status of an answer
 * and grpc-status need it.
 *
 * Of the dynamic table only is remembered what each of its last fields was. An
 * index counts from the newest one, so a table whose beginning was not seen is
 * right for what has been put in since; what is older is unknown. Evictions
 * need no bookkeeping: no encoder names what it has evicted.
 */
#ifndef KTAPE_H2_HPACK_BPF_H
#define KTAPE_H2_HPACK_BPF_H

#include "h2_types.h"
#include "text.bpf.h"

/*
 * A uprobe's program can be preempted by another one on the same CPU (kernels
 * from 6.0 on run them with only migration disabled), so the text buffer of
 * this probe has a lock.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} h2_text_lock SEC(".maps");

/* The longest text. */
#define H2_TEXT 255

/* The id of `len` bytes in kernel memory. 0 when it cannot be had now. */
static __noinline __u32 h2_intern(const void *bytes, __u32 len, __u32 form)
{
	struct text_buffer *text = text_buffer(TEXT_H2);
	__u32 zero = 0, id = 0, *lock;

	lock = bpf_map_lookup_elem(&h2_text_lock, &zero);
	if (!text || !lock || !len)
		return 0;
	if (__sync_lock_test_and_set(lock, 1))
		return 0;
	if (len > H2_TEXT)
		len = H2_TEXT;
	if (!bpf_probe_read_kernel(text->bytes, len, bytes))
		id = intern_text(text, len, form);
	*lock = 0;
	return id;
}

/* A byte of the frame at hand, counted from its header. */
static __always_inline __u32 h2_byte(struct h2_dir *d, __u32 pos)
{
	return d->buf[(d->from + pos) & H2_GATHER];
}

/* An integer that begins in the low bits of `first`: at most 3 more bytes. */
static __noinline __u32 h2_integer(struct h2_dir *d, __u32 first, __u32 mask)
{
	__u32 value = first & mask, shift, byte;

	if (!d)
		return 0;
	if (value < mask)
		return value;
	for (shift = 0; shift < 21; shift += 7) {
		byte = h2_byte(d, d->pos);
		d->pos++;
		value += (byte & 127) << shift;
		if (!(byte & 128))
			break;
	}
	return value;
}

#define H2_NO_NUMBER 0xffff

/*
 * A number of up to three digits, plain or in HPACK's Huffman code, where 0 to
 * 2 have five bits and 3 to 9 six, and the rest of the last byte is ones.
 */
static __noinline __u32 h2_number(struct h2_dir *d, __u32 pos, __u32 len,
				       bool huffman)
{
	__u32 value = 0, bits, code, i, left = len * 8;

	if (!d || !len || len > 3)
		return H2_NO_NUMBER;
	bits = h2_byte(d, pos) << 24 | h2_byte(d, pos + 1) << 16 |
	       h2_byte(d, pos + 2) << 8;
	for (i = 0; i < 3; i++) {
		if (!huffman) {
			if (left < 8)
				break;
			code = (bits >> 24) - '0';
			if (code > 9)
				return H2_NO_NUMBER;
			bits <<= 8;
			left -= 8;
		} else {
			if (left < 5 || bits >> 27 == 0x1f)
				break;
			code = bits >> 27;
			if (code <= 2) {
				bits <<= 5;
				left -= 5;
			} else {
				code = (bits >> 26) - 0x19 + 3;
				if (code > 9 || left < 6)
					return H2_NO_NUMBER;
				bits <<= 6;
				left -= 6;
			}
		}
		value = value * 10 + code;
	}
	return value;
}

/* Whether the name at `pos` is grpc-status, plain or in the Huffman code. */
static __noinline bool h2_is_grpc_status(struct h2_dir *d, __u32 pos,
					      __u32 len, bool huffman)
{
	static const char plain[11] = "grpc-status";
	static const __u8 coded[8] = {
		0x9a, 0xca, 0xc8, 0xb2, 0x12, 0x34, 0xda, 0x8f,
	};
	__u32 i;

	if (!d || len != (huffman ? sizeof(coded) : sizeof(plain)))
		return false;
	if (huffman) {
		for (i = 0; i < sizeof(coded); i++)
			if (h2_byte(d, pos + i) != coded[i])
				return false;
	} else {
		for (i = 0; i < sizeof(plain); i++)
			if (h2_byte(d, pos + i) != (__u8)plain[i])
				return false;
	}
	return true;
}

/* What a field says. */
static __noinline void h2_field(struct h2_dir *d, __u32 kind, __u32 value)
{
	if (!d)
		return;
	if (kind == H2_FIELD_REQUEST || kind == H2_FIELD_PATH)
		d->side = H2_FIELD_REQUEST;
	else if (kind == H2_FIELD_STATUS)
		d->side = H2_FIELD_STATUS;
	if (kind == H2_FIELD_PATH)
		d->path = value;
	else if (kind == H2_FIELD_STATUS)
		d->status = value < 1000 ? value : 0;
	else if (kind == H2_FIELD_GRPC_STATUS)
		d->grpc_status = value < 255 ? value : 255;
}

/* The values of :status in the static table, from index 8 on. */
static __always_inline __u32 h2_static_status(__u32 index)
{
	switch (index) {
	case 8:
		return 200;
	case 9:
		return 204;
	case 10:
		return 206;
	case 11:
		return 304;
	case 12:
		return 400;
	case 13:
		return 404;
	default:
		return 500;
	}
}

/* The field at hand may be learned later: see h2_go_names.bpf.h. */
static __always_inline void h2_unknown_field(struct h2_dir *d, __u32 mark)
{
	__u32 field = d->field;

	if (field < H2_LEARNED)
		d->unknown.slots[field & (H2_LEARNED - 1)] = mark;
}

/* What kind of field an index names; `value`: what it says. */
static __always_inline __u32 h2_indexed(struct h2_dir *d, __u32 index,
					__u32 *value)
{
	*value = 0;
	if (index >= 62) {
		__u32 age = index - 62, slot;

		if (age >= H2_TABLE)
			return H2_FIELD_OTHER;
		slot = (d->inserted - 1 - age) & (H2_TABLE - 1);
		*value = d->values[slot];
		if (d->kinds[slot] == H2_FIELD_UNKNOWN)
			h2_unknown_field(d, slot + 1);
		return d->kinds[slot];
	}
	if (index == 4 || index == 5)
		return H2_FIELD_PATH;
	if (index >= 8 && index <= 14) {
		*value = h2_static_status(index);
		return H2_FIELD_STATUS;
	}
	if (index >= 1 && index <= 7)
		return H2_FIELD_REQUEST;
	return H2_FIELD_OTHER;
}

/* At most so many fields that are but an index are read in one step. */
#define H2_INDEXED 8

/*
 * Most fields of most blocks are one byte: the index of a field in full. True
 * when the block is over; what is no such field is left. Not static, so that
 * the verifier looks at it once, and not wherever it is called.
 */
__noinline int h2_indexed_fields(struct h2_dir *d)
{
	__u32 pos, i, kind, first, value;

	if (!d)
		return 1;
	pos = d->pos;
	for (i = 0; i < H2_INDEXED && pos < d->end; i++) {
		first = h2_byte(d, pos);
		/* Not an index, a longer one, or a path of the static table. */
		if (first < 0x80 || first == 0xff || first == 0x84 ||
		    first == 0x85)
			break;
		pos++;
		d->field++;
		kind = h2_indexed(d, first & 0x7f, &value);
		if (kind != H2_FIELD_OTHER)
			h2_field(d, kind, value);
	}
	d->pos = pos;
	return pos >= d->end;
}

/* A few fields, or one change of the table's size. */
static long h2_field_step(__u32 i, void *context)
{
	struct h2_dir *d = ((struct h2_feed *)context)->dir;
	__u32 first, index, kind, value, len, start;
	bool insert = false, huffman;

	(void)i;
	if (h2_indexed_fields(d))
		return 1;
	d->field++;
	first = h2_byte(d, d->pos);
	d->pos++;
	if (first & 0x80) {
		index = h2_integer(d, first, 0x7f);
		kind = h2_indexed(d, index, &value);
		if (index == 4)
			value = h2_intern("/", 1, KTAPE_WIRE_TEXT_FORM_PLAIN);
		else if (index == 5)
			value = h2_intern("/index.html", 11,
					  KTAPE_WIRE_TEXT_FORM_PLAIN);
		h2_field(d, kind, value);
		return 0;
	}
	if ((first & 0xe0) == 0x20) {
		h2_integer(d, first, 0x1f);
		d->field--;
		return 0;
	}
	if (first & 0x40) {
		insert = true;
		index = h2_integer(d, first, 0x3f);
	} else {
		index = h2_integer(d, first, 0x0f);
	}
	if (index) {
		kind = h2_indexed(d, index, &value);
	} else {
		first = h2_byte(d, d->pos);
		d->pos++;
		len = h2_integer(d, first, 0x7f);
		start = d->pos;
		d->pos = start + len;
		kind = h2_is_grpc_status(d, start, len, first & 0x80) ?
		       H2_FIELD_GRPC_STATUS : H2_FIELD_OTHER;
	}
	first = h2_byte(d, d->pos);
	d->pos++;
	huffman = first & 0x80;
	len = h2_integer(d, first, 0x7f);
	start = d->pos;
	d->pos = start + len;
	value = 0;
	if (d->pos > d->end)
		return 1;
	if (kind == H2_FIELD_PATH)
		value = h2_intern(d->buf + ((d->from + start) & H2_GATHER), len,
				  huffman ?
				  KTAPE_WIRE_TEXT_FORM_REQUEST_PATH_HUFFMAN :
				  KTAPE_WIRE_TEXT_FORM_REQUEST_PATH);
	else if (kind == H2_FIELD_STATUS || kind == H2_FIELD_GRPC_STATUS)
		value = h2_number(d, start, len, huffman);
	h2_field(d, kind, value);
	if (insert) {
		__u32 slot = d->inserted & (H2_TABLE - 1);

		d->values[slot] = value;
		d->kinds[slot] = kind;
		d->inserted++;
		if (kind == H2_FIELD_UNKNOWN)
			h2_unknown_field(d, slot + 1);
	} else if (kind == H2_FIELD_UNKNOWN) {
		/* Only its name is in the table, with another value. */
		h2_unknown_field(d, H2_NO_PLACE);
	}
	return 0;
}

/*
 * Reads the header block that lies from `from` to `to` in what was gathered. A
 * field has two bytes at least, or one when it is indexed.
 */
static __always_inline void h2_block(struct h2_feed *feed, __u32 from, __u32 to)
{
	struct h2_dir *d = feed->dir;

	d->pos = from;
	d->end = to;
	d->field = -1;
	bpf_loop(H2_GATHER, h2_field_step, feed, 0);
}

/*
 * Whatever is in the table, its place is unknown from now on: the kinds are all
 * H2_FIELD_UNKNOWN.
 */
static __always_inline void h2_forget_table(struct h2_dir *d)
{
	__builtin_memset(d->kinds, 0, sizeof(d->kinds));
}

/* A header block that was not read: what it put into the table is unknown. */
static __always_inline void h2_block_missed(struct h2_feed *feed)
{
	h2_forget_table(feed->dir);
	__sync_fetch_and_add(&feed->conn->row.undecoded, 1);
}

static __always_inline void h2_block_begins(struct h2_dir *d)
{
	d->path = 0;
	d->status = 0;
	d->grpc_status = 255;
	d->side = 0;
	d->unknown.any = 0;
}

#endif
