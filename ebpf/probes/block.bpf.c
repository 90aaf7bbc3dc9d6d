// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * block: one fact per request to a disk, from whoever made it to its end.
 *
 * A request is known by its address, which a tag of the device keeps for ever:
 * it is used again for the next request. So an entry that is still there when
 * a request begins is one whose end was not seen, and is counted as lost. (A
 * program does not run while it runs already on the same CPU, since 6.2: an
 * interrupt that completes requests of one disk may hit the end of another's.)
 */
#include "block_request.bpf.h"
#include "filter.bpf.h"
#include "stack.bpf.h"
#include "thread.bpf.h"

const volatile bool block_stacks = true;

/* A request on its way; `fact` is complete but for what its end tells. */
struct block_request {
	struct ktape_block_io fact;
	__u64 start;	/* 0: the recorder's own, whose end is not told */
	__u64 issue;	/* 0: not yet */
	__u64 length;	/* bytes when it began */
	__u64 born;	/* request.start_time_ns when it was first seen */
	__u64 ended;	/* not 0: told or merged, and could not be deleted */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct block_request);
} block_requests SEC(".maps");

/* Where the last request ended, by device and operation. */
struct block_head {
	__u32 device;
	__u32 op;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct block_head);
	__type(value, __u64);
} block_heads SEC(".maps");

/* Whether requests are recorded that cannot be told whose they are. */
static __always_inline bool block_everyone(void)
{
	return !filter_cpu && !filter_targets && !filter_uid &&
	       !wanted_cgroup && !allow_count && !deny_count;
}

/* Fills in who makes the request that the current thread makes. */
static __always_inline void block_submitter(void *ctx,
					    struct block_request *entry)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct ktape_block_io *fact = &entry->fact;
	struct task_struct *task = current_task();
	struct stack_buffer *buf;
	struct cpu_state *cpu;
	struct user_regs regs;

	fact->tid = id;
	fact->tgid = id >> 32;
	fact->cpu = bpf_get_smp_processor_id();
	if (!block_stacks)
		return;
	buf = stack_buffer(STACK_BLOCK);
	cpu = this_cpu();
	if (!buf || !cpu)
		return;
	cpu->stacks_taken++;
	fact->kstack = intern_kernel_stack(
		buf, bpf_get_stack(ctx, buf->frames, MAX_FRAMES * 8, 0),
		KTAPE_WIRE_STACK_FLAGS_PROGRAM);
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return;
	read_user_regs(task, &regs);
	fact->ustack = intern_user_stack(buf, regs.ip, regs.sp, regs.fp);
}

/* What is known of a request that has not ended. */
static __always_inline struct block_request *block_entry(__u64 key)
{
	struct block_request *entry;

	entry = bpf_map_lookup_elem(&block_requests, &key);
	return entry && !entry->ended ? entry : NULL;
}

/*
 * In an interrupt of a program that changes the same part of the map, the
 * kernel refuses to delete (htab_lock_bucket()): what is left says so.
 */
static __always_inline void block_forget(__u64 key, struct block_request *entry)
{
	entry->ended = 1;
	bpf_map_delete_elem(&block_requests, &key);
}

static __always_inline void block_lose(struct block_request *entry)
{
	struct cpu_state *cpu = this_cpu();

	if (cpu && entry->start)
		lose_shared_fact(cpu, KTAPE_BLOCK_IO);
}

/* Takes out an entry whose request was never seen to end. */
static __always_inline void block_drop(__u64 key)
{
	struct block_request *entry = block_entry(key);

	if (!entry)
		return;
	block_lose(entry);
	block_forget(key, entry);
}

/* Keeps a new entry; what is there already was never seen to end. */
static __always_inline void block_keep(__u64 key, struct block_request *entry)
{
	block_drop(key);
	/* Without filters its end is told all the same: block_unseen(). */
	if (bpf_map_update_elem(&block_requests, &key, entry, BPF_ANY) &&
	    !block_everyone())
		block_lose(entry);
}

/*
 * Whether the request that the current thread makes is looked at. Without
 * filters only the recorder's own are not: those are kept, too, so that what is
 * not known at its end is what was not seen to begin.
 */
