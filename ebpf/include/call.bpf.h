/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Which system call a thread is in, kept for the probe syscalls.
 */
#ifndef KTAPE_CALL_BPF_H
#define KTAPE_CALL_BPF_H

#include "thread.bpf.h"

/* The call that a thread is in. */
struct call_state {
	__u64 start;	/* 0: in none that was seen to begin */
	__u32 nr;
	__u32 arg0;
};

#if defined(KTAPE_OLD_KERNEL)
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct call_state);
} in_call SEC(".maps");

static __always_inline struct call_state *call_of_current(bool create)
{
	static const struct call_state none;
	__u32 tid = bpf_get_current_pid_tgid();
	struct call_state *state;

	state = bpf_map_lookup_elem(&in_call, &tid);
	if (state || !create)
		return state;
	bpf_map_update_elem(&in_call, &tid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&in_call, &tid);
}

static __always_inline struct call_state *call_of(struct task_struct *task)
{
	__u32 tid = task->pid;

	return bpf_map_lookup_elem(&in_call, &tid);
}

static __always_inline void forget_call(void)
{
}
#else
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct call_state);
} in_call SEC(".maps");

/* Most threads have a place in an array: see thread.bpf.h. */
#define CALL_PLACE_BITS 16

struct call_place {
	__u64 owner;	/* 0: nobody's */
	struct call_state call;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << CALL_PLACE_BITS);
	__type(key, __u32);
	__type(value, struct call_place);
} call_places SEC(".maps");

static __always_inline struct call_place *call_place(__u64 owner)
{
	__u32 at = place_of(owner, CALL_PLACE_BITS);

	return bpf_map_lookup_elem(&call_places, &at);
}

static __always_inline struct call_state *call_of(struct task_struct *task)
{
	__u64 owner = owner_of(task);
	struct call_place *place = call_place(owner);

	if (place && place->owner == owner)
		return &place->call;
	return bpf_task_storage_get(&in_call, task, NULL, 0);
}

static __always_inline struct call_state *call_of_current(bool create)
{
	struct task_struct *task = current_task();
	__u64 owner = owner_of(task);
	struct call_place *place = call_place(owner);

	if (place && place->owner == owner)
		return &place->call;
	if (create && place && !place->owner &&
	    !__sync_val_compare_and_swap(&place->owner, 0, owner)) {
		place->call.start = 0;
		return &place->call;
	}
	return bpf_task_storage_get(&in_call, task, NULL,
				    create ? BPF_LOCAL_STORAGE_GET_F_CREATE :
				    0);
}

/* The current thread makes no call any more: another one may have its place. */
static __always_inline void forget_call(void)
{
	__u64 owner = owner_of(current_task());
	struct call_place *place = call_place(owner);

	if (place && place->owner == owner)
		place->owner = 0;
}
#endif

#endif
