/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the probe of locks looks up in the kernel: the thread behind a number in
 * the pid namespace of the waiter, and a few well-known locks.
 */
#ifndef KTAPE_LOCKS_TYPES_H
#define KTAPE_LOCKS_TYPES_H

#include "kernel_types.h"

/* include/linux/xarray.h, idr.h: since 4.20 an IDR is an xarray. */
struct xa_node___locks {
	unsigned char shift;
	void *slots[1];
} CORE;

struct xarray___locks {
	void *xa_head;
} CORE;

struct idr___locks {
	struct xarray___locks idr_rt;
} CORE;

struct pid_namespace___locks {
	struct idr___locks idr;
	unsigned int level;
} CORE;

/* include/linux/pid.h; the layout of struct upid never changed. */
struct upid___locks {
	int nr;
	struct pid_namespace___locks *ns;
};

struct hlist_head___locks {
	void *first;
};

struct pid___locks {
	unsigned int level;
	struct hlist_head___locks tasks[1];
	struct upid___locks numbers[1];
} CORE;

struct hlist_node___locks {
	void *next;
	void **pprev;
};

struct rw_semaphore___locks {
	int any;
} CORE;

struct mm_struct___locks {
	struct rw_semaphore___locks mmap_lock;
} CORE;

struct spinlock___locks {
	int any;
} CORE;

struct sighand_struct___locks {
	struct spinlock___locks siglock;
} CORE;

struct task_struct___locks {
	struct pid___locks *thread_pid;
	struct hlist_node___locks pid_links[1];
	struct mm_struct___locks *mm;
	struct sighand_struct___locks *sighand;
} CORE;

#endif
