// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * io: system calls on files that take long, each with its file.
 *
 * The begin of a call is kept with its thread. All else is looked up at its
 * end, and only if it was slow: a fast call costs two short programs.
 */
#include "filter.bpf.h"
#include "stack.bpf.h"
#include "thread.bpf.h"

const volatile __u64 io_min_ns = 5000000;
const volatile bool io_stacks = true;
#define IO_FILES 0
#define IO_ALL 1
const volatile __u8 io_kinds = IO_FILES;

/*
 * Not for kernels before 5.17: without bpf_loop() the verifier follows each
 * step of the loops, and a recording on 5.10 had not begun after minutes (in an
 * emulated machine).
 */
#if !defined(KTAPE_OLD_KERNEL)
#include "io_calls.bpf.h"
#include "io_file.bpf.h"

/* The call that a thread is in. */
struct io_call {
	__u64 start;	/* 0: in none that is looked at */
	__u64 file;	/* address, to see whether it is the same at the end */
	__u64 args[5];
	__u32 nr;
	__u16 flags;
	__u16 spare;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct io_call);
} io_in_call SEC(".maps");

static __always_inline struct io_call *io_call_of(struct task_struct *task,
						  bool create)
{
	return bpf_task_storage_get(&io_in_call, task, NULL,
				    create ? BPF_LOCAL_STORAGE_GET_F_CREATE :
				    0);
}

static __always_inline void io_begin(struct io_call *call,
				     struct task_struct *task, __u32 nr,
				     __u8 known)
{
	__u32 fd = io_descriptor(known, call->args);

	call->nr = nr;
	call->flags = 0;
	call->file = fd == ~0U ? 0 : (__u64)open_file(task, fd);
}

/* The current thread, which is recorded, enters a call on a file at `now`. */
static __noinline int io_enter(struct pt_regs *regs, __u32 nr, __u64 now)
{
	__u8 known = io_known(nr);
	struct io_call *call;
	struct cpu_state *cpu;

#if defined(__TARGET_ARCH_x86)
	/* The other table of an x86-64 kernel has other numbers. */
	if (in_compat_call(current_task()))
		return 0;
#endif
	call = io_call_of(current_task(), true);
	if (!call) {
		/* With a threshold it would hardly have been a fact. */
		cpu = this_cpu();
		if (cpu && !io_min_ns)
			lose_fact(cpu, KTAPE_IO);
		return 0;
	}
#if defined(__TARGET_ARCH_x86)
	call->args[0] = regs->di;
	call->args[1] = regs->si;
	call->args[2] = regs->dx;
	call->args[3] = regs->r10;
	call->args[4] = regs->r8;
#else
	call->args[0] = regs->regs[0];
	call->args[1] = regs->regs[1];
	call->args[2] = regs->regs[2];
	call->args[3] = regs->regs[3];
	call->args[4] = regs->regs[4];
#endif
	io_begin(call, current_task(), nr, known);
	call->start = now;
	return 0;
}

static __always_inline bool io_wanted(__u32 nr)
{
	__u64 id = bpf_get_current_pid_tgid();

	return io_known(nr) && !stopped() && current_wanted(id >> 32, id);
}

/* The first arguments of the call that a task is in. */
static __always_inline void io_read_args(struct task_struct *task, __u64 *args)
{
	struct pt_regs *regs;

	regs = (void *)bpf_task_pt_regs(task);
#if defined(__TARGET_ARCH_x86)
	args[0] = BPF_CORE_READ(regs, di);
	args[1] = BPF_CORE_READ(regs, si);
	args[2] = BPF_CORE_READ(regs, dx);
	args[3] = BPF_CORE_READ(regs, r10);
	args[4] = BPF_CORE_READ(regs, r8);
#else
	bpf_probe_read_kernel(args, 5 * sizeof(*args), regs->regs);
#endif
}

/*
 * Fills in what a fact says of its call and its file; gives false when such
 * files are left out. `ret`: what it returned, 0 when it has not.
 */
