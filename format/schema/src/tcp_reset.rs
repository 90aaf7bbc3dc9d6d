//! `tcp_reset`: a RST was sent or received.

use crate::{tcp_owner, tcp_state_code};

/// Which way a RST went (`tcp_reset.direction`).
pub mod tcp_reset_direction {
    /// This host sent it.
    pub const SENT: u8 = 0;
    /// This host got it, and a socket took it.
    pub const RECEIVED: u8 = 1;
    /// The names of both.
    pub const NAMES: &[(u64, &str)] = &[(0, "sent"), (1, "received")];
}

/// Why a RST was sent (`tcp_reset.reason`): `enum sk_rst_reason` by the names of kernel 6.18, in an order of our own, since the kernel's numbers change.
pub mod tcp_reset_reason {
    /// The kernel does not say (before 6.10, and for RSTs that were received), or gives a reason that is not in this list.
    pub const UNKNOWN: u8 = 0;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (0, "unknown"),
        (1, "not_specified"),
        (2, "no_socket"),
        (3, "tcp_invalid_ack_sequence"),
        (4, "tcp_rfc7323_paws"),
        (5, "tcp_too_old_ack"),
        (6, "tcp_ack_unsent_data"),
        (7, "tcp_flags"),
        (8, "tcp_old_ack"),
        (9, "tcp_abort_on_data"),
        (10, "tcp_timewait_socket"),
        (11, "invalid_syn"),
        (12, "tcp_abort_on_close"),
        (13, "tcp_abort_on_linger"),
        (14, "tcp_abort_on_memory"),
        (15, "tcp_state"),
        (16, "tcp_keepalive_timeout"),
        (17, "tcp_disconnect_with_data"),
        (18, "mptcp_rst_eunspec"),
        (19, "mptcp_rst_emptcp"),
        (20, "mptcp_rst_eresource"),
        (21, "mptcp_rst_eprohibit"),
        (22, "mptcp_rst_ewq2big"),
        (23, "mptcp_rst_ebadperf"),
        (24, "mptcp_rst_emiddlebox"),
        (25, "error"),
    ];
}

crate::record! {
    /// A RST was sent (`tcp_send_reset`) or received by a socket (`tcp_receive_reset`).
    TcpReset = 37 as "tcp_reset", Fact {
        /// When.
        time: u64 [TimeNs],
        /// The connection's number; 0 when it was for no socket.
        connection: u32 [Number],
        /// The thread that connected or accepted; 0 when unknown.
        tid: u32 [Tid],
        /// Its process; 0 when unknown.
        tgid: u32 [Tgid],
        /// Address and port of this side.
        local: u32 [StringId],
        /// Address and port of the other side.
        remote: u32 [StringId],
        /// Network namespace: the inode number of `/proc/PID/ns/net`; 0 when it was for no socket.
        netns: u32 [Number],
        /// CPU.
        cpu: u32 [Cpu],
        /// Which way it went.
        direction: u8 [Enum(tcp_reset_direction::NAMES)],
        /// Why it was sent.
        reason: u8 [Enum(tcp_reset_reason::NAMES)],
        /// State of the socket; `none` without one.
        state: u8 [Enum(tcp_state_code::NAMES)],
        /// How its process is known.
        owner: u8 [Enum(tcp_owner::NAMES)],
    }
}
