// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * locks: one fact per wait in a futex call, and one per wait for a lock of the
 * kernel (contention.bpf.h).
 *
 * A wait in a call is kept with the thread from the entry of the call. There
 * the stack is taken, too: a hang has no end at which it could be.
 */
#include "contention.bpf.h"
#include "filter.bpf.h"
#include "owner.bpf.h"
#include "stack.bpf.h"
#include "thread.bpf.h"

const volatile __u64 futex_min_ns;	/* leave out shorter waits */
const volatile bool futex_stacks = true;

/* The same on x86-64 and arm64, but for the first. */
#if defined(__TARGET_ARCH_x86)
#define NR_FUTEX 202
#else
#define NR_FUTEX 98
#endif
#define NR_FUTEX_WAITV 449
#define NR_FUTEX_WAIT 455

/* include/uapi/linux/futex.h */
#define FUTEX_PRIVATE_FLAG 128
#define FUTEX_CLOCK_REALTIME 256

/* include/linux/errno.h: a signal came; the first is EINTR. */
#define IS_INTERRUPTED(ret)						\
	((ret) == -4 || ((ret) <= -512 && (ret) >= -516))
#define EAGAIN 11
#define EFAULT 14
#define EINVAL 22
#define ENOSYS 38
#define ETIMEDOUT 110

/* The wait that a thread is in. */
struct futex_state {
	__u64 start;		/* 0: in none */
	__u64 address;
	__u32 word;
	__u32 ustack;
	__u32 waker;
	__u32 waker_tgid;
	struct lock_owner owner;
	__u16 cpu;
	__u16 flags;
	__u8 op;
	__u8 words;
};

#if defined(KTAPE_OLD_KERNEL)
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct futex_state);
} futex_waits SEC(".maps");

static __always_inline struct futex_state *futex_of(struct task_struct *task,
						    bool create)
{
	static const struct futex_state none;
	__u32 tid = BPF_CORE_READ(task, pid);
	struct futex_state *state;

	state = bpf_map_lookup_elem(&futex_waits, &tid);
	if (state || !create)
		return state;
	bpf_map_update_elem(&futex_waits, &tid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&futex_waits, &tid);
}
#else
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct futex_state);
} futex_waits SEC(".maps");

static __always_inline struct futex_state *futex_of(struct task_struct *task,
						    bool create)
{
	return bpf_task_storage_get(&futex_waits, task, NULL,
				    create ? BPF_LOCAL_STORAGE_GET_F_CREATE :
				    0);
}
#endif

/* What a call asks for: its first four arguments, in whatever form. */
struct futex_call {
	__u64 address;
	__u64 timeout;
	__u32 word;
	__u16 flags;
	__u8 op;
	__u8 words;
};

/* struct futex_waitv of include/uapi/linux/futex.h. */
struct futex_waiter {
	__u64 val;
	__u64 uaddr;
	__u32 flags;
	__u32 spare;
};

/*
 * Reads a call of any of the three; false if it is none that waits. `args` are
 * five words: a longer read would not be verified, since futex_waitv has five
 * arguments and the verifier knows where they end.
 */
static __always_inline bool read_call(struct futex_call *call, __u32 nr,
				      __u64 a, __u64 b, __u64 c, __u64 d,
				      __u64 e)
{
	struct futex_waiter first;
	__u32 op;

	if (nr == NR_FUTEX) {
		op = (__u32)b & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
		if (op != KTAPE_FUTEX_WAIT_OP_WAIT &&
		    op != KTAPE_FUTEX_WAIT_OP_LOCK_PI &&
		    op != KTAPE_FUTEX_WAIT_OP_WAIT_BITSET &&
		    op != KTAPE_FUTEX_WAIT_OP_WAIT_REQUEUE_PI &&
		    op != KTAPE_FUTEX_WAIT_OP_LOCK_PI2)
			return false;
		call->op = op;
		call->address = a;
		call->word = c;
		call->timeout = d;
		call->words = 1;
		call->flags = b & FUTEX_PRIVATE_FLAG ?
			      0 : KTAPE_FUTEX_WAIT_FLAGS_SHARED;
	} else if (nr == NR_FUTEX_WAIT) {
		call->op = KTAPE_FUTEX_WAIT_OP_FUTEX_WAIT;
		call->address = a;
		call->word = b;
		call->timeout = e;
		call->words = 1;
		call->flags = d & FUTEX_PRIVATE_FLAG ?
			      0 : KTAPE_FUTEX_WAIT_FLAGS_SHARED;
	} else if (nr == NR_FUTEX_WAITV) {
		if (bpf_probe_read_user(&first, sizeof(first), (void *)a))
			return false;
		call->op = KTAPE_FUTEX_WAIT_OP_FUTEX_WAITV;
		call->address = first.uaddr;
		call->word = first.val;
		call->timeout = d;
		call->words = b;
		call->flags = first.flags & FUTEX_PRIVATE_FLAG ?
			      0 : KTAPE_FUTEX_WAIT_FLAGS_SHARED;
	} else {
		return false;
	}
	if (call->timeout)
		call->flags |= KTAPE_FUTEX_WAIT_FLAGS_TIMED;
	return true;
}

