//! `Connection`: a row of `h2_connection`.

use std::cmp::Reverse;

use ktape_format::Batch;
use ktape_schema::{fact_flag, h2_connection_end};

use super::events::{Event, EventKind};
use crate::context::Context;

/// A connection, ordered by its streams, then by what else tells it from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Connection {
    pub(super) opened: u32,
    /// Of connections with as many streams, the one with the lowest number comes first.
    pub(super) connection: Reverse<u32>,
    pub(super) end: u64,
    pub(super) duration: u64,
    pub(super) process: u64,
    pub(super) sent_bytes: u64,
    pub(super) received_bytes: u64,
    pub(super) local: u32,
    pub(super) remote: u32,
    pub(super) ended: u32,
    pub(super) resets: u32,
    pub(super) max_in_flight: u32,
    pub(super) pings_sent: u32,
    pub(super) pings_received: u32,
    pub(super) goaway_last: u32,
    pub(super) goaway_code: u32,
    pub(super) goaway_text: u32,
    pub(super) desyncs: u32,
    pub(super) undecoded: u32,
    pub(super) flags: u16,
    pub(super) source: u8,
    pub(super) role: u8,
    pub(super) goaway_by: u8,
    pub(super) end_reason: u8,
}

impl Connection {
    pub(super) const COLUMNS: [&'static str; 24] = [
        "end",
        "duration",
        "sent_bytes",
        "received_bytes",
        "connection",
        "tgid",
        "local",
        "remote",
        "opened",
        "ended",
        "resets",
        "max_in_flight",
        "pings_sent",
        "pings_received",
        "goaway_last",
        "goaway_code",
        "goaway_text",
        "desyncs",
        "undecoded",
        "flags",
        "source",
        "role",
        "goaway_by",
        "end_reason",
    ];

    pub(super) fn of(cx: &Context<'_>, batch: &Batch, row: usize) -> Self {
        let (number, byte) = (|key| batch.u32(key)[row], |key| batch.u8(key)[row]);
        let end = batch.u64("end")[row];
        Self {
            opened: number("opened"),
            connection: Reverse(number("connection")),
            end,
            duration: batch.u64("duration")[row],
            process: cx.tasks().process_key(number("tgid"), end).0,
            sent_bytes: batch.u64("sent_bytes")[row],
            received_bytes: batch.u64("received_bytes")[row],
            local: number("local"),
            remote: number("remote"),
            ended: number("ended"),
            resets: number("resets"),
            max_in_flight: number("max_in_flight"),
            pings_sent: number("pings_sent"),
            pings_received: number("pings_received"),
            goaway_last: number("goaway_last"),
            goaway_code: number("goaway_code"),
            goaway_text: number("goaway_text"),
            desyncs: number("desyncs"),
            undecoded: number("undecoded"),
            flags: batch.u16("flags")[row],
            source: byte("source"),
            role: byte("role"),
            goaway_by: byte("goaway_by"),
            end_reason: byte("end_reason"),
        }
    }

    pub(super) fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// When it was found, and closed.
    pub(super) fn events(&self) -> impl Iterator<Item = Event> {
        let event = |time, what| Event {
            time: Reverse(time),
            what: Reverse(what),
            connection: self.connection,
            process: self.process,
            text: if what == EventKind::Found { self.local } else { 0 },
            remote: if what == EventKind::Found { self.remote } else { 0 },
            ..Event::default()
        };
        let closed = !self.is(fact_flag::OPEN) && self.end_reason != h2_connection_end::NONE;
        let found = event(self.end.saturating_sub(self.duration), EventKind::Found);
        std::iter::once(found).chain(closed.then(|| event(self.end, EventKind::Closed)))
    }
}
