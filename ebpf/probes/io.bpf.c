// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * io: system calls on files that take long, each with its file.
 *
 * The begin of a call is kept with its thread. All else is looked up at its
 * end, and only if it was slow: a fast call costs two short programs.
 */
#include "filter.bpf.h"
#include "io_types.h"
#include "stack.bpf.h"
#include "text.bpf.h"
#include "thread.bpf.h"

const volatile __u64 io_min_ns = 5000000;
const volatile bool io_stacks = true;
#define IO_FILES 0
#define IO_ALL 1
const volatile __u8 io_kinds = IO_FILES;

/* How a call is looked at: its operation, and which argument is the file. */
#define IO_ARG(n) ((n) << 4)
#define IO_RESULT IO_ARG(14)	/* what it returns is the file */
#define IO_PATH IO_ARG(15)	/* it names a file */
#define IO_NONE IO_ARG(13)
#define IO_CALLS 512

#define IO_READ KTAPE_IO_OP_READ
#define IO_WRITE KTAPE_IO_OP_WRITE
#define IO_SYNC KTAPE_IO_OP_SYNC
#define IO_OPEN KTAPE_IO_OP_OPEN
#define IO_ALLOCATE KTAPE_IO_OP_ALLOCATE
#define IO_TRUNCATE KTAPE_IO_OP_TRUNCATE
#define IO_COPY KTAPE_IO_OP_COPY
#define IO_LIST KTAPE_IO_OP_LIST

/* Numbers of arch/x86/entry/syscalls/syscall_64.tbl, scripts/syscall.tbl. */
#if defined(__TARGET_ARCH_x86)
#define IO_NR_PREAD64 17
#define IO_NR_PWRITE64 18
#define IO_NR_READV 19
#define IO_NR_WRITEV 20
#define IO_NR_SPLICE 275
#define IO_NR_SYNC_FILE_RANGE 277
#define IO_NR_PREADV 295
#define IO_NR_PWRITEV 296
#define IO_NR_PREADV2 327
#define IO_NR_PWRITEV2 328
#define IO_NR_OPENAT 257
#define IO_NR_OPENAT2 437
#define IO_NR_SENDFILE 40
#define IO_NR_COPY_FILE_RANGE 326
#define IO_NR_MSYNC 26
#else
#define IO_NR_PREAD64 67
#define IO_NR_PWRITE64 68
#define IO_NR_READV 65
#define IO_NR_WRITEV 66
#define IO_NR_SPLICE 76
#define IO_NR_SYNC_FILE_RANGE 84
#define IO_NR_PREADV 69
#define IO_NR_PWRITEV 70
#define IO_NR_PREADV2 286
#define IO_NR_PWRITEV2 287
#define IO_NR_OPENAT 56
#define IO_NR_OPENAT2 437
#define IO_NR_SENDFILE 71
#define IO_NR_COPY_FILE_RANGE 285
#define IO_NR_MSYNC 227
#endif

static const __u8 io_calls_known[IO_CALLS] = {
	[IO_NR_PREAD64] = IO_READ,
	[IO_NR_PWRITE64] = IO_WRITE,
	[IO_NR_READV] = IO_READ,
	[IO_NR_WRITEV] = IO_WRITE,
	[IO_NR_PREADV] = IO_READ,
	[IO_NR_PWRITEV] = IO_WRITE,
	[IO_NR_PREADV2] = IO_READ,
	[IO_NR_PWRITEV2] = IO_WRITE,
	[IO_NR_SPLICE] = IO_COPY,
	[IO_NR_SENDFILE] = IO_COPY | IO_ARG(1),
	[IO_NR_COPY_FILE_RANGE] = IO_COPY | IO_ARG(2),
	[IO_NR_SYNC_FILE_RANGE] = IO_SYNC,
	[IO_NR_MSYNC] = IO_SYNC | IO_NONE,
	[IO_NR_OPENAT] = IO_OPEN | IO_RESULT,
	[IO_NR_OPENAT2] = IO_OPEN | IO_RESULT,
#if defined(__TARGET_ARCH_x86)
	[0] = IO_READ,
	[1] = IO_WRITE,
	[2] = IO_OPEN | IO_RESULT,
	[74] = IO_SYNC,			/* fsync */
	[75] = IO_SYNC,			/* fdatasync */
	[76] = IO_TRUNCATE | IO_PATH,	/* truncate */
	[77] = IO_TRUNCATE,		/* ftruncate */
	[78] = IO_LIST,			/* getdents */
	[85] = IO_OPEN | IO_RESULT,	/* creat */
	[162] = IO_SYNC | IO_NONE,	/* sync */
	[217] = IO_LIST,		/* getdents64 */
	[285] = IO_ALLOCATE,		/* fallocate */
	[306] = IO_SYNC,		/* syncfs */
#else
	[63] = IO_READ,
	[64] = IO_WRITE,
	[45] = IO_TRUNCATE | IO_PATH,	/* truncate */
	[46] = IO_TRUNCATE,		/* ftruncate */
	[47] = IO_ALLOCATE,		/* fallocate */
	[61] = IO_LIST,			/* getdents64 */
	[81] = IO_SYNC | IO_NONE,	/* sync */
	[82] = IO_SYNC,			/* fsync */
	[83] = IO_SYNC,			/* fdatasync */
	[267] = IO_SYNC,		/* syncfs */
#endif
};

