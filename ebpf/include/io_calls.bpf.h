/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * System calls on files: which there are, and what their arguments say.
 */
#ifndef KTAPE_IO_CALLS_BPF_H
#define KTAPE_IO_CALLS_BPF_H

#include "hash.bpf.h"
#include "ktape.bpf.h"

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

/* 0 for a system call that is not looked at. */
static __always_inline __u8 io_known(__u32 nr)
{
	return nr < IO_CALLS ? io_calls_known[nr] : 0;
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

#endif
