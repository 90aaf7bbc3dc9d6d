// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * mem: page faults, memory of processes, and what the kernel allocates.
 *
 * The software events of faults are counted one by one (period 1 is never
 * throttled, kernel/events/core.c) where the kernel counts them for
 * getrusage(2), when it knows whether a fault was major. That is its end; its
 * beginning comes from the tracepoints of exceptions, which x86 alone has.
 */
#include "filter.bpf.h"
#include "heap.bpf.h"
#include "mem_types.h"
#include "stack.bpf.h"
#include "thread.bpf.h"

const volatile bool mem_stacks = true;
const volatile __u32 page_bytes = 4096;

/* What is added up: a value of alloc_total.what, or this. */
#define MINOR_FAULT 0

struct mem_key {
	__u64 site;	/* who allocates, or the process that faults */
	__u32 ustack;
	__u32 what;
};

struct mem_sum {
	__u64 count;
	__u64 bytes;
	__u64 site;	/* as a stack */
};

/*
 * Allocated beforehand: programs of perf events on older kernels want that, and
 * who watches the allocator must not call it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct mem_key);
	__type(value, struct mem_sum);
} mem_sums SEC(".maps");

/* Those without their place, once there is no room for more places. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct mem_key);
	__type(value, struct mem_sum);
} mem_rests SEC(".maps");

/* When a thread's last fault began. */
#if defined(KTAPE_OLD_KERNEL)
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, __u64);
} fault_starts SEC(".maps");

static __always_inline __u64 *fault_start(bool create)
{
	static const __u64 none;
	__u32 tid = bpf_get_current_pid_tgid();
	__u64 *start = bpf_map_lookup_elem(&fault_starts, &tid);

	if (start || !create)
		return start;
	bpf_map_update_elem(&fault_starts, &tid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&fault_starts, &tid);
}
#else
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} fault_starts SEC(".maps");

static __always_inline __u64 *fault_start(bool create)
{
	return bpf_task_storage_get(&fault_starts, current_task(), NULL,
				    create ? BPF_LOCAL_STORAGE_GET_F_CREATE :
				    0);
}
#endif

static __always_inline int fault_begins(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u64 *start;

	if (stopped() || !current_wanted(id >> 32, id))
		return 0;
	start = fault_start(true);
	if (start)
		*start = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/page_fault_user")
int mem_fault_user(__u64 *ctx __attribute__((unused)))
{
	return fault_begins();
}

SEC("tp_btf/page_fault_kernel")
int mem_fault_kernel(__u64 *ctx __attribute__((unused)))
{
	return fault_begins();
}

/* The user stack of a fault, of user code or in a system call. */
static __always_inline __u32 fault_stack(struct cpu_state *cpu, bool user,
					 struct user_regs *regs)
{
	struct stack_buffer *buf = stack_buffer(STACK_FAULT);

	if (!buf || !mem_stacks)
		return 0;
	if (!user)
		read_user_regs(current_task(), regs);
	cpu->stacks_taken++;
	return intern_user_stack(buf, regs->ip, regs->sp, regs->fp);
}

SEC("perf_event")
int mem_major(struct bpf_perf_event_data *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), now, *start;
	bool user = PERF_REGS_USER(&ctx->regs);
	/* Read here: see cpu_sample(). */
	struct user_regs regs = {
		.ip = PERF_REGS_IP(&ctx->regs),
		.sp = PERF_REGS_SP(&ctx->regs),
		.fp = PERF_REGS_FP(&ctx->regs),
	};
	__u64 address = ctx->addr;
	struct ktape_page_fault *fact;
	struct cpu_state *cpu = this_cpu();
	__u32 ustack;

	barrier_var(regs.ip);
	barrier_var(regs.sp);
	barrier_var(regs.fp);
	if (!cpu || stopped() || !current_wanted(id >> 32, id))
		return 0;
	now = bpf_ktime_get_ns();
	ustack = fault_stack(cpu, user, &regs);
	fact = reserve_fact(cpu, KTAPE_PAGE_FAULT, sizeof(*fact));
	if (!fact)
		return 0;
	start = fault_start(false);
	fact->end = now;
	fact->duration = 0;
	fact->flags = user ? 0 : KTAPE_PAGE_FAULT_FLAGS_KERNEL;
	if (start && *start && *start <= now) {
		fact->duration = now - *start;
		fact->flags |= KTAPE_PAGE_FAULT_FLAGS_TIMED;
	}
	fact->address = address;
	fact->tid = id;
	fact->tgid = id >> 32;
	fact->ustack = ustack;
	fact->cpu = bpf_get_smp_processor_id();
	submit_fact(cpu, fact, sizeof(*fact));
	return 0;
}

static __always_inline struct mem_sum *mem_sum_in(void *map,
						   struct mem_key *key)
{
	static const struct mem_sum none;
	struct mem_sum *sum = bpf_map_lookup_elem(map, key);