/* The call that a thread is in. */
struct io_call {
	__u64 start;	/* 0: in none that is looked at */
	__u64 file;	/* address, to see whether it is the same at the end */
	__u64 args[5];
	__u32 nr;
	__u16 flags;
	__u16 spare;
};

#if defined(KTAPE_OLD_KERNEL)
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct io_call);
} io_in_call SEC(".maps");

static __always_inline struct io_call *io_call_of(struct task_struct *task,
						  bool create)
{
	static const struct io_call none;
	__u32 tid = BPF_CORE_READ(task, pid);
	struct io_call *call;

	call = bpf_map_lookup_elem(&io_in_call, &tid);
	if (call || !create)
		return call;
	bpf_map_update_elem(&io_in_call, &tid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&io_in_call, &tid);
}
#else
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
#endif

/* 0 for a system call that is not looked at. */
static __always_inline __u8 io_known(__u32 nr)
{
	return nr < IO_CALLS ? io_calls_known[nr] : 0;
}

/* The open file with this number, NULL when a task has none. */
static __always_inline struct file___io *io_file(struct task_struct *task,
						 __u32 fd)
{
	struct task_struct___io *of = (void *)task;
	struct file___io *file = NULL;
	struct fdtable___io *table;
	struct file___io **slots;

	table = BPF_CORE_READ(of, files, fdt);
	if (!table || fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	slots = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), slots + fd);
	return file;
}

/* The descriptor that a call was given; one that nothing has when none. */
static __always_inline __u32 io_descriptor(__u8 known, const __u64 *args)
{
	switch (known >> 4) {
	case 0:
		return args[0];
	case 1:
		return args[1];
	case 2:
		return args[2];
	}
	return ~0U;
}

static __always_inline void io_begin(struct io_call *call,
				     struct task_struct *task, __u32 nr,
				     __u8 known)
{
	__u32 fd = io_descriptor(known, call->args);

	call->nr = nr;
	call->flags = 0;
	call->file = fd == ~0U ? 0 : (__u64)io_file(task, fd);
}

/* The current thread enters a call. */
static __noinline int io_enter(struct pt_regs *regs, __u32 nr)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u8 known = io_known(nr);
	struct io_call *call;
	struct cpu_state *cpu;

	if (!known || stopped() || !current_wanted(id >> 32, id))
		return 0;
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
	call->start = bpf_ktime_get_ns();
	return 0;
}

