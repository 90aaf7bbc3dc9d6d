/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Which threads are recorded. Decided before any other work.
 */
#ifndef KTAPE_FILTER_BPF_H
#define KTAPE_FILTER_BPF_H

#include "ktape.bpf.h"

#define MAX_GLOBS 8
#define COMM_LEN 16

const volatile __u32 held_tgid;		/* launched command, 0: none */
const volatile bool filter_targets;	/* by process or thread */
const volatile bool filter_children;	/* of targets are targets */
const volatile bool filter_uid;
const volatile __u32 wanted_uid;
const volatile __u64 wanted_cgroup;	/* cgroup v2 id; 0 is any */
const volatile __u32 wanted_cgroup_level;
const volatile bool filter_cpu;
const volatile __u64 wanted_cpus[16];	/* bits; none over 1023 */
const volatile __u32 allow_count;	/* comm globs: any must match */
const volatile char allow_comm[MAX_GLOBS][COMM_LEN];
const volatile __u32 deny_count;	/* comm globs: none may match */
const volatile char deny_comm[MAX_GLOBS][COMM_LEN];

/*
 * Key: tgid << 1, or tid << 1 | 1. Allocated beforehand: older kernels want
 * that of maps that perf event programs use.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u8);
} targets SEC(".maps");

static __always_inline bool is_target(__u32 tgid, __u32 tid)
{
	__u64 key = (__u64)tgid << 1;

	if (bpf_map_lookup_elem(&targets, &key))
		return true;
	key = (__u64)tid << 1 | 1;
	return bpf_map_lookup_elem(&targets, &key);
}

/* 1 when the bytes are equal, without a branch. */
static __always_inline __u32 same(__u8 a, __u8 b)
{
	return ((__u32)(a ^ b) - 1) >> 31;
}

/*
 * Shell pattern with * and ? (no two * in a row): the set of places in the
 * pattern that the name can have led to so far, as bits. There is no branch in
 * it, since the verifier would follow each one for every byte.
 */
static __always_inline bool comm_matches(const volatile char *glob,
					 const char *comm)
{
	__u32 stars = 0, any = 0, len = 0, at = 1, g, c;

	for (g = 0; g < COMM_LEN; g++) {
		stars |= same(glob[g], '*') << g;
		any |= same(glob[g], '?') << g;
		len += 1 - same(glob[g], 0);
	}
	at |= (at & stars) << 1;
	for (c = 0; c < COMM_LEN; c++) {
		__u32 ended = -same(comm[c], 0);
		__u32 fits = any, next;

		for (g = 0; g < COMM_LEN; g++)
			fits |= same(glob[g], comm[c]) << g;
		next = (at & stars) | (at & fits & ~stars) << 1;
		next |= (next & stars) << 1;
		at = (at & ended) | (next & ~ended);
	}
	return at >> (len & 31) & 1;
}

static __always_inline bool name_wanted(const char *comm)
{
	bool allowed = !allow_count;
	__u32 i;

	for (i = 0; i < MAX_GLOBS && i < allow_count; i++)
		if (comm_matches(allow_comm[i], comm))
			allowed = true;
	for (i = 0; i < MAX_GLOBS && i < deny_count; i++)
		if (comm_matches(deny_comm[i], comm))
			return false;
	return allowed;
}

/*
 * Not static: so it is verified once for each program, and not at each place
 * with all that is known there (on 6.1 a million instructions were not enough).
 */
__noinline int comm_wanted(void)
{
	char comm[COMM_LEN] = {};

	bpf_get_current_comm(comm, sizeof(comm));
	return name_wanted(comm);
}

/*
 * The command is forked first and waits until the recorder is ready: that wait
 * is not its own.
 */
static __always_inline bool is_held(__u32 tgid)
{
	return held_tgid && tgid == held_tgid && !moment(MOMENT_RELEASE);
}

/* Whether facts of the current thread are recorded. */
static __always_inline bool current_wanted(__u32 tgid, __u32 tid)
{
	if (tgid == self_tgid || is_held(tgid))
		return false;
	if (filter_cpu) {
		__u32 cpu = bpf_get_smp_processor_id();

		if (cpu >= 1024 ||
		    !(wanted_cpus[(cpu >> 6) & 15] >> (cpu & 63) & 1))
			return false;
	}
	if (filter_targets && !is_target(tgid, tid))
		return false;
	if (filter_uid && (__u32)bpf_get_current_uid_gid() != wanted_uid)
		return false;
	if (wanted_cgroup &&
	    bpf_get_current_ancestor_cgroup_id(wanted_cgroup_level) !=
	    wanted_cgroup)
		return false;
	if (allow_count || deny_count)
		return comm_wanted();
	return true;
}

/* bpf_get_current_ancestor_cgroup_id() of any task. */
static __always_inline __u64 ancestor_cgroup_id(struct task_struct *task,
						__u32 level)
{
	struct cgroup *cgroup, *ancestor = NULL;
	struct cgroup___old *old;
	__u64 id = 0;

	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	if (!cgroup || (__u32)BPF_CORE_READ(cgroup, level) < level)
		return 0;
	if (bpf_core_field_exists(cgroup->ancestors)) {
		bpf_probe_read_kernel(
			&ancestor, sizeof(ancestor),
			(void *)__builtin_preserve_access_index(
				&cgroup->ancestors) + level * sizeof(ancestor));
		return ancestor ? BPF_CORE_READ(ancestor, kn, id) : 0;
	}
	old = (void *)cgroup;
	bpf_probe_read_kernel(&id, sizeof(id),
			      (void *)__builtin_preserve_access_index(
				      &old->ancestor_ids) +
				      level * sizeof(id));
	return id;
}

static __noinline bool task_name_wanted(struct task_struct *task)
{
	char comm[COMM_LEN] = {};

	BPF_CORE_READ_INTO(&comm, task, comm);
	return name_wanted(comm);
}

/*
 * Whether facts of a task are recorded that is not the current one, as far as
 * that does not depend on its CPU; for iterators.
 */
static __always_inline bool task_wanted(struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);

	if (tgid == self_tgid)
		return false;
	if (filter_targets && !is_target(tgid, BPF_CORE_READ(task, pid)))
		return false;
	if (filter_uid &&
	    BPF_CORE_READ(task, real_cred, uid.val) != wanted_uid)
		return false;
	if (wanted_cgroup &&
	    ancestor_cgroup_id(task, wanted_cgroup_level) != wanted_cgroup)
		return false;
	if (allow_count || deny_count)
		return task_name_wanted(task);
	return true;
}

#endif
