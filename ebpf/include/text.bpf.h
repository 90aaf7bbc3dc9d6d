/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Texts of facts: interned here, sent once.
 *
 * As with stacks, a fact carries a 32-bit id, the text goes to the recorder
 * before any fact can name it, and the dictionary may forget: the recorder
 * knows a text by content, and gives both ids the same one in the file.
 */
#ifndef KTAPE_TEXT_BPF_H
#define KTAPE_TEXT_BPF_H

#include "hash.bpf.h"
#include "ktape.bpf.h"

/* The longest text; what is longer is cut. */
#define MAX_TEXT (MAX_WORDS * 8)

struct text_buffer {
	struct item item;
	struct ktape_wire_text head;
	union {
		__u64 words[MAX_WORDS + 1];
		/* Room for one more name of a path behind the last mask. */
		char bytes[(MAX_WORDS + 1) * 8 + 256];
	};
	__u32 sent;	/* texts given an id here */
	__u32 context;
};

/* A buffer per CPU and per context that may interrupt another one. */
enum text_context {
	TEXT_TASK,	/* a system call of the current task, or its exit */
	TEXT_SOFTIRQ,	/* packets, timers, completions */
	TEXT_ITER,
	TEXT_TCP,	/* of TCP, in whatever context that runs */
	TEXT_TCP_NESTED, /* a softirq that interrupted it */
	TEXT_H2,	/* see h2_hpack.bpf.h */
	TEXT_LOCK,	/* anywhere that a lock is contended */
	TEXT_CONTEXTS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TEXT_CONTEXTS);
	__type(key, __u32);
	__type(value, struct text_buffer);
} text_buffers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u32);
} text_ids SEC(".maps");

static __always_inline struct text_buffer *text_buffer(__u32 context)
{
	struct text_buffer *buf;

	buf = bpf_map_lookup_elem(&text_buffers, &context);
	if (buf)
		buf->context = context;
	return buf;
}

/*
 * The id of the text in `buf`: `len` bytes of it, in the form `form`; 0 when it
 * is empty or could not be sent.
 */
static __noinline __u32 intern_text(struct text_buffer *buf, __u32 len,
				    __u32 form)
{
	__u32 id, words, *known;
	__u64 hash;

	if (!buf || !len)
		return 0;
	if (len > MAX_TEXT)
		len = MAX_TEXT;
	/* The last word is hashed whole. */
	words = (len + 7) / 8;
	if (len & 7)
		buf->words[(len >> 3) & MAX_WORDS] &=
			~0ULL >> (64 - 8 * (len & 7));
	hash = hash_words(buf->words, words, (__u64)form << 32 | len);
	known = bpf_map_lookup_elem(&text_ids, &hash);
	if (known)
		return *known;
	id = (buf->sent++ * TEXT_CONTEXTS + buf->context) * cpus +
	     bpf_get_smp_processor_id() + 1;
	buf->head.id = id;
	buf->head.time = bpf_ktime_get_ns();
	buf->head.len = len;
	buf->head.form = form;
	buf->head.spare = 0;
	/* Known once it is sent: a CPU that meets it now sends it, too. */
	if (!send_definition(&buf->item, KTAPE_WIRE_TEXT,
			     sizeof(buf->head) + len))
		return 0;
	bpf_map_update_elem(&text_ids, &hash, &id, BPF_ANY);
	return id;
}

#endif
