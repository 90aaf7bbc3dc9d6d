// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * sched: one fact per off-CPU interval.
 *
 * A thread's state is kept with the thread: when it left the CPU and why, when
 * it was woken and by whom. The fact is made when it gets the CPU back.
 *
 * Stacks cost ten times as much as the rest, so they are taken when the thread
 * leaves only if the wait promises to be long (predict.bpf.h). If one turns
 * out long all the same, they are taken at its end (take_late_stack(),
 * late_wait()).
 */
#include "filter.bpf.h"
#include "interrupt.bpf.h"
#include "predict.bpf.h"
#include "stack.bpf.h"
#include "thread.bpf.h"

const volatile __u64 sched_min_ns;	/* leave out shorter intervals */

/* Whether it left the CPU without waiting for anything but the CPU. */
static __always_inline bool was_runnable(struct thread_state *thread)
{
	return thread->state == KTAPE_OFF_CPU_STATE_PREEMPTED ||
	       thread->state == KTAPE_OFF_CPU_STATE_YIELDED;
}

/*
 * Moments are recorded in steps of 32 ns, about what reading the clock takes
 * (and what the clocks of some machines tick in): the bits below are noise and
 * would be a quarter of the trace. All moments are cut alike, so that waits and
 * turns still add up.
 */
#define TIME_STEP 32

static __always_inline __u64 step_of(__u64 moment)
{
	return moment & ~(__u64)(TIME_STEP - 1);
}

/* Since when a waiting thread could have run; `now` if it could not. */
static __always_inline __u64 runnable_since(struct thread_state *thread,
					    __u64 now)
{
	if (was_runnable(thread))
		return thread->off_ts;
	if (!thread->wake_ts)
		return now;
	/*
	 * A waker can be quicker than the sched_switch of its target, which is
	 * on its way out: then the thread was runnable all the time.
	 */
	if (thread->wake_ts < thread->off_ts)
		return thread->off_ts;
	return thread->wake_ts < now ? thread->wake_ts : now;
}

static __always_inline void fill(struct ktape_off_cpu *fact,
				 struct thread_state *thread,
				 struct task_struct *task, __u64 now)
{
	fact->end = step_of(now);
	fact->duration = fact->end - step_of(thread->off_ts);
	fact->runq = fact->end - step_of(runnable_since(thread, now));
	fact->tid = task->pid;
	fact->tgid = task->tgid;
	if (thread->wake_ts && !was_runnable(thread)) {
		fact->waker = thread->waker;
		fact->waker_tgid = thread->waker_tgid;
	} else {
		fact->waker = 0;
		fact->waker_tgid = 0;
	}
	fact->kstack = thread->kstack;
	fact->ustack = thread->ustack;
	fact->prev_cpu = thread->cpu;
	fact->syscall = thread->syscall;
	fact->state = thread->state;
	fact->flags = thread->flags;
}

/* The wait of a thread ended at `now`. */
static __always_inline void end_wait(struct cpu_state *cpu,
				     struct thread_state *thread,
				     struct task_struct *task, __u64 now)
{
	struct ktape_off_cpu *fact;

	if (step_of(now) - step_of(thread->off_ts) >= sched_min_ns) {
		fact = reserve_fact(cpu, KTAPE_OFF_CPU, sizeof(*fact));
		if (fact) {
			fill(fact, thread, task, now);
			fact->cpu = bpf_get_smp_processor_id();
			submit_fact(cpu, fact, sizeof(*fact));
		}
	}
	thread->off_ts = 0;
	thread->wake_ts = 0;
	thread->on_ts = now;
}

/* Whether a thread is seen to return to user mode: see rseq_update(). */
static __always_inline bool return_is_seen(struct cpu_state *cpu,
					   struct task_struct *task)
{
	if (!cpu->sees_returns || !bpf_core_field_exists(task->rseq))
		return false;
#if defined(KTAPE_OLD_KERNEL)
	return BPF_CORE_READ(task, rseq);
#else
	return task->rseq;
#endif
}

/*
 * A long wait that nobody foresaw has no user stack, and cannot be walked when
 * it ends: the memory of the other thread is still the current one then. But
 * on its way back to user mode the thread stands where it stood, so its fact
 * is kept until then.
 */
