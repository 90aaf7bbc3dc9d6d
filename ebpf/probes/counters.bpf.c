// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * counters: what the kernel and the CPU count of each thread, exactly, and
 * where threads are when a counter overflows, by samples.
 */
#include "counters.bpf.h"
#include "sample.bpf.h"

const volatile bool counters_stacks = true;
const volatile __u64 counters_switches;	/* one in so many is sampled; 0: none */

/*
 * Counting events, opened by the recorder: a map for each, since the loader
 * gives such maps as many entries as there are CPUs.
 */
struct counter_map {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
};

struct counter_map count_cycles SEC(".maps");
struct counter_map count_instructions SEC(".maps");
struct counter_map count_cache_misses SEC(".maps");
struct counter_map count_branch_misses SEC(".maps");
struct counter_map count_cpu_clock SEC(".maps");

/* What the events of a CPU had counted when its thread got it. */
struct turn {
	struct bpf_perf_event_value at[COUNTED_EVENTS];
	__u64 switches;	/* since the last one that was sampled */
	bool busy;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct turn);
} turns SEC(".maps");

/* Reads one event; `i` is a constant. */
static __always_inline void count_event(struct thread_counts *counts,
					struct turn *turn, __u32 i, void *map)
{
	struct bpf_perf_event_value now = {}, *then = &turn->at[i];
	__u64 count, enabled, running;

	if (!(counters_counted >> i & 1) ||
	    bpf_perf_event_read_value(map, BPF_F_CURRENT_CPU, &now,
				      sizeof(now)))
		return;
	count = now.counter - then->counter;
	enabled = now.enabled - then->enabled;
	running = now.running - then->running;
	/* The first reading on this CPU counts for nobody. */
	if (counts && then->enabled) {
		if (running < enabled)
			counts->scaled = true;
		enabled += counts->unseen[i];
		counts->unseen[i] = running ? 0 : enabled;
		/* In 1024ths: no overflow within an hour. */
		if (running && running < enabled)
			count = (count * ((enabled << 10) / running)) >> 10;
		counts->counted[i] += count;
	}
	*then = now;
}

/*
 * Hands what the CPU has counted since the last time to a thread, or to nobody:
 * to the one that runs, or is just about to leave.
 */
static __always_inline void count_turn(struct thread_counts *counts)
{
	__u32 zero = 0;
	struct turn *turn = bpf_map_lookup_elem(&turns, &zero);

	/* A sample can interrupt this, in an interrupt that none can mask. */
	if (!turn || turn->busy)
		return;
	turn->busy = true;
	barrier();
	count_event(counts, turn, 0, &count_cycles);
	count_event(counts, turn, 1, &count_instructions);
	count_event(counts, turn, 2, &count_cache_misses);
	count_event(counts, turn, 3, &count_branch_misses);
	count_event(counts, turn, 4, &count_cpu_clock);
	barrier();
	turn->busy = false;
}

/* The row of a thread since its last one; false when there is nothing in it. */
static __always_inline bool fill_counts(struct ktape_counter_total *fact,
					struct task_struct *task,
					struct thread_counts *counts, __u64 now)
{
	__u64 own[OWN_COUNTS], delta[OWN_COUNTS], counted[COUNTED_EVENTS];
	__u64 any = 0;
	__u32 i;

	own_counts(task, own);
	for (i = 0; i < OWN_COUNTS; i++) {
		delta[i] = own[i] - counts->told[i];
		any |= delta[i];
	}
	for (i = 0; i < COUNTED_EVENTS; i++) {
		counted[i] = counts->counted[i] - counts->counted_told[i];
		any |= counted[i];
	}
	fact->end = now;
	fact->duration = now - counts->since;
	fact->task_clock = delta[OWN_TASK_CLOCK];
	fact->voluntary_switches = delta[OWN_VOLUNTARY];
	fact->involuntary_switches = delta[OWN_INVOLUNTARY];
	fact->migrations = delta[OWN_MIGRATIONS];
	fact->minor_faults = delta[OWN_MINOR];
	fact->major_faults = delta[OWN_MAJOR];
	fact->cycles = counted[0];
	fact->instructions = counted[1];
	fact->cache_misses = counted[2];
	fact->branch_misses = counted[3];
	fact->cpu_clock = counted[4];
	fact->tid = task->pid;
	fact->tgid = task->tgid;
	fact->counted = counters_counted;
	fact->flags = counts->scaled ? KTAPE_COUNTER_TOTAL_FLAGS_SCALED : 0;
	return any;
}

