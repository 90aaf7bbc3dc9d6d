//! `h2_control`: frames that control an HTTP/2 connection or end a stream.

use crate::{h2_direction, h2_role, h2_source};

/// Types of control frames (`h2_control.kind`), as RFC 9113, section 6, numbers them.
pub mod h2_control_kind {
    /// RST_STREAM.
    pub const RST_STREAM: u8 = 3;
    /// SETTINGS.
    pub const SETTINGS: u8 = 4;
    /// PING.
    pub const PING: u8 = 6;
    /// GOAWAY.
    pub const GOAWAY: u8 = 7;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] =
        &[(3, "rst_stream"), (4, "settings"), (6, "ping"), (7, "goaway")];
}

crate::record! {
    /// A SETTINGS, PING, GOAWAY or RST_STREAM frame.
    H2Control = 50 as "h2_control", Fact {
        /// When the system call that sent or received it returned.
        time: u64 [TimeNs],
        /// `h2_connection.connection`.
        connection: u32 [Number],
        /// The stream of RST_STREAM; 0 for the others.
        stream: u32 [Number],
        /// The thread that sent or received it.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// Error code of RST_STREAM or GOAWAY (RFC 9113, section 7).
        code: u32 [Number],
        /// Last stream id of GOAWAY.
        last_stream: u32 [Number],
        /// Debug text of GOAWAY, the first 255 bytes.
        text: u32 [StringId],
        /// Length of its payload.
        length: u32 [Bytes],
        /// The CPU on which it was seen.
        cpu: u16 [Cpu],
        /// Flags of the frame; 1 is an acknowledgement of SETTINGS or PING.
        frame_flags: u16 [Flags(&[(1, "ack")])],
        /// Type of the frame.
        kind: u8 [Enum(h2_control_kind::NAMES)],
        /// Which way it went.
        direction: u8 [Enum(h2_direction::NAMES)],
        /// How it was seen.
        source: u8 [Enum(h2_source::NAMES)],
        /// Which end of the connection the process is.
        role: u8 [Enum(h2_role::NAMES)],
    }
}
