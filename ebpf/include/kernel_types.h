/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The few kernel types and constants that the programs touch. Structs marked
 * CO-RE name only the fields used; the loader finds the real offsets in the
 * running kernel's BTF. Each such struct costs the loader a pass over all types
 * of the kernel, a millisecond, so those whose layout never changes are not
 * marked. The constants are uapi/linux/bpf.h.
 */
#ifndef KTAPE_KERNEL_TYPES_H
#define KTAPE_KERNEL_TYPES_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
	BPF_F_NO_PREALLOC = 1,
	BPF_F_CURRENT_CPU = 0xffffffff,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_RB_AVAIL_DATA = 0,
};

#define CORE __attribute__((preserve_access_index))

typedef struct {
	__s32 counter;
} atomic_t;

struct thread_struct {
	unsigned long fsbase;	/* x86 */
} CORE;

struct mm_struct {
	unsigned long start_stack;
	unsigned long arg_start;
	unsigned long arg_end;
} CORE;

struct signal_struct {
	atomic_t live;
} CORE;

struct sched_entity {
	__u64 sum_exec_runtime;
	__u64 prev_sum_exec_runtime;
	__u64 nr_migrations;
} CORE;

struct kuid_struct {
	__u32 val;
} CORE;

struct cred {
	struct kuid_struct uid;
} CORE;

struct thread_info {
	__u32 status;	/* x86: TS_COMPAT during a 32-bit system call */
} CORE;

/* Of a control group in the version 2 hierarchy. */
struct kernfs_node {
	__u64 id;
} CORE;

struct cgroup {
	struct kernfs_node *kn;
	int level;
	struct cgroup *ancestors[1];	/* since 6.1 (commit 7f203bc89eb6) */
} CORE;

struct cgroup___old {
	__u64 ancestor_ids[1];
} CORE;

struct css_set {
	struct cgroup *dfl_cgrp;
} CORE;

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	void *stack;
	unsigned int flags;
	/* One byte since 7.3: the loader resizes only unsigned ints. */
	unsigned int on_cpu;
	int wake_cpu;	/* where it ran last */
	struct sched_entity se;
	struct mm_struct *mm;
	int exit_code;
	unsigned int in_iowait : 1;
	__s32 pid;
	__s32 tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	__u64 start_time;
	const struct cred *real_cred;
	unsigned long nvcsw;
	unsigned long nivcsw;
	unsigned long min_flt;
	unsigned long maj_flt;
	char comm[16];
	struct signal_struct *signal;
	struct css_set *cgroups;
	__u32 self_exec_id;
	void *rseq;	/* until 6.18, with CONFIG_RSEQ */
	struct thread_struct thread;
} CORE;

#if defined(KTAPE_OLD_KERNEL)
/* Before 5.14 (commit 2f064a59a11f) the state was a long named `state`. */
struct task_struct___old {
	long state;
} CORE;
#endif

/* self_exec_id became 64 bits in 5.7 (commit d1e7fd6462ca): read 4 of them. */

struct linux_binprm {
	const char *filename;
} CORE;

struct seq_file;

/* What programs are given: include/linux/bpf.h, kernel/bpf/task_iter.c. */
struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#if defined(__TARGET_ARCH_x86)
/* arch/x86/include/asm/ptrace.h: what the entry code pushes. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#define REGS_IP(r) ((r)->ip)
#define REGS_SP(r) ((r)->sp)
#define REGS_FP(r) ((r)->bp)
#define REGS_SYSCALL(r) ((__s32)(r)->orig_ax)
#define USER_ARG0(r) ((r)->di)
#define USER_ARG1(r) ((r)->si)
#define USER_ARG2(r) ((r)->dx)
#define USER_RETURN(r) ((r)->ax)
#define TS_COMPAT 2	/* arch/x86/include/asm/thread_info.h */
#define NR_SCHED_YIELD 24
#define NR_EXIT 60
#define NR_EXIT_GROUP 231
/* struct bpf_perf_event_data: the order of struct user_regs_struct. */
struct perf_regs {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	__u64 orig_ax, ip, cs, flags, sp, ss;
};
#define PERF_REGS_USER(r) (((r)->cs & 3) == 3)
#define PERF_REGS_IP(r) ((r)->ip)
#define PERF_REGS_SP(r) ((r)->sp)
#define PERF_REGS_FP(r) ((r)->bp)
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__s32 syscallno;
} CORE;
#define REGS_IP(r) ((r)->pc)
#define REGS_SP(r) ((r)->sp)
#define REGS_FP(r) ((r)->regs[29])
#define REGS_SYSCALL(r) ((r)->syscallno)
#define USER_ARG0(r) ((r)->regs[0])
#define USER_ARG1(r) ((r)->regs[1])
#define USER_ARG2(r) ((r)->regs[2])
#define USER_RETURN(r) ((r)->regs[0])
#define NR_SCHED_YIELD 124
#define NR_EXIT 93
#define NR_EXIT_GROUP 94
struct perf_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 pstate;
};
/* PSTATE.M is 0 in EL0. */
#define PERF_REGS_USER(r) (((r)->pstate & 0xf) == 0)
#define PERF_REGS_IP(r) ((r)->pc)
#define PERF_REGS_SP(r) ((r)->sp)
#define PERF_REGS_FP(r) ((r)->regs[29])
#else
#error "no such architecture"
#endif

/* raw_syscalls:sys_enter, raw_syscalls:sys_exit */
struct trace_event_raw_sys_enter {
	long id;
	unsigned long args[6];
} CORE;

struct trace_event_raw_sys_exit {
	long id;
	long ret;
} CORE;

struct bpf_perf_event_data {
	struct perf_regs regs;
	__u64 sample_period;
	__u64 addr;
};

struct bpf_perf_event_value {
	__u64 counter;
	__u64 enabled;
	__u64 running;
};

/* include/linux/sched.h */
#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000
#define TASK_INTERRUPTIBLE 0x0001
#define TASK_UNINTERRUPTIBLE 0x0002
#define TASK_STOPPED_OR_TRACED 0x000c
#define TASK_DEAD 0x0080
#define TASK_EXIT_OR_DEAD 0x00b0
#define TASK_NOLOAD 0x0400

#endif