static __always_inline bool late_wait(struct cpu_state *cpu,
				      struct thread_state *thread,
				      struct task_struct *task, __u64 now)
{
	if (thread->ustack || thread->has_late ||
	    thread->state == KTAPE_OFF_CPU_STATE_NEW ||
	    !return_is_seen(cpu, task))
		return false;
	fill(&thread->late, thread, task, now);
	thread->late.cpu = bpf_get_smp_processor_id();
	thread->has_late = true;
	thread->off_ts = 0;
	thread->wake_ts = 0;
	thread->on_ts = now;
	cpu->late_tid = task->pid;
	return true;
}

/*
 * The current task is the thread. Unless it has ended it is still in the
 * kernel, or its return would have been seen.
 */
static __always_inline void tell_late(struct cpu_state *cpu,
				      struct thread_state *thread,
				      struct user_regs *regs, bool ended)
{
	struct ktape_off_cpu *fact;
	struct stack_buffer *buf;
	__u32 ustack = 0;

	thread->has_late = false;
	cpu->late_tid = 0;
	if (!ended && regs->ip == thread->user_ip &&
	    regs->sp == thread->user_sp) {
		buf = stack_buffer(STACK_SCHED);
		if (buf) {
			cpu->stacks_taken++;
			ustack = intern_user_stack(buf, regs->ip, regs->sp,
						   regs->fp);
		}
	}
	fact = reserve_fact(cpu, KTAPE_OFF_CPU, sizeof(*fact));
	if (!fact)
		return;
	*fact = thread->late;
	fact->ustack = ustack;
	submit_fact(cpu, fact, sizeof(*fact));
}

/*
 * The kernel stack of a thread that is off the CPU, unless it was taken when
 * it left. Functions of the scheduler and the slow paths of locks are missing
 * from it: stack_trace_save_tsk() leaves out .sched.text and .spinlock.text.
 */
static __always_inline void take_late_stack(struct cpu_state *cpu,
					    struct thread_state *thread,
					    struct task_struct *task,
					    enum stack_context context)
{
	struct stack_buffer *buf;

	if (thread->kstack)
		return;
	buf = stack_buffer(context);
	if (!buf)
		return;
	cpu->stacks_taken++;
	/* Where it did not wait itself, nothing is left out. */
	thread->kstack = intern_kernel_stack(
		buf, bpf_get_task_stack(task, buf->frames, MAX_FRAMES * 8, 0),
		was_runnable(thread) ||
				thread->state == KTAPE_OFF_CPU_STATE_NEW ?
			0 : KTAPE_WIRE_STACK_FLAGS_WAITING);
	thread->flags |= KTAPE_OFF_CPU_FLAGS_LATE_STACK;
}

static __always_inline void arrive(struct cpu_state *cpu,
				   struct task_struct *next, __u64 now)
{
	struct thread_state *thread = thread_of(next, false);
	__u64 waited;

	if (!thread)
		return;
	if (!thread->off_ts) {
		/* Nobody asks who ended a wait that is not recorded. */
		thread->wake_ts = 0;
		return;
	}
	/* The clock may step back by some ns from one CPU to another. */
	if (now < thread->off_ts)
		now = thread->off_ts;
	waited = now - thread->off_ts;
	if (sched_stacks == STACKS_LONG) {
		learn(&thread->places[thread->place & (PLACES - 1)], waited);
		if (waited >= sched_long_ns && waited >= sched_min_ns) {
			take_late_stack(cpu, thread, next, STACK_SCHED);
			if (late_wait(cpu, thread, next, now))
				return;
		}
	}
	end_wait(cpu, thread, next, now);
}

/*
 * A thread leaves that was not seen to come: the switch was one away from a
 * task in whose context no program runs, such as the agent of some virtual
 * machines. The scheduler knows how long its turn was.
 */
static __always_inline void arrived_unseen(struct cpu_state *cpu,
					   struct thread_state *thread,
					   struct task_struct *task, __u64 now)
{
	__u64 ran = task->se.sum_exec_runtime - task->se.prev_sum_exec_runtime;
	__u64 least = thread->off_ts;

	if (thread->wake_ts > least)
		least = thread->wake_ts;
	if (now < least)
		now = least;
	now = ran < now - least ? now - ran : least;
	if (sched_stacks == STACKS_LONG)
		learn(&thread->places[thread->place & (PLACES - 1)],
		      now - thread->off_ts);
	thread->flags |= KTAPE_OFF_CPU_FLAGS_END_ESTIMATED;
	end_wait(cpu, thread, task, now);
}

/* From the wake-up of a thread on its way out to its sched_switch. */
#define WAKE_RACE_NS 100000

