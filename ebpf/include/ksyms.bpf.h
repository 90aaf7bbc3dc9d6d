/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Names of kernel addresses. /proc/kallsyms takes 40 ms to read, whatever is
 * wanted of it; the kernel's own lookup takes a microsecond each.
 */
#ifndef KTAPE_KSYMS_BPF_H
#define KTAPE_KSYMS_BPF_H

#include "ktape.bpf.h"

/* So few that all answers fit into one read of the iterator (32 KiB). */
#define KSYM_QUERIES 200
#define KSYMS_PER_TASK 32

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KSYM_QUERIES);
	__type(key, __u32);
	__type(value, __u64);
} ksym_queries SEC(".maps");

/* How many queries are left: answered from the last to the first. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} ksym_cursor SEC(".maps");

/*
 * The task iterator only lends its output: each task visited answers a few
 * queries. The recorder reads it until all are answered.
 */
SEC("iter/task")
int ksym_names(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	__u32 zero = 0, at, *left;
	__u64 *address;
	int i;

	left = bpf_map_lookup_elem(&ksym_cursor, &zero);
	if (!ctx->task || !left)
		return 0;
	for (i = 0; i < KSYMS_PER_TASK; i++) {
		if (!*left)
			return 0;
		at = *left - 1;
		address = bpf_map_lookup_elem(&ksym_queries, &at);
		if (!address)
			return 0;
		*left = at;
		BPF_SEQ_PRINTF(seq, "%pS\n", *address);
	}
	return 0;
}

#endif
