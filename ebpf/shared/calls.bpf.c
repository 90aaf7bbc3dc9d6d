// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * One program at the beginning of system calls, and one at their end, for all
 * probes that look at them, where all of these are recorded: half of what a
 * fast call costs is the way to a program. What each does is in its own file.
 */
#if !defined(KTAPE_OLD_KERNEL)
#if defined(__TARGET_ARCH_x86)
#define NR_ACCEPT 43
#define NR_ACCEPT4 288
#else
#define NR_ACCEPT 202
#define NR_ACCEPT4 242
#endif

SEC("tp_btf/sys_enter")
int calls_enter(__u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	__u64 now;

	/* First: its stack is not part of the call. */
	if (is_futex(ctx[1]))
		futex_enter_call(regs, ctx[1]);
	now = enter_call(ctx[1], first_arg(regs));
	if (io_known(ctx[1]) && (now || io_wanted(ctx[1])))
		io_enter(regs, ctx[1], now ?: bpf_ktime_get_ns());
	return 0;
}

SEC("tp_btf/sys_exit")
int calls_exit(__u64 *ctx)
{
	__u32 nr = REGS_SYSCALL((struct pt_regs *)ctx[0]);
	__u64 now = leave_call(ctx[1]);

	if (io_known(nr))
		return io_leave(ctx[1], now);
	if (is_futex(nr))
		return leave_futex(ctx[1]);
	if (!tcp_accept || (nr != NR_ACCEPT && nr != NR_ACCEPT4))
		return 0;
#if defined(__TARGET_ARCH_x86)
	if (in_compat_call(current_task()))
		return 0;
#endif
	return tcp_accept_returned(ctx[1]);
}

#endif
