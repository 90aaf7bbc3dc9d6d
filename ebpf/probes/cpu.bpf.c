// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * cpu: what each CPU runs, sampled.
 */
#include "filter.bpf.h"
#include "stack.bpf.h"

const volatile __u8 cpu_event = KTAPE_CPU_SAMPLE_EVENT_CPU_CLOCK;
const volatile bool cpu_stacks = true;

SEC("perf_event")
int cpu_sample(struct bpf_perf_event_data *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	bool user = PERF_REGS_USER(&ctx->regs);
	struct ktape_cpu_sample *fact;
	struct stack_buffer *buf;
	__u32 kstack = 0, ustack = 0;
	/*
	 * Read here, not where they are needed: the compiler would merge that
	 * with the reads of pt_regs below into one load through a computed
	 * pointer, and the verifier allows none into the context.
	 */
	struct user_regs regs = {
		.ip = PERF_REGS_IP(&ctx->regs),
		.sp = PERF_REGS_SP(&ctx->regs),
		.fp = PERF_REGS_FP(&ctx->regs),
	};
	struct task_struct *task;
	struct cpu_state *cpu;

	/* The idle task is not sampled. */
	if (!(__u32)id || stopped() || !current_wanted(id >> 32, id))
		return 0;
	cpu = this_cpu();
	buf = stack_buffer(STACK_CPU);
	if (!cpu || !buf)
		return 0;
	barrier_var(regs.ip);
	barrier_var(regs.sp);
	barrier_var(regs.fp);
	if (cpu_stacks) {
		if (!user) {
			kstack = intern_kernel_stack(
				buf,
				bpf_get_stack(ctx, buf->frames, MAX_FRAMES * 8,
					      0),
				0);
			regs.ip = 0;
#if defined(KTAPE_OLD_KERNEL)
			task = (void *)bpf_get_current_task();
			if (!(BPF_CORE_READ(task, flags) & PF_KTHREAD))
				read_user_regs(task, &regs);
#else
			task = (void *)bpf_get_current_task_btf();
			if (!(task->flags & PF_KTHREAD))
				read_user_regs(task, &regs);
#endif
		}
		if (regs.ip)
			ustack = intern_user_stack(buf, regs.ip, regs.sp,
						   regs.fp);
	}
	fact = reserve_fact(cpu, KTAPE_CPU_SAMPLE, sizeof(*fact));
	if (!fact)
		return 0;
	fact->time = bpf_ktime_get_ns();
	fact->weight = ctx->sample_period;
	fact->tid = id;
	fact->tgid = id >> 32;
	fact->kstack = kstack;
	fact->ustack = ustack;
	fact->cpu = bpf_get_smp_processor_id();
	fact->event = cpu_event;
	fact->mode = user ? KTAPE_CPU_SAMPLE_MODE_USER :
		     KTAPE_CPU_SAMPLE_MODE_KERNEL;
	fact->flags = 0;
	submit_fact(cpu, fact, sizeof(*fact));
	return 0;
}