static __always_inline bool io_fill(struct ktape_io *fact,
				    struct io_call *call,
				    struct task_struct *task, __s64 ret,
				    bool over, __u32 context)
{
	__u8 known = io_known(call->nr);
	struct file___io *file = NULL;
	bool own_offset;
	__u32 fd, flags;

	fact->nr = call->nr;
	fact->op = known & 15;
	fact->flags = call->flags;
	io_asked(fact, call->nr, call->args);
	if (ret < 0)
		/* Interrupted, and begun again (ERESTARTSYS..): EINTR. */
		fact->error = ret <= -512 && ret >= -516 ? 4 : -ret;
	else if (fact->op == IO_READ || fact->op == IO_WRITE ||
		 fact->op == IO_COPY || fact->op == IO_LIST)
		fact->bytes = ret;
	fd = io_descriptor(known, call->args);
	if (fd != ~0U) {
		file = open_file(task, fd);
		if (file != (void *)call->file) {
			fact->flags |= KTAPE_IO_FLAGS_REPLACED;
			file = NULL;
		}
		/* Of a splice one end is a pipe: the other one counts. */
		if (file && call->nr == IO_NR_SPLICE &&
		    io_kind(file) == KTAPE_IO_KIND_PIPE)
			file = open_file(task, call->args[2]);
	} else if ((known & 0xf0) == IO_RESULT && over && ret >= 0) {
		file = open_file(task, ret);
	}
	if (!file) {
		/* Nothing that waits for its file has lost it by closing. */
		if (over && ((known & 0xf0) == IO_RESULT ||
			     (known & 0xf0) == IO_PATH)) {
			__u64 name = call->nr == IO_NR_OPENAT ||
				     call->nr == IO_NR_OPENAT2 ?
				     call->args[1] : call->args[0];

			fact->flags |= KTAPE_IO_FLAGS_AS_PASSED;
			fact->path = io_passed((void *)name, context);
		}
		return true;
	}
	fact->kind = io_kind(file);
	if (io_kinds == IO_FILES && fact->kind > KTAPE_IO_KIND_BLOCK_DEVICE)
		return false;
	fact->inode = BPF_CORE_READ(file, f_inode, i_ino);
	fact->device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	flags = BPF_CORE_READ(file, f_flags);
	if (flags & O_DIRECT)
		fact->flags |= KTAPE_IO_FLAGS_DIRECT;
	if (flags & O_DSYNC)
		fact->flags |= KTAPE_IO_FLAGS_SYNC;
	if (flags & O_APPEND)
		fact->flags |= KTAPE_IO_FLAGS_APPEND;
	own_offset = (fact->op == IO_READ || fact->op == IO_WRITE) &&
		     fact->offset == -1 &&
		     (fact->kind == KTAPE_IO_KIND_REGULAR ||
		      fact->kind == KTAPE_IO_KIND_BLOCK_DEVICE);
	if (own_offset)
		fact->offset = BPF_CORE_READ(file, f_pos) - fact->bytes;
	fact->fs = io_name(BPF_CORE_READ(file, f_inode, i_sb, s_type, name),
			   context);
	if (fact->kind <= KTAPE_IO_KIND_CHARACTER_DEVICE)
		fact->path = io_path(file, context);
	else
		fact->path = io_name(
			BPF_CORE_READ(file, f_path.dentry, d_name.name),
			context);
	return true;
}

/* The current thread leaves a call, now if `now` is 0. */
static __noinline int io_leave(__s64 ret, __u64 now)
{
	struct task_struct *task = current_task();
	struct io_call *call = io_call_of(task, false);
	__u64 id = bpf_get_current_pid_tgid();
	struct ktape_io filled = {}, *fact;
	struct stack_buffer *buf;
	struct user_regs regs;
	struct cpu_state *cpu;
	__u64 took;

	if (!call || !call->start || stopped())
		return 0;
	if (!now)
		now = bpf_ktime_get_ns();
	/* The clock may step back by some ns from one CPU to another. */
	took = now > call->start ? now - call->start : 0;
	if (took < io_min_ns)
		goto out;
	cpu = this_cpu();
	if (!cpu || !io_fill(&filled, call, task, ret, true, TEXT_TASK))
		goto out;
	buf = stack_buffer(STACK_SYSCALL);
	if (buf && io_stacks) {
		cpu->stacks_taken++;
		read_user_regs(task, &regs);
		filled.ustack = intern_user_stack(buf, regs.ip, regs.sp,
						  regs.fp);
	}
	fact = reserve_fact(cpu, KTAPE_IO, sizeof(*fact));
	if (fact) {
		*fact = filled;
		fact->end = now;
		fact->duration = took;
		fact->tid = id;
		fact->tgid = id >> 32;
		fact->cpu = bpf_get_smp_processor_id();
		submit_fact(cpu, fact, sizeof(*fact));
	}
out:
	call->start = 0;
	return 0;
}