static __always_inline bool is_pi(__u8 op)
{
	return op == KTAPE_FUTEX_WAIT_OP_LOCK_PI ||
	       op == KTAPE_FUTEX_WAIT_OP_LOCK_PI2;
}

static __always_inline void begin(struct futex_state *state,
				  struct futex_call *call, __u64 now)
{
	state->address = call->address;
	state->word = call->word;
	state->flags = call->flags;
	state->op = call->op;
	state->words = call->words;
	state->waker = 0;
	state->waker_tgid = 0;
	state->ustack = 0;
	state->cpu = bpf_get_smp_processor_id();
	__builtin_memset(&state->owner, 0, sizeof(state->owner));
	state->start = now;
}

static __always_inline __u32 futex_stack(struct cpu_state *cpu)
{
	struct stack_buffer *buf = stack_buffer(STACK_FUTEX);
	struct user_regs regs;

	if (!buf || !futex_stacks)
		return 0;
	read_user_regs(current_task(), &regs);
	cpu->stacks_taken++;
	return intern_user_stack(buf, regs.ip, regs.sp, regs.fp);
}

static __always_inline int enter(__u32 nr, __u64 a, __u64 b, __u64 c, __u64 d,
				 __u64 e)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct cpu_state *cpu = this_cpu();
	struct futex_call call = {};
	struct futex_state *state;
	bool shared;

	if (!cpu || !read_call(&call, nr, a, b, c, d, e))
		return 0;
	if (stopped() || !current_wanted(id >> 32, id))
		return 0;
	state = futex_of(current_task(), true);
	if (!state) {
		lose_fact(cpu, KTAPE_FUTEX_WAIT);
		return 0;
	}
	begin(state, &call, bpf_ktime_get_ns());
	shared = call.flags & KTAPE_FUTEX_WAIT_FLAGS_SHARED;
	if (is_pi(call.op))
		owner_of_pi(&state->owner, call.address, shared, &state->word);
	else if (call.op != KTAPE_FUTEX_WAIT_OP_FUTEX_WAITV)
		owner_of_mutex(&state->owner, call.address, shared, call.word);
	state->ustack = futex_stack(cpu);
	return 0;
}

static __always_inline void fill_futex(struct ktape_futex_wait *fact,
				       struct futex_state *state, __u64 end,
				       __u64 duration)
{
	fact->end = end;
	fact->duration = duration;
	fact->address = state->address;
	fact->waker = 0;
	fact->waker_tgid = 0;
	fact->owner = state->owner.by ? state->owner.tid : 0;
	fact->owner_tgid = state->owner.by ? state->owner.tgid : 0;
	fact->owner_by = state->owner.by;
	fact->ustack = state->ustack;
	fact->word = state->word;
	fact->cpu = state->cpu;
	fact->flags = state->flags;
	fact->op = state->op;
	fact->words = state->words;
	fact->result = KTAPE_FUTEX_WAIT_RESULT_OPEN;
}

static __always_inline int leave_futex(__s64 ret)
{
	struct futex_state *state = futex_of(current_task(), false);
	struct ktape_futex_wait *fact;
	struct cpu_state *cpu;
	__u64 now, took, id;

	if (!state || !state->start || stopped())
		return 0;
	now = bpf_ktime_get_ns();
	took = now > state->start ? now - state->start : 0;
	/* The word had changed, or the call was wrong: it did not wait. */
	if (ret == -EAGAIN || ret == -EFAULT || ret == -EINVAL ||
	    ret == -ENOSYS || took < futex_min_ns)
		goto out;
	cpu = this_cpu();
	if (!cpu)
		goto out;
	/* One that began before the recording stands where it stood. */
	if (!state->ustack)
		state->ustack = futex_stack(cpu);
	fact = reserve_fact(cpu, KTAPE_FUTEX_WAIT, sizeof(*fact));
	if (!fact)
		goto out;
	id = bpf_get_current_pid_tgid();
	fill_futex(fact, state, now, took);
	fact->tid = id;
	fact->tgid = id >> 32;
	fact->cpu = bpf_get_smp_processor_id();
	if (ret >= 0) {
		fact->result = KTAPE_FUTEX_WAIT_RESULT_WOKEN;
		fact->waker = state->waker;
		fact->waker_tgid = state->waker_tgid;
	} else if (ret == -ETIMEDOUT) {
		fact->result = KTAPE_FUTEX_WAIT_RESULT_TIMED_OUT;
	} else if (IS_INTERRUPTED(ret)) {
		fact->result = KTAPE_FUTEX_WAIT_RESULT_INTERRUPTED;
	} else {
		fact->result = KTAPE_FUTEX_WAIT_RESULT_FAILED;
	}
	submit_fact(cpu, fact, sizeof(*fact));
out:
	state->start = 0;
	return 0;
}

/*
 * Of each call its own tracepoint, or that of all calls: both have the number
 * at 8, and the arguments (the result) from 16 on. Only the second tells of
 * calls of the 32-bit table, too.
 */