/*
 * Its next row begins where this one ends. What it counted meanwhile is added
 * up already, so what was told is taken from the row.
 */
static __always_inline void counts_told(struct thread_counts *counts,
					const struct ktape_counter_total *fact)
{
	counts->told[OWN_TASK_CLOCK] += fact->task_clock;
	counts->told[OWN_VOLUNTARY] += fact->voluntary_switches;
	counts->told[OWN_INVOLUNTARY] += fact->involuntary_switches;
	counts->told[OWN_MIGRATIONS] += fact->migrations;
	counts->told[OWN_MINOR] += fact->minor_faults;
	counts->told[OWN_MAJOR] += fact->major_faults;
	counts->counted_told[0] += fact->cycles;
	counts->counted_told[1] += fact->instructions;
	counts->counted_told[2] += fact->cache_misses;
	counts->counted_told[3] += fact->branch_misses;
	counts->counted_told[4] += fact->cpu_clock;
	counts->since = fact->end;
	if (fact->flags & KTAPE_COUNTER_TOTAL_FLAGS_SCALED)
		counts->scaled = false;
}

static __always_inline void tell_sample(struct cpu_state *cpu,
					struct sample *sample, __u64 weight,
					__u8 event)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct ktape_counter_sample *fact;

	fact = reserve_shared_fact(cpu, KTAPE_COUNTER_SAMPLE, sizeof(*fact));
	if (!fact)
		return;
	fact->time = bpf_ktime_get_ns();
	fact->weight = weight;
	fact->tid = id;
	fact->tgid = id >> 32;
	fact->kstack = sample->kstack;
	fact->ustack = sample->ustack;
	fact->cpu = bpf_get_smp_processor_id();
	fact->event = event;
	fact->mode = sample->user ? KTAPE_CPU_SAMPLE_MODE_USER :
		     KTAPE_CPU_SAMPLE_MODE_KERNEL;
	fact->flags = 0;
	submit_fact(cpu, fact, sizeof(*fact));
}

/*
 * Switches are counted down here, since we are called for each one anyway: the
 * event of perf costs a quarter of a microsecond, sampled or not.
 */
static __always_inline void sample_switch(void *ctx, struct task_struct *prev)
{
	struct sample sample = {};
	struct stack_buffer *buf;
	struct cpu_state *cpu;
	struct turn *turn;
	__u32 zero = 0;

	turn = bpf_map_lookup_elem(&turns, &zero);
	if (!counters_switches || !turn || ++turn->switches < counters_switches)
		return;
	turn->switches = 0;
	/* The idle task is not sampled. */
	if (!prev->pid || !current_wanted(prev->tgid, prev->pid))
		return;
	cpu = this_cpu();
	buf = stack_buffer(STACK_SCHED);
	if (!cpu || !buf)
		return;
	if (counters_stacks) {
		sample.kstack = intern_kernel_stack(
			buf, bpf_get_stack(ctx, buf->frames, MAX_FRAMES * 8, 0),
			KTAPE_WIRE_STACK_FLAGS_PROGRAM);
		/* Who ends may have no memory any more. */
		if (!(prev->flags & (PF_KTHREAD | PF_EXITING))) {
			read_user_regs(prev, &sample.regs);
			sample.ustack = intern_user_stack(buf, sample.regs.ip,
							  sample.regs.sp,
							  sample.regs.fp);
		}
	}
	tell_sample(cpu, &sample, counters_switches,
		    KTAPE_COUNTER_SAMPLE_EVENT_CONTEXT_SWITCHES);
}

/*
 * A thread leaves the CPU. By now its counts of this switch are in
 * (kernel/sched/core.c, __schedule()).
 */