SEC("tp_btf/sys_enter")
int io_sys_enter(__u64 *ctx)
{
	if (!io_wanted(ctx[1]))
		return 0;
	return io_enter((struct pt_regs *)ctx[0], ctx[1], bpf_ktime_get_ns());
}

SEC("tp_btf/sys_exit")
int io_sys_exit(__u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];

	if (!io_known(REGS_SYSCALL(regs)))
		return 0;
	return io_leave(ctx[1], 0);
}

/*
 * The same by the tracepoints that perf hands on: their programs are not
 * preempted (see syscalls.bpf.c).
 *
 * Why not at the functions of the 28 calls alone, or at their own tracepoints,
 * where other calls would cost less: a kretprobe loses the returns of all but
 * twice as many threads as there are CPUs (maxactive of
 * kernel/trace/trace_kprobe.c), and it is the slow calls that many threads are
 * in at once; of trampolines (fexit) each function wants a program of its own,
 * and 56 of them took a minute to be verified and attached in an emulated
 * machine; and to detach 56 tracepoints takes the kernel 3.5 s.
 */
SEC("tracepoint/raw_syscalls/sys_enter")
int io_enter_event(struct trace_event_raw_sys_enter *ctx)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(current_task());

	if (!io_wanted(ctx->id))
		return 0;
	return io_enter(regs, ctx->id, bpf_ktime_get_ns());
}

SEC("tracepoint/raw_syscalls/sys_exit")
int io_exit_event(struct trace_event_raw_sys_exit *ctx)
{
	if (!io_known(ctx->id))
		return 0;
	return io_leave(ctx->ret, 0);
}

/*
 * Read once after the attachment: threads that are off the CPU in a call on a
 * file then have been in it since before. Read once at the stop: calls that
 * have not returned, as far as they are slow by now, with the place where they
 * wait.
 */
SEC("iter/task")
int io_open(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct user_regs regs = { .syscall = -1 };
	__u64 stop = moment(MOMENT_STOP);
	struct ktape_io fact = {};
	struct stack_buffer *buf;
	struct io_call *call;
	__u8 known;

	if (!task || !task->pid || task->tgid == (__s32)self_tgid ||
	    is_held(task->tgid) || task->flags & PF_KTHREAD)
		return 0;
	if (!stop) {
		/* The other filters want the thread to be current. */
		if (task->on_cpu || filter_uid || wanted_cgroup ||
		    allow_count || deny_count || filter_cpu)
			return 0;
		if (filter_targets && !is_target(task->tgid, task->pid))
			return 0;
		read_user_regs(task, &regs);
		known = regs.syscall < 0 ? 0 : io_known(regs.syscall);
		if (!known)
			return 0;
		call = io_call_of(task, true);
		if (!call || call->start)
			return 0;
		io_read_args(task, call->args);
		io_begin(call, task, regs.syscall, known);
		call->flags = KTAPE_IO_FLAGS_BEGAN_BEFORE;
		call->start = moment(MOMENT_START);
		return 0;
	}
	call = io_call_of(task, false);
	if (!call || !call->start || call->start > stop ||
	    stop - call->start < io_min_ns)
		return 0;
	/* It may have been an exception, whose code stands where calls do. */
	if (call->flags & KTAPE_IO_FLAGS_BEGAN_BEFORE) {
		read_user_regs(task, &regs);
		if (task->on_cpu || regs.syscall != (__s32)call->nr)
			return 0;
	}
	if (!io_fill(&fact, call, task, 0, false, TEXT_ITER))
		return 0;
	buf = stack_buffer(STACK_ITER);
	if (buf && io_stacks)
		fact.kstack = intern_kernel_stack(
			buf, bpf_get_task_stack(task, buf->frames,
						MAX_FRAMES * 8, 0), 0);
	fact.end = stop;
	fact.duration = stop - call->start;
	fact.tid = task->pid;
	fact.tgid = task->tgid;
	fact.cpu = task->wake_cpu;
	fact.flags |= KTAPE_IO_FLAGS_OPEN;
	bpf_seq_write(seq, &fact, sizeof(fact));
	return 0;
}
#endif
