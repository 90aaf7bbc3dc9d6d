//! `tcp_connection`: a TCP connection from its birth to its end.

/// States of a TCP socket (`include/net/tcp_states.h`).
pub mod tcp_state_code {
    /// The only state in which a connection carries data both ways.
    pub const ESTABLISHED: u8 = 1;
    /// A connect(2) waits for its answer.
    pub const SYN_SENT: u8 = 2;
    /// A passive socket that is being set up.
    pub const SYN_RECV: u8 = 3;
    /// We closed first; the peer has not acknowledged it.
    pub const FIN_WAIT1: u8 = 4;
    /// We closed first; the peer still may send.
    pub const FIN_WAIT2: u8 = 5;
    /// No socket's state any more.
    pub const CLOSE: u8 = 7;
    /// The peer closed first; our process has not closed yet.
    pub const CLOSE_WAIT: u8 = 8;
    /// Waits for connections.
    pub const LISTEN: u8 = 10;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (0, "none"),
        (1, "established"),
        (2, "syn_sent"),
        (3, "syn_recv"),
        (4, "fin_wait1"),
        (5, "fin_wait2"),
        (6, "time_wait"),
        (7, "close"),
        (8, "close_wait"),
        (9, "last_ack"),
        (10, "listen"),
        (11, "closing"),
        (12, "new_syn_recv"),
        (13, "bound_inactive"),
    ];
}

/// Who opened a connection (`tcp_connection.direction`).
pub mod tcp_direction {
    /// It was there before the recording.
    pub const UNKNOWN: u8 = 0;
    /// This side, by connect(2).
    pub const ACTIVE: u8 = 1;
    /// The other side: it came through a listener.
    pub const PASSIVE: u8 = 2;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[(0, "unknown"), (1, "active"), (2, "passive")];
}

/// How the process of a socket is known (`owner`).
pub mod tcp_owner {
    /// It is not: nobody has accepted it yet, or nothing of its process was seen.
    pub const UNKNOWN: u8 = 0;
    /// It called connect(2).
    pub const CONNECT: u8 = 1;
    /// accept(2) gave it the socket.
    pub const ACCEPT: u8 = 2;
    /// It had the socket open when the recording started or stopped; of several, the first.
    pub const FILE: u8 = 3;
    /// It closed or shut down the socket: which it was given, or inherited.
    pub const CLOSE: u8 = 4;
    /// It called listen(2).
    pub const LISTEN: u8 = 5;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (0, "unknown"),
        (1, "connect"),
        (2, "accept"),
        (3, "file"),
        (4, "close"),
        (5, "listen"),
    ];
}

/// What became of a connection (`tcp_connection.outcome`).
pub mod tcp_outcome {
    /// It is still there.
    pub const OPEN: u8 = 0;
    /// Both sides, or one of them for good, closed in order.
    pub const CLOSED: u8 = 1;
    /// The peer sent a RST.
    pub const RESET_BY_PEER: u8 = 2;
    /// This side gave it up at once: closed with unread data or without lingering.
    pub const ABORTED: u8 = 3;
    /// The kernel gave it up with an error: `error` (a time-out, no route).
    pub const FAILED: u8 = 4;
    /// It was never established: `error`, 0 when the process gave up first.
    pub const CONNECT_FAILED: u8 = 5;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (0, "open"),
        (1, "closed"),
        (2, "reset_by_peer"),
        (3, "aborted"),
        (4, "failed"),
        (5, "connect_failed"),
    ];
}

/// Bits of `tcp_connection.flags`, `tcp_state.flags` and `tcp_sample.flags`.
pub mod tcp_flag {
    /// Still there when the recording stopped.
    pub const OPEN: u8 = 1;
    /// It was there before the recording; `duration` is counted from the start of it.
    pub const BEGAN_BEFORE: u8 = 2;
    /// It was established, now or before.
    pub const ESTABLISHED: u8 = 4;
    /// A change of state before this one was not seen.
    pub const MISSED: u8 = 8;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] =
        &[(1, "open"), (2, "began_before"), (4, "established"), (8, "missed")];
}

