/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * One fact per wait for a lock of the kernel, for the probe of locks.
 *
 * Who waits spinning cannot be moved to another CPU, but interrupted by one who
 * spins for another lock: those waits are kept per CPU, as a stack. Who waits
 * asleep is kept with the thread.
 */
#ifndef KTAPE_CONTENTION_BPF_H
#define KTAPE_CONTENTION_BPF_H

#include "filter.bpf.h"
#include "locks_types.h"
#include "stack.bpf.h"
#include "text.bpf.h"
#include "thread.bpf.h"

const volatile __u64 contention_min_ns;	/* leave out shorter waits */

/* include/trace/events/lock.h */
#define LCB_F_SPIN 1
#define LCB_F_MUTEX 32

struct contention {
	__u64 lock;
	__u64 start;	/* 0: none */
	__u32 how;
	__u32 spare;
};

/* A thread, a soft interrupt, an interrupt, an NMI; twice, for PREEMPT_RT. */
#define SPIN_DEPTH 8

struct spinning {
	struct contention waits[SPIN_DEPTH];
	__u32 depth;
	__u32 busy;	/* a wait is being told: its own locks do not count */
	__u32 numbers;	/* given to locks here */
	__u32 spare;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct spinning);
} spinnings SEC(".maps");

#if defined(KTAPE_OLD_KERNEL)
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct contention);
} contentions SEC(".maps");

static __always_inline struct contention *contention_of(
					struct task_struct *task, bool create)
{
	static const struct contention none;
	__u32 tid = BPF_CORE_READ(task, pid);
	struct contention *wait;

	wait = bpf_map_lookup_elem(&contentions, &tid);
	if (wait || !create)
		return wait;
	bpf_map_update_elem(&contentions, &tid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&contentions, &tid);
}
#else
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct contention);
} contentions SEC(".maps");

static __always_inline struct contention *contention_of(
					struct task_struct *task, bool create)
{
	return bpf_task_storage_get(&contentions, task, NULL,
				    create ? BPF_LOCAL_STORAGE_GET_F_CREATE :
				    0);
}
#endif

struct lock_id {
	__u32 number;
	__u32 name;	/* text id */
};

/*
 * Allocated beforehand: whoever waits for a lock of the allocator must not
 * allocate.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct lock_id);
} lock_ids SEC(".maps");

#if defined(__TARGET_ARCH_x86)
/* Documentation/arch/x86/x86_64/mm.rst: the image and modules lie above. */
#define STATIC_FROM 0xffffffff80000000ULL
#endif

/*
 * The symbol of a static lock, by the kernel's own %ps (bpf_snprintf() came
 * with 5.13, the tracepoints with 5.19).
 */
static __always_inline __u32 lock_name(__u64 lock)
{
#if defined(STATIC_FROM) && !defined(KTAPE_OLD_KERNEL)
	static const char format[] = "%ps";
	struct text_buffer *buf;
	long len;

	if (lock < STATIC_FROM)
		return 0;
	buf = text_buffer(TEXT_LOCK);
	if (!buf)
		return 0;
	len = bpf_snprintf(buf->bytes, 128, format, &lock, sizeof(lock));
	/* An address without symbol is printed as such: not to be told. */
	if (len <= 1 || len > 128 || buf->bytes[0] == '0')
		return 0;
	return intern_text(buf, len - 1, KTAPE_WIRE_TEXT_FORM_PLAIN);
#else
	(void)lock;
	(void)intern_text;
	return 0;
#endif
}

static __always_inline void identify(struct spinning *here, __u64 lock,
				     struct lock_id *id)
{
	struct lock_id *known = bpf_map_lookup_elem(&lock_ids, &lock);

	if (!known) {
		id->number = here->numbers++ * cpus +
			     bpf_get_smp_processor_id() + 1;
		id->name = lock_name(lock);
		/* Another CPU may have been faster: its number counts. */
		bpf_map_update_elem(&lock_ids, &lock, id, BPF_NOEXIST);
		known = bpf_map_lookup_elem(&lock_ids, &lock);
	}
	if (known) {
		*id = *known;
	} else {
		id->number = 0;
		id->name = 0;
	}
}

/* Locks that are known by whose they are. */
static __always_inline __u8 well_known(struct task_struct *task, __u64 lock)
{
	struct task_struct___locks *self = (void *)task;
	struct sighand_struct___locks *sighand;
	struct mm_struct___locks *mm;

	mm = BPF_CORE_READ(self, mm);
	if (mm && bpf_core_field_exists(mm->mmap_lock) &&
	    lock == (__u64)__builtin_preserve_access_index(&mm->mmap_lock))
		return KTAPE_LOCK_CONTENTION_FLAGS_MMAP_LOCK;
	sighand = BPF_CORE_READ(self, sighand);
	if (sighand &&
	    lock == (__u64)__builtin_preserve_access_index(&sighand->siglock))
		return KTAPE_LOCK_CONTENTION_FLAGS_SIGLOCK;
	return 0;
}

/*
 * A mutex begins anew when it goes from spinning to sleeping and back, and ends
 * once.
 */
static __always_inline bool is_spin(__u32 how)
{
	return (how & (LCB_F_SPIN | LCB_F_MUTEX)) == LCB_F_SPIN;
}

