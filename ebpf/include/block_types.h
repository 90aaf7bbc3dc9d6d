/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The block layer's types, as far as the probe `block` looks at them. Names
 * with ___ are flavours: the loader matches what stands before.
 */
#ifndef KTAPE_BLOCK_TYPES_H
#define KTAPE_BLOCK_TYPES_H

#include "kernel_types.h"

struct gendisk___block {
	int major;
	int first_minor;
} CORE;

struct request_queue___block {
	struct gendisk___block *disk;	/* since 5.15 (d152c682f03c) */
} CORE;

struct block_device___block {
	__u32 bd_dev;
} CORE;

struct bio___block {
	struct bio___block *bi_next;
	struct block_device___block *bi_bdev;	/* since 5.12 (309dca309fc3) */
} CORE;

struct request___block {
	struct request_queue___block *q;
	unsigned int cmd_flags;
	unsigned int rq_flags;
	unsigned int __data_len;
	__u64 __sector;
	struct bio___block *bio;
	struct bio___block *biotail;
	struct block_device___block *part;	/* since 5.11, see below */
	__u64 start_time_ns;
} CORE;

#if defined(KTAPE_OLD_KERNEL)
struct device___block {
	__u32 devt;
} CORE;

/* Partitions before 5.11 (commit 0d02129e76ed). */
struct hd_struct___block {
	struct device___block __dev;
} CORE;

struct request___block_old {
	struct gendisk___block *rq_disk;	/* before 5.17 */
	struct hd_struct___block *part;
} CORE;
#endif

enum req_op___block {
	/* Its number changed with 6.0, as the type's name did. */
	REQ_OP_ZONE_APPEND___block = 7,
};

/* Named since 6.13 or so; before, an enum without a name. */
enum rqf_flags___block {
	__RQF_FLUSH_SEQ___block = 1,
};

/* include/linux/blk_types.h: the same from 5.10 on. */
#define REQ_OP_MASK 0xff
#define REQ_OP_READ 0
#define REQ_OP_WRITE 1
#define REQ_OP_FLUSH 2
#define REQ_OP_DISCARD 3
#define REQ_OP_SECURE_ERASE 5
#define REQ_OP_WRITE_ZEROES 9
#define REQ_OP_DRV_IN 34
#define REQ_OP_DRV_OUT 35
#define REQ_SYNC (1U << 11)
#define REQ_META (1U << 12)
#define REQ_FUA (1U << 17)
#define REQ_PREFLUSH (1U << 18)
#define REQ_RAHEAD (1U << 19)
#define REQ_BACKGROUND (1U << 20)

#endif
