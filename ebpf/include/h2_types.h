/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the probe h2 keeps of connections and streams, and the kernel's types of
 * sockets.
 */
#ifndef KTAPE_H2_TYPES_H
#define KTAPE_H2_TYPES_H

#include "ktape.bpf.h"

/*
 * A frame's header and what follows it are gathered up to this length, over
 * several system calls if need be. Also a mask: the verifier wants one. Of what
 * a call has passed, one more is read at once: most frames are short, and a
 * copy of 9 bytes from a user's memory takes as long as one of 1000.
 */
#define H2_GATHER 1023

/* Fields of HPACK's dynamic table that are remembered. */
#define H2_TABLE 128

/* A header block is remembered by what its fields are. */
enum h2_field {
	H2_FIELD_UNKNOWN,	/* put into the table before the recording */
	H2_FIELD_OTHER,
	H2_FIELD_REQUEST,	/* a pseudo header that only requests have */
	H2_FIELD_PATH,
	H2_FIELD_STATUS,
	H2_FIELD_GRPC_STATUS,
};

/* Fields of a block that can be learned: see h2_dir.unknown. */
#define H2_LEARNED 8
#define H2_NO_PLACE 255

union h2_unknown {
	__u8 slots[H2_LEARNED];
	__u64 any;
};

/* One direction of a connection. Only one thread at a time feeds it. */
struct h2_dir {
	/* The data of the system call at hand. */
	__u64 user;
	__u64 vec;
	__u64 left;
	__u32 at;
	__u32 len;
	__u32 window;		/* `buf` holds what lies from here on */
	__u32 window_end;	/* to here */
	/* Where the parser is. */
	__u32 skip;		/* bytes of payload to pass over */
	__u32 from;		/* where in `buf` the frame at hand begins */
	__u32 have;		/* bytes gathered of it */
	__u32 need;		/* to be gathered; 0 stands for a header */
	__u32 ahead;		/* bytes of it that `at` has not passed */
	__u32 inserted;		/* HPACK: fields put into the dynamic table */
	/* The header block at hand, and what it said. */
	__u32 pos;
	__u32 end;
	__u32 path;
	__u16 status;
	__u8 grpc_status;
	__u8 side;		/* H2_FIELD_REQUEST or _STATUS; 0 unknown */
	__u8 sent;		/* this is what the process sends */
	__u8 good;		/* valid headers in a row, up to H2_TRUSTED */
	__u8 early_settings;	/* sent before the connection was known */
	__u8 failed;
	__u32 field;		/* the number of the field at hand */
	/*
	 * Which of the first fields of the block the table does not tell: by
	 * the field's number its place there and 1, or H2_NO_PLACE.
	 */
	union h2_unknown unknown;
	__u64 routine;		/* see h2_go_names.bpf.h */
	__u32 values[H2_TABLE];
	__u8 kinds[H2_TABLE];
	/* Twice the length: where it begins and how long it is are masked. */
	__u8 buf[2 * (H2_GATHER + 1)];
};

/* So many valid headers in a row are taken for HTTP/2. */
#define H2_TRUSTED 3

/*
 * A socket by its inode number, which no other one gets; or an SSL or tls.Conn
 * object. */
struct h2_key {
	__u64 id;
	__u32 tgid;	/* 0 for TCP: its end is seen in any context */
	__u32 kind;
};

enum h2_kind {
	H2_TCP,
	H2_UNIX,
	H2_OPENSSL,
	H2_GO,
};

struct h2_conn {
	/* Its fact in the making: `end` is when it was first seen. */
	struct ktape_h2_connection row;
	struct h2_key key;
	__u32 max_stream;	/* highest id that a client's HEADERS had */
	__u32 first_stream;	/* lowest */
	__u32 ending;
	__u8 confirmed;		/* it is HTTP/2 */
	__u8 overflows;		/* streams of it are in h2_more_streams */
	__u8 spare[2];
	struct h2_dir dirs[2];	/* received, sent */
};

struct h2_stream_key {
	__u32 connection;
	__u32 stream;
};

/* Bits of h2_stream_state.state: both sides may change them at once. */
#define H2_CLOSED_BY_CLIENT 1
#define H2_CLOSED_BY_SERVER 2
#define H2_NOT_OPENED 4	/* the answer was seen before the request */
#define H2_ENDED 8
#define H2_RESET 16
#define H2_WAITS 32	/* over, but a name may still come */

