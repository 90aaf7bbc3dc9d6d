//! `h2_connection`: HTTP/2 connections of the recorded processes.

use crate::fact_flag;

/// How the frames of a connection were seen (`source` of the HTTP/2 records).
pub mod h2_source {
    /// In the data of system calls on its socket, from its first byte on.
    pub const PLAINTEXT: u8 = 1;
    /// In the data of system calls on its socket. It is older than the recording and was taken for
    /// HTTP/2 because three headers of frames in a row were valid.
    pub const PLAINTEXT_GUESSED: u8 = 2;
    /// In what the process gave to `SSL_write` and got from `SSL_read`.
    pub const OPENSSL: u8 = 3;
    /// In what the process gave to `SSL_write` and got from `SSL_read`; older than the recording, as
    /// with `plaintext_guessed`.
    pub const OPENSSL_GUESSED: u8 = 4;
    /// In what a Go program gave to `Write` and got from `Read` of its `crypto/tls.Conn`.
    pub const GO: u8 = 5;
    /// In what a Go program gave to `Write` and got from `Read` of its `crypto/tls.Conn`; older than
    /// the recording, as with `plaintext_guessed`.
    pub const GO_GUESSED: u8 = 6;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (1, "plaintext"),
        (2, "plaintext_guessed"),
        (3, "openssl"),
        (4, "openssl_guessed"),
        (5, "go"),
        (6, "go_guessed"),
    ];
}

/// Which end of a connection the recorded process is (`role` of the HTTP/2 records).
pub mod h2_role {
    /// Nothing has told yet.
    pub const UNKNOWN: u8 = 0;
    /// It opens the streams.
    pub const CLIENT: u8 = 1;
    /// It answers them.
    pub const SERVER: u8 = 2;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[(0, "unknown"), (1, "client"), (2, "server")];
}

/// Which way a frame went, as the recorded process sees it.
pub mod h2_direction {
    /// There was none.
    pub const NONE: u8 = 0;
    /// The recorded process sent it.
    pub const SENT: u8 = 1;
    /// It came from the peer.
    pub const RECEIVED: u8 = 2;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[(0, "none"), (1, "sent"), (2, "received")];
}

/// Why a connection ended (`h2_connection.end_reason`).
pub mod h2_connection_end {
    /// It had not ended when the recording stopped.
    pub const NONE: u8 = 0;
    /// Its TCP socket was closed, by either end, or the `crypto/tls.Conn` of a Go program.
    pub const CLOSED: u8 = 1;
    /// `SSL_free`.
    pub const FREED: u8 = 2;
    /// Its process ended without that its close was seen.
    pub const PROCESS_ENDED: u8 = 3;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] =
        &[(0, "none"), (1, "closed"), (2, "freed"), (3, "process_ended")];
}

crate::record! {
    /// An HTTP/2 connection, from its first bytes to its end (or to the stop of the recording).
    ///
    /// The two ends of a connection within the host are two connections, one for each socket.
    H2Connection = 48 as "h2_connection", Fact {
        /// When its socket was closed; the stop of the recording when open.
        end: u64 [TimeNs],
        /// How long it was seen, from the first bytes seen.
        duration: u64 [DurNs],
        /// Bytes sent, with the headers of frames.
        sent_bytes: u64 [Bytes],
        /// Bytes received, with the headers of frames.
        received_bytes: u64 [Bytes],
        /// Frames sent, of all types.
        sent_frames: u64 [Count],
        /// Frames received, of all types.
        received_frames: u64 [Count],
        /// Payload of the DATA frames sent, with their padding.
        sent_data: u64 [Bytes],
        /// Payload of the DATA frames received, with their padding.
        received_data: u64 [Bytes],
        /// A number of its own within the recording, from 1.
        connection: u32 [Number],
        /// The thread that first sent or received on it.
        tid: u32 [Tid],
        /// Its process.
        tgid: u32 [Tgid],
        /// Address of this end; 0 where it is not known (OpenSSL, most of Go's TLS).
        local: u32 [StringId],
        /// Address of the peer; 0 where it is not known (OpenSSL, most of Go's TLS).
        remote: u32 [StringId],
        /// Streams that the client opened.
        opened: u32 [Count],
        /// Those of them that ended before the connection did: closed by both sides, or reset.
        ended: u32 [Count],
        /// Those of them that ended by RST_STREAM.
        resets: u32 [Count],
        /// The most streams that were open at one time.
        max_in_flight: u32 [Count],
        /// PING frames sent, acknowledgements left out.
        pings_sent: u32 [Count],
        /// PING frames received, acknowledgements left out.
        pings_received: u32 [Count],
        /// WINDOW_UPDATE frames sent.
        window_updates_sent: u32 [Count],
        /// WINDOW_UPDATE frames received.
        window_updates_received: u32 [Count],
        /// Last stream id of the last GOAWAY.
        goaway_last: u32 [Number],
        /// Error code of the last GOAWAY (RFC 9113, section 7).
        goaway_code: u32 [Number],
        /// Debug text of the last GOAWAY, the first 255 bytes.
        goaway_text: u32 [StringId],
        /// How often something came that is no header of a frame; until three in a row are valid again, frames of that direction are only counted.
        desyncs: u32 [Count],
        /// Header blocks whose fields were not read: longer than 1014 bytes or in several frames.
        undecoded: u32 [Count],
        /// Paths and grpc-status that the functions of gRPC-Go told, since the frames named them by what had been sent before the recording.
        named: u32 [Count],
        /// grpc-status that both the frames and the functions of gRPC-Go told, and differently: 0 unless ktape is wrong.
        misnamed: u32 [Count],
        /// The CPU on which its end was seen.
        cpu: u16 [Cpu],
        /// See `fact_flag`.
        flags: u16 [Flags(fact_flag::NAMES)],
        /// How its frames were seen.
        source: u8 [Enum(h2_source::NAMES)],
        /// Which end the process is.
        role: u8 [Enum(h2_role::NAMES)],
        /// Which way the last GOAWAY went; `none` when there was none.
        goaway_by: u8 [Enum(h2_direction::NAMES)],
        /// Why it ended.
        end_reason: u8 [Enum(h2_connection_end::NAMES)],
    }
}