/* The first arguments of the call that a task is in. */
static __always_inline void io_read_args(struct task_struct *task, __u64 *args)
{
	struct pt_regs *regs;

#if defined(KTAPE_OLD_KERNEL)
	regs = BPF_CORE_READ(task, stack) + THREAD_SIZE - PT_REGS_SIZE;
#else
	regs = (void *)bpf_task_pt_regs(task);
#endif
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

/* A walk from a file to the root of all mounts. */
struct io_walk {
	struct text_buffer *buf;
	struct dentry___io *dentry;
	struct mount___io *mount;
	__u32 len;
};

/* Adds one name, innermost first; gives 1 when the root is reached. */
static __always_inline long io_step(__u32 i, struct io_walk *walk)
{
	struct dentry___io *dentry = walk->dentry, *parent;
	struct mount___io *mount = walk->mount, *above;
	struct text_buffer *buf = walk->buf;
	const unsigned char *name;
	__u32 at = walk->len;
	long bytes;

	(void)i;
	if (at > MAX_TEXT - 8) {
		walk->len = MAX_TEXT;
		return 1;
	}
	at &= 1023;
	parent = BPF_CORE_READ(dentry, d_parent);
	if (dentry == BPF_CORE_READ(mount, mnt.mnt_root) || dentry == parent) {
		above = BPF_CORE_READ(mount, mnt_parent);
		if (above && above != mount) {
			walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			walk->mount = above;
			return 0;
		}
		buf->bytes[at] = '/';
		buf->bytes[at + 1] = 0;
		walk->len = at + 2;
		return 1;
	}
	name = BPF_CORE_READ(dentry, d_name.name);
	bytes = bpf_probe_read_kernel_str(&buf->bytes[at], 256, name);
	if (bytes > 0)
		walk->len = at + (bytes & 511);
	walk->dentry = parent;
	return 0;
}

static long __attribute__((unused)) io_step_of(__u32 i, void *context)
{
	return io_step(i, context);
}

/* How deep a path may be; what is deeper is told without its beginning. */
#define IO_DEPTH 64

/* The id of the path of a file that has a place in a file system. */
static __noinline __u32 io_path(struct file___io *file, __u32 context)
{
	struct io_walk walk = {};
	struct vfsmount___io *mnt;
	struct text_buffer *buf = text_buffer(context);

	if (!buf)
		return 0;
	mnt = BPF_CORE_READ(file, f_path.mnt);
	walk.buf = buf;
	walk.dentry = BPF_CORE_READ(file, f_path.dentry);
	/* A struct vfsmount lies within the struct mount. */
	walk.mount = (void *)mnt -
		     bpf_core_field_offset(struct mount___io, mnt);
	repeat(IO_DEPTH, io_step_of, io_step, &walk);
	return intern_text(buf, walk.len, KTAPE_WIRE_TEXT_FORM_PATH);
}

/* The id of one name in the kernel. */
static __noinline __u32 io_name(const void *name, __u32 context)
{
	struct text_buffer *buf = text_buffer(context);
	long bytes;

	if (!buf)
		return 0;
	bytes = bpf_probe_read_kernel_str(buf->bytes, 256, name);
	if (bytes <= 1)
		return 0;
	return intern_text(buf, bytes - 1, KTAPE_WIRE_TEXT_FORM_PLAIN);
}

/* The id of a path as the program passed it. */
static __noinline __u32 io_passed(const void *name, __u32 context)
{
	struct text_buffer *buf = text_buffer(context);
	long bytes;

	if (!buf)
		return 0;
	bytes = bpf_probe_read_user_str(buf->bytes, MAX_TEXT, name);
	if (bytes <= 1)
		return 0;
	return intern_text(buf, bytes - 1, KTAPE_WIRE_TEXT_FORM_PLAIN);
}

static __always_inline __u8 io_kind(struct file___io *file)
{
	__u16 mode = BPF_CORE_READ(file, f_inode, i_mode);

	/* Internally regular files since 6.16 (commit cfd86ef7e8e7). */
	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) == ANON_INODE_FS_MAGIC)
		return KTAPE_IO_KIND_ANONYMOUS;
	switch (mode & S_IFMT) {
	case S_IFREG:
		return KTAPE_IO_KIND_REGULAR;
	case S_IFDIR:
		return KTAPE_IO_KIND_DIRECTORY;
	case S_IFBLK:
		return KTAPE_IO_KIND_BLOCK_DEVICE;
	case S_IFCHR:
		return KTAPE_IO_KIND_CHARACTER_DEVICE;
	case S_IFIFO:
		return KTAPE_IO_KIND_PIPE;
	case S_IFSOCK:
		return KTAPE_IO_KIND_SOCKET;
	case 0:
		return KTAPE_IO_KIND_ANONYMOUS;
	}
	return KTAPE_IO_KIND_OTHER;
}

/* Sums up the lengths of an array of struct iovec. */
struct io_sum {
	const __u64 *vector;
	__u64 bytes;
};

static __always_inline long io_sum_step(__u32 i, struct io_sum *sum)
{
	__u64 one[2] = {};

	if (bpf_probe_read_user(one, sizeof(one), sum->vector + 2 * i))
		return 1;
	sum->bytes += one[1];
	return 0;
}

static long __attribute__((unused)) io_sum_step_of(__u32 i, void *context)
{
	return io_sum_step(i, context);
}

static __always_inline __u64 io_vector(const __u64 *args)
{
	struct io_sum sum = { .vector = (void *)args[1] };
	__u32 count = args[2];

	if (args[2] > MAX_WORDS)
		return 0;
	repeat(count, io_sum_step_of, io_sum_step, &sum);
	return sum.bytes;
}