SEC("tracepoint/syscalls/sys_enter_futex")
int futex_enter(__u64 *ctx)
{
#if defined(__TARGET_ARCH_x86)
	if (in_compat_call(current_task()))
		return 0;
#endif
	return enter((__u32)ctx[1], ctx[2], ctx[3], ctx[4], ctx[5], ctx[6]);
}

SEC("tracepoint/syscalls/sys_exit_futex")
int futex_exit(__u64 *ctx)
{
	return leave_futex(ctx[2]);
}

static __always_inline bool is_futex(__u32 nr)
{
	return nr == NR_FUTEX || nr == NR_FUTEX_WAIT || nr == NR_FUTEX_WAITV;
}

/* One of them is entered. */
static __noinline int futex_enter_call(struct pt_regs *regs, __u32 nr)
{
#if defined(__TARGET_ARCH_x86)
	if (in_compat_call(current_task()))
		return 0;
	return enter(nr, regs->di, regs->si, regs->dx, regs->r10, regs->r8);
#else
	return enter(nr, regs->regs[0], regs->regs[1], regs->regs[2],
		     regs->regs[3], regs->regs[4]);
#endif
}

/* For hosts without those: every system call of the host passes here. */
SEC("tp_btf/sys_enter")
int futex_enter_any(__u64 *ctx)
{
	if (!is_futex(ctx[1]))
		return 0;
	return futex_enter_call((struct pt_regs *)ctx[0], ctx[1]);
}

SEC("tp_btf/sys_exit")
int futex_exit_any(__u64 *ctx)
{
	if (!is_futex(REGS_SYSCALL((struct pt_regs *)ctx[0])))
		return 0;
	return leave_futex(ctx[1]);
}

/* Runs in the context of the waker: see sched_waking(). */
SEC("tp_btf/sched_waking")
int futex_waking(__u64 *ctx)
{
	struct futex_state *state = futex_of((void *)ctx[0], false);
	__u64 id;

	if (!state || !state->start || stopped())
		return 0;
	id = bpf_get_current_pid_tgid();
	state->waker = id;
	state->waker_tgid = id >> 32;
	return 0;
}

/* The call that a thread asleep is in, from its registers. */
static __always_inline bool read_asleep(struct task_struct *task,
					struct futex_call *call)
{
	struct pt_regs *regs;
	struct user_regs user = { .syscall = -1 };
	__u64 a, b, c, d, e;

	read_user_regs(task, &user);
	/* Of futex_waitv the words lie in memory that is not at hand here. */
	if (user.syscall != NR_FUTEX && user.syscall != NR_FUTEX_WAIT)
		return false;
#if defined(KTAPE_OLD_KERNEL)
	regs = BPF_CORE_READ(task, stack) + THREAD_SIZE - PT_REGS_SIZE;
#else
	regs = (void *)bpf_task_pt_regs(task);
#endif
#if defined(__TARGET_ARCH_x86)
	a = BPF_CORE_READ(regs, di);
	b = BPF_CORE_READ(regs, si);
	c = BPF_CORE_READ(regs, dx);
	d = BPF_CORE_READ(regs, r10);
	e = BPF_CORE_READ(regs, r8);
#else
	a = BPF_CORE_READ(regs, regs[0]);
	b = BPF_CORE_READ(regs, regs[1]);
	c = BPF_CORE_READ(regs, regs[2]);
	d = BPF_CORE_READ(regs, regs[3]);
	e = BPF_CORE_READ(regs, regs[4]);
#endif
	return read_call(call, user.syscall, a, b, c, d, e);
}

/*
 * Read once after the attachment: threads asleep in such a call have been so
 * since before. Read once at the stop: those in one give their open waits.
 */
SEC("iter/task")
int futex_open(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	__u64 stop = moment(MOMENT_STOP);
	struct ktape_futex_wait fact = {};
	struct futex_call call = {};
	struct futex_state *state;

	if (!task || !task->pid || task->flags & PF_KTHREAD ||
	    task->tgid == (__s32)self_tgid || is_held(task->tgid))
		return 0;
	if (!stop) {
		if (task->on_cpu || !(raw_state(task) & TASK_INTERRUPTIBLE))
			return 0;
		if (filter_targets && !is_target(task->tgid, task->pid))
			return 0;
		/* The other filters want the thread to be current. */
		if (filter_uid || wanted_cgroup || allow_count || deny_count ||
		    filter_cpu)
			return 0;
		if (!read_asleep(task, &call))
			return 0;
		state = futex_of(task, true);
		if (!state || state->start)
			return 0;
		begin(state, &call, moment(MOMENT_START));
		state->flags |= KTAPE_FUTEX_WAIT_FLAGS_BEGAN_BEFORE;
		state->cpu = task->wake_cpu;
		return 0;
	}
	state = futex_of(task, false);
	if (!state || !state->start || state->start > stop ||
	    stop - state->start < futex_min_ns)
		return 0;
	fill_futex(&fact, state, stop, stop - state->start);
	fact.tid = task->pid;
	fact.tgid = task->tgid;
	fact.flags |= KTAPE_FUTEX_WAIT_FLAGS_OPEN;
	bpf_seq_write(seq, &fact, sizeof(fact));
	return 0;
}
