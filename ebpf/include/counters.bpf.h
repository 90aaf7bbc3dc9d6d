/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the kernel and the CPU have counted of each thread.
 *
 * The kernel's own counts stand in its task_struct and cost nothing: they are
 * read when the recorder asks, and when the thread leaves the CPU for good.
 * Events of the CPU are counted by CPU, and handed to the thread that leaves it
 * at each switch, as perf's bperf_leader.bpf.c does.
 */
#ifndef KTAPE_COUNTERS_BPF_H
#define KTAPE_COUNTERS_BPF_H

#include "filter.bpf.h"
#include "thread.bpf.h"

const volatile bool counters_on;	/* the probe is recorded */
const volatile __u32 counters_counted;	/* bits of counter_total.counted */

/* The kernel's own counts, in the order of the fields of counter_total. */
enum own_count {
	OWN_TASK_CLOCK,
	OWN_VOLUNTARY,
	OWN_INVOLUNTARY,
	OWN_MIGRATIONS,
	OWN_MINOR,
	OWN_MAJOR,
	OWN_COUNTS,
};

/* Events that are counted by CPU: bits of counter_total.counted. */
#define COUNTED_EVENTS 5

struct thread_counts {
	__u64 since;	/* the end of its last row */
	__u64 told[OWN_COUNTS];
	__u64 counted[COUNTED_EVENTS];
	__u64 counted_told[COUNTED_EVENTS];
	__u64 unseen[COUNTED_EVENTS];	/* time without its event */
	bool wanted;	/* at its exit */
	bool ended;
	bool scaled;
};

#if defined(KTAPE_OLD_KERNEL)
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct thread_counts);
} counted_tids SEC(".maps");

static __always_inline struct thread_counts *
find_counts(struct task_struct *task, bool create)
{
	static const struct thread_counts none;
	struct thread_counts *counts;
	__u32 tid = BPF_CORE_READ(task, pid);

	counts = bpf_map_lookup_elem(&counted_tids, &tid);
	if (counts || !create)
		return counts;
	bpf_map_update_elem(&counted_tids, &tid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&counted_tids, &tid);
}

static __always_inline void forget_counts(struct task_struct *task)
{
	__u32 tid = BPF_CORE_READ(task, pid);

	bpf_map_delete_elem(&counted_tids, &tid);
}
#else
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread_counts);
} counted_threads SEC(".maps");

static __always_inline struct thread_counts *
find_counts(struct task_struct *task, bool create)
{
	return bpf_task_storage_get(&counted_threads, task, NULL,
				    create ? BPF_LOCAL_STORAGE_GET_F_CREATE :
				    0);
}

static __always_inline void forget_counts(struct task_struct *task)
{
	/* Goes with the thread. */
	(void)task;
}
#endif

static __always_inline void own_counts(struct task_struct *task, __u64 *counts)
{
	counts[OWN_TASK_CLOCK] = task->se.sum_exec_runtime;
	counts[OWN_VOLUNTARY] = task->nvcsw;
	counts[OWN_INVOLUNTARY] = task->nivcsw;
	counts[OWN_MIGRATIONS] = task->se.nr_migrations;
	counts[OWN_MINOR] = task->min_flt;
	counts[OWN_MAJOR] = task->maj_flt;
}

/* Counts from here on. */
static __always_inline void begin_counts(struct task_struct *task,
					 struct thread_counts *counts,
					 __u64 now)
{
	__u32 i;

	counts->since = now;
	own_counts(task, counts->told);
	for (i = 0; i < COUNTED_EVENTS; i++) {
		counts->counted_told[i] = counts->counted[i];
		counts->unseen[i] = 0;
	}
}

/*
 * The counts of a thread that is wanted, new when there are none: from its
 * start on when that was in the recording.
 */
static __always_inline struct thread_counts *
thread_counts(struct task_struct *task, __u64 now)
{
	struct thread_counts *counts = find_counts(task, true);

	if (!counts || counts->since)
		return counts;
	if (task->start_time >= moment(MOMENT_START))
		counts->since = task->start_time;
	else
		begin_counts(task, counts, now);
	return counts;
}

/*
 * At its exit the current thread is still a target. It is told about when it
 * leaves the CPU for the last time.
 */
static __always_inline void counters_exit(struct task_struct *task, __u64 now)
{
	struct thread_counts *counts;
	struct cpu_state *cpu;

	if (!counters_on || filter_cpu || stopped() ||
	    !current_wanted(task->tgid, task->pid))
		return;
	counts = thread_counts(task, now);
	cpu = this_cpu();
	if (counts)
		counts->wanted = true;
	else if (cpu)
		lose_fact(cpu, KTAPE_COUNTER_TOTAL);
}

#endif
