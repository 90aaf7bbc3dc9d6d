/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Which connections are looked at: all, until what they carry was no HTTP/2
 * often enough.
 */
#ifndef KTAPE_H2_CONNECTIONS_BPF_H
#define KTAPE_H2_CONNECTIONS_BPF_H

#include "h2_pieces.bpf.h"

/* A socket that was no HTTP/2 so often is passed over. */
#define H2_MISSES 8

/* The connection with this key, which may not yet be known to be HTTP/2. */
static __always_inline struct h2_conn *h2_new_conn(struct h2_key *key)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct h2_conn *conn, *blank;
	__u32 zero = 0;

	blank = bpf_map_lookup_elem(&h2_blank, &zero);
	if (!blank)
		return NULL;
	bpf_map_update_elem(&h2_conns, key, blank, BPF_NOEXIST);
	conn = bpf_map_lookup_elem(&h2_conns, key);
	if (!conn) {
		/* Whether it is HTTP/2 nobody knows: it is lost either way. */
		h2_lose(KTAPE_H2_CONNECTION);
		return NULL;
	}
	conn->key = *key;
	conn->dirs[1].sent = 1;
	conn->row.end = bpf_ktime_get_ns();
	conn->row.tid = id;
	conn->row.tgid = id >> 32;
	return conn;
}

static __always_inline bool h2_hopeless(struct h2_key *key)
{
	__u32 *misses = bpf_map_lookup_elem(&h2_misses, key);

	return misses && *misses >= H2_MISSES;
}

/* The connection of a key, new if there was none; NULL if it is no HTTP/2. */
static __always_inline struct h2_conn *h2_conn_at(struct h2_key *key)
{
	struct h2_conn *conn = bpf_map_lookup_elem(&h2_conns, key);

	if (conn || h2_hopeless(key))
		return conn;
	return h2_new_conn(key);
}

/* What came was no HTTP/2. */
static __always_inline void h2_miss(struct h2_conn *conn)
{
	struct h2_key key = conn->key;
	__u32 one = 1, *misses;

	misses = bpf_map_lookup_elem(&h2_misses, &key);
	if (misses)
		__sync_fetch_and_add(misses, 1);
	else
		bpf_map_update_elem(&h2_misses, &key, &one, BPF_ANY);
	if (!__sync_fetch_and_or(&conn->ending, 1))
		bpf_map_delete_elem(&h2_conns, &key);
}

/* After the data has been fed. */
static __always_inline void h2_fed(struct h2_feed *feed)
{
	if (feed->dir->failed)
		h2_miss(feed->conn);
}

/*
 * The process closes an encrypted connection: another one may come to lie at
 * its address.
 */
static __always_inline void h2_let_go(__u64 id, __u32 kind, __u8 reason)
{
	struct h2_key key = {
		.id = id,
		.tgid = bpf_get_current_pid_tgid() >> 32,
		.kind = kind,
	};
	struct h2_conn *conn;

	bpf_map_delete_elem(&h2_misses, &key);
	conn = bpf_map_lookup_elem(&h2_conns, &key);
	if (conn)
		h2_end_connection(conn, reason);
}

#endif
