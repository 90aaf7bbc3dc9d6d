// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * syscalls: exact counts and times per process and system call, added up here
 * and read by the recorder every second; single facts only for slow calls.
 */
#include "call.bpf.h"
#include "filter.bpf.h"
#include "stack.bpf.h"
#include "thread.bpf.h"

const volatile __u64 syscalls_slow_ns = 10000000;
const volatile bool syscalls_stacks = true;

/* Marks the number of a 32-bit system call on x86-64. */
#define IA32_CALL 0x80000000U

#define BUCKETS 40	/* log2 of nanoseconds: up to 18 minutes */

/* Of a process on a CPU: what only one CPU adds to needs no atomic adds. */
struct call_key {
	__u32 tgid;
	__u32 nr;
	__u32 cpu;
};

struct call_totals {
	__u64 count;
	__u64 errors;
	__u64 total;
	__u64 max;
	__u64 buckets[BUCKETS];
};

/*
 * Rows are made when a process first makes a call on a CPU; the recorder
 * removes those of processes that ended, and makes room for several CPUs. Not a
 * per-CPU map, whose lookup takes twice as long.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct call_key);
	__type(value, struct call_totals);
} calls SEC(".maps");

/*
 * Rows are allocated from a small stock that the kernel refills in the
 * background, so a burst of new ones can find it empty. Those go here, where
 * all rows are allocated beforehand.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct call_key);
	__type(value, struct call_totals);
} more_calls SEC(".maps");

static __always_inline __u32 log2_of(__u64 value)
{
	__u32 shift, log = 0;

	shift = (value > 0xffffffff) << 5;
	value >>= shift;
	log |= shift;
	shift = (value > 0xffff) << 4;
	value >>= shift;
	log |= shift;
	shift = (value > 0xff) << 3;
	value >>= shift;
	log |= shift;
	shift = (value > 0xf) << 2;
	value >>= shift;
	log |= shift;
	shift = (value > 0x3) << 1;
	value >>= shift;
	log |= shift;
	return log | value >> 1;
}

static __always_inline struct call_totals *totals_of(struct cpu_state *cpu,
						     __u32 tgid, __u32 nr)
{
	static const struct call_totals none;
	struct call_key key = {
		.tgid = tgid,
		.nr = nr,
		.cpu = bpf_get_smp_processor_id(),
	};
	struct call_totals *totals;

	cpu->counters[KTAPE_SYSCALL_COUNT].produced++;
	totals = bpf_map_lookup_elem(&calls, &key);
	if (totals)
		return totals;
	bpf_map_update_elem(&calls, &key, &none, BPF_NOEXIST);
	totals = bpf_map_lookup_elem(&calls, &key);
	if (totals)
		return totals;
	totals = bpf_map_lookup_elem(&more_calls, &key);
	if (totals)
		return totals;
	bpf_map_update_elem(&more_calls, &key, &none, BPF_NOEXIST);
	totals = bpf_map_lookup_elem(&more_calls, &key);
	if (!totals)
		cpu->counters[KTAPE_SYSCALL_COUNT].lost++;
	return totals;
}

/* The current task enters the kernel for call `nr`: when, 0 if unrecorded. */
static __always_inline __u64 enter_call(__u32 nr, __u32 arg0)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call_totals *totals;
	struct call_state *call;
	struct cpu_state *cpu;

	if (stopped() || !current_wanted(id >> 32, id))
		return 0;
#if defined(__TARGET_ARCH_x86)
	/* The other table of an x86-64 kernel: no number means the same. */
	if (in_compat_call(current_task()))
		nr |= IA32_CALL;
#endif
	/* These do not return. */
	if (nr == NR_EXIT || nr == NR_EXIT_GROUP) {
		cpu = this_cpu();
		if (!cpu)
			return 0;
		totals = totals_of(cpu, id >> 32, nr);
		if (totals)
			totals->count++;
		call = call_of_current(false);
		if (call)
			call->start = 0;
		return 0;
	}
	call = call_of_current(true);
	if (!call) {
		cpu = this_cpu();
		if (cpu)
			lose_fact(cpu, KTAPE_SYSCALL_COUNT);
		return 0;
	}
	call->nr = nr;
	call->arg0 = arg0;
	call->start = bpf_ktime_get_ns();
	return call->start;
}

