//! `h2_stream`: HTTP/2 streams, that is requests with their answers.

use crate::fact_flag;
use crate::{h2_direction, h2_role, h2_source};

/// `h2_stream.grpc_status` when there was none, or it could not be read.
pub const NO_GRPC_STATUS: u8 = 255;

/// Why a stream ended (`h2_stream.end_reason`).
pub mod h2_stream_end {
    /// It had not ended when the recording stopped.
    pub const NONE: u8 = 0;
    /// Both sides sent END_STREAM.
    pub const COMPLETE: u8 = 1;
    /// RST_STREAM, from either side.
    pub const RESET: u8 = 2;
    /// Its connection ended before it.
    pub const CONNECTION_ENDED: u8 = 3;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] =
        &[(0, "none"), (1, "complete"), (2, "reset"), (3, "connection_ended")];
}

crate::record! {
    /// A stream that a client opened: from its first HEADERS frame until both sides closed it, one reset it, its connection ended, or the recording stopped.
    ///
    /// A call within the host is two streams, one of each end's connection.
    H2Stream = 49 as "h2_stream", Fact {
        /// When the second of both END_STREAM flags, or RST_STREAM, was sent or received; the stop of the recording when open.
        end: u64 [TimeNs],
        /// How long it was open, from its first HEADERS frame.
        duration: u64 [DurNs],
        /// From its first HEADERS frame to the first one of the answer; 0 when none came.
        first_answer: u64 [DurNs],
        /// Payload of the client's DATA frames, with their padding.
        request_bytes: u64 [Bytes],
        /// Payload of the server's DATA frames, with their padding.
        response_bytes: u64 [Bytes],
        /// `h2_connection.connection`.
        connection: u32 [Number],
        /// Its id within the connection.
        stream: u32 [Number],
        /// The thread that sent or received the first HEADERS frame.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// `:path` up to a question mark (for gRPC the full name of the method); 0 where it could not be read, as when it was sent before the recording.
        path: u32 [StringId],
        /// Error code of RST_STREAM (RFC 9113, section 7); 0 when it was not reset.
        reset_code: u32 [Number],
        /// The client's frames: HEADERS and DATA.
        request_frames: u32 [Count],
        /// The server's frames: HEADERS and DATA.
        response_frames: u32 [Count],
        /// Streams of the connection that were open when it was opened, itself among them.
        in_flight: u32 [Count],
        /// `:status` of the answer (not of 1xx ones); 0 where there was none or it could not be read.
        status: u16 [Number],
        /// The CPU on which its end was seen.
        cpu: u16 [Cpu],
        /// See `fact_flag`.
        flags: u16 [Flags(fact_flag::NAMES)],
        /// How its frames were seen.
        source: u8 [Enum(h2_source::NAMES)],
        /// Which end of the connection the process is.
        role: u8 [Enum(h2_role::NAMES)],
        /// Why it ended.
        end_reason: u8 [Enum(h2_stream_end::NAMES)],
        /// Which way RST_STREAM went; `none` when it was not reset.
        reset_by: u8 [Enum(h2_direction::NAMES)],
        /// `grpc-status` of the trailers; 255 where there was none or it could not be read.
        grpc_status: u8 [Number],
        /// What of END_STREAM was seen: 1 the client's, 2 the server's.
        closed: u8 [Flags(&[(1, "by_client"), (2, "by_server")])],
    }
}