SEC("tp_btf/sched_switch")
int counters_switch(__u64 *ctx)
{
	struct task_struct *prev = (void *)ctx[1];
	struct thread_counts *counts = NULL;
	struct ktape_counter_total *fact;
	struct cpu_state *cpu;
	__u64 now;

	if (stopped())
		return 0;
	sample_switch(ctx, prev);
	if (counters_counted) {
		if (prev->pid && !filter_cpu &&
		    current_wanted(prev->tgid, prev->pid))
			counts = thread_counts(prev, bpf_ktime_get_ns());
		else if (prev->pid)
			counts = find_counts(prev, false);
		count_turn(counts);
	}
	if (!(raw_state(prev) & TASK_DEAD))
		return 0;
	counts = find_counts(prev, false);
	cpu = this_cpu();
	if (!counts || !counts->wanted || !cpu)
		return 0;
	now = bpf_ktime_get_ns();
	fact = reserve_fact(cpu, KTAPE_COUNTER_TOTAL, sizeof(*fact));
	if (fact) {
		fill_counts(fact, prev, counts, now);
		fact->flags |= KTAPE_COUNTER_TOTAL_FLAGS_ENDED;
		submit_fact(cpu, fact, sizeof(*fact));
	}
	counts->ended = true;
	forget_counts(prev);
	return 0;
}

/*
 * Read at the start, every so often, and at the stop. Who is about to end is
 * left to its last switch, until the stop.
 */
SEC("iter/task")
int counters_read(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct ktape_counter_total fact = {};
	struct thread_counts *counts;
	__u64 now;

	if (!task || !task->pid || task->tgid == (__s32)self_tgid || filter_cpu)
		return 0;
	now = moment(MOMENT_STOP);
	if (now ? raw_state(task) & TASK_DEAD : task->flags & PF_EXITING) {
		counts = find_counts(task, false);
		/* It left the CPU for good after the stop. */
		if (!now || !counts || !counts->wanted || counts->ended)
			return 0;
	} else if (!task_wanted(task)) {
		counts = find_counts(task, false);
		/* What it does now is not part of what it may do later. */
		if (counts)
			begin_counts(task, counts, bpf_ktime_get_ns());
		return 0;
	} else {
		counts = thread_counts(task, bpf_ktime_get_ns());
	}
	if (!counts)
		return 0;
	if (!now)
		now = bpf_ktime_get_ns();
	if (is_held(task->tgid)) {
		begin_counts(task, counts, now);
		return 0;
	}
	if (now <= counts->since ||
	    !fill_counts(&fact, task, counts, now))
		return 0;
	/* With the buffer full, this thread is shown again in the next one. */
	if (!bpf_seq_write(seq, &fact, sizeof(fact)))
		counts_told(counts, &fact);
	return 0;
}

static __always_inline int sampled(struct bpf_perf_event_data *ctx, __u8 event,
				   __u32 buffer)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct sample sample = {};
	struct stack_buffer *buf;
	struct cpu_state *cpu;

	sample_begin(ctx, &sample);
	/* The idle task is not sampled. */
	if (!(__u32)id || stopped() || !current_wanted(id >> 32, id))
		return 0;
	/* Up to here it is this thread's; long turns are told in between. */
	if (counters_counted) {
		struct thread_counts *counts;

		counts = find_counts(current_task(), false);
		if (counts)
			count_turn(counts);
	}
	cpu = this_cpu();
	buf = stack_buffer(buffer);
	if (!cpu || !buf)
		return 0;
	if (counters_stacks)
		sample_stacks(ctx, buf, &sample);
	tell_sample(cpu, &sample, ctx->sample_period, event);
	return 0;
}

/*
 * One program per event, which cannot tell itself. Those of the CPU come in
 * interrupts that cannot be masked, also amid those of the kernel.
 */
#define SAMPLED(name, event, buffer)					\
SEC("perf_event")							\
int name(struct bpf_perf_event_data *ctx)				\
{									\
	return sampled(ctx, KTAPE_COUNTER_SAMPLE_EVENT_##event,		\
		       buffer);						\
}

SAMPLED(counters_cycles, CYCLES, STACK_COUNTED)
SAMPLED(counters_instructions, INSTRUCTIONS, STACK_COUNTED)
SAMPLED(counters_cache_misses, CACHE_MISSES, STACK_COUNTED)
SAMPLED(counters_branch_misses, BRANCH_MISSES, STACK_COUNTED)
SAMPLED(counters_clock, CPU_CLOCK, STACK_COUNTED)
SAMPLED(counters_migrations, CPU_MIGRATIONS, STACK_COUNTER)
SAMPLED(counters_faults, PAGE_FAULTS, STACK_COUNTER)
