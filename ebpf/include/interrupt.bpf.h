/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Whether a CPU is in an interrupt, for those who ask who did something.
 *
 * No helper tells it, and the kernel's preempt_count is out of reach of
 * programs on x86. So the beginnings and ends of handlers are counted: devices,
 * high-resolution timers, and softirqs. Softirqs of the network are left out:
 * over the loopback device they do the work of the sender, in its context.
 *
 * The exits are attached first, or the entries in between would count for good.
 */
#ifndef KTAPE_INTERRUPT_BPF_H
#define KTAPE_INTERRUPT_BPF_H

#include "ktape.bpf.h"

/* Whether one runs on this CPU, on the time of the current task. */
static __always_inline bool in_interrupt(void)
{
	struct cpu_state *cpu = this_cpu();

	return cpu && cpu->interrupts;
}

/* enum of include/linux/interrupt.h */
#define NET_TX_SOFTIRQ 2
#define NET_RX_SOFTIRQ 3

static __always_inline int interrupt_begins(void)
{
	struct cpu_state *cpu = this_cpu();

	if (cpu)
		cpu->interrupts++;
	return 0;
}

static __always_inline int interrupt_ends(void)
{
	struct cpu_state *cpu = this_cpu();

	/* It may have begun before the attachment. */
	if (cpu && cpu->interrupts)
		cpu->interrupts--;
	return 0;
}

static __always_inline bool is_of_network(__u64 vector)
{
	return vector == NET_TX_SOFTIRQ || vector == NET_RX_SOFTIRQ;
}

SEC("tp_btf/irq_handler_entry")
int interrupt_irq_entry(__u64 *ctx __attribute__((unused)))
{
	return interrupt_begins();
}

SEC("tp_btf/irq_handler_exit")
int interrupt_irq_exit(__u64 *ctx __attribute__((unused)))
{
	return interrupt_ends();
}

SEC("tp_btf/hrtimer_expire_entry")
int interrupt_timer_entry(__u64 *ctx __attribute__((unused)))
{
	return interrupt_begins();
}

SEC("tp_btf/hrtimer_expire_exit")
int interrupt_timer_exit(__u64 *ctx __attribute__((unused)))
{
	return interrupt_ends();
}

SEC("tp_btf/softirq_entry")
int interrupt_softirq_entry(__u64 *ctx)
{
	return is_of_network(ctx[0]) ? 0 : interrupt_begins();
}

SEC("tp_btf/softirq_exit")
int interrupt_softirq_exit(__u64 *ctx)
{
	return is_of_network(ctx[0]) ? 0 : interrupt_ends();
}

#endif
