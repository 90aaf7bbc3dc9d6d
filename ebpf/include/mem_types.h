/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The memory counters of a process. */
#ifndef KTAPE_MEM_TYPES_H
#define KTAPE_MEM_TYPES_H

#include "kernel_types.h"

/* include/linux/percpu_counter.h */
struct percpu_counter___mem {
	long count;
	int *counters;	/* one per CPU */
} CORE;

struct mm_struct___mem {
	struct percpu_counter___mem rss_stat[4];
	unsigned long hiwater_rss;
} CORE;

/* Before 6.2 (commit f1a7941243c1): struct mm_rss_stat. */
struct atomic_long___mem {
	long counter;
} CORE;

struct mm_rss_stat___mem {
	struct atomic_long___mem count[4];
} CORE;

struct mm_struct___mem_old {
	struct mm_rss_stat___mem rss_stat;
} CORE;

struct task_struct___mem {
	struct mm_struct___mem *mm;
} CORE;

/* include/linux/bpf.h; a member of a union. */
struct bpf_array___mem {
	void *pptrs[1];	/* of a per-CPU array: one per value */
} CORE;

struct kmem_cache___mem {
	unsigned int size;
} CORE;

#endif
