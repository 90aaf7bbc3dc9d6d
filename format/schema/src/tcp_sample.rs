//! `tcp_sample`: what a TCP socket is like at a moment.

use crate::{tcp_ca_state, tcp_flag, tcp_owner, tcp_state_code};

crate::record! {
    /// A TCP socket at a moment: read every so often (the probe's setting `every`), never per packet.
    TcpSample = 38 as "tcp_sample", Fact {
        /// When it was read.
        time: u64 [TimeNs],
        /// Bytes of data sent, retransmitted ones included (`tcp_sock.bytes_sent`).
        bytes_sent: u64 [Bytes],
        /// Bytes that the peer acknowledged (`tcp_sock.bytes_acked`).
        bytes_acked: u64 [Bytes],
        /// Bytes of data received in order (`tcp_sock.bytes_received`).
        bytes_received: u64 [Bytes],
        /// Bytes per second that were delivered of late (`tcp_sock.rate_delivered`); 0 when unknown.
        delivery_rate: u64 [Bytes],
        /// The connection's number.
        connection: u32 [Number],
        /// The thread that connected or accepted; 0 when unknown.
        tid: u32 [Tid],
        /// Its process; 0 when unknown.
        tgid: u32 [Tgid],
        /// Address and port of this side.
        local: u32 [StringId],
        /// Address and port of the other side; empty for a listener.
        remote: u32 [StringId],
        /// Network namespace: the inode number of `/proc/PID/ns/net`.
        netns: u32 [Number],
        /// Smoothed round-trip time, in us (`tcp_sock.srtt_us` / 8).
        srtt_us: u32 [Number],
        /// Its mean deviation, in us (`tcp_sock.mdev_us` / 4).
        rttvar_us: u32 [Number],
        /// Shortest round-trip time of late, in us (`tcp_sock.rtt_min`).
        min_rtt_us: u32 [Number],
        /// Round-trip time as the receiving side reckons it, in us (`tcp_sock.rcv_rtt_est` / 8).
        rcv_rtt_us: u32 [Number],
        /// Congestion window, in segments (`tcp_sock.snd_cwnd`).
        cwnd: u32 [Count],
        /// Slow start threshold, in segments (`tcp_sock.snd_ssthresh`).
        ssthresh: u32 [Count],
        /// Window that the peer offers, in bytes (`tcp_sock.snd_wnd`).
        snd_wnd: u32 [Bytes],
        /// Window that was offered to the peer, in bytes (`tcp_sock.rcv_wnd`).
        rcv_wnd: u32 [Bytes],
        /// Bytes of data per segment (`tcp_sock.mss_cache`).
        mss: u32 [Bytes],
        /// Segments in flight (`tcp_sock.packets_out`).
        packets_out: u32 [Count],
        /// Segments in flight that were sent again (`tcp_sock.retrans_out`).
        retrans_out: u32 [Count],
        /// Segments in flight that are taken for lost (`tcp_sock.lost_out`).
        lost_out: u32 [Count],
        /// Segments sent again so far (`tcp_sock.total_retrans`).
        retrans: u32 [Count],
        /// Segments sent so far (`tcp_sock.segs_out`).
        segs_out: u32 [Count],
        /// Segments delivered so far (`tcp_sock.delivered`).
        delivered: u32 [Count],
        /// Bytes received that the process has not read (`rcv_nxt - copied_seq`).
        unread: u32 [Bytes],
        /// Bytes that the process wrote and the peer has not acknowledged (`write_seq - snd_una`).
        unacked: u32 [Bytes],
        /// Of a listener: connections that wait for accept(2) (`sock.sk_ack_backlog`).
        backlog: u32 [Count],
        /// Of a listener: the most that may (`sock.sk_max_ack_backlog`); one more is let in.
        max_backlog: u32 [Count],
        /// State.
        state: u8 [Enum(tcp_state_code::NAMES)],
        /// State of its congestion control.
        ca_state: u8 [Enum(tcp_ca_state::NAMES)],
        /// How its process is known.
        owner: u8 [Enum(tcp_owner::NAMES)],
        /// See the names.
        flags: u8 [Flags(tcp_flag::NAMES)],
    }
}