/* The call of the current task returns `ret`: when, 0 if it is not counted. */
static __always_inline __u64 leave_call(__s64 ret)
{
	struct call_state *call = call_of_current(false);
	struct ktape_syscall_slow *fact;
	struct call_totals *totals;
	struct user_regs regs = { .syscall = -1 };
	struct stack_buffer *buf;
	struct cpu_state *cpu;
	__u32 ustack = 0;
	__u64 now, took;
	__u64 id;

	if (!call || !call->start || stopped())
		return 0;
	now = bpf_ktime_get_ns();
	id = bpf_get_current_pid_tgid();
	/* The clock may step back by some ns from one CPU to another. */
	took = now > call->start ? now - call->start : 0;
	cpu = this_cpu();
	if (!cpu)
		return 0;
	totals = totals_of(cpu, id >> 32, call->nr);
	if (totals) {
		__u32 bucket = log2_of(took);

		if (bucket >= BUCKETS)
			bucket = BUCKETS - 1;
		totals->count++;
		if (ret < 0 && ret >= -4095)
			totals->errors++;
		totals->total += took;
		if (took > totals->max)
			totals->max = took;
		totals->buckets[bucket]++;
	}
	if (took >= syscalls_slow_ns) {
		buf = stack_buffer(STACK_SYSCALL);
		if (buf && syscalls_stacks) {
			cpu->stacks_taken++;
			read_user_regs(current_task(), &regs);
			ustack = intern_user_stack(buf, regs.ip, regs.sp,
						   regs.fp);
		}
		fact = reserve_fact(cpu, KTAPE_SYSCALL_SLOW, sizeof(*fact));
		if (fact) {
			fact->end = now;
			fact->duration = took;
			fact->ret = ret;
			fact->tid = id;
			fact->tgid = id >> 32;
			fact->nr = call->nr;
			fact->ustack = ustack;
			fact->cpu = bpf_get_smp_processor_id();
			fact->flags = 0;
			fact->arg0 = call->arg0;
			submit_fact(cpu, fact, sizeof(*fact));
		}
	}
	call->start = 0;
	return now;
}

static __always_inline __u32 first_arg(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->di;
#else
	return regs->regs[0];
#endif
}

SEC("tp_btf/sys_enter")
int sys_enter(__u64 *ctx)
{
	enter_call(ctx[1], first_arg((struct pt_regs *)ctx[0]));
	return 0;
}

SEC("tp_btf/sys_exit")
int sys_exit(__u64 *ctx)
{
	leave_call(ctx[1]);
	return 0;
}

/*
 * From 7.0 on, programs of typed tracepoints can be preempted ("tracing: Guard
 * __DECLARE_TRACE() use of __DO_TRACE_CALL() with SRCU-fast"). A program runs
 * once at a time on a CPU (prog->active): until the preempted thread comes
 * back, the calls of all other threads there would be missed, in a storm of
 * calls up to a third of them. What perf hands on is not preempted.
 */
SEC("tracepoint/raw_syscalls/sys_enter")
int sys_enter_event(struct trace_event_raw_sys_enter *ctx)
{
	enter_call(ctx->id, ctx->args[0]);
	return 0;
}

SEC("tracepoint/raw_syscalls/sys_exit")
int sys_exit_event(struct trace_event_raw_sys_exit *ctx)
{
	leave_call(ctx->ret);
	return 0;
}

/* The calls that have not returned, as far as they are slow by now. */
SEC("iter/task")
int syscalls_open(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct ktape_syscall_slow fact = {};
	__u64 stop = moment(MOMENT_STOP);
	struct call_state *call;

	if (!task || !stop)
		return 0;
	call = call_of(task);
	if (!call || !call->start || call->start > stop ||
	    stop - call->start < syscalls_slow_ns)
		return 0;
	fact.end = stop;
	fact.duration = stop - call->start;
	fact.tid = task->pid;
	fact.tgid = task->tgid;
	fact.nr = call->nr;
	fact.cpu = task->wake_cpu;
	fact.flags = KTAPE_OFF_CPU_FLAGS_OPEN;
	fact.arg0 = call->arg0;
	bpf_seq_write(seq, &fact, sizeof(fact));
	return 0;
}
