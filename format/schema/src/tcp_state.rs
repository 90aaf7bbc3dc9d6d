//! `tcp_state`: a TCP socket changed its state.

use crate::{tcp_flag, tcp_owner, tcp_state_code};

crate::record! {
    /// A TCP socket left a state (`inet_sock_set_state`).
    TcpState = 35 as "tcp_state", Fact {
        /// When it changed.
        end: u64 [TimeNs],
        /// How long it was in the old state, as far as that was seen.
        duration: u64 [DurNs],
        /// The connection's number; the listener's, for one of those.
        connection: u32 [Number],
        /// The thread that connected or accepted; 0 when not yet known.
        tid: u32 [Tid],
        /// Its process; 0 when not yet known.
        tgid: u32 [Tgid],
        /// Address and port of this side; empty as long as it has no port.
        local: u32 [StringId],
        /// Address and port of the other side; empty for a listener.
        remote: u32 [StringId],
        /// Network namespace: the inode number of `/proc/PID/ns/net`.
        netns: u32 [Number],
        /// CPU on which it changed.
        cpu: u32 [Cpu],
        /// The state that it left.
        old: u8 [Enum(tcp_state_code::NAMES)],
        /// The state that it is in now.
        new: u8 [Enum(tcp_state_code::NAMES)],
        /// How its process is known.
        owner: u8 [Enum(tcp_owner::NAMES)],
        /// See the names.
        flags: u8 [Flags(tcp_flag::NAMES)],
    }
}
