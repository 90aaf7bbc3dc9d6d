/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Loops that old and new kernels verify, and a hash over words: what the
 * dictionaries of stacks and texts are keyed by.
 */
#ifndef KTAPE_HASH_BPF_H
#define KTAPE_HASH_BPF_H

#include "ktape.bpf.h"

/* The most words that are hashed, and the most steps of a loop: a mask. */
#define MAX_WORDS 127

/*
 * Calls step(i, context) for i below `count` (at most MAX_WORDS) until it
 * gives non-zero. bpf_loop() (5.17) lets the verifier look at one step instead
 * of all: 20 ms less at the start of a recording.
 */
#if defined(KTAPE_OLD_KERNEL)
#define repeat(count, callback, step, context)				\
	do {								\
		__u32 i_;						\
									\
		for (i_ = 0; i_ < MAX_WORDS && i_ < (count); i_++)	\
			if (step(i_, context))				\
				break;					\
	} while (0)
#else
#define repeat(count, callback, step, context)				\
	bpf_loop(count, callback, context, 0)
#endif

/* One step of the hash over words. */
struct hash_walk {
	const __u64 *words;
	__u64 hash;
};

static __always_inline long hash_step(__u32 i, struct hash_walk *walk)
{
	__u64 hash = walk->hash;

	hash = (hash ^ walk->words[i & MAX_WORDS]) * 0xff51afd7ed558ccdULL;
	walk->hash = hash ^ hash >> 32;
	return 0;
}

static long __attribute__((unused)) hash_step_of(__u32 i, void *context)
{
	return hash_step(i, context);
}

/* The hash of `count` words; `words` has room for MAX_WORDS + 1. */
static __always_inline __u64 hash_words(const __u64 *words, __u32 count,
					__u64 seed)
{
	struct hash_walk walk = {
		.words = words,
		.hash = seed ^ 0x9e3779b97f4a7c15ULL,
	};

	repeat(count, hash_step_of, hash_step, &walk);
	return walk.hash;
}

#endif