SEC("tp_btf/contention_begin")
int contention_begin(__u64 *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u64 lock = ctx[0];
	__u32 how = ctx[1], zero = 0, depth;
	struct contention *wait;
	struct spinning *here;
	struct cpu_state *cpu;

	if (stopped() || !current_wanted(id >> 32, id))
		return 0;
	cpu = this_cpu();
	here = bpf_map_lookup_elem(&spinnings, &zero);
	if (!cpu || !here || here->busy)
		return 0;
	if (is_spin(how)) {
		depth = here->depth;
		if (depth >= SPIN_DEPTH) {
			/* Their ends were not seen: begin anew. */
			lose_fact(cpu, KTAPE_LOCK_CONTENTION);
			here->depth = 0;
			return 0;
		}
		wait = &here->waits[depth & (SPIN_DEPTH - 1)];
		here->depth = depth + 1;
	} else {
		here->busy = 1;
		wait = contention_of(current_task(), true);
		here->busy = 0;
		if (!wait) {
			lose_fact(cpu, KTAPE_LOCK_CONTENTION);
			return 0;
		}
		if (wait->start && wait->lock == lock) {
			wait->how |= how;
			return 0;
		}
	}
	wait->lock = lock;
	wait->how = how;
	wait->start = bpf_ktime_get_ns();
	return 0;
}

/* The wait for this lock on top of the stack of this CPU, without it. */
static __always_inline bool pop(struct spinning *here, __u64 lock,
				struct contention *out)
{
	__u32 i, at = here->depth;

	for (i = 0; i < SPIN_DEPTH; i++) {
		if (!at)
			return false;
		at--;
		if (here->waits[at & (SPIN_DEPTH - 1)].lock == lock) {
			*out = here->waits[at & (SPIN_DEPTH - 1)];
			here->depth = at;
			return true;
		}
	}
	return false;
}

static __always_inline void tell(void *ctx, struct cpu_state *cpu,
				 struct spinning *here, struct contention *wait,
				 __u64 now, bool failed)
{
	__u64 took = now > wait->start ? now - wait->start : 0;
	__u64 id = bpf_get_current_pid_tgid();
	struct ktape_lock_contention *fact;
	struct stack_buffer *buf;
	struct lock_id lock = {};
	__u32 kstack = 0;

	if (took < contention_min_ns)
		return;
	identify(here, wait->lock, &lock);
	buf = stack_buffer(STACK_LOCK);
	if (buf) {
		cpu->stacks_taken++;
		kstack = intern_kernel_stack(
			buf, bpf_get_stack(ctx, buf->frames, MAX_FRAMES * 8, 0),
			KTAPE_WIRE_STACK_FLAGS_PROGRAM);
	}
	fact = reserve_fact(cpu, KTAPE_LOCK_CONTENTION, sizeof(*fact));
	if (!fact)
		return;
	fact->end = now;
	fact->duration = took;
	fact->lock = lock.number;
	fact->name = lock.name;
	fact->tid = id;
	fact->tgid = id >> 32;
	fact->kstack = kstack;
	fact->cpu = bpf_get_smp_processor_id();
	fact->how = wait->how;
	fact->flags = well_known(current_task(), wait->lock) |
		      (failed ? KTAPE_LOCK_CONTENTION_FLAGS_FAILED : 0);
	submit_fact(cpu, fact, sizeof(*fact));
}

SEC("tp_btf/contention_end")
int contention_end(__u64 *ctx)
{
	struct contention *wait, over = {};
	__u64 lock = ctx[0], now;
	struct spinning *here;
	struct cpu_state *cpu;
	__u32 zero = 0;

	cpu = this_cpu();
	here = bpf_map_lookup_elem(&spinnings, &zero);
	if (!cpu || !here || here->busy)
		return 0;
	now = bpf_ktime_get_ns();
	here->busy = 1;
	if (!pop(here, lock, &over)) {
		wait = contention_of(current_task(), false);
		if (wait && wait->start && wait->lock == lock) {
			over = *wait;
			wait->start = 0;
		}
	}
	if (over.start && !stopped())
		tell(ctx, cpu, here, &over, now, (__s32)ctx[1] < 0);
	here->busy = 0;
	return 0;
}

/* Read at the stop: who waits asleep. */
SEC("iter/task")
int contention_open(struct bpf_iter__task *ctx)
{
	struct ktape_lock_contention fact = {};
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	__u64 stop = moment(MOMENT_STOP);
	struct stack_buffer *buf;
	struct contention *wait;
	struct spinning *here;
	struct lock_id lock = {};
	__u32 zero = 0;

	if (!task || !stop)
		return 0;
	wait = contention_of(task, false);
	here = bpf_map_lookup_elem(&spinnings, &zero);
	if (!here || !wait || !wait->start || wait->start > stop ||
	    stop - wait->start < contention_min_ns)
		return 0;
	identify(here, wait->lock, &lock);
	buf = stack_buffer(STACK_ITER);
	if (buf)
		fact.kstack = intern_kernel_stack(
			buf,
			bpf_get_task_stack(task, buf->frames, MAX_FRAMES * 8,
					   0),
			0);
	fact.end = stop;
	fact.duration = stop - wait->start;
	fact.lock = lock.number;
	fact.name = lock.name;
	fact.tid = task->pid;
	fact.tgid = task->tgid;
	fact.cpu = task->wake_cpu;
	fact.how = wait->how;
	fact.flags = well_known(task, wait->lock) |
		     KTAPE_LOCK_CONTENTION_FLAGS_OPEN;
	bpf_seq_write(seq, &fact, sizeof(fact));
	return 0;
}

#endif
