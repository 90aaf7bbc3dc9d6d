// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * lifecycle: threads come, take other names, run other programs, go. Recorded
 * for the whole host whatever the filters say: a waker has a name, too.
 */
#include "call.bpf.h"
#include "counters.bpf.h"
#include "filter.bpf.h"
#include "thread.bpf.h"

static __always_inline void copy_comm(__u64 *comm0, __u64 *comm1,
				      struct task_struct *task)
{
	__u64 comm[2] = {};

	BPF_CORE_READ_STR_INTO(&comm, task, comm);
	*comm0 = comm[0];
	*comm1 = comm[1];
}

/* `parent` has created `child`. */
static __always_inline int forked(struct task_struct *parent,
				  struct task_struct *child)
{
	struct {
		struct item item;
		struct ktape_wire_fork fork;
	} message = {};
	struct ktape_wire_fork *fork = &message.fork;
	struct cpu_state *cpu;
	long full = 0;
	__u8 one = 1;
	__u64 key;

	if (filter_children && child->tgid == child->pid) {
		key = (__u64)parent->tgid << 1;
		if (bpf_map_lookup_elem(&targets, &key)) {
			key = (__u64)child->tgid << 1;
			full = bpf_map_update_elem(&targets, &key, &one,
						   BPF_ANY);
		}
	}
	/* The facts of a child that is not known as a target are missing. */
	cpu = this_cpu();
	if (cpu && full)
		lose_fact(cpu, KTAPE_WIRE_FORK);
	fork->time = bpf_ktime_get_ns();
	fork->start = child->start_time;
	fork->tid = child->pid;
	fork->tgid = child->tgid;
	fork->parent = parent->tgid;
	fork->uid = BPF_CORE_READ(child, real_cred, uid.val);
	fork->flags = child->flags & PF_KTHREAD ?
		      KTAPE_TASK_START_FLAGS_KTHREAD : 0;
	copy_comm(&fork->comm0, &fork->comm1, child);
	send_definition(&message.item, KTAPE_WIRE_FORK, sizeof(*fork));
	return 0;
}

SEC("tp_btf/sched_process_fork")
int lifecycle_fork(__u64 *ctx)
{
	return forked((void *)ctx[0], (void *)ctx[1]);
}

/*
 * From 7.0 on, programs of typed tracepoints can be preempted, and a preempted
 * one is run for no other thread of its CPU ("tracing: Guard __DECLARE_TRACE()
 * use of __DO_TRACE_CALL() with SRCU-fast"). The creator wakes a new thread
 * with interrupts off, and what perf hands on is not preempted.
 */
SEC("tp_btf/sched_wakeup_new")
int lifecycle_fork_woken(__u64 *ctx)
{
	return forked(current_task(), (void *)ctx[0]);
}

#define EXE_LEN 256
#define ARGS_LEN 512

struct exec_message {
	struct item item;
	struct ktape_wire_exec exec;
	char text[EXE_LEN + ARGS_LEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_message);
} exec_messages SEC(".maps");