struct h2_stream_state {
	/* Its fact in the making: `end` is when it was opened. */
	struct ktape_h2_stream row;
	__u32 state;
	__u32 spare;
	/* What of the blocks was unknown: of the request, of the answer. */
	union h2_unknown unknown[2];
};

/* capture/src/probes/h2.rs reads both. */
_Static_assert(sizeof(struct h2_conn) == 721 * 8, "h2_conn");
_Static_assert(__builtin_offsetof(struct h2_conn, confirmed) ==
	       sizeof(struct ktape_h2_connection) + 28, "h2_conn.confirmed");
_Static_assert(sizeof(struct h2_stream_state) == 14 * 8, "h2_stream_state");

struct inode___h2 {
	unsigned short i_mode;
	unsigned long i_ino;
} CORE;

struct file___h2 {
	void *private_data;
	struct inode___h2 *f_inode;
} CORE;

struct in6_addr___h2 {
	__u8 bytes[16];
};

struct sock_common___h2 {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	struct in6_addr___h2 skc_v6_daddr;
	struct in6_addr___h2 skc_v6_rcv_saddr;
} CORE;

struct socket___h2 {
	short type;
	struct file___h2 *file;
	struct sock___h2 *sk;
} CORE;

struct sock___h2 {
	struct sock_common___h2 __sk_common;
	struct socket___h2 *sk_socket;
	__u8 sk_shutdown;
} CORE;

/* include/linux/net.h, include/linux/socket.h */
#define H2_SOCK_STREAM 1
#define H2_AF_UNIX 1
#define H2_AF_INET 2
#define H2_AF_INET6 10
#define H2_MSG_PEEK 0x2
#define H2_MSG_TRUNC 0x20
/* include/net/tcp_states.h, include/net/sock.h */
#define H2_TCP_CLOSE 7
#define H2_SHUTDOWN_MASK 3

/* include/uapi/linux/uio.h, include/linux/socket.h: 64-bit processes. */
struct h2_iovec {
	__u64 base;
	__u64 len;
};

struct h2_msghdr {
	__u64 name;
	__u64 namelen;
	__u64 iov;
	__u64 iovlen;
};

/* A mask that the compiler knows to be needless, and the verifier does not. */
static __always_inline struct h2_dir *h2_direction(struct h2_conn *conn,
						   __u32 sent)
{
	asm volatile("%0 &= 1" : "+r"(sent));
	return &conn->dirs[sent];
}

/* What is fed to a connection, as the callbacks of loops get it. */
struct h2_feed {
	struct h2_conn *conn;
	struct h2_dir *dir;
	__u64 now;
};

#if defined(__TARGET_ARCH_x86)
#define H2_NR_READ 0
#define H2_NR_WRITE 1
#define H2_NR_READV 19
#define H2_NR_WRITEV 20
#define H2_NR_SENDTO 44
#define H2_NR_RECVFROM 45
#define H2_NR_SENDMSG 46
#define H2_NR_RECVMSG 47
/* The arguments stand in the registers as they were at the entry. */
#define H2_ARG0(r) ((r)->di)
#define H2_ARG1(r) ((r)->si)
#define H2_ARG2(r) ((r)->dx)
#define H2_ARG3(r) ((r)->r10)
#elif defined(__TARGET_ARCH_arm64)
#define H2_NR_READ 63
#define H2_NR_WRITE 64
#define H2_NR_READV 65
#define H2_NR_WRITEV 66
#define H2_NR_SENDTO 206
#define H2_NR_RECVFROM 207
#define H2_NR_SENDMSG 211
#define H2_NR_RECVMSG 212
/* The first register holds what the call returned. */
struct pt_regs___h2 {
	__u64 orig_x0;
} CORE;
#define H2_ARG0(r) (((struct pt_regs___h2 *)(r))->orig_x0)
#define H2_ARG1(r) ((r)->regs[1])
#define H2_ARG2(r) ((r)->regs[2])
#define H2_ARG3(r) ((r)->regs[3])
#endif

/* sock:inet_sock_set_state */
struct trace_event_raw_inet_sock_set_state___h2 {
	const void *skaddr;
	int newstate;
} CORE;

#endif