static __always_inline void leave(void *ctx, struct cpu_state *cpu,
				  struct task_struct *prev, __u32 raw,
				  __u64 now)
{
	struct thread_state *thread;
	struct stack_buffer *buf;
	struct user_regs regs = { .syscall = -1 };
	struct place *place;
	bool user, dead;
	__u32 at;

	dead = raw & TASK_EXIT_OR_DEAD;
	if (!dead && !current_wanted(prev->tgid, prev->pid))
		return;
	thread = thread_of(prev, !dead);
	if (!thread) {
		if (!dead)
			lose_fact(cpu, KTAPE_OFF_CPU);
		return;
	}
	user = !(prev->flags & PF_KTHREAD);
	if (user && !dead)
		read_user_regs(prev, &regs);
	if (thread->has_late)
		tell_late(cpu, thread, &regs, dead);
	if (thread->off_ts)
		arrived_unseen(cpu, thread, prev, now);
	if (dead) {
		forget_thread(prev);
		return;
	}
	/* Woken before it slept, and not just now: that ended no wait. */
	if (thread->wake_ts + WAKE_RACE_NS < now)
		thread->wake_ts = 0;
	thread->off_ts = now;
	thread->user_ip = regs.ip;
	thread->user_sp = regs.sp;
	thread->cpu = bpf_get_smp_processor_id();
	thread->syscall = regs.syscall < 0 || regs.syscall > 0xfffe ?
			  0xffff : regs.syscall;
	thread->state = state_of(raw, prev);
	if (!raw && regs.syscall == NR_SCHED_YIELD)
		thread->state = KTAPE_OFF_CPU_STATE_YIELDED;
	thread->flags = 0;
	thread->kstack = 0;
	thread->ustack = 0;
	if (sched_stacks == STACKS_NONE)
		return;

	at = (__u32)(regs.sp >> 3) ^ (__u32)regs.ip ^ thread->syscall ^
	     (raw ? 0 : 0x55555555);
	at = (at * 0x9e3779b1U) >> 29;
	thread->place = at;
	place = &thread->places[at & (PLACES - 1)];
	if (!will_be_long(cpu, thread, place, now,
			  !user || return_is_seen(cpu, prev)))
		return;
	buf = stack_buffer(STACK_SCHED);
	if (!buf)
		return;
	cpu->stacks_taken++;
	thread->kstack = intern_kernel_stack(
		buf, bpf_get_stack(ctx, buf->frames, MAX_FRAMES * 8, 0),
		KTAPE_WIRE_STACK_FLAGS_PROGRAM |
			(raw ? KTAPE_WIRE_STACK_FLAGS_LEAVING : 0));
	if (user)
		thread->ustack = intern_user_stack(buf, regs.ip, regs.sp,
						   regs.fp);
}

/* Since 5.18 (commit 9c2136be0878) the state is the last argument. */
SEC("tp_btf/sched_switch")
int sched_switch(__u64 *ctx)
{
	struct task_struct *prev = (void *)ctx[1];
	struct task_struct *next = (void *)ctx[2];
	struct cpu_state *cpu = this_cpu();
	__u64 now = bpf_ktime_get_ns();
	struct thread_state *thread;
	__u32 raw;

	if (stopped()) {
		thread = thread_of(next, false);
		if (thread)
			thread->place = PLACE_LEFT;
		return 0;
	}
	if (!cpu)
		return 0;
	if (prev->pid) {
		/*
		 * Preempted on its way to sleep: it has set its state, but is
		 * still on the run queue.
		 */
		if (ctx[0])
			raw = 0;
		else if (kernel_version >= (5 << 16 | 18 << 8))
			raw = ctx[3];
		else
			raw = raw_state(prev);
		leave(ctx, cpu, prev, raw, now);
	}
	if (next->pid)
		arrive(cpu, next, now);
	return 0;
}

/*
 * Restartable sequences make the kernel do this whenever a thread returns to
 * user mode after it was off the CPU; C libraries register every thread for
 * them since glibc 2.35. Since 6.19 it is left out where nothing has changed,
 * and says nothing of returns any more.
 */
SEC("tp_btf/rseq_update")
int rseq_update(__u64 *ctx __attribute__((unused)))
{
	struct user_regs regs = { .syscall = -1 };
	struct thread_state *thread;
	struct cpu_state *cpu = this_cpu();

	if (!cpu || kernel_version >= (6 << 16 | 19 << 8))
		return 0;
	cpu->sees_returns = true;
	if (cpu->late_tid != (__u32)bpf_get_current_pid_tgid() || stopped())
		return 0;
	thread = thread_of_current();
	if (!thread || !thread->has_late)
		return 0;
	read_user_regs(current_task(), &regs);
	tell_late(cpu, thread, &regs, false);
	return 0;
}

