// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * cpu: what each CPU runs, sampled.
 */
#include "filter.bpf.h"
#include "sample.bpf.h"

const volatile __u8 cpu_event = KTAPE_CPU_SAMPLE_EVENT_CPU_CLOCK;
const volatile bool cpu_stacks = true;

SEC("perf_event")
int cpu_sample(struct bpf_perf_event_data *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct ktape_cpu_sample *fact;
	struct sample sample = {};
	struct stack_buffer *buf;
	struct cpu_state *cpu;

	sample_begin(ctx, &sample);
	/* The idle task is not sampled. */
	if (!(__u32)id || stopped() || !current_wanted(id >> 32, id))
		return 0;
	cpu = this_cpu();
	buf = stack_buffer(STACK_CPU);
	if (!cpu || !buf)
		return 0;
	if (cpu_stacks)
		sample_stacks(ctx, buf, &sample);
	fact = reserve_fact(cpu, KTAPE_CPU_SAMPLE, sizeof(*fact));
	if (!fact)
		return 0;
	fact->time = bpf_ktime_get_ns();
	fact->weight = ctx->sample_period;
	fact->tid = id;
	fact->tgid = id >> 32;
	fact->kstack = sample.kstack;
	fact->ustack = sample.ustack;
	fact->cpu = bpf_get_smp_processor_id();
	fact->event = cpu_event;
	fact->mode = sample.user ? KTAPE_CPU_SAMPLE_MODE_USER :
		     KTAPE_CPU_SAMPLE_MODE_KERNEL;
	fact->flags = 0;
	submit_fact(cpu, fact, sizeof(*fact));
	return 0;
}
