/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The stacks of a thread that a perf event interrupted.
 */
#ifndef KTAPE_SAMPLE_BPF_H
#define KTAPE_SAMPLE_BPF_H

#include "stack.bpf.h"
#include "thread.bpf.h"

struct sample {
	bool user;		/* it ran user code */
	struct user_regs regs;	/* where it stood */
	__u32 kstack;
	__u32 ustack;
};

/*
 * To be called first: the compiler would merge these reads with those of
 * pt_regs below into one load through a computed pointer, and the verifier
 * allows none into the context.
 */
static __always_inline void sample_begin(struct bpf_perf_event_data *ctx,
					 struct sample *sample)
{
	sample->user = PERF_REGS_USER(&ctx->regs);
	sample->regs.ip = PERF_REGS_IP(&ctx->regs);
	sample->regs.sp = PERF_REGS_SP(&ctx->regs);
	sample->regs.fp = PERF_REGS_FP(&ctx->regs);
}

/* Takes both stacks. */
static __always_inline void sample_stacks(struct bpf_perf_event_data *ctx,
					  struct stack_buffer *buf,
					  struct sample *sample)
{
	struct task_struct *task;

	barrier_var(sample->regs.ip);
	barrier_var(sample->regs.sp);
	barrier_var(sample->regs.fp);
	if (!sample->user) {
		sample->kstack = intern_kernel_stack(
			buf, bpf_get_stack(ctx, buf->frames, MAX_FRAMES * 8, 0),
			0);
		sample->regs.ip = 0;
		task = current_task();
#if defined(KTAPE_OLD_KERNEL)
		if (!(BPF_CORE_READ(task, flags) & PF_KTHREAD))
			read_user_regs(task, &sample->regs);
#else
		if (!(task->flags & PF_KTHREAD))
			read_user_regs(task, &sample->regs);
#endif
	}
	if (sample->regs.ip)
		sample->ustack = intern_user_stack(buf, sample->regs.ip,
						   sample->regs.sp,
						   sample->regs.fp);
}

#endif
