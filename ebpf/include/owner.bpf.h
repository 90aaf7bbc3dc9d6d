/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Who holds a lock of user space, where that can be known for certain.
 *
 * The numbers in user memory are those of the process's pid namespace, and
 * nothing but convention makes a word a thread's number. So each is looked up
 * in that namespace, and counts only if it is a thread there.
 */
#ifndef KTAPE_OWNER_BPF_H
#define KTAPE_OWNER_BPF_H

#include "ktape.bpf.h"
#include "locks_types.h"

/* include/uapi/linux/futex.h */
#define FUTEX_TID_MASK 0x3fffffff

/* 64 slots a level (CONFIG_BASE_SMALL is not), numbers up to 2^22. */
#define XA_SLOTS 64
#define XA_LEVELS 4

/*
 * The thread that has this number in the pid namespace of the current one:
 * what find_task_by_vpid() does, which programs may not call.
 */
static __always_inline struct task_struct *thread_numbered(__u32 number)
{
	struct task_struct___locks *self = (void *)bpf_get_current_task();
	struct upid___locks upid = {};
	struct xa_node___locks *node;
	struct pid___locks *pid;
	__u64 entry = 0, first;
	__u32 level, slot;
	int i;

	if (!number)
		return NULL;
	pid = BPF_CORE_READ(self, thread_pid);
	level = BPF_CORE_READ(pid, level) & 31;
	bpf_probe_read_kernel(&upid, sizeof(upid),
			      (struct upid___locks *)&pid->numbers + level);
	entry = (__u64)BPF_CORE_READ(upid.ns, idr.idr_rt.xa_head);
	for (i = 0; i < XA_LEVELS; i++) {
		/* Nodes are marked with the lowest bits 10. */
		if ((entry & 3) != 2)
			break;
		node = (void *)(entry - 2);
		slot = number >> (BPF_CORE_READ(node, shift) & 31);
		/* Above all numbers there are. */
		if (!i && slot >= XA_SLOTS)
			return NULL;
		slot &= XA_SLOTS - 1;
		entry = 0;
		bpf_probe_read_kernel(&entry, sizeof(entry),
				      (void **)&node->slots + slot);
	}
	/* One that is not below a node has the number 0. */
	if (!i || !entry || entry & 3)
		return NULL;
	pid = (void *)entry;
	first = (__u64)BPF_CORE_READ(pid, tasks[0].first);
	if (!first)
		return NULL;
	self = NULL;
	return (void *)(first - (__u64)__builtin_preserve_access_index(
					&self->pid_links));
}

/* The beginning of glibc's struct __pthread_mutex_s on 64-bit machines. */
struct glibc_mutex {
	__u32 lock;
	__u32 count;
	__u32 owner;
	__u32 nusers;
	__u32 kind;
};

/*
 * nptl/pthreadP.h: type in the lowest two bits, robust 16, inherit 32, protect
 * 64, shared 128, elision 256 and 512.
 */
#define GLIBC_KINDS 0x3f3

struct lock_owner {
	__u32 tid;
	__u32 tgid;
	__u8 by;
};

static __always_inline void set_owner(struct lock_owner *owner, __u32 number,
				      __u8 by, bool any_process)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct task_struct *task = thread_numbered(number);

	if (!task)
		return;
	owner->tgid = BPF_CORE_READ(task, tgid);
	if (!any_process && owner->tgid != tgid)
		return;
	owner->tid = BPF_CORE_READ(task, pid);
	owner->by = by;
}

/* The owner of a futex with priority inheritance; *word becomes its word. */
static __always_inline void owner_of_pi(struct lock_owner *owner, __u64 address,
					bool shared, __u32 *word)
{
	if (!bpf_probe_read_user(word, sizeof(*word), (void *)address))
		set_owner(owner, *word & FUTEX_TID_MASK,
			  KTAPE_FUTEX_WAIT_OWNER_BY_PI_WORD, shared);
}

/*
 * Whether the word is that of a glibc mutex, and whose. Such a word is 2 while
 * there are waiters; of a robust mutex it is the owner's number and a mark.
 */
static __always_inline void owner_of_mutex(struct lock_owner *owner,
					   __u64 address, bool shared,
					   __u32 expected)
{
	struct glibc_mutex mutex;
	__u32 robust = expected & FUTEX_TID_MASK;

	if (bpf_probe_read_user(&mutex, sizeof(mutex), (void *)address))
		return;
	if (!mutex.owner || mutex.kind & ~GLIBC_KINDS || !mutex.nusers)
		return;
	if (expected != 2 && !(mutex.kind & 16 && robust == mutex.owner))
		return;
	set_owner(owner, mutex.owner, KTAPE_FUTEX_WAIT_OWNER_BY_GLIBC_MUTEX,
		  shared && mutex.kind & 128);
}

#endif
