/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Open files: what they are, where they are.
 */
#ifndef KTAPE_IO_FILE_BPF_H
#define KTAPE_IO_FILE_BPF_H

#include "io_types.h"
#include "open_file.bpf.h"
#include "text.bpf.h"

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

#endif
