// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * h2: HTTP/2 connections, streams and control frames, parsed in the kernel from
 * what the recorded processes send and receive.
 *
 * Only headers of frames, header blocks and what is said of an error are
 * copied. Data is looked at when its system call returns, since only then it is
 * known how much of it went out or came in; the arguments still stand in the
 * registers of the entry. So another thread can have read an answer before the
 * request is looked at: such a stream waits for its request (H2_NOT_OPENED).
 * The same parser gets what OpenSSL has decrypted: h2_openssl.bpf.h.
 *
 * Not seen: sendfile, splice, sendmmsg, recvmmsg and io_uring. Kernels before
 * 5.17 have no bpf_loop(), and not this probe.
 */
#if !defined(KTAPE_OLD_KERNEL)
#include "filter.bpf.h"
#include "h2_connections.bpf.h"
#include "h2_openssl.bpf.h"
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

/* What lies at a descriptor of the current process. */
static __always_inline struct file___h2 *h2_file(__u32 fd)
{
	struct task_struct___h2 *task = (void *)current_task();
	struct fdtable___h2 *table = BPF_CORE_READ(task, files, fdt);
	struct file___h2 **files, *file = NULL;

	if (!table || fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	files = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}

/* The connection at a descriptor; NULL when it is none, or no HTTP/2. */
static __always_inline struct h2_conn *h2_conn_of(__u32 fd, __u32 tgid)
{
	struct file___h2 *file = h2_file(fd);
	struct inode___h2 *inode;
	struct socket___h2 *socket;
	struct sock___h2 *sk;
	struct h2_conn *conn;
	struct h2_key key = {};
	__u16 family;

	if (!file)
		return NULL;
	inode = BPF_CORE_READ(file, f_inode);
	if ((BPF_CORE_READ(inode, i_mode) & H2_S_IFMT) != H2_S_IFSOCK)
		return NULL;
	key.id = BPF_CORE_READ(inode, i_ino);
	conn = bpf_map_lookup_elem(&h2_conns, &key);
	if (conn)
		return conn;
	if (h2_hopeless(&key))
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	if (BPF_CORE_READ(socket, type) != H2_SOCK_STREAM)
		return NULL;
	sk = BPF_CORE_READ(socket, sk);
	if (!sk)
		return NULL;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family == H2_AF_UNIX) {
		key.kind = H2_UNIX;
		key.tgid = tgid;
		conn = bpf_map_lookup_elem(&h2_conns, &key);
		if (conn)
			return conn;
		if (h2_hopeless(&key))
			return NULL;
	} else if (family != H2_AF_INET && family != H2_AF_INET6) {
		return NULL;
	}
	conn = h2_new_conn(&key);
	if (!conn)
		return NULL;
	conn->row.local = h2_address(sk, false);
	conn->row.remote = h2_address(sk, true);
	return conn;
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

SEC("tp_btf/sys_exit")
int h2_sys_exit(__u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	__u64 id, base, count;
	struct h2_feed feed;
	__s64 ret = ctx[1];
	struct h2_conn *conn;
	bool sent, vector;
	__u32 fd, flags;

	if (ret <= 0)
		return 0;
	flags = 0;
	switch (REGS_SYSCALL(regs)) {
	case H2_NR_READ:
		sent = vector = false;
		break;
	case H2_NR_WRITE:
		sent = true;
		vector = false;
		break;
	case H2_NR_READV:
		sent = false;
		vector = true;
		break;
	case H2_NR_WRITEV:
		sent = vector = true;
		break;
	case H2_NR_SENDTO:
		sent = true;
		vector = false;
		break;
	case H2_NR_RECVFROM:
		sent = vector = false;
		flags = H2_ARG3(regs);
		break;
	case H2_NR_SENDMSG:
		sent = vector = true;
		break;
	case H2_NR_RECVMSG:
		sent = false;
		vector = true;
		flags = H2_ARG2(regs);
		break;
	default:
		return 0;
	}
	/* A look ahead is no receipt, and what is truncated is not copied. */
	if (flags & (H2_MSG_PEEK | H2_MSG_TRUNC))
		return 0;
	id = bpf_get_current_pid_tgid();
	if (stopped() || !current_wanted(id >> 32, id))
		return 0;
#if defined(__TARGET_ARCH_x86)
	/* The other table of an x86-64 kernel: no number means the same. */
	if (in_compat_call(current_task()))
		return 0;
#endif
	fd = H2_ARG0(regs);
	conn = h2_conn_of(fd, id >> 32);
	if (!conn)
		return 0;
	base = H2_ARG1(regs);
	feed.conn = conn;
	feed.dir = h2_direction(conn, sent);
	feed.now = bpf_ktime_get_ns();
	if (!vector) {
		h2_bytes(&feed, base, ret);
		h2_fed(&feed);
		return 0;
	}
	count = base;
	if (REGS_SYSCALL(regs) == H2_NR_SENDMSG ||
	    REGS_SYSCALL(regs) == H2_NR_RECVMSG) {
		struct h2_msghdr msg;

		if (bpf_probe_read_user(&msg, sizeof(msg), (void *)base))
			return 0;
		count = msg.iov;
	}
	h2_vector(&feed, count, ret);
	h2_fed(&feed);
	return 0;
}

/*
 * A TCP connection ends for its process when both directions are shut down
 * (close() does so before it changes the state), or is closed by a reset. Its
 * inode is known until the process has let go of it.
 */
SEC("tp_btf/inet_sock_set_state")
int h2_set_state(__u64 *ctx)
{
	struct sock___h2 *sk = (void *)ctx[0];
	struct file___h2 *file;
	struct h2_key key = {};
	struct h2_conn *conn;

	if (stopped())
		return 0;
	if ((__u32)ctx[2] != H2_TCP_CLOSE &&
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
#endif