crate::record! {
    /// A TCP connection ended, or was open when the recording stopped. Its counters are those of the socket's whole life.
    TcpConnection = 34 as "tcp_connection", Fact {
        /// When the socket left its last state (`inet_sock_set_state` to CLOSE; a TIME_WAIT that follows is no socket any more); the stop of the recording when open.
        end: u64 [TimeNs],
        /// From connect(2), or for a passive one from the end of its handshake, to `end`; the part since the start of the recording when `began_before`.
        duration: u64 [DurNs],
        /// How long it took to be established: active, from SYN_SENT to ESTABLISHED (to `end` when it failed); passive, from SYN-ACK to ACK as the kernel measured it, in steps of 1 us (0 when a SYN-ACK was sent twice or with SYN cookies).
        connect: u64 [DurNs],
        /// Bytes of data sent, retransmitted ones included (`tcp_sock.bytes_sent`).
        bytes_sent: u64 [Bytes],
        /// Bytes that the peer acknowledged, SYN and FIN included (`tcp_sock.bytes_acked`).
        bytes_acked: u64 [Bytes],
        /// Bytes of data received in order, a FIN included (`tcp_sock.bytes_received`).
        bytes_received: u64 [Bytes],
        /// Bytes of data sent again (`tcp_sock.bytes_retrans`).
        bytes_retrans: u64 [Bytes],
        /// Its number in this trace, which its states, samples, retransmits and resets name.
        connection: u32 [Number],
        /// The thread that connected or accepted; 0 when unknown.
        tid: u32 [Tid],
        /// Its process; 0 when unknown.
        tgid: u32 [Tgid],
        /// Address and port of this side.
        local: u32 [StringId],
        /// Address and port of the other side.
        remote: u32 [StringId],
        /// Network namespace: the inode number of `/proc/PID/ns/net`.
        netns: u32 [Number],
        /// Segments sent again, SYNs included (`tcp_sock.total_retrans`).
        retrans: u32 [Count],
        /// Segments sent (`tcp_sock.segs_out`).
        segs_out: u32 [Count],
        /// Segments received (`tcp_sock.segs_in`).
        segs_in: u32 [Count],
        /// Last smoothed round-trip time, in us (`tcp_sock.srtt_us` / 8).
        srtt_us: u32 [Number],
        /// Its mean deviation, in us (`tcp_sock.mdev_us` / 4).
        rttvar_us: u32 [Number],
        /// Shortest round-trip time of late, in us (`tcp_sock.rtt_min`).
        min_rtt_us: u32 [Number],
        /// Segments that the peer said to have twice (`tcp_sock.dsack_dups`).
        dsack_dups: u32 [Count],
        /// How often the peer got segments in another order (`tcp_sock.reord_seen`).
        reordered: u32 [Count],
        /// Segments that came out of order (`tcp_sock.rcv_ooopack`).
        out_of_order: u32 [Count],
        /// Segments that were marked lost (`tcp_sock.lost`).
        lost: u32 [Count],
        /// Error of the socket at its end, a number of errno.h (`sock.sk_err`); 0 is none.
        error: u32 [Number],
        /// CPU of the last change of state.
        cpu: u32 [Cpu],
        /// Bytes of data per segment (`tcp_sock.mss_cache`).
        mss: u16 [Bytes],
        /// SYNs that were sent again before it was established (active), or failed.
        syn_retrans: u8 [Count],
        /// Who opened it.
        direction: u8 [Enum(tcp_direction::NAMES)],
        /// What became of it.
        outcome: u8 [Enum(tcp_outcome::NAMES)],
        /// How its process is known.
        owner: u8 [Enum(tcp_owner::NAMES)],
        /// Its last state.
        state: u8 [Enum(tcp_state_code::NAMES)],
        /// See the names.
        flags: u8 [Flags(tcp_flag::NAMES)],
    }
}
