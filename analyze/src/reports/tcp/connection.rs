//! `Ended`: a connection as its last row tells it.

use ktape_format::Batch;
use ktape_schema::{tcp_direction, tcp_flag, tcp_outcome};

use crate::context::Context;

/// A row of `tcp_connection`. Ordered, so that of two rows of one connection always the same wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ended {
    pub(super) end: u64,
    pub(super) duration: u64,
    pub(super) connect: u64,
    /// Key of the owner, where there is one.
    pub(super) process: Option<u64>,
    pub(super) bytes_sent: u64,
    pub(super) bytes_acked: u64,
    pub(super) bytes_received: u64,
    pub(super) bytes_retrans: u64,
    pub(super) local: u32,
    pub(super) remote: u32,
    pub(super) netns: u32,
    pub(super) retrans: u32,
    pub(super) segs_out: u32,
    pub(super) segs_in: u32,
    pub(super) srtt_us: u32,
    pub(super) rttvar_us: u32,
    pub(super) min_rtt_us: u32,
    pub(super) dsack_dups: u32,
    pub(super) reordered: u32,
    pub(super) out_of_order: u32,
    pub(super) lost: u32,
    pub(super) error: u32,
    pub(super) direction: u8,
    pub(super) outcome: u8,
    pub(super) owner: u8,
    pub(super) state: u8,
    pub(super) syn_retrans: u8,
    pub(super) flags: u8,
}

impl Ended {
    pub(super) const COLUMNS: [&'static str; 29] = [
        "end",
        "duration",
        "connect",
        "bytes_sent",
        "bytes_acked",
        "bytes_received",
        "bytes_retrans",
        "connection",
        "tgid",
        "local",
        "remote",
        "netns",
        "retrans",
        "segs_out",
        "segs_in",
        "srtt_us",
        "rttvar_us",
        "min_rtt_us",
        "dsack_dups",
        "reordered",
        "out_of_order",
        "lost",
        "error",
        "direction",
        "outcome",
        "owner",
        "state",
        "syn_retrans",
        "flags",
    ];

    pub(super) fn of(cx: &Context<'_>, batch: &Batch, row: usize) -> Self {
        let word = |name| batch.u32(name)[row];
        let byte = |name| batch.u8(name)[row];
        let end = batch.u64("end")[row];
        let tgid = word("tgid");
        Self {
            end,
            duration: batch.u64("duration")[row],
            connect: batch.u64("connect")[row],
            process: (tgid != 0).then(|| cx.tasks().process_key(tgid, end).0),
            bytes_sent: batch.u64("bytes_sent")[row],
            bytes_acked: batch.u64("bytes_acked")[row],
            bytes_received: batch.u64("bytes_received")[row],
            bytes_retrans: batch.u64("bytes_retrans")[row],
            local: word("local"),
            remote: word("remote"),
            netns: word("netns"),
            retrans: word("retrans"),
            segs_out: word("segs_out"),
            segs_in: word("segs_in"),
            srtt_us: word("srtt_us"),
            rttvar_us: word("rttvar_us"),
            min_rtt_us: word("min_rtt_us"),
            dsack_dups: word("dsack_dups"),
            reordered: word("reordered"),
            out_of_order: word("out_of_order"),
            lost: word("lost"),
            error: word("error"),
            direction: byte("direction"),
            outcome: byte("outcome"),
            owner: byte("owner"),
            state: byte("state"),
            syn_retrans: byte("syn_retrans"),
            flags: byte("flags"),
        }
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// From SYN to ESTABLISHED, where that was seen.
    pub(super) fn connect_latency(&self) -> Option<u64> {
        let known = self.direction == tcp_direction::ACTIVE
            && self.has(tcp_flag::ESTABLISHED)
            && !self.has(tcp_flag::BEGAN_BEFORE);
        known.then_some(self.connect)
    }

    /// From SYN-ACK to ACK, where the kernel measured it.
    pub(super) fn handshake_latency(&self) -> Option<u64> {
        (self.direction == tcp_direction::PASSIVE && self.connect > 0).then_some(self.connect)
    }

    /// Whether it was never established.
    pub(super) fn failed(&self) -> bool {
        self.outcome == tcp_outcome::CONNECT_FAILED
    }
}