/* What a call was asked for, as far as its arguments tell. */
static __always_inline void io_asked(struct ktape_io *fact, __u32 nr,
				     const __u64 *args)
{
	fact->offset = -1;
	switch (nr) {
	case IO_NR_READV:
	case IO_NR_WRITEV:
		fact->requested = io_vector(args);
		return;
	case IO_NR_PREADV:
	case IO_NR_PWRITEV:
	case IO_NR_PREADV2:
	case IO_NR_PWRITEV2:
		fact->requested = io_vector(args);
		fact->offset = args[3];
		return;
	case IO_NR_PREAD64:
	case IO_NR_PWRITE64:
		fact->requested = args[2];
		fact->offset = args[3];
		return;
	case IO_NR_SPLICE:
	case IO_NR_COPY_FILE_RANGE:
		fact->requested = args[4];
		return;
	case IO_NR_SENDFILE:
		fact->requested = args[3];
		return;
	case IO_NR_SYNC_FILE_RANGE:
		fact->offset = args[1];
		fact->requested = args[2];
		return;
	case IO_NR_MSYNC:
		fact->requested = args[1];
		return;
	}
	switch (fact->op) {
	case IO_READ:
	case IO_WRITE:
	case IO_LIST:
		fact->requested = args[2];
		return;
	case IO_ALLOCATE:
		fact->offset = args[2];
		fact->requested = args[3];
		return;
	case IO_TRUNCATE:
		fact->offset = args[1];
		return;
	}
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
		file = io_file(task, fd);
		if (file != (void *)call->file) {
			fact->flags |= KTAPE_IO_FLAGS_REPLACED;
			file = NULL;
		}
		/* Of a splice one end is a pipe: the other one counts. */
		if (file && call->nr == IO_NR_SPLICE &&
		    io_kind(file) == KTAPE_IO_KIND_PIPE)
			file = io_file(task, call->args[2]);
	} else if ((known & 0xf0) == IO_RESULT && over && ret >= 0) {
		file = io_file(task, ret);
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

/* The current thread leaves a call. */
static __noinline int io_leave(__s64 ret)
{
	struct task_struct *task = current_task();
	struct io_call *call = io_call_of(task, false);
	__u64 id = bpf_get_current_pid_tgid();
	struct ktape_io filled = {}, *fact;
	struct stack_buffer *buf;
	struct user_regs regs;
	struct cpu_state *cpu;
	__u64 now, took;

	if (!call || !call->start || stopped())
		return 0;
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
	return io_enter((struct pt_regs *)ctx[0], ctx[1]);
}

SEC("tp_btf/sys_exit")
int io_sys_exit(__u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];

	if (!io_known(REGS_SYSCALL(regs)))
		return 0;
	return io_leave(ctx[1]);
}

#if defined(__TARGET_ARCH_x86)
/*
 * The same at the functions of the system calls alone, so that other calls
 * cost nothing. Their argument are the registers of the caller, since 4.17
 * (commit fa697140f9a2).
 */
#define IO_FUNCTION(call)						\
	SEC("fentry")							\
	int io_enter_##call(__u64 *ctx)					\
	{								\
		struct pt_regs *regs = (struct pt_regs *)ctx[0];	\
									\
		return io_enter(regs, regs->orig_ax);			\
	}								\
	SEC("fexit")							\
	int io_leave_##call(__u64 *ctx)					\
	{								\
		return io_leave(ctx[1]);				\
	}

IO_FUNCTION(read)
IO_FUNCTION(write)
IO_FUNCTION(pread64)
IO_FUNCTION(pwrite64)
IO_FUNCTION(readv)
IO_FUNCTION(writev)
IO_FUNCTION(preadv)
IO_FUNCTION(pwritev)
IO_FUNCTION(preadv2)
IO_FUNCTION(pwritev2)
IO_FUNCTION(fsync)
IO_FUNCTION(fdatasync)
IO_FUNCTION(sync_file_range)
IO_FUNCTION(fallocate)
IO_FUNCTION(ftruncate)
IO_FUNCTION(truncate)
IO_FUNCTION(sendfile64)
IO_FUNCTION(splice)
IO_FUNCTION(copy_file_range)
IO_FUNCTION(msync)
IO_FUNCTION(syncfs)
IO_FUNCTION(sync)
IO_FUNCTION(open)
IO_FUNCTION(openat)
IO_FUNCTION(openat2)
IO_FUNCTION(creat)
IO_FUNCTION(getdents)
IO_FUNCTION(getdents64)

/* By breakpoint or ftrace: one program for all of them. */
SEC("kprobe/io")
int io_kprobe(struct pt_regs *ctx)
{
	struct pt_regs regs = {}, *caller = (void *)ctx->di;

	bpf_probe_read_kernel(&regs, sizeof(regs), caller);
	return io_enter(&regs, regs.orig_ax);
}

SEC("kretprobe/io")
int io_kretprobe(struct pt_regs *ctx)
{
	return io_leave(ctx->ax);
}
#endif

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
