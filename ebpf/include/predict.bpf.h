/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Which waits will be long, told from those before at the same place: only
 * there stacks are taken when a thread leaves the CPU.
 */
#ifndef KTAPE_PREDICT_BPF_H
#define KTAPE_PREDICT_BPF_H

#include "ktape.bpf.h"
#include "thread.bpf.h"

#define STACKS_NONE 0
#define STACKS_LONG 1
#define STACKS_ALL 2

const volatile __u8 sched_stacks = STACKS_LONG;
const volatile __u64 sched_long_ns = 1000000;

/* So many times as long as a long wait. */
#define VERY_LONG 16

/*
 * A bounded number of stacks per CPU is taken only to learn: 2000 a second, in
 * bursts of up to 256. A flood of short-lived threads, each of them new, stays
 * cheap.
 */
#define EXPLORE_INTERVAL_NS 500000
#define EXPLORE_BURST_NS (256 * EXPLORE_INTERVAL_NS)

static __always_inline bool may_explore(struct cpu_state *cpu, __u64 now)
{
	__u64 until = cpu->explore_until;

	if (until > now + EXPLORE_BURST_NS)
		return false;
	cpu->explore_until = (until > now ? until : now) + EXPLORE_INTERVAL_NS;
	return true;
}

/*
 * Will this wait be long? Where stacks can be had at its end (`late`), yes if
 * one in two waits at this place is, or they are very long on average: a wrong
 * yes costs a stack walk, a wrong no the user stack of a wait that does not
 * end. Elsewhere, yes if waits at this place are long on average (a
 * quarter of the threshold is enough: a wrong no loses a stack) and one of the
 * last CREDIT was long indeed. At a new place, and now and then at an old one,
 * take a stack to have one should the wait be long.
 */
static __always_inline bool will_be_long(struct cpu_state *cpu,
					 struct thread_state *thread,
					 struct place *place, __u64 now,
					 bool late)
{
	if (sched_stacks == STACKS_ALL)
		return true;
	if (late) {
		if (place->odds >= ODDS_EVEN ||
		    place->average_ns >= VERY_LONG * sched_long_ns)
			return true;
	} else if (place->credit && place->average_ns >= sched_long_ns / 4) {
		return true;
	}
	if (place->explored >= 3 &&
	    now - thread->explored_ts < 100 * sched_long_ns)
		return false;
	if (!may_explore(cpu, now))
		return false;
	if (place->explored < 3)
		place->explored++;
	thread->explored_ts = now;
	return true;
}

/* The average rises fast and falls slowly, the odds forget evenly. */
static __always_inline void learn(struct place *place, __u64 waited)
{
	__u32 ns = waited > 0xffffffff ? 0xffffffff : waited;
	__u32 old = place->average_ns;

	if (ns >= old)
		place->average_ns = old / 2 + ns / 2;
	else
		place->average_ns = old - (old - ns) / 8;
	if (waited >= sched_long_ns) {
		place->odds += (255 - place->odds) >> ODDS_SHIFT;
		place->credit = CREDIT;
	} else {
		place->odds -= place->odds >> ODDS_SHIFT;
		if (place->credit)
			place->credit--;
	}
}

#endif
