/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Goroutines, the registers of Go's functions, and whether these are listened
 * to.
 */
#ifndef KTAPE_H2_GO_TYPES_H
#define KTAPE_H2_GO_TYPES_H

#include "h2_types.h"

/* The setting `h2/go=../`. */
enum h2_go_level {
	H2_GO_OFF,
	H2_GO_TLS,
	H2_GO_LEARN,
	H2_GO_NAMES,
};

const volatile __u8 h2_go;

/* A goroutine: where its runtime.g lies. */
struct h2_go_routine {
	__u64 g;
	__u32 tgid;
	__u32 spare;
};

#if defined(__TARGET_ARCH_x86)
#define H2_GO_G(r) ((r)->r14)
#define H2_GO_ARG0(r) ((r)->ax)
#define H2_GO_ARG1(r) ((r)->bx)
#define H2_GO_ARG2(r) ((r)->cx)
#define H2_GO_ARG3(r) ((r)->di)
#define H2_GO_ARG4(r) ((r)->si)
/* CF or ZF: `jbe` leads to runtime.morestack. */
#define H2_GO_GROWS_STACK(r) ((r)->flags & 0x41)
#elif defined(__TARGET_ARCH_arm64)
/* Not attached: the recorder does not know the prologues. */
#define H2_GO_G(r) ((r)->regs[28])
#define H2_GO_ARG0(r) ((r)->regs[0])
#define H2_GO_ARG1(r) ((r)->regs[1])
#define H2_GO_ARG2(r) ((r)->regs[2])
#define H2_GO_ARG3(r) ((r)->regs[3])
#define H2_GO_ARG4(r) ((r)->regs[4])
#define H2_GO_GROWS_STACK(r) false
#endif

static __always_inline struct h2_go_routine
h2_go_routine(struct pt_regs *regs)
{
	struct h2_go_routine routine = {
		.g = H2_GO_G(regs),
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};

	return routine;
}

/* Whether names are told, and meanwhile: */
struct h2_go_use {
	__u64 attached;
	__u64 used;	/* how often one was of use */
	__u64 ended;	/* streams that ended */
	__u64 nameless;	/* whose frames did not name all */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct h2_go_use);
} h2_go_uses SEC(".maps");

static __always_inline struct h2_go_use *h2_go_use(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&h2_go_uses, &zero);
}

/* Whether gRPC-Go tells names on this direction that frames may not. */
static __always_inline bool h2_go_tells(struct h2_conn *conn, struct h2_dir *d)
{
	struct h2_go_use *use;

	if (h2_go < H2_GO_LEARN || d->routine <= 1 ||
	    !(conn->row.flags & KTAPE_OFF_CPU_FLAGS_BEGAN_BEFORE))
		return false;
	use = h2_go_use();
	return use && use->attached;
}

#endif
