// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * sched: one fact per off-CPU interval.
 *
 * A thread's state is kept with the thread: when it left the CPU and why, when
 * it was woken and by whom. The fact is made when it gets the CPU back.
 *
 * Stacks cost ten times as much as the rest, so they are taken when the thread
 * leaves only if the wait promises to be long (see will_be_long()). If one
 * turns out long all the same, its kernel stack is taken at its end.
 */
#include "filter.bpf.h"
#include "stack.bpf.h"
#include "thread.bpf.h"

#define STACKS_NONE 0
#define STACKS_LONG 1
#define STACKS_ALL 2

const volatile __u8 sched_stacks = STACKS_LONG;
const volatile __u64 sched_long_ns = 1000000;
const volatile __u64 sched_min_ns;	/* leave out shorter intervals */

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

/*
 * A bounded number of stacks per CPU is taken only to learn: 2000 a second, in
 * bursts of up to 256. A flood of short-lived threads, each of them new, stays
 * cheap.
 */
#define EXPLORE_INTERVAL_NS 500000
#define EXPLORE_BURST_NS (256 * EXPLORE_INTERVAL_NS)

static __always_inline bool may_explore(struct cpu_state *cpu, __u64 now)
{
	__u64 until = cpu->explore_until;

	if (until > now + EXPLORE_BURST_NS)
		return false;
	cpu->explore_until = (until > now ? until : now) + EXPLORE_INTERVAL_NS;
	return true;
}

/*
 * Will this wait be long? Yes if waits at this place are long on average (a
 * quarter of the threshold is enough: a wrong yes costs one stack walk, a
 * wrong no loses one) and one of the last CREDIT was long indeed. At a new
 * place, and now and then at an old one, take a stack to have one should the
 * wait be long.
 */
static __always_inline bool will_be_long(struct cpu_state *cpu,
					 struct thread_state *thread,
					 struct place *place, __u64 now)
{
	if (sched_stacks == STACKS_ALL)
		return true;
	if (place->credit && place->average_ns >= sched_long_ns / 4)
		return true;
	if (place->explored >= 3 &&
	    now - thread->explored_ts < 100 * sched_long_ns)
		return false;
	if (!may_explore(cpu, now))
		return false;
	if (place->explored < 3)
		place->explored++;
	thread->explored_ts = now;
	return true;
}

/* The average rises fast and falls slowly. */
static __always_inline void learn(struct place *place, __u64 waited)
{
	__u32 ns = waited > 0xffffffff ? 0xffffffff : waited;
	__u32 old = place->average_ns;

	if (ns >= old)
		place->average_ns = old / 2 + ns / 2;
	else
		place->average_ns = old - (old - ns) / 8;
	if (waited >= sched_long_ns)
		place->credit = CREDIT;
	else if (place->credit)
		place->credit--;
}

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
	thread->kstack = intern_kernel_stack(
		buf, bpf_get_task_stack(task, buf->frames, MAX_FRAMES * 8, 0),
		0);
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
		if (waited >= sched_long_ns && waited >= sched_min_ns)
			take_late_stack(cpu, thread, next, STACK_SCHED);
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
	if (thread->off_ts)
		arrived_unseen(cpu, thread, prev, now);
	if (dead)
		return;
	/* Woken before it slept, and not just now: that ended no wait. */
	if (thread->wake_ts + WAKE_RACE_NS < now)
		thread->wake_ts = 0;
	user = !(prev->flags & PF_KTHREAD);
	if (user)
		read_user_regs(prev, &regs);
	thread->off_ts = now;
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
	if (!will_be_long(cpu, thread, place, now))
		return;
	buf = stack_buffer(STACK_SCHED);
	if (!buf)
		return;
	cpu->stacks_taken++;
	thread->kstack = intern_kernel_stack(
		buf, bpf_get_stack(ctx, buf->frames, MAX_FRAMES * 8, 0),
		KTAPE_WIRE_STACK_FLAGS_PROGRAM);
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
 * sched_waking, not sched_wakeup: it runs in the context of the waker even
 * when the wake-up itself is handed to another CPU.
 */
SEC("tp_btf/sched_waking")
int sched_waking(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct thread_state *thread = thread_of(task, false);
	__u64 id;

	if (!thread || stopped())
		return 0;
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
		}
		thread->cpu = task->wake_cpu;
		/* Not before the start when it is cut. */
		thread->off_ts = moment(MOMENT_START) + TIME_STEP - 1;
		return 0;
	}

	thread = thread_of(task, false);
	if (!thread || !thread->off_ts || thread->off_ts > stop)
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
