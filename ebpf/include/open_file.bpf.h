/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * From a file descriptor to the file.
 */
#ifndef KTAPE_OPEN_FILE_BPF_H
#define KTAPE_OPEN_FILE_BPF_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct fdtable___fd {
	unsigned int max_fds;
	void **fd;
} CORE;

struct files_struct___fd {
	struct fdtable___fd *fdt;
} CORE;

struct task_struct___fd {
	struct files_struct___fd *files;
} CORE;

/* include/uapi/linux/stat.h */
#define S_IFMT 0170000
#define S_IFSOCK 0140000

/* The open file with this number (struct file), NULL when a task has none. */
static __always_inline void *open_file(struct task_struct *task, __u32 fd)
{
	struct task_struct___fd *of = (void *)task;
	struct fdtable___fd *table;
	void *file = NULL;
	void **slots;

	table = BPF_CORE_READ(of, files, fdt);
	if (!table || fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	slots = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), slots + fd);
	return file;
}

#endif
