/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * h2, over OpenSSL: what a process gives to SSL_write() and gets from
 * SSL_read(), where it is not encrypted.
 *
 * Arguments are kept at the entry, since their registers are gone when the
 * function returns; data is looked at when it returns, as in h2.bpf.c.
 */
#ifndef KTAPE_H2_OPENSSL_BPF_H
#define KTAPE_H2_OPENSSL_BPF_H

#include "filter.bpf.h"
#include "h2_connections.bpf.h"

/* The call of SSL_write() or SSL_read() that a thread is in. */
struct h2_ssl_call {
	__u64 ssl;
	__u64 data;
	__u64 count;	/* where the _ex functions put the number of bytes */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct h2_ssl_call);
} h2_ssl_calls SEC(".maps");

#if defined(__TARGET_ARCH_x86)
#define H2_USER_ARG0(r) ((r)->di)
#define H2_USER_ARG1(r) ((r)->si)
#define H2_USER_ARG3(r) ((r)->cx)
#define H2_USER_RETURN(r) ((r)->ax)
#elif defined(__TARGET_ARCH_arm64)
#define H2_USER_ARG0(r) ((r)->regs[0])
#define H2_USER_ARG1(r) ((r)->regs[1])
#define H2_USER_ARG3(r) ((r)->regs[3])
#define H2_USER_RETURN(r) ((r)->regs[0])
#endif

static __always_inline int h2_ssl_enter(__u64 ssl, __u64 data, __u64 count)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct h2_ssl_call call = { ssl, data, count };
	__u32 tid = id;

	if (!stopped() && current_wanted(id >> 32, id))
		bpf_map_update_elem(&h2_ssl_calls, &tid, &call, BPF_ANY);
	return 0;
}

static __always_inline int h2_ssl_return(__s32 ret, bool ex, bool sent)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct h2_ssl_call call, *known;
	struct h2_key key = {};
	struct h2_conn *conn;
	struct h2_feed feed;
	__u32 tid = id;
	__u64 len;

	known = bpf_map_lookup_elem(&h2_ssl_calls, &tid);
	if (!known)
		return 0;
	call = *known;
	bpf_map_delete_elem(&h2_ssl_calls, &tid);
	if (ret <= 0 || stopped())
		return 0;
	len = ret;
	if (ex && bpf_probe_read_user(&len, sizeof(len), (void *)call.count))
		return 0;
	if (!len)
		return 0;
	key.id = call.ssl;
	key.tgid = id >> 32;
	key.kind = H2_OPENSSL;
	conn = h2_conn_at(&key);
	if (!conn)
		return 0;
	feed.conn = conn;
	feed.dir = h2_direction(conn, sent);
	feed.now = bpf_ktime_get_ns();
	h2_bytes(&feed, call.data, len);
	h2_fed(&feed);
	return 0;
}

SEC("uprobe")
int h2_ssl_call(struct pt_regs *regs)
{
	return h2_ssl_enter(H2_USER_ARG0(regs), H2_USER_ARG1(regs), 0);
}

SEC("uprobe")
int h2_ssl_call_ex(struct pt_regs *regs)
{
	return h2_ssl_enter(H2_USER_ARG0(regs), H2_USER_ARG1(regs),
			    H2_USER_ARG3(regs));
}

SEC("uretprobe")
int h2_ssl_wrote(struct pt_regs *regs)
{
	return h2_ssl_return(H2_USER_RETURN(regs), false, true);
}

SEC("uretprobe")
int h2_ssl_wrote_ex(struct pt_regs *regs)
{
	return h2_ssl_return(H2_USER_RETURN(regs), true, true);
}

SEC("uretprobe")
int h2_ssl_got(struct pt_regs *regs)
{
	return h2_ssl_return(H2_USER_RETURN(regs), false, false);
}

SEC("uretprobe")
int h2_ssl_got_ex(struct pt_regs *regs)
{
	return h2_ssl_return(H2_USER_RETURN(regs), true, false);
}

SEC("uprobe")
int h2_ssl_free(struct pt_regs *regs)
{
	if (!stopped())
		h2_let_go(H2_USER_ARG0(regs), H2_OPENSSL,
			  KTAPE_H2_CONNECTION_END_REASON_FREED);
	return 0;
}
#endif