static __always_inline bool block_wanted(struct block_request *entry)
{
	__u64 id = bpf_get_current_pid_tgid();

	if (current_wanted(id >> 32, id))
		entry->start = bpf_ktime_get_ns();
	return entry->start || block_everyone();
}

/* Since 6.5 (commit 5a80bd075f3b): where /proc/diskstats begins to count. */
SEC("tp_btf/block_io_start")
int block_start(__u64 *ctx)
{
	struct request___block *rq = (void *)ctx[0];
	struct block_request entry = {};
	__u32 cmd;

	if (stopped())
		return 0;
	if (!block_wanted(&entry)) {
		block_drop(ctx[0]);
		return 0;
	}
	if (!entry.start) {
		block_keep(ctx[0], &entry);
		return 0;
	}
	cmd = BPF_CORE_READ(rq, cmd_flags);
	entry.length = BPF_CORE_READ(rq, __data_len);
	entry.fact.sector = entry.length ? BPF_CORE_READ(rq, __sector) : 0;
	entry.fact.op = block_op(cmd, entry.length);
	entry.fact.flags = block_flags(cmd);
	entry.fact.device = block_disk(rq);
	entry.fact.partition = entry.fact.device;
	block_submitter(ctx, &entry);
	block_keep(ctx[0], &entry);
	return 0;
}

#if defined(KTAPE_OLD_KERNEL)
#define BLOCK_OLD 1
#else
#define BLOCK_OLD (kernel_version < (6 << 16 | 5 << 8))
#endif

/*
 * Before 6.5 the first that is seen in the context of who makes a request is
 * its bio, when the request was given to it: kept by the bio's address until
 * the request is inserted or issued.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct block_request);
} block_bios SEC(".maps");

/* Before 5.11 (commit e8a676d61c07) the queue was the first argument. */
SEC("tp_btf/block_getrq")
int block_getrq(__u64 *ctx)
{
	struct block_request entry = {};
	__u64 bio = ctx[0];

#if defined(KTAPE_OLD_KERNEL)
	/* Not one load from a computed address: the verifier refuses that. */
	barrier_var(bio);
	if (kernel_version < (5 << 16 | 11 << 8))
		bio = ctx[1];
#endif
	if (stopped())
		return 0;
	if (!block_wanted(&entry)) {
		/* Another bio had this address, and nothing asked for it. */
		bpf_map_delete_elem(&block_bios, &bio);
		return 0;
	}
	if (entry.start)
		block_submitter(ctx, &entry);
	bpf_map_update_elem(&block_bios, &bio, &entry, BPF_ANY);
	return 0;
}

/* Merges put bios before and behind the first one: how far it is looked for. */
#define BLOCK_BIOS 16

/* Makes the entry of a request from that of the bio that it was made for. */
static __always_inline void block_adopt(struct request___block *rq)
{
	struct bio___block *bio = BPF_CORE_READ(rq, biotail);
	__u64 born = BPF_CORE_READ(rq, start_time_ns);
	struct block_request entry = {}, *known;
	__u64 key = (__u64)rq, at = (__u64)bio;
	__u32 cmd, i;

	known = block_entry(key);
	if (known) {
		/* A merge may make it older, another request is younger. */
		if (born <= known->born)
			return;
		block_drop(key);
	}
	if (!bio)
		return;
	known = bpf_map_lookup_elem(&block_bios, &at);
	bio = BPF_CORE_READ(rq, bio);
	for (i = 0; i < BLOCK_BIOS && bio && !known; i++) {
		at = (__u64)bio;
		known = bpf_map_lookup_elem(&block_bios, &at);
		bio = BPF_CORE_READ(bio, bi_next);
	}
	if (!known)
		return;
	entry = *known;
	entry.born = born;
	bpf_map_delete_elem(&block_bios, &at);
	cmd = BPF_CORE_READ(rq, cmd_flags);
	entry.length = BPF_CORE_READ(rq, __data_len);
	entry.fact.op = block_op(cmd, entry.length);
	entry.fact.sector = entry.length ? BPF_CORE_READ(rq, __sector) : 0;
	entry.fact.flags = block_flags(cmd);
	if (entry.fact.op == KTAPE_BLOCK_IO_OP_EMPTY_FLUSH)
		entry.fact.flags |= KTAPE_BLOCK_IO_FLAGS_PREFLUSH;
	entry.fact.device = block_disk(rq);
	entry.fact.partition = block_partition(rq, entry.fact.device);
	block_keep(key, &entry);
}