	if (sum)
		return sum;
	bpf_map_update_elem(map, key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, key);
}

/*
 * The sum of a key, counted as produced. A compilation faults at more places
 * than there is room for: the key loses its place then, and not the count.
 */
static __always_inline struct mem_sum *mem_sum(struct cpu_state *cpu,
					       struct mem_key *key,
					       __u32 record)
{
	struct mem_sum *sum;

	__sync_fetch_and_add(&cpu->counters[record].produced, 1);
	sum = mem_sum_in(&mem_sums, key);
	if (sum)
		return sum;
	key->ustack = 0;
	if (key->what != MINOR_FAULT)
		key->site = 0;
	sum = mem_sum_in(&mem_rests, key);
	if (!sum)
		__sync_fetch_and_add(&cpu->counters[record].lost, 1);
	return sum;
}

SEC("perf_event")
int mem_minor(struct bpf_perf_event_data *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	bool user = PERF_REGS_USER(&ctx->regs);
	struct user_regs regs = {
		.ip = PERF_REGS_IP(&ctx->regs),
		.sp = PERF_REGS_SP(&ctx->regs),
		.fp = PERF_REGS_FP(&ctx->regs),
	};
	struct mem_key key = { .site = id >> 32, .what = MINOR_FAULT };
	struct cpu_state *cpu = this_cpu();
	struct mem_sum *sum;

	barrier_var(regs.ip);
	barrier_var(regs.sp);
	barrier_var(regs.fp);
	if (!cpu || stopped() || !current_wanted(id >> 32, id))
		return 0;
	key.ustack = fault_stack(cpu, user, &regs);
	sum = mem_sum(cpu, &key, KTAPE_FAULT_TOTAL);
	if (sum)
		sum->count++;
	return 0;
}

/*
 * One call of the allocator. Interrupts allocate and free as well, amid this:
 * sums are added to atomically, and the site of a sum is left to a later call
 * when the buffer is in use.
 */
static __always_inline int allocated(__u32 what, __u64 site, __u64 bytes)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct mem_key key = { .site = site, .what = what };
	struct cpu_state *cpu = this_cpu();
	struct stack_buffer *buf;
	struct mem_sum *sum;

	if (!cpu || stopped() || !current_wanted(id >> 32, id))
		return 0;
	sum = mem_sum(cpu, &key, KTAPE_ALLOC_TOTAL);
	if (!sum)
		return 0;
	__sync_fetch_and_add(&sum->count, 1);
	/* Of a constant 0 clang makes an instruction of 5.12. */
	if (bytes)
		__sync_fetch_and_add(&sum->bytes, bytes);
	if (sum->site || !key.site)
		return 0;
	buf = stack_buffer(STACK_ALLOC);
	if (!buf || !take_buffer(buf))
		return 0;
	buf->frames[0] = site;
	sum->site = intern_kernel_stack(buf, sizeof(__u64), 0);
	give_buffer(buf);
	return 0;
}

/*
 * Arguments: call site, object, bytes asked for, bytes given, ... In 6.0 alone
 * the cache stands before the sizes.
 */
SEC("tp_btf/kmalloc")
int mem_kmalloc(__u64 *ctx)
{
	__u64 bytes = ctx[3];

	if (kernel_version == 6 << 16)
		bytes = ctx[4];
	return allocated(KTAPE_ALLOC_TOTAL_WHAT_KMALLOC, ctx[0], bytes);
}

SEC("tp_btf/kfree")
int mem_kfree(__u64 *ctx)
{
	return allocated(KTAPE_ALLOC_TOTAL_WHAT_KFREE, ctx[0], 0);
}

/*
 * Until 5.19 as kmalloc; since 6.0 with the cache, since 6.1 without sizes
 * (include/trace/events/kmem.h).
 */
SEC("tp_btf/kmem_cache_alloc")
int mem_cache_alloc(__u64 *ctx)
{
	struct kmem_cache___mem *cache;
	__u64 bytes;

	if (kernel_version < (6 << 16)) {
		bytes = ctx[3];
	} else {
		cache = (void *)ctx[2];
		bytes = BPF_CORE_READ(cache, size);
	}
	return allocated(KTAPE_ALLOC_TOTAL_WHAT_CACHE_ALLOC, ctx[0], bytes);
}

SEC("tp_btf/kmem_cache_free")
int mem_cache_free(__u64 *ctx)
{
	struct kmem_cache___mem *cache;
	__u64 bytes = 0;

	/* Before, the third argument was missing, or a name. */
	if (kernel_version >= (6 << 16 | 1 << 8)) {
		cache = (void *)ctx[2];
		bytes = BPF_CORE_READ(cache, size);
	}
	return allocated(KTAPE_ALLOC_TOTAL_WHAT_CACHE_FREE, ctx[0], bytes);
}

