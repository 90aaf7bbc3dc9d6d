// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * h2: HTTP/2 connections, streams and control frames, parsed in the kernel from
 * what the recorded processes send and receive.
 *
 * Only headers of frames, header blocks and what is said of an error are
 * copied. Data is looked at when it has passed, since only then it is known how
 * much of it went out or came in; the arguments of the system call still stand
 * in the registers of the entry. So another thread can have read an answer
 * before the request is looked at: such a stream waits for its request
 * (H2_NOT_OPENED).
 * The same parser gets what OpenSSL and Go have decrypted: h2_openssl.bpf.h,
 * h2_go.bpf.h.
 *
 * Not seen: sendfile, splice, sendmmsg, recvmmsg and io_uring. Kernels before
 * 5.17 have no bpf_loop(), and not this probe.
 */
#if !defined(KTAPE_OLD_KERNEL)
#include "filter.bpf.h"
#include "h2_connections.bpf.h"
#include "h2_go.bpf.h"
#include "h2_openssl.bpf.h"
#include "open_file.bpf.h"
#include "stack.bpf.h"
#include "thread.bpf.h"

static __always_inline __u32 h2_address(struct sock___h2 *sk, bool peer)
{
	unsigned char bytes[20] = {};
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u16 port;

	__builtin_memcpy(bytes, &family, 2);
	if (family == H2_AF_UNIX)
		return h2_intern(bytes, 4, KTAPE_WIRE_TEXT_FORM_ADDRESS);
	port = peer ? BPF_CORE_READ(sk, __sk_common.skc_dport) :
	       __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_num));
	__builtin_memcpy(bytes + 2, &port, 2);
	if (family == H2_AF_INET) {
		__be32 ip = peer ? BPF_CORE_READ(sk, __sk_common.skc_daddr) :
			    BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);

		__builtin_memcpy(bytes + 4, &ip, 4);
		return h2_intern(bytes, 8, KTAPE_WIRE_TEXT_FORM_ADDRESS);
	}
	if (peer)
		bpf_core_read(bytes + 4, 16, &sk->__sk_common.skc_v6_daddr);
	else
		bpf_core_read(bytes + 4, 16, &sk->__sk_common.skc_v6_rcv_saddr);
	return h2_intern(bytes, 20, KTAPE_WIRE_TEXT_FORM_ADDRESS);
}

/*
 * The connection of a socket; NULL when it is no HTTP/2, which is `hopeless`
 * once that is certain.
 */
static __always_inline struct h2_conn *h2_conn_of(struct sock___h2 *sk,
						  __u16 family, __u64 inode,
						  bool *hopeless)
{
	struct h2_key key = { .id = inode };
	struct h2_conn *conn;

	if (family == H2_AF_UNIX) {
		key.kind = H2_UNIX;
		key.tgid = bpf_get_current_pid_tgid() >> 32;
	}
	conn = bpf_map_lookup_elem(&h2_conns, &key);
	if (conn)
		return conn;
	*hopeless = h2_hopeless(&key);
	if (*hopeless)
		return NULL;
	conn = h2_new_conn(&key);
	if (!conn)
		return NULL;
	conn->row.local = h2_address(sk, false);
	conn->row.remote = h2_address(sk, true);
	return conn;
}

static __always_inline bool h2_family_is_known(__u16 family)
{
	return family == H2_AF_INET || family == H2_AF_INET6 ||
	       family == H2_AF_UNIX;
}

/* One part of what a vector points to. */
static long h2_vector_step(__u32 i, void *context)
{
	struct h2_feed *feed = context;
	struct h2_dir *d = feed->dir;
	struct h2_iovec part;
	__u64 len;

	if (!d->left)
		return 1;
	if (bpf_probe_read_user(&part, sizeof(part),
				(void *)(d->vec + (__u64)i * sizeof(part)))) {
		h2_lost_track(feed);
		return 1;
	}
	len = part.len < d->left ? part.len : d->left;
	d->left -= len;
	h2_bytes(feed, part.base, len);
	return 0;
}

#define H2_MAX_PARTS 1024	/* UIO_MAXIOV */