/*
 * The queue was the first argument of these before 5.11 (commit a54895fa057c,
 * which the stable kernels of 5.10 have, too).
 */
static __always_inline struct request___block *block_rq(__u64 *ctx)
{
	__u64 rq = ctx[0];

#if defined(KTAPE_OLD_KERNEL)
	barrier_var(rq);
	if (kernel_version < (5 << 16 | 10 << 8))
		rq = ctx[1];
#endif
	return (void *)rq;
}

SEC("tp_btf/block_rq_insert")
int block_insert(__u64 *ctx)
{
	if (!stopped())
		block_adopt(block_rq(ctx));
	return 0;
}

/*
 * A flush of the device: the block layer sends it for all who wait for one,
 * through its own threads.
 */
static __always_inline void block_flush(struct request___block *rq, __u64 now)
{
	struct block_request entry = {
		.start = now,
		.born = BPF_CORE_READ(rq, start_time_ns),
		.fact.op = KTAPE_BLOCK_IO_OP_FLUSH,
	};

	if (!block_everyone())
		return;
	entry.fact.cpu = bpf_get_smp_processor_id();
	entry.fact.device = block_disk(rq);
	entry.fact.partition = entry.fact.device;
	block_keep((__u64)rq, &entry);
}

/* Whether the request starts where the one before it ended. */
static __always_inline bool block_follows(__u32 device, __u32 op, __u64 sector,
					  __u64 end)
{
	struct block_head head = { .device = device, .op = op };
	__u64 *last = bpf_map_lookup_elem(&block_heads, &head);
	bool follows = last && *last == sector;

	if (last)
		*last = end;
	else
		bpf_map_update_elem(&block_heads, &head, &end, BPF_ANY);
	return follows;
}

SEC("tp_btf/block_rq_issue")
int block_issue(__u64 *ctx)
{
	struct request___block *rq = block_rq(ctx);
	struct ktape_block_io *fact;
	struct block_request *entry;
	__u64 key = (__u64)rq;
	__u32 bytes;
	__u64 now;

	if (stopped())
		return 0;
	now = bpf_ktime_get_ns();
	if (BLOCK_OLD)
		block_adopt(rq);
	entry = block_entry(key);
	if (!entry) {
		if ((BPF_CORE_READ(rq, cmd_flags) & REQ_OP_MASK) !=
		    REQ_OP_FLUSH)
			return 0;
		block_flush(rq, now);
		entry = block_entry(key);
		if (!entry)
			return 0;
	}
	fact = &entry->fact;
	if (fact->issues < 255)
		fact->issues++;
	if (entry->issue)
		return 0;
	entry->issue = now;
	bytes = BPF_CORE_READ(rq, __data_len);
	/* Without data it is nowhere: 0 or the last one of all. */
	fact->sector = bytes ? BPF_CORE_READ(rq, __sector) : 0;
	fact->partition = block_partition(rq, fact->device);
	if (bytes > entry->length)
		fact->flags |= KTAPE_BLOCK_IO_FLAGS_MERGED;
	if (bytes && block_follows(fact->device, fact->op, fact->sector,
				   fact->sector + bytes / 512))
		fact->flags |= KTAPE_BLOCK_IO_FLAGS_SEQUENTIAL;
	return 0;
}

/* It became part of the request before it, and ends with that. */
SEC("tp_btf/block_rq_merge")
int block_merge(__u64 *ctx)
{
	__u64 key = (__u64)block_rq(ctx);
	struct block_request *entry;

	if (stopped())
		return 0;
	entry = block_entry(key);
	if (entry)
		block_forget(key, entry);
	return 0;
}

