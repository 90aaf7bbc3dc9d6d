/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * mem, the heap: what programs allocate from their C library and give back, by
 * stack.
 *
 * What is asked for is seen where the functions begin, what they give where
 * they return, and there the stack is taken: the library itself is off it, and
 * so keeps no caller from view.
 */
#ifndef KTAPE_HEAP_BPF_H
#define KTAPE_HEAP_BPF_H

#include "filter.bpf.h"
#include "stack.bpf.h"
#include "thread.bpf.h"

const volatile bool mem_heap_stacks = true;

enum heap_what {
	HEAP_NONE,
	HEAP_ALLOCATE,
	HEAP_REALLOCATE,
	HEAP_POSIX_MEMALIGN,
};

struct heap_key {
	__u64 address;
	__u32 tgid;
	__u32 image;
};

struct heap_block {
	__u64 bytes;
	__u32 ustack;
	__u32 spare;
};

/* The call that a thread is in. */
struct heap_call {
	__u64 bytes;
	__u64 sp;
	__u64 old;	/* what realloc() was given, and has been taken out */
	struct heap_block block;
	__u32 what;
	bool had;	/* the block was known */
};

struct heap_sum_key {
	__u32 tgid;
	__u32 image;
	__u32 ustack;
	__u32 spare;
};

struct heap_sum {
	__u64 count;
	__u64 bytes;
	__u64 frees;
	__u64 freed_bytes;
	__u64 unknown_frees;
};

/* Blocks that live. Memory as it is needed: most programs hold few. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1048576);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct heap_key);
	__type(value, struct heap_block);
} heap_blocks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct heap_sum_key);
	__type(value, struct heap_sum);
} heap_sums SEC(".maps");

#if defined(KTAPE_OLD_KERNEL)
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct heap_call);
} heap_callers SEC(".maps");

static __always_inline struct heap_call *heap_call(bool create)
{
	static const struct heap_call none;
	__u32 tid = bpf_get_current_pid_tgid();
	struct heap_call *call = bpf_map_lookup_elem(&heap_callers, &tid);

	if (call || !create)
		return call;
	bpf_map_update_elem(&heap_callers, &tid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&heap_callers, &tid);
}
#else
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct heap_call);
} heap_calls SEC(".maps");

static __always_inline struct heap_call *heap_call(bool create)
{
	return bpf_task_storage_get(&heap_calls, current_task(), NULL,
				    create ? BPF_LOCAL_STORAGE_GET_F_CREATE :
				    0);
}
#endif

/* Programs of user functions are preempted: sums are added to atomically. */
static __always_inline void heap_lose(void)
{
	struct cpu_state *cpu = this_cpu();

	if (!cpu)
		return;
	__sync_fetch_and_add(&cpu->counters[KTAPE_HEAP_TOTAL].produced, 1);
	__sync_fetch_and_add(&cpu->counters[KTAPE_HEAP_TOTAL].lost, 1);
}

static __always_inline struct heap_sum *heap_sum(struct heap_sum_key *key)
{
	static const struct heap_sum none;
	struct cpu_state *cpu = this_cpu();
	struct heap_sum *sum;

	sum = bpf_map_lookup_elem(&heap_sums, key);
	if (!sum) {
		bpf_map_update_elem(&heap_sums, key, &none, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&heap_sums, key);
	}
	if (!sum)
		heap_lose();
	else if (cpu)
		__sync_fetch_and_add(&cpu->counters[KTAPE_HEAP_TOTAL].produced,
				     1);
	return sum;
}

static __always_inline __u32 heap_image(void)
{
	struct task_struct *task = current_task();

#if defined(KTAPE_OLD_KERNEL)
	return BPF_CORE_READ(task, self_exec_id);
#else
	return task->self_exec_id;
#endif
}

static __always_inline bool heap_wanted(void)
{
	__u64 id = bpf_get_current_pid_tgid();

	/* A block is of no CPU: the recorder says so. */
	return !filter_cpu && !stopped() && current_wanted(id >> 32, id);
}

/* How far below realloc() the malloc() may lie that it calls. */
#define NESTED_BYTES 4096

static __always_inline int heap_enter(struct pt_regs *ctx, __u32 what,
				      __u64 bytes)
{
	struct heap_call *call;

	if (!heap_wanted())
		return 0;
	call = heap_call(true);
	if (!call) {
		heap_lose();
		return 0;
	}
	/* It is the C library's own, and realloc() tells of it. */
	if (call->what == HEAP_REALLOCATE && call->sp > REGS_SP(ctx) &&
	    call->sp - REGS_SP(ctx) < NESTED_BYTES)
		return 0;
	call->bytes = bytes;
	call->what = what;
	call->sp = REGS_SP(ctx);
	call->old = 0;
	return 0;
}

/* Takes a block out; false when it was not known. */
static __always_inline bool heap_take(struct heap_key *key,
				      struct heap_block *out)
{
	struct heap_block *block = bpf_map_lookup_elem(&heap_blocks, key);

	if (!block)
		return false;
	*out = *block;
	/* Refused where the map is in use on this CPU: then once more. */
	if (bpf_map_delete_elem(&heap_blocks, key))
		bpf_map_delete_elem(&heap_blocks, key);
	return true;
}

static __always_inline void heap_given_back(struct heap_key *key,
					    struct heap_block *block, bool had)
{
	struct heap_sum_key at = { .tgid = key->tgid, .image = key->image };
	struct heap_sum *sum;

	if (had)
		at.ustack = block->ustack;
	sum = heap_sum(&at);
	if (!sum)
		return;
	if (had) {
		__sync_fetch_and_add(&sum->frees, 1);
		__sync_fetch_and_add(&sum->freed_bytes, block->bytes);
	} else {
		__sync_fetch_and_add(&sum->unknown_frees, 1);
	}
}

