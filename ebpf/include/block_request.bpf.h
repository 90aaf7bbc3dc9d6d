/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Requests to disks: what they ask for, of which device, and their errors.
 */
#ifndef KTAPE_BLOCK_REQUEST_BPF_H
#define KTAPE_BLOCK_REQUEST_BPF_H

#include "block_types.h"
#include "ktape.bpf.h"

static __always_inline __u8 block_op(__u32 cmd, __u32 bytes)
{
	__u32 op = cmd & REQ_OP_MASK;

	if (op == REQ_OP_READ)
		return KTAPE_BLOCK_IO_OP_READ;
	/* blk_insert_flush() takes REQ_PREFLUSH away. */
	if (op == REQ_OP_WRITE)
		return bytes ? KTAPE_BLOCK_IO_OP_WRITE :
			       KTAPE_BLOCK_IO_OP_EMPTY_FLUSH;
	if (op == REQ_OP_FLUSH)
		return KTAPE_BLOCK_IO_OP_FLUSH;
	if (op == REQ_OP_DISCARD)
		return KTAPE_BLOCK_IO_OP_DISCARD;
	if (op == REQ_OP_SECURE_ERASE)
		return KTAPE_BLOCK_IO_OP_SECURE_ERASE;
	if (op == REQ_OP_WRITE_ZEROES)
		return KTAPE_BLOCK_IO_OP_WRITE_ZEROES;
	if (op == REQ_OP_DRV_IN || op == REQ_OP_DRV_OUT)
		return KTAPE_BLOCK_IO_OP_DRIVER;
	if (bpf_core_enum_value_exists(enum req_op___block,
				       REQ_OP_ZONE_APPEND___block) &&
	    op == bpf_core_enum_value(enum req_op___block,
				      REQ_OP_ZONE_APPEND___block))
		return KTAPE_BLOCK_IO_OP_ZONE_APPEND;
	return KTAPE_BLOCK_IO_OP_OTHER;
}

static __always_inline __u16 block_flags(__u32 cmd)
{
	__u16 flags = 0;

	if (cmd & REQ_SYNC)
		flags |= KTAPE_BLOCK_IO_FLAGS_SYNC;
	if (cmd & REQ_META)
		flags |= KTAPE_BLOCK_IO_FLAGS_META;
	if (cmd & REQ_RAHEAD)
		flags |= KTAPE_BLOCK_IO_FLAGS_READAHEAD;
	if (cmd & REQ_FUA)
		flags |= KTAPE_BLOCK_IO_FLAGS_FUA;
	if (cmd & REQ_PREFLUSH)
		flags |= KTAPE_BLOCK_IO_FLAGS_PREFLUSH;
	if (cmd & REQ_BACKGROUND)
		flags |= KTAPE_BLOCK_IO_FLAGS_BACKGROUND;
	return flags;
}

/* Number of the disk: major and minor as a dev_t. 0 when it has none. */
static __always_inline __u32 block_disk(struct request___block *rq)
{
	struct gendisk___block *disk = NULL;
	struct request_queue___block *queue;

#if defined(KTAPE_OLD_KERNEL)
	struct request___block_old *old = (void *)rq;

	if (bpf_core_field_exists(old->rq_disk))
		disk = BPF_CORE_READ(old, rq_disk);
	else
#endif
	{
		queue = BPF_CORE_READ(rq, q);
		disk = BPF_CORE_READ(queue, disk);
	}
	if (!disk)
		return 0;
	return (__u32)BPF_CORE_READ(disk, major) << 20 |
	       (__u32)BPF_CORE_READ(disk, first_minor);
}

/* Number of the partition, that of the disk when there is none. */
static __always_inline __u32 block_partition(struct request___block *rq,
					     __u32 disk)
{
	struct block_device___block *part;
	__u32 device;

#if defined(KTAPE_OLD_KERNEL)
	struct request___block_old *old = (void *)rq;
	struct hd_struct___block *slice;

	if (bpf_core_type_exists(struct hd_struct___block)) {
		slice = BPF_CORE_READ(old, part);
		device = slice ? BPF_CORE_READ(slice, __dev.devt) : 0;
		return device ? device : disk;
	}
#endif
	part = BPF_CORE_READ(rq, part);
	device = part ? BPF_CORE_READ(part, bd_dev) : 0;
	return device ? device : disk;
}

/*
 * Whether a request is one step of a write that needs flushes before or after
 * it (block/blk-flush.c): the whole then ends once more. The bit moved when the
 * flags became an enum (6.12).
 */
static __always_inline bool in_flush_sequence(__u32 rq_flags)
{
	__u32 bit = kernel_version >= (6 << 16 | 12 << 8) ? 1 : 4;

	if (bpf_core_enum_value_exists(enum rqf_flags___block,
				       __RQF_FLUSH_SEQ___block))
		bit = bpf_core_enum_value(enum rqf_flags___block,
					  __RQF_FLUSH_SEQ___block);
	return rq_flags >> (bit & 31) & 1;
}

/* block/blk-core.c: blk_errors[]. */
static __always_inline __u16 block_errno(__s32 error)
{
	static const __u8 errnos[32] = {
		0,
		95,	/* NOTSUPP: EOPNOTSUPP */
		110,	/* TIMEOUT: ETIMEDOUT */
		28,	/* NOSPC: ENOSPC */
		67,	/* TRANSPORT: ENOLINK */
		121,	/* TARGET: EREMOTEIO */
		52,	/* RESV_CONFLICT: EBADE */
		61,	/* MEDIUM: ENODATA */
		84,	/* PROTECTION: EILSEQ */
		12,	/* RESOURCE: ENOMEM */
		5,	/* IOERR: EIO */
		78,	/* DM_REQUEUE: EREMCHG */
		11,	/* AGAIN: EAGAIN */
		16,	/* DEV_RESOURCE: EBUSY */
	};

	/* An errno before 5.16 (commit 8a7d267b4a2d), since then a status. */
	if (error < 0)
		return -error;
	if (!error)
		return 0;
	return errnos[error & 31] ? errnos[error & 31] : 5;
}

#endif