SEC("tp_btf/mm_page_alloc")
int mem_page_alloc(__u64 *ctx)
{
	/* No page: it failed. */
	if (!ctx[0])
		return 0;
	return allocated(KTAPE_ALLOC_TOTAL_WHAT_PAGE_ALLOC, 0,
			 (__u64)page_bytes << ((__u32)ctx[1] & 31));
}

SEC("tp_btf/mm_page_free")
int mem_page_free(__u64 *ctx)
{
	return allocated(KTAPE_ALLOC_TOTAL_WHAT_PAGE_FREE, 0,
			 (__u64)page_bytes << ((__u32)ctx[1] & 31));
}

/*
 * A counter's parts are per-CPU variables, which programs may only read of
 * their own CPU. But a per-CPU map is one as well, and tells where its values
 * are: the distance from its pointer to that of a CPU is the same for all.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} cpu_places SEC(".maps");

struct cpu_walk {
	__u64 counters;
	__u64 origin;	/* the map's own per-CPU pointer */
	__s64 sum;
};

static __always_inline long cpu_step(__u32 cpu, struct cpu_walk *walk)
{
#if !defined(KTAPE_OLD_KERNEL)
	volatile __u64 *place;
	__u32 zero = 0;
	__s32 part = 0;

	place = bpf_map_lookup_percpu_elem(&cpu_places, &zero, cpu);
	if (!place)
		return 0;
	/* The verifier forbids sums with pointers, so take it as a number. */
	*place = (__u64)place;
	bpf_probe_read_kernel(&part, sizeof(part),
			      (void *)(walk->counters + *place -
				       walk->origin));
	walk->sum += part;
#else
	(void)cpu;
	(void)walk;
#endif
	return 0;
}

static long __attribute__((unused)) cpu_step_of(__u32 cpu, void *context)
{
	return cpu_step(cpu, context);
}

/* percpu_counter_sum(); `counters` is 0 where there are none. */
static __noinline __u64 pages_of(__s64 count, __u64 counters)
{
	struct cpu_walk walk = { .counters = counters, .sum = count };
	struct bpf_array___mem *map;
	volatile __u64 *place;
	__u32 zero = 0;

	place = bpf_map_lookup_elem(&cpu_places, &zero);
	if (counters && place) {
		/* Again the address of the map as a number. */
		*place = (__u64)&cpu_places;
		map = (void *)*place;
		bpf_probe_read_kernel(
			&walk.origin, sizeof(walk.origin),
			__builtin_preserve_access_index(&map->pptrs));
		repeat(cpus, cpu_step_of, cpu_step, &walk);
	}
	return walk.sum > 0 ? walk.sum : 0;
}

#define PAGES(mm, which)						\
	pages_of(BPF_CORE_READ(mm, rss_stat[which].count),		\
		 (__u64)BPF_CORE_READ(mm, rss_stat[which].counters))
#define OLD_PAGES(mm, which)						\
	pages_of(BPF_CORE_READ(mm, rss_stat.count[which].counter), 0)

/* enum of include/linux/mm_types_task.h */
#define MM_FILEPAGES 0
#define MM_ANONPAGES 1
#define MM_SWAPENTS 2
#define MM_SHMEMPAGES 3

/* Read every so often: each process, by its first thread. */
SEC("iter/task")
int mem_use(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct ktape_memory_use fact = {};
	struct mm_struct___mem_old *old;
	struct task_struct___mem *self;
	struct mm_struct___mem *mm;

	if (!task || !task->pid || task->pid != task->tgid ||
	    task->flags & PF_KTHREAD || is_held(task->tgid))
		return 0;
	/* It is of no CPU: the recorder says so. */
	if (filter_cpu || !task_wanted(task))
		return 0;
	self = (void *)task;
	mm = BPF_CORE_READ(self, mm);
	if (!mm)
		return 0;
	fact.time = bpf_ktime_get_ns();
	fact.tgid = task->tgid;
	if (bpf_core_field_exists(mm->rss_stat[0].counters)) {
		fact.file_pages = PAGES(mm, MM_FILEPAGES);
		fact.anon_pages = PAGES(mm, MM_ANONPAGES);
		fact.swap_pages = PAGES(mm, MM_SWAPENTS);
		fact.shmem_pages = PAGES(mm, MM_SHMEMPAGES);
	} else {
		old = (void *)mm;
		fact.file_pages = OLD_PAGES(old, MM_FILEPAGES);
		fact.anon_pages = OLD_PAGES(old, MM_ANONPAGES);
		fact.swap_pages = OLD_PAGES(old, MM_SWAPENTS);
		fact.shmem_pages = OLD_PAGES(old, MM_SHMEMPAGES);
		fact.flags = KTAPE_MEMORY_USE_FLAGS_APPROXIMATE;
	}
	fact.peak_pages = BPF_CORE_READ(mm, hiwater_rss);
	bpf_seq_write(seq, &fact, sizeof(fact));
	return 0;
}