/*
 * sched_waking, not sched_wakeup: it runs in the context of the waker even
 * when the wake-up itself is handed to another CPU.
 */
SEC("tp_btf/sched_waking")
int sched_waking(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct thread_state *thread = thread_of(task, false);
	__u64 id = 0;

	if (!thread || stopped())
		return 0;
	/* What an interrupt does is not the doing of whom it interrupted. */
	if (!in_interrupt())
		id = bpf_get_current_pid_tgid();
	thread->wake_ts = bpf_ktime_get_ns();
	thread->waker = id;
	thread->waker_tgid = id >> 32;
	return 0;
}

/* A new thread waits for its first run. */
SEC("tp_btf/sched_wakeup_new")
int sched_wakeup_new(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	__u64 now = bpf_ktime_get_ns();
	struct thread_state *thread;
	struct cpu_state *cpu;
	__u64 id;

	if (stopped() || !current_wanted(task->tgid, task->pid))
		return 0;
	thread = thread_of(task, true);
	if (!thread) {
		cpu = this_cpu();
		if (cpu)
			lose_fact(cpu, KTAPE_OFF_CPU);
		return 0;
	}
	id = bpf_get_current_pid_tgid();
	thread->off_ts = now;
	thread->wake_ts = now;
	thread->waker = id;
	thread->waker_tgid = id >> 32;
	thread->kstack = 0;
	thread->ustack = 0;
	thread->cpu = bpf_get_smp_processor_id();
	thread->syscall = 0xffff;
	thread->state = KTAPE_OFF_CPU_STATE_NEW;
	thread->flags = 0;
	return 0;
}

/*
 * Read once after the attachment: threads that are off the CPU then have been
 * waiting since before. Read once at the stop: threads that are off the CPU
 * then give their open waits, with the kernel stack they have now if none was
 * taken when they left and they have not run since.
 */
SEC("iter/task")
int sched_open(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct thread_state *thread;
	struct ktape_off_cpu fact = {};
	struct cpu_state *cpu;
	__u64 stop = moment(MOMENT_STOP);
	__u32 raw;

	if (!task || !task->pid || task->tgid == (__s32)self_tgid ||
	    is_held(task->tgid))
		return 0;
	if (!stop) {
		raw = raw_state(task);
		if (task->on_cpu || (raw & TASK_EXIT_OR_DEAD))
			return 0;
		if (filter_targets && !is_target(task->tgid, task->pid))
			return 0;
		/* The other filters want the thread to be current. */
		if (filter_uid || wanted_cgroup || allow_count || deny_count ||
		    filter_cpu)
			return 0;
		thread = thread_of(task, true);
		if (!thread || thread->off_ts || thread->wake_ts)
			return 0;
		thread->state = state_of(raw, task);
		thread->flags = KTAPE_OFF_CPU_FLAGS_BEGAN_BEFORE;
		thread->syscall = 0xffff;
		if (!(task->flags & PF_KTHREAD)) {
			struct user_regs regs = { .syscall = -1 };

			read_user_regs(task, &regs);
			if (regs.syscall >= 0 && regs.syscall < 0xffff)
				thread->syscall = regs.syscall;
			thread->user_ip = regs.ip;
			thread->user_sp = regs.sp;
		}
		thread->cpu = task->wake_cpu;
		/* Not before the start when it is cut. */
		thread->off_ts = moment(MOMENT_START) + TIME_STEP - 1;
		return 0;
	}

	thread = thread_of(task, false);
	if (!thread)
		return 0;
	if (thread->has_late)
		bpf_seq_write(seq, &thread->late, sizeof(thread->late));
	if (!thread->off_ts || thread->off_ts > stop)
		return 0;
	if (step_of(stop) - step_of(thread->off_ts) < sched_min_ns)
		return 0;
	cpu = this_cpu();
	if (cpu && sched_stacks != STACKS_NONE && thread->place != PLACE_LEFT)
		take_late_stack(cpu, thread, task, STACK_ITER);
	/* What woke it is only a wake-up if it has not gone to sleep since. */
	if (thread->wake_ts < thread->off_ts && raw_state(task))
		thread->wake_ts = 0;
	fill(&fact, thread, task, stop);
	fact.cpu = thread->cpu;
	fact.flags |= KTAPE_OFF_CPU_FLAGS_OPEN;
	bpf_seq_write(seq, &fact, sizeof(fact));
	return 0;
}