/* Feeds `len` bytes that the vector at `vec` points to. */
static __always_inline void h2_vector(struct h2_feed *feed, __u64 vec,
				      __u64 len)
{
	struct h2_dir *d = feed->dir;

	d->vec = vec;
	d->left = len;
	bpf_loop(H2_MAX_PARTS, h2_vector_step, feed, 0);
}

/* How a system call passes data. */
enum h2_form {
	H2_FORM_NONE,
	H2_FORM_BUFFER,
	H2_FORM_VECTOR,
	H2_FORM_MESSAGE,
};

static __always_inline enum h2_form h2_sends(__u32 nr)
{
	switch (nr) {
	case H2_NR_WRITE:
	case H2_NR_SENDTO:
		return H2_FORM_BUFFER;
	case H2_NR_WRITEV:
		return H2_FORM_VECTOR;
	case H2_NR_SENDMSG:
		return H2_FORM_MESSAGE;
	}
	return H2_FORM_NONE;
}

static __always_inline enum h2_form h2_receives(__u32 nr)
{
	switch (nr) {
	case H2_NR_READ:
	case H2_NR_RECVFROM:
		return H2_FORM_BUFFER;
	case H2_NR_READV:
		return H2_FORM_VECTOR;
	case H2_NR_RECVMSG:
		return H2_FORM_MESSAGE;
	}
	return H2_FORM_NONE;
}

/* Feeds the `len` bytes that the system call at hand has passed. */
static __always_inline void h2_feed_call(struct h2_conn *conn, bool sent,
					 enum h2_form form,
					 struct pt_regs *regs, __u64 len)
{
	__u64 base = H2_ARG1(regs);
	struct h2_feed feed = {
		.conn = conn,
		.dir = h2_direction(conn, sent),
		.now = bpf_ktime_get_ns(),
	};
	struct h2_msghdr msg;

	h2_go_note(conn, feed.dir, regs);
	if (form == H2_FORM_BUFFER) {
		h2_bytes(&feed, base, len);
	} else {
		if (form == H2_FORM_MESSAGE) {
			if (bpf_probe_read_user(&msg, sizeof(msg),
						(void *)base))
				return;
			base = msg.iov;
		}
		h2_vector(&feed, base, len);
	}
	h2_go_note(conn, feed.dir, regs);
	h2_fed(&feed);
}

/*
 * Sockets that were no HTTP/2 too often, and to whom: found faster than by
 * their key.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} h2_others SEC(".maps");

/*
 * Since 6.3 the kernel tells what passes through sockets where it does
 * (call_trace_sock_send_length() of net/socket.c), so that no other call costs
 * anything. It may be its own doing (a file on a server) amid a system call
 * that is about another file.
 */
