/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Stacks: walked here, interned here, sent once.
 *
 * A fact carries a 32-bit id. The first time a stack is met it goes to the
 * recorder whole, before any fact can name it. The dictionary may forget
 * (LRU): the stack is then sent again under another id, and the recorder,
 * which knows it by content, gives both the same id in the file.
 */
#ifndef KTAPE_STACK_BPF_H
#define KTAPE_STACK_BPF_H

#include "hash.bpf.h"
#include "ktape.bpf.h"
#include "ksyms.bpf.h"

#define MAX_FRAMES MAX_WORDS

struct stack_buffer {
	struct item item;
	struct ktape_wire_stack head;
	__u64 frames[MAX_FRAMES + 1];
	__u32 sent;	/* stacks given an id here */
	__u32 context;
	__u32 taken;	/* see take_buffer() */
};

/* A buffer per CPU and per context that may interrupt another one. */
enum stack_context {
	STACK_SCHED,
	STACK_CPU,
	STACK_SYSCALL,
	STACK_ITER,
	STACK_BLOCK,
	STACK_FUTEX,
	STACK_LOCK,
	STACK_FAULT,
	STACK_ALLOC,
	STACK_COUNTER,	/* events of the kernel */
	STACK_COUNTED,	/* those of the CPU, which may interrupt them */
	STACK_HEAP,
	STACK_CONTEXTS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STACK_CONTEXTS);
	__type(key, __u32);
	__type(value, struct stack_buffer);
} stack_buffers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, __u32);
} stack_ids SEC(".maps");

static __always_inline struct stack_buffer *stack_buffer(__u32 context)
{
	struct stack_buffer *buf;

	buf = bpf_map_lookup_elem(&stack_buffers, &context);
	if (buf)
		buf->context = context;
	return buf;
}

/*
 * For programs of one context that can interrupt each other: whether the buffer
 * is free, and is now the caller's until give_buffer(). (An exchange came with
 * 5.12; until 7.0 who interrupts has ended when the other goes on.)
 */
static __always_inline bool take_buffer(struct stack_buffer *buf)
{
#if defined(KTAPE_OLD_KERNEL)
	if (buf->taken)
		return false;
	buf->taken = 1;
	return true;
#else
	return !__sync_lock_test_and_set(&buf->taken, 1);
#endif
}

static __always_inline void give_buffer(struct stack_buffer *buf)
{
	*(volatile __u32 *)&buf->taken = 0;
}

/*
 * An id that nobody else gives: each CPU and context counts for itself. (An
 * atomic add that tells the old value came with 5.12.)
 */
static __always_inline __u32 new_stack_id(struct stack_buffer *buf)
{
	__u32 count = buf->sent++;

	return (count * STACK_CONTEXTS + buf->context) * cpus +
	       bpf_get_smp_processor_id() + 1;
}

/*
 * The id of the stack in `buf` (frames and head.count, .side, .unwind, .end
 * set), sending it if it is new; 0 when it could not be sent. `seed` keeps
 * user stacks of different process images apart.
 */
static __noinline __u32 intern_stack(struct stack_buffer *buf, __u64 seed)
{
	__u32 count, id, *known;
	__u64 hash;

	if (!buf)
		return 0;
	count = buf->head.count;
	if (!count || count > MAX_FRAMES)
		return 0;
	hash = hash_words(buf->frames, count, seed) ^
	       (__u64)buf->head.end << 56;
	known = bpf_map_lookup_elem(&stack_ids, &hash);
	if (known)
		return *known;
	id = new_stack_id(buf);
	buf->head.id = id;
	buf->head.time = bpf_ktime_get_ns();
	/* Known once it is sent: a CPU that meets it now sends it, too. */
	if (!send_definition(&buf->item, KTAPE_WIRE_STACK,
			     sizeof(buf->head) + count * sizeof(__u64)))
		return 0;
	bpf_map_update_elem(&stack_ids, &hash, &id, BPF_ANY);
	return id;
}

/*
 * `flags`: KTAPE_WIRE_STACK_FLAGS_PROGRAM when the stack was taken of the very
 * place where the program runs, _LEAVING when its thread went to sleep there,
 * _WAITING when of a thread that slept.
 */
static __always_inline __u32 intern_kernel_stack(struct stack_buffer *buf,
						 long bytes, __u8 flags)
{
	if (bytes <= 0)
		return 0;
	buf->head.count = (__u32)bytes / sizeof(__u64);
	buf->head.tgid = 0;
	buf->head.flags = flags;
	buf->head.side = KTAPE_STACK_SIDE_KERNEL;
	buf->head.unwind = KTAPE_STACK_UNWIND_KERNEL;
	buf->head.end = buf->head.count >= MAX_FRAMES ?
			KTAPE_STACK_END_DEPTH_LIMIT : KTAPE_STACK_END_COMPLETE;
	return intern_stack(buf, flags & KTAPE_WIRE_STACK_FLAGS_WAITING);
}

/*
 * How near to the base of a stack its first frames lie. The C library's
 * start-up code keeps no frame pointers: a walk that leaves the chain this
 * close to the base has seen all but that code. Threads have their static TLS
 * between the base and the first frame.
 */
#define MAIN_BASE_BYTES 1024
#define THREAD_BASE_BYTES 4096

/* A walk along frame pointers. */
struct frame_walk {
	__u64 *frames;
	__u64 fp;
	__u64 low;	/* frames lie above this */
	__u64 base;	/* and below this; 0 when not known */
	__u32 count;
	__u32 near;	/* bytes */
	__u32 end;	/* see stack.end */
};

