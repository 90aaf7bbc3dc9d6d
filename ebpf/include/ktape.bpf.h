/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What all probes share: rings, loss counters, knobs.
 *
 * Every probe is part of one object, so each map here exists once.
 */
#ifndef KTAPE_BPF_H
#define KTAPE_BPF_H

#include "kernel_types.h"
#include "ktape_records.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Set by the recorder before the load. */
const volatile __u32 self_tgid;		/* the recorder itself */
const volatile __u32 kernel_version;	/* major << 16 | minor << 8 */
const volatile __u32 cpus = 1;		/* possible CPUs */
const volatile __u32 wake_bytes = 256 * 1024; /* wake the reader this often */
const volatile __u64 wake_definitions = 1 << 20; /* and when so many wait */

/* uapi/asm-generic/errno-base.h */
#define EEXIST 17

/* The precision of a record's loss counters needs one slot per record id. */
#define MAX_RECORDS 128

struct counter {
	__u64 produced;
	__u64 lost;
};

/* One per CPU. */
struct cpu_state {
	struct counter counters[MAX_RECORDS];
	__u64 since_wake;	/* bytes put in since the last wake-up */
	__u64 explore_until;	/* see may_explore() in sched.bpf.c */
	__u64 stacks_taken;
	__u32 late_tid;		/* see late_wait() in sched.bpf.c; 0: nobody */
	__u16 interrupts;	/* that run now: see interrupt.bpf.h */
	bool sees_returns;	/* returns to user mode are seen */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_state);
} cpu_states SEC(".maps");

static __always_inline struct cpu_state *this_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpu_states, &zero);
}

/* Facts: one ring per CPU, set by the recorder. */
struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct ring);
} facts SEC(".maps");

/* Definitions: a ring of their own, so that facts cannot push them out. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} definitions SEC(".maps");

/* Moments that the recorder writes down; 0 before they come. */
#define MOMENT_STOP 0		/* the recording stopped */
#define MOMENT_RELEASE 1	/* the launched command may run */
#define MOMENT_START 2		/* the recording started */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} moments SEC(".maps");

static __always_inline __u64 moment(__u32 which)
{
	__u64 *time = bpf_map_lookup_elem(&moments, &which);

	return time ? *time : 0;
}

/*
 * From the stop on, the programs change nothing that facts are made of:
 * iterators then read what each thread was in at that moment.
 */
static __always_inline bool stopped(void)
{
	return moment(MOMENT_STOP);
}

/* In front of every ring item. */
struct item {
	__u32 record;
	__u32 spare;
};

static __always_inline void *take_room(__u32 record, __u32 size)
{
	__u32 id = bpf_get_smp_processor_id();
	struct item *item;
	void *ring;

	ring = bpf_map_lookup_elem(&facts, &id);
	if (!ring)
		return NULL;
	item = bpf_ringbuf_reserve(ring, sizeof(*item) + size, 0);
	if (!item)
		return NULL;
	item->record = record;
	item->spare = 0;
	return item + 1;
}

/*
 * Adds one to a loss counter. Programs that make the same record and can run on
 * top of each other (an interrupt, or on kernels where programs are preempted)
 * are `shared`: an addition that is interrupted between its read and its write
 * would lose a count, so theirs are atomic.
 */
static __always_inline void count_up(__u64 *counter, bool shared)
{
	if (shared)
		__sync_fetch_and_add(counter, 1);
	else
		(*counter)++;
}

static __always_inline void *reserve(struct cpu_state *cpu, __u32 record,
				     __u32 size, bool shared)
{
	void *room;

	count_up(&cpu->counters[record].produced, shared);
	room = take_room(record, size);
	if (!room)
		count_up(&cpu->counters[record].lost, shared);
	return room;
}

/*
 * Takes room for a fact of `size` bytes (a constant) in this CPU's ring, behind
 * its struct item. Counts it as produced, and as lost when the ring is full.
 * Must be followed by submit_fact() when it gives room.
 */
static __always_inline void *reserve_fact(struct cpu_state *cpu, __u32 record,
					  __u32 size)
{
	return reserve(cpu, record, size, false);
}

/* The same for programs that are `shared`: see count_up(). */
static __always_inline void *reserve_shared_fact(struct cpu_state *cpu,
						 __u32 record, __u32 size)
{
	return reserve(cpu, record, size, true);
}

/* A fact that could not even be begun. */
static __always_inline void lose_fact(struct cpu_state *cpu, __u32 record)
{
	count_up(&cpu->counters[record].produced, false);
	count_up(&cpu->counters[record].lost, false);
}

static __always_inline void lose_shared_fact(struct cpu_state *cpu,
					     __u32 record)
{
	count_up(&cpu->counters[record].produced, true);
	count_up(&cpu->counters[record].lost, true);
}

/*
 * The reader waits edge-triggered: wake it once per `wake_bytes`, not once per
 * fact. Its timeout drains the rest.
 */
static __always_inline void submit_fact(struct cpu_state *cpu, void *fact,
					__u32 size)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	cpu->since_wake += sizeof(struct item) + size;
	if (cpu->since_wake >= wake_bytes) {
		cpu->since_wake = 0;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit((struct item *)fact - 1, flags);
}

/*
 * Sends a definition, already behind its struct item. Several probes may do so
 * on one CPU, one interrupting the other: the counters need atomic adds.
 */
static __always_inline bool send_definition(struct item *item, __u32 record,
					    __u64 size)
{
	struct cpu_state *cpu = this_cpu();
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (!cpu)
		return false;
	if (bpf_ringbuf_query(&definitions, BPF_RB_AVAIL_DATA) >
	    wake_definitions)
		flags = BPF_RB_FORCE_WAKEUP;
	item->record = record;
	item->spare = 0;
	__sync_fetch_and_add(&cpu->counters[record].produced, 1);
	if (!bpf_ringbuf_output(&definitions, item, sizeof(*item) + size,
				flags))
		return true;
	__sync_fetch_and_add(&cpu->counters[record].lost, 1);
	return false;
}

#endif