static __always_inline int h2_passed(__u64 *ctx, bool sent)
{
	struct task_struct *task = current_task();
	struct sock___h2 *sk = (void *)ctx[0];
	__s32 ret = ctx[1], flags = ctx[2];
	struct socket___h2 *socket;
	struct file___h2 *file;
	__u64 id = bpf_get_current_pid_tgid();
	struct pt_regs *regs;
	struct h2_conn *conn;
	bool hopeless = false;
	enum h2_form form;
	__u32 *other;
	__u16 family;

	if (ret <= 0 || task->flags & PF_KTHREAD)
		return 0;
	/* A look ahead is no receipt, and what is truncated is not copied. */
	if (!sent && flags & (H2_MSG_PEEK | H2_MSG_TRUNC))
		return 0;
	family = sk->__sk_common.skc_family;
	socket = sk->sk_socket;
	if (!h2_family_is_known(family) || socket->type != H2_SOCK_STREAM)
		return 0;
	other = bpf_sk_storage_get(&h2_others, sk, NULL, 0);
	if (other && *other == id >> 32)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	form = sent ? h2_sends(REGS_SYSCALL(regs)) :
	       h2_receives(REGS_SYSCALL(regs));
	if (form == H2_FORM_NONE)
		return 0;
	if (stopped() || !current_wanted(id >> 32, id))
		return 0;
#if defined(__TARGET_ARCH_x86)
	/* The other table of an x86-64 kernel: no number means the same. */
	if (in_compat_call(task))
		return 0;
#endif
	file = socket->file;
	if (!file || open_file(task, H2_ARG0(regs)) != file)
		return 0;
	conn = h2_conn_of(sk, family, file->f_inode->i_ino, &hopeless);
	if (conn)
		h2_feed_call(conn, sent, form, regs, ret);
	if (!hopeless)
		return 0;
	other = bpf_sk_storage_get(&h2_others, sk, NULL,
				   BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (other)
		*other = id >> 32;
	return 0;
}

SEC("tp_btf/sock_send_length")
int h2_send(__u64 *ctx)
{
	return h2_passed(ctx, true);
}

SEC("tp_btf/sock_recv_length")
int h2_recv(__u64 *ctx)
{
	return h2_passed(ctx, false);
}

/* Elsewhere: what a system call has passed, when it returns. */
static __always_inline int h2_call_returned(struct pt_regs *regs, __s64 ret)
{
	enum h2_form sends = h2_sends(REGS_SYSCALL(regs));
	enum h2_form form = sends ?: h2_receives(REGS_SYSCALL(regs));
	__u32 flags = 0;
	bool hopeless;
	struct inode___h2 *inode;
	struct socket___h2 *socket;
	struct file___h2 *file;
	struct h2_conn *conn;
	struct sock___h2 *sk;
	__u16 family;
	__u64 id;

	if (ret <= 0 || form == H2_FORM_NONE)
		return 0;
	if (REGS_SYSCALL(regs) == H2_NR_RECVFROM)
		flags = H2_ARG3(regs);
	else if (REGS_SYSCALL(regs) == H2_NR_RECVMSG)
		flags = H2_ARG2(regs);
	if (flags & (H2_MSG_PEEK | H2_MSG_TRUNC))
		return 0;
	id = bpf_get_current_pid_tgid();
	if (stopped() || !current_wanted(id >> 32, id))
		return 0;
#if defined(__TARGET_ARCH_x86)
	if (in_compat_call(current_task()))
		return 0;
#endif
	file = open_file(current_task(), H2_ARG0(regs));
	if (!file)
		return 0;
	inode = BPF_CORE_READ(file, f_inode);
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (!sk || BPF_CORE_READ(socket, type) != H2_SOCK_STREAM)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (!h2_family_is_known(family))
		return 0;
	conn = h2_conn_of(sk, family, BPF_CORE_READ(inode, i_ino), &hopeless);
	if (conn)
		h2_feed_call(conn, sends != H2_FORM_NONE, form, regs, ret);
	return 0;
}

SEC("tp_btf/sys_exit")
int h2_sys_exit(__u64 *ctx)
{
	return h2_call_returned((struct pt_regs *)ctx[0], ctx[1]);
}

/* From 7.0 on, where those of typed tracepoints can be preempted. */
SEC("tracepoint/raw_syscalls/sys_exit")
int h2_exit_event(struct trace_event_raw_sys_exit *ctx)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(current_task());

	return h2_call_returned(regs, ctx->ret);
}

/*
 * A TCP connection ends for its process when both directions are shut down
 * (close() does so before it changes the state), or is closed by a reset. Its
 * inode is known until the process has let go of it.
 */
static __always_inline int h2_state_changed(struct sock___h2 *sk, __u32 state)
{
	struct file___h2 *file;
	struct h2_key key = {};
	struct h2_conn *conn;

	if (stopped())
		return 0;
	if (state != H2_TCP_CLOSE &&
	    (BPF_CORE_READ(sk, sk_shutdown) & H2_SHUTDOWN_MASK) !=
		    H2_SHUTDOWN_MASK)
		return 0;
	file = BPF_CORE_READ(sk, sk_socket, file);
	if (!file)
		return 0;
	key.id = BPF_CORE_READ(file, f_inode, i_ino);
	conn = bpf_map_lookup_elem(&h2_conns, &key);
	if (conn)
		h2_end_connection(conn, KTAPE_H2_CONNECTION_END_REASON_CLOSED);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int h2_set_state(__u64 *ctx)
{
	return h2_state_changed((void *)ctx[0], ctx[2]);
}

SEC("tracepoint/sock/inet_sock_set_state")
int h2_set_state_event(struct trace_event_raw_inet_sock_set_state___h2 *ctx)
{
	return h2_state_changed((void *)ctx->skaddr, ctx->newstate);
}
#endif