SEC("uprobe")
int heap_malloc(struct pt_regs *ctx)
{
	return heap_enter(ctx, HEAP_ALLOCATE, USER_ARG0(ctx));
}

SEC("uprobe")
int heap_calloc(struct pt_regs *ctx)
{
	return heap_enter(ctx, HEAP_ALLOCATE, USER_ARG0(ctx) * USER_ARG1(ctx));
}

/* aligned_alloc() and memalign(), which may be one. */
SEC("uprobe")
int heap_memalign(struct pt_regs *ctx)
{
	return heap_enter(ctx, HEAP_ALLOCATE, USER_ARG1(ctx));
}

SEC("uprobe")
int heap_posix_memalign(struct pt_regs *ctx)
{
	struct heap_call *call;

	heap_enter(ctx, HEAP_POSIX_MEMALIGN, USER_ARG2(ctx));
	call = heap_call(false);
	if (call && call->what == HEAP_POSIX_MEMALIGN)
		call->old = USER_ARG0(ctx);
	return 0;
}

/*
 * What it is given is taken out now: when it returns, that memory may be
 * another thread's already.
 */
SEC("uprobe")
int heap_realloc(struct pt_regs *ctx)
{
	struct heap_key key = {
		.address = USER_ARG0(ctx),
		.tgid = bpf_get_current_pid_tgid() >> 32,
		.image = heap_image(),
	};
	struct heap_block block;
	struct heap_call *call;

	/* Whoever gives back what is known: it is gone. */
	if (!heap_wanted()) {
		if (!stopped() && key.address && heap_take(&key, &block))
			heap_given_back(&key, &block, true);
		return 0;
	}
	heap_enter(ctx, HEAP_REALLOCATE, USER_ARG1(ctx));
	call = heap_call(false);
	if (!call || call->what != HEAP_REALLOCATE || call->sp != REGS_SP(ctx))
		return 0;
	call->old = key.address;
	call->had = key.address && heap_take(&key, &call->block);
	return 0;
}

SEC("uprobe")
int heap_free(struct pt_regs *ctx)
{
	struct heap_key key = {
		.address = USER_ARG0(ctx),
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};
	struct heap_block block = {};
	struct heap_call *call;
	bool had;

	if (!key.address || stopped())
		return 0;
	/* realloc() frees what it was given, and tells of it. */
	call = heap_call(false);
	if (call && call->what == HEAP_REALLOCATE && call->old == key.address)
		return 0;
	key.image = heap_image();
	had = heap_take(&key, &block);
	/* Whoever gives back what is known: it is gone. */
	if (had || heap_wanted())
		heap_given_back(&key, &block, had);
	return 0;
}

/* An address has been given for `call`. */
static __always_inline void heap_given(struct pt_regs *ctx,
				       struct heap_key *key, __u64 bytes)
{
	struct heap_sum_key at = { .tgid = key->tgid, .image = key->image };
	struct heap_block block = { .bytes = bytes };
	struct cpu_state *cpu = this_cpu();
	struct heap_block before;
	struct stack_buffer *buf;
	struct heap_sum *sum;
	long error;

	if (mem_heap_stacks) {
		buf = stack_buffer(STACK_HEAP);
		/* Preempted in a walk: this one goes without. */
		if (buf && take_buffer(buf)) {
			block.ustack = intern_user_stack(buf, REGS_IP(ctx),
							 REGS_SP(ctx),
							 REGS_FP(ctx));
			give_buffer(buf);
			if (cpu)
				__sync_fetch_and_add(&cpu->stacks_taken, 1);
		}
	}
	error = bpf_map_update_elem(&heap_blocks, key, &block, BPF_NOEXIST);
	/* The free() of what was there went unseen. */
	if (error == -EEXIST && heap_take(key, &before)) {
		heap_given_back(key, &before, true);
		error = bpf_map_update_elem(&heap_blocks, key, &block, BPF_ANY);
	}
	/* What cannot be followed is lost: its free() will be unknown. */
	if (error) {
		heap_lose();
		return;
	}
	at.ustack = block.ustack;
	sum = heap_sum(&at);
	if (!sum) {
		bpf_map_delete_elem(&heap_blocks, key);
		return;
	}
	__sync_fetch_and_add(&sum->count, 1);
	__sync_fetch_and_add(&sum->bytes, bytes);
}

SEC("uretprobe")
int heap_return(struct pt_regs *ctx)
{
	struct heap_key key = {
		.address = USER_RETURN(ctx),
		.tgid = bpf_get_current_pid_tgid() >> 32,
		.image = heap_image(),
	};
	struct heap_call *call = heap_call(false);
	struct heap_key old = key;
	__u64 bytes;
	__u32 what;

	if (!call || !call->what)
		return 0;
	what = call->what;
	/* Back from a call within realloc(): it goes on. */
	if (what == HEAP_REALLOCATE && REGS_SP(ctx) <= call->sp)
		return 0;
	call->what = HEAP_NONE;
	bytes = call->bytes;
	if (stopped())
		return 0;
	if (what == HEAP_POSIX_MEMALIGN) {
		if (key.address)
			return 0;
		bpf_probe_read_user(&key.address, sizeof(key.address),
				    (void *)call->old);
	}
	if (what == HEAP_REALLOCATE && call->old) {
		old.address = call->old;
		/* It failed, and the memory stays: realloc(p, 0) frees. */
		if (!key.address && bytes) {
			if (call->had &&
			    bpf_map_update_elem(&heap_blocks, &old,
						&call->block, BPF_ANY))
				heap_lose();
			return 0;
		}
		heap_given_back(&old, &call->block, call->had);
	}
	if (key.address)
		heap_given(ctx, &key, bytes);
	return 0;
}

#endif
