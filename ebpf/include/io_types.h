/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Files, as far as the probe `io` looks at them. What stands behind ___ only
 * tells our declaration from others: the loader matches what stands before.
 */
#ifndef KTAPE_IO_TYPES_H
#define KTAPE_IO_TYPES_H

#include "kernel_types.h"

struct file_system_type___io {
	const char *name;
} CORE;

struct super_block___io {
	__u32 s_dev;
	unsigned long s_magic;
	struct file_system_type___io *s_type;
} CORE;

struct inode___io {
	unsigned short i_mode;
	struct super_block___io *i_sb;
	unsigned long i_ino;
} CORE;

struct qstr___io {
	const unsigned char *name;
} CORE;

struct dentry___io {
	struct dentry___io *d_parent;
	struct qstr___io d_name;
} CORE;

struct vfsmount___io {
	struct dentry___io *mnt_root;
} CORE;

struct mount___io {
	struct mount___io *mnt_parent;
	struct dentry___io *mnt_mountpoint;
	struct vfsmount___io mnt;
} CORE;

struct path___io {
	struct vfsmount___io *mnt;
	struct dentry___io *dentry;
} CORE;

struct file___io {
	struct inode___io *f_inode;
	unsigned int f_flags;
	__u64 f_pos;
	struct path___io f_path;
} CORE;

/* include/uapi/linux/stat.h (see open_file.bpf.h), fcntl.h, magic.h */
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000
#define O_APPEND 02000
#define O_DSYNC 010000
#if defined(__TARGET_ARCH_x86)
#define O_DIRECT 040000
#else
#define O_DIRECT 0200000
#endif
#define ANON_INODE_FS_MAGIC 0x09041934
#define AT_FDCWD (-100)

#endif
