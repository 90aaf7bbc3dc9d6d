//! `tcp_retransmit`: TCP sent something again.

use crate::tcp_state_code;

/// Why it was sent again (`tcp_retransmit.kind`), read off the socket's timer and the state of its congestion control.
pub mod tcp_retransmit_kind {
    /// None of the others, as when the path's MTU became smaller.
    pub const OTHER: u8 = 0;
    /// The retransmission timer fired (`TCP_CA_Loss`, no timer pending).
    pub const TIMEOUT: u8 = 1;
    /// Acknowledgments showed a loss: fast retransmit, SACK, RACK (`TCP_CA_Recovery`).
    pub const FAST: u8 = 2;
    /// Nothing was acknowledged for about two round trips: a tail loss probe (`ICSK_TIME_LOSS_PROBE` pending).
    pub const TAIL_LOSS_PROBE: u8 = 3;
    /// The rest of what was in flight when the timer had fired (`TCP_CA_Loss`, driven by acknowledgments).
    pub const AFTER_TIMEOUT: u8 = 4;
    /// A SYN: nobody answered connect(2) (state SYN_SENT).
    pub const SYN: u8 = 5;
    /// A SYN-ACK: the peer did not complete the handshake (`tcp_retransmit_synack`).
    pub const SYN_ACK: u8 = 6;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (0, "other"),
        (1, "timeout"),
        (2, "fast"),
        (3, "tail_loss_probe"),
        (4, "after_timeout"),
        (5, "syn"),
        (6, "syn_ack"),
    ];
}

/// States of the congestion control (`enum tcp_ca_state` of include/uapi/linux/tcp.h).
pub mod tcp_ca_state {
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] =
        &[(0, "open"), (1, "disorder"), (2, "cwr"), (3, "recovery"), (4, "loss")];
}

crate::record! {
    /// TCP sent segments again (`tcp_retransmit_skb`, `tcp_retransmit_synack`). The sum of `segments` where `error` is 0 is what the kernel counts as RetransSegs.
    TcpRetransmit = 36 as "tcp_retransmit", Fact {
        /// When.
        time: u64 [TimeNs],
        /// The connection's number; the listener's, for a SYN-ACK.
        connection: u32 [Number],
        /// The thread that connected or accepted (the one that listens, for a SYN-ACK); 0 when unknown.
        tid: u32 [Tid],
        /// Its process; 0 when unknown.
        tgid: u32 [Tgid],
        /// Address and port of this side.
        local: u32 [StringId],
        /// Address and port of the other side.
        remote: u32 [StringId],
        /// Network namespace: the inode number of `/proc/PID/ns/net`.
        netns: u32 [Number],
        /// Sequence number of its first byte (`tcp_skb_cb.seq`); 0 for a SYN-ACK.
        seq: u32 [Number],
        /// Bytes of data.
        bytes: u32 [Bytes],
        /// Segments: one buffer can make several (`tcp_skb_cb.tcp_gso_segs`).
        segments: u32 [Count],
        /// Congestion window at that time, in segments; 0 for a SYN-ACK.
        cwnd: u32 [Count],
        /// Smoothed round-trip time at that time, in us; 0 for a SYN-ACK.
        srtt_us: u32 [Number],
        /// 0, or why it could not be sent, a negative number of errno.h (kernel 6.18 and later; before, such are not told).
        error: i32 [Number],
        /// CPU.
        cpu: u32 [Cpu],
        /// Why.
        kind: u8 [Enum(tcp_retransmit_kind::NAMES)],
        /// State of the socket.
        state: u8 [Enum(tcp_state_code::NAMES)],
        /// State of its congestion control.
        ca_state: u8 [Enum(tcp_ca_state::NAMES)],
        /// How often the timer has fired in a row without progress (`icsk_retransmits`); for a SYN-ACK how often it was sent again before.
        attempt: u8 [Count],
    }
}
