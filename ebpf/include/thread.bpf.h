/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What is kept with each thread while it is recorded, and what state it is in.
 */
#ifndef KTAPE_THREAD_BPF_H
#define KTAPE_THREAD_BPF_H

#include "ktape.bpf.h"

/*
 * A thread waits in several places, some short, some long: predictions are
 * kept per place, told apart by system call, instruction and stack pointer.
 */
#define PLACES 8

struct place {
	__u32 average_ns;	/* moving; saturates at 4.29 s */
	__u16 explored;		/* stacks taken to learn about it */
	__u8 credit;		/* waits left until it counts as short */
	__u8 odds;		/* that the next wait is long */
};

/* Instead of a place: the thread has run since the recording stopped. */
#define PLACE_LEFT 0xffff

/* A place where none of so many waits was long is taken for short. */
#define CREDIT 200

/* The odds of a long wait, in 256ths, and how much of the old is forgotten. */
#define ODDS_EVEN 128
#define ODDS_SHIFT 3

struct thread_state {
	__u64 off_ts;		/* when it left the CPU; 0 while it runs */
	__u64 on_ts;		/* when it last got the CPU */
	__u64 wake_ts;
	__u64 explored_ts;	/* when a stack was last taken to learn */
	__u32 waker;
	__u32 waker_tgid;
	__u32 kstack;
	__u32 ustack;
	__u16 cpu;
	__u16 syscall;
	__u8 state;
	__u8 flags;
	__u16 place;
	/* The user's registers when it left. */
	__u64 user_ip;
	__u64 user_sp;
	/* A wait that is over, but for its user stack: see late_wait(). */
	struct ktape_off_cpu late;
	bool has_late;
	struct place places[PLACES];
};

#if defined(KTAPE_OLD_KERNEL)
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct thread_state);
} threads SEC(".maps");

static __always_inline struct task_struct *current_task(void)
{
	return (void *)bpf_get_current_task();
}

static __always_inline struct thread_state *thread_of(struct task_struct *task,
						      bool create)
{
	static const struct thread_state none;
	__u32 tid = task->pid;
	struct thread_state *state;

	state = bpf_map_lookup_elem(&threads, &tid);
	if (state || !create)
		return state;
	bpf_map_update_elem(&threads, &tid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&threads, &tid);
}

static __always_inline struct thread_state *thread_of_current(void)
{
	__u32 tid = bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&threads, &tid);
}

/* It is gone: what was kept of it is soon forgotten. */
static __always_inline void forget_thread(struct task_struct *task)
{
	(void)task;
}
#else
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread_state);
} threads SEC(".maps");

static __always_inline struct task_struct *current_task(void)
{
	return (void *)bpf_get_current_task_btf();
}

/*
 * Task storage takes 45 ns to find, an array nothing: so most threads have a
 * place in an array, by their address, as long as they live. Whose place is
 * another one's makes do with task storage.
 */
#define THREAD_PLACE_BITS 14

struct thread_place {
	__u64 owner;	/* 0: nobody's */
	struct thread_state state;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << THREAD_PLACE_BITS);
	__type(key, __u32);
	__type(value, struct thread_place);
} thread_places SEC(".maps");

/*
 * A thread by the address of its task_struct: its number and start time change
 * when it is not the leader and executes another program (de_thread() of
 * fs/exec.c). The verifier takes no pointer for a number, but the distance of
 * two; the other one is always the same.
 */
static __always_inline __u64 owner_of(struct task_struct *task)
{
	__u64 distance = (__u64)task;
	__u32 zero = 0;
	void *origin;

	origin = bpf_map_lookup_elem(&moments, &zero);
	if (!origin)
		return 0;
	asm volatile("%0 -= %1" : "+r"(distance) : "r"(origin));
	return distance;
}

/* Neighbours are far apart: they would share cache lines. */
static __always_inline __u32 place_of(__u64 owner, __u32 bits)
{
	return (__u32)(owner >> 6) * 0x9e3779b1U >> (32 - bits);
}

static __always_inline struct thread_state *thread_of(struct task_struct *task,
						      bool create)
{
	__u64 owner = owner_of(task), before;
	__u32 at = place_of(owner, THREAD_PLACE_BITS);
	struct thread_place *place;
	struct thread_state *state;

	place = bpf_map_lookup_elem(&thread_places, &at);
	if (place && place->owner == owner)
		return &place->state;
	state = bpf_task_storage_get(&threads, task, NULL, 0);
	if (state || !create)
		return state;
	if (place && !place->owner) {
		before = __sync_val_compare_and_swap(&place->owner, 0, owner);
		/* Another CPU may have made it for the same thread. */
		if (!before || before == owner)
			return &place->state;
	}
	return bpf_task_storage_get(&threads, task, NULL,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* It is gone: the next one with this place finds it empty. */
static __always_inline void forget_thread(struct task_struct *task)
{
	__u64 owner = owner_of(task);
	__u32 at = place_of(owner, THREAD_PLACE_BITS);
	struct thread_place *place;

	place = bpf_map_lookup_elem(&thread_places, &at);
	if (!place || place->owner != owner)
		return;
	__builtin_memset(&place->state, 0, sizeof(place->state));
	/* In this order for other CPUs, too. */
	__sync_lock_test_and_set(&place->owner, 0);
}

static __always_inline struct thread_state *thread_of_current(void)
{
	return thread_of(current_task(), false);
}
#endif

/* Why a thread leaves the CPU: a value of off_cpu.state. */
static __always_inline __u8 state_of(__u32 raw, struct task_struct *task)
{
	if (!raw)
		return KTAPE_OFF_CPU_STATE_PREEMPTED;
	if (raw & TASK_NOLOAD)
		return KTAPE_OFF_CPU_STATE_IDLE;
	if (raw & TASK_UNINTERRUPTIBLE)
		return BPF_CORE_READ_BITFIELD(task, in_iowait) ?
		       KTAPE_OFF_CPU_STATE_IO_WAIT :
		       KTAPE_OFF_CPU_STATE_UNINTERRUPTIBLE;
	if (raw & TASK_INTERRUPTIBLE)
		return BPF_CORE_READ_BITFIELD(task, in_iowait) ?
		       KTAPE_OFF_CPU_STATE_IO_WAIT :
		       KTAPE_OFF_CPU_STATE_SLEEPING;
	if (raw & TASK_STOPPED_OR_TRACED)
		return KTAPE_OFF_CPU_STATE_STOPPED;
	return KTAPE_OFF_CPU_STATE_OTHER;
}

static __always_inline __u32 raw_state(struct task_struct *task)
{
#if defined(KTAPE_OLD_KERNEL)
	struct task_struct___old *old = (void *)task;

	if (!bpf_core_field_exists(task->__state))
		return BPF_CORE_READ(old, state);
#endif
	return BPF_CORE_READ(task, __state);
}

#endif