/* A task runs another program; it had the number `old_tid`. */
static __always_inline int executed(struct task_struct *task, __u32 old_tid,
				    const char *filename)
{
	struct exec_message *message;
	__u64 from, bytes;
	__u32 zero = 0;
	long len;

	message = bpf_map_lookup_elem(&exec_messages, &zero);
	if (!message)
		return 0;
	message->exec.time = bpf_ktime_get_ns();
	message->exec.tgid = task->tgid;
	message->exec.old_tid = old_tid;
	message->exec.uid = BPF_CORE_READ(task, real_cred, uid.val);
	message->exec.spare = 0;
	copy_comm(&message->exec.comm0, &message->exec.comm1, task);

	len = bpf_probe_read_kernel_str(message->text, EXE_LEN, filename);
	/* Without its NUL, and bounded once more for the verifier. */
	len = len > 0 ? len - 1 : 0;
	if (len > EXE_LEN - 1)
		len = EXE_LEN - 1;
	message->exec.exe_len = len;

	from = BPF_CORE_READ(task, mm, arg_start);
	bytes = BPF_CORE_READ(task, mm, arg_end) - from;
	if (bytes > ARGS_LEN)
		bytes = ARGS_LEN;
	if (bpf_probe_read_user(message->text + (len & (EXE_LEN - 1)),
				bytes, (void *)from))
		bytes = 0;
	message->exec.args_len = bytes;
	send_definition(&message->item, KTAPE_WIRE_EXEC,
			sizeof(message->exec) + (len & (EXE_LEN - 1)) + bytes);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int lifecycle_exec(__u64 *ctx)
{
	struct linux_binprm *bprm = (void *)ctx[2];

	return executed((void *)ctx[0], ctx[1], bprm->filename);
}

struct trace_event_raw_sched_process_exec {
	__u32 __data_loc_filename;	/* low half: offset in the event */
	__s32 old_pid;
} CORE;

SEC("tracepoint/sched/sched_process_exec")
int lifecycle_exec_event(struct trace_event_raw_sched_process_exec *ctx)
{
	__u32 offset = ctx->__data_loc_filename & 0xffff;

	return executed(current_task(), ctx->old_pid, (void *)ctx + offset);
}

/*
 * The scheduler adds up a running thread's time at ticks: up to 4 ms of its
 * last turn are not in the sum yet. When it got the CPU is known if the probe
 * sched is attached and has seen it.
 */
static __always_inline __u64 run_time(struct task_struct *task, __u64 now)
{
	struct thread_state *thread = thread_of(task, false);
	__u64 sum = task->se.sum_exec_runtime, exact;

	if (!thread || !thread->on_ts || thread->on_ts > now)
		return sum;
	exact = task->se.prev_sum_exec_runtime + (now - thread->on_ts);
	return exact > sum ? exact : sum;
}

/*
 * From 7.0 on both programs below are attached, since each can be passed over:
 * that of the typed tracepoint while a thread is preempted in it, the other one
 * while a thread is preempted in a system call on a map (bpf_prog_active).
 */
struct exit_key {
	__u64 start;
	__u64 tid;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct exit_key);
	__type(value, __u8);
} exits_told SEC(".maps");

/* Whether the other one of them has told of this task's end. */
static __always_inline bool exit_is_told(struct task_struct *task)
{
	struct exit_key key = {
		.start = task->start_time,
		.tid = task->pid,
	};
	__u8 told = 1;

	return kernel_version >= (7 << 16) &&
	       bpf_map_update_elem(&exits_told, &key, &told, BPF_NOEXIST) ==
		       -EEXIST;
}

/* A task ends. */
static __always_inline int exited(struct task_struct *task)
{
	struct {
		struct item item;
		struct ktape_wire_exit exit;
	} message = {};
	struct ktape_wire_exit *exit = &message.exit;
	__u64 key;

	if (exit_is_told(task))
		return 0;
	exit->time = bpf_ktime_get_ns();
	exit->start = task->start_time;
	exit->run = run_time(task, exit->time);
	exit->tid = task->pid;
	exit->tgid = task->tgid;
	exit->code = task->exit_code;
	exit->live = BPF_CORE_READ(task, signal, live.counter);
	/* Who was created before the recording may not have been seen yet. */
	exit->parent = BPF_CORE_READ(task, real_parent, tgid);
	exit->uid = BPF_CORE_READ(task, real_cred, uid.val);
	copy_comm(&exit->comm0, &exit->comm1, task);
	send_definition(&message.item, KTAPE_WIRE_EXIT, sizeof(*exit));
	counters_exit(task, exit->time);
	/* After the stop it is told as it stood then. */
	if (!stopped())
		forget_call();
	if (filter_targets) {
		/* Its number may come back as another thread or process. */
		key = (__u64)task->pid << 1 | 1;
		bpf_map_delete_elem(&targets, &key);
		key = (__u64)task->tgid << 1;
		if (!exit->live)
			bpf_map_delete_elem(&targets, &key);
	}
	return 0;
}

SEC("tp_btf/sched_process_exit")
int lifecycle_exit(__u64 *ctx)
{
	return exited((void *)ctx[0]);
}

SEC("tracepoint/sched/sched_process_exit")
int lifecycle_exit_event(void *ctx __attribute__((unused)))
{
	return exited(current_task());
}

SEC("tp_btf/task_rename")
int lifecycle_comm(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	const char *name = (void *)ctx[1];
	struct {
		struct item item;
		struct ktape_wire_comm comm;
	} message = {};
	__u64 comm[2] = {};

	bpf_probe_read_kernel_str(comm, sizeof(comm), name);
	message.comm.time = bpf_ktime_get_ns();
	message.comm.comm0 = comm[0];
	message.comm.comm1 = comm[1];
	message.comm.tid = task->pid;
	message.comm.tgid = task->tgid;
	send_definition(&message.item, KTAPE_WIRE_COMM, sizeof(message.comm));
	return 0;
}