/*
 * One that was not seen to begin, before the recording or while its programs
 * were being attached: what can be known of it. Before 6.5 a command of a
 * driver's own is never seen to begin, nor was it counted.
 */
static __always_inline void block_unseen(struct request___block *rq, __u64 now,
					 __s32 error, __u32 bytes)
{
	__u64 start = BPF_CORE_READ(rq, start_time_ns);
	__u32 cmd = BPF_CORE_READ(rq, cmd_flags);
	__u8 op = block_op(cmd, bytes);
	struct ktape_block_io *fact;
	struct cpu_state *cpu;

	if (!start || !block_everyone() || op == KTAPE_BLOCK_IO_OP_FLUSH)
		return;
	if (BLOCK_OLD && op == KTAPE_BLOCK_IO_OP_DRIVER &&
	    start >= moment(MOMENT_START))
		return;
	cpu = this_cpu();
	if (!cpu)
		return;
	fact = reserve_shared_fact(cpu, KTAPE_BLOCK_IO, sizeof(*fact));
	if (!fact)
		return;
	fact->end = now;
	fact->duration = now > start ? now - start : 0;
	fact->queue = 0;
	fact->service = 0;
	fact->sector = BPF_CORE_READ(rq, __sector);
	fact->bytes = bytes;
	fact->tid = 0;
	fact->tgid = 0;
	fact->device = block_disk(rq);
	fact->partition = block_partition(rq, fact->device);
	fact->kstack = 0;
	fact->ustack = 0;
	fact->error = block_errno(error);
	fact->cpu = bpf_get_smp_processor_id();
	fact->flags = block_flags(cmd) | KTAPE_BLOCK_IO_FLAGS_BEGAN_BEFORE;
	fact->op = op;
	fact->issues = 0;
	submit_fact(cpu, fact, sizeof(*fact));
}

/*
 * A part of a request is done: the last one, if no bytes are left behind it,
 * and it is not a step of a flush sequence.
 */
SEC("tp_btf/block_rq_complete")
int block_complete(__u64 *ctx)
{
	struct request___block *rq = (void *)ctx[0];
	struct ktape_block_io *fact, *known;
	struct block_request *entry;
	__s32 error = ctx[1];
	__u64 key = ctx[0];
	__u32 bytes = ctx[2];
	struct cpu_state *cpu;
	__u32 flags, left;
	__u64 now;

	if (stopped())
		return 0;
	now = bpf_ktime_get_ns();
	left = BPF_CORE_READ(rq, __data_len);
	flags = BPF_CORE_READ(rq, rq_flags);
	entry = block_entry(key);
	if (!entry && BLOCK_OLD) {
		/* An empty flush is neither inserted nor issued itself. */
		block_adopt(rq);
		entry = block_entry(key);
	}
	if (!entry) {
		if (bytes >= left && !in_flush_sequence(flags))
			block_unseen(rq, now, error, bytes);
		return 0;
	}
	known = &entry->fact;
	known->bytes += bytes;
	if (error && !known->error)
		known->error = block_errno(error);
	/* The flush of the device is in the sequence, and its only end. */
	if (bytes < left || (in_flush_sequence(flags) &&
			     known->op != KTAPE_BLOCK_IO_OP_FLUSH))
		return 0;
	if (!entry->start)
		goto out;
	cpu = this_cpu();
	if (!cpu)
		return 0;
	if (!entry->issue)
		known->partition = block_partition(rq, known->device);
	fact = reserve_shared_fact(cpu, KTAPE_BLOCK_IO, sizeof(*fact));
	if (fact) {
		*fact = *known;
		fact->end = now;
		fact->duration = now > entry->start ? now - entry->start : 0;
		fact->queue = fact->duration;
		if (entry->issue)
			fact->queue = entry->issue > entry->start ?
				      entry->issue - entry->start : 0;
		/* The clock may step back by some ns between CPUs. */
		if (fact->queue > fact->duration)
			fact->queue = fact->duration;
		fact->service = fact->duration - fact->queue;
		submit_fact(cpu, fact, sizeof(*fact));
	}
out:
	block_forget(key, entry);
	return 0;
}