/* Gives 1 when the walk is over. */
static __always_inline long frame_step(__u32 i, struct frame_walk *walk)
{
	__u64 fp = walk->fp, base = walk->base;
	__u64 frame[2];

	if (!fp || fp < walk->low || fp & 7 || (base && fp >= base)) {
		bool at_base = !fp ||
			       (base && base - walk->low < walk->near);

		/*
		 * Where not even one frame was found, the register is not a
		 * frame pointer but whatever code without them left there,
		 * often 0: who called is not known.
		 */
		walk->end = at_base && walk->count > 1 ?
			    KTAPE_STACK_END_COMPLETE :
			    KTAPE_STACK_END_TRUNCATED;
		return 1;
	}
	if (bpf_probe_read_user(frame, sizeof(frame), (void *)fp)) {
		walk->end = KTAPE_STACK_END_FAULT;
		return 1;
	}
	if (!frame[1]) {
		walk->end = KTAPE_STACK_END_COMPLETE;
		return 1;
	}
	/* Frame 0 is the instruction itself. The mask is for the verifier. */
	walk->frames[(i + 1) & MAX_FRAMES] = frame[1];
	walk->count = i + 2;
	walk->low = fp + 16;
	walk->fp = frame[0];
	return 0;
}

static long __attribute__((unused)) frame_step_of(__u32 i, void *context)
{
	return frame_step(i, context);
}

/*
 * Walks the frame pointers of the current task from the given registers.
 * Own code, and not BPF_F_USER_STACK, because that one does not tell why it
 * ended. ABI: a zero frame pointer marks the first frame (System V x86-64
 * psABI 3.4.1; AAPCS64 6.4.6).
 */
static __noinline int walk_user(struct stack_buffer *buf, __u64 ip, __u64 sp,
				__u64 fp)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u32 tid = bpf_get_current_pid_tgid();
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct frame_walk walk = {
		.fp = fp,
		.low = sp,
		.count = 1,
		.end = KTAPE_STACK_END_DEPTH_LIMIT,
	};

	if (!buf)
		return 0;
	if (tid == tgid) {
		walk.base = BPF_CORE_READ(task, mm, start_stack);
		walk.near = MAIN_BASE_BYTES;
	} else {
#if defined(__TARGET_ARCH_x86)
		walk.base = BPF_CORE_READ(task, thread.fsbase);
#endif
		walk.near = THREAD_BASE_BYTES;
	}
	/* Another stack (Go's, a signal's) has another base: no hint. */
	if (walk.base < sp)
		walk.base = 0;
	walk.frames = buf->frames;
	walk.frames[0] = ip;
	repeat(MAX_FRAMES - 1, frame_step_of, frame_step, &walk);
	buf->head.count = walk.count;
	buf->head.end = walk.end;
	buf->head.tgid = tgid;
	buf->head.flags = 0;
	buf->head.side = KTAPE_STACK_SIDE_USER;
	buf->head.unwind = KTAPE_STACK_UNWIND_FRAME_POINTER;
	return 0;
}

static __always_inline __u32 intern_user_stack(struct stack_buffer *buf,
					       __u64 ip, __u64 sp, __u64 fp)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 image, start;

	walk_user(buf, ip, sp, fp);
	image = BPF_CORE_READ(task, self_exec_id);
	/* A pid can come back as another process with the same number. */
	start = BPF_CORE_READ(task, group_leader, start_time);
	return intern_stack(buf, (image << 32 | buf->head.tgid) ^ start << 20);
}

#if defined(__TARGET_ARCH_x86)
/*
 * Whether a task is in a system call of the 32-bit table. Recent kernels let
 * programs read what a task pointer points to, without a call.
 */
static __always_inline bool in_compat_call(struct task_struct *task)
{
#if defined(KTAPE_OLD_KERNEL)
	return BPF_CORE_READ(task, thread_info.status) & TS_COMPAT;
#else
	return task->thread_info.status & TS_COMPAT;
#endif
}
#endif

/*
 * The registers with which a task entered the kernel; user tasks only. The
 * system call is that of the native table, else negative.
 */
struct user_regs {
	__u64 ip;
	__u64 sp;
	__u64 fp;
	__s32 syscall;
};

#if defined(KTAPE_OLD_KERNEL)
#if !defined(__TARGET_ARCH_x86)
#error "where the registers of a task lie is known for x86 only"
#endif
/* Before 5.15: no bpf_task_pt_regs(); they lie at the top of the stack. */
#define THREAD_SIZE 16384
#define PT_REGS_SIZE 168
static __always_inline void read_user_regs(struct task_struct *task,
					   struct user_regs *out)
{
	struct pt_regs *regs;

	regs = BPF_CORE_READ(task, stack) + THREAD_SIZE - PT_REGS_SIZE;
	out->ip = BPF_CORE_READ(regs, ip);
	out->sp = BPF_CORE_READ(regs, sp);
	out->fp = BPF_CORE_READ(regs, bp);
	out->syscall = in_compat_call(task) ? -1 :
		       (__s32)BPF_CORE_READ(regs, orig_ax);
}
#else
static __always_inline void read_user_regs(struct task_struct *task,
					   struct user_regs *out)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

	out->ip = REGS_IP(regs);
	out->sp = REGS_SP(regs);
	out->fp = REGS_FP(regs);
	out->syscall = REGS_SYSCALL(regs);
#if defined(__TARGET_ARCH_x86)
	if (in_compat_call(task))
		out->syscall = -1;
#endif
}
#endif

#endif
