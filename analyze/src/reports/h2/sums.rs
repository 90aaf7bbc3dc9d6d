//! What is counted of streams and of control frames.

use ktape_format::Batch;
use ktape_schema::{
    NO_GRPC_STATUS, fact_flag, h2_control_kind, h2_direction, h2_stream_end,
};

use super::codes::{ERROR_PLACES, STATUS_PLACES, error_place, status_place};
use super::connections::Connection;
use super::events::Event;
use crate::run::{Fold, LogHistogram};

/// Streams of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    pub(super) count: u64,
    pub(super) open: u64,
    pub(super) complete: u64,
    pub(super) resets: u64,
    pub(super) cut: u64,
    pub(super) began_before: u64,
    pub(super) total: u64,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
    pub(super) max_in_flight: u32,
    /// Of those that had an answer and are over.
    pub(super) times: LogHistogram,
    pub(super) first_answers: LogHistogram,
    pub(super) reset_codes: [u64; ERROR_PLACES],
    pub(super) statuses: [u64; STATUS_PLACES],
    /// Those whose `:status` was 400 to 499, and from 500 on.
    pub(super) http_errors: [u64; 2],
}

impl Sums {
    pub(super) const COLUMNS: [&'static str; 16] = [
        "end",
        "duration",
        "first_answer",
        "request_bytes",
        "response_bytes",
        "connection",
        "tgid",
        "path",
        "reset_code",
        "in_flight",
        "flags",
        "role",
        "end_reason",
        "reset_by",
        "grpc_status",
        "status",
    ];

    pub(super) fn add(&mut self, batch: &Batch, row: usize) {
        let flags = batch.u16("flags")[row];
        let duration = batch.u64("duration")[row];
        self.count += 1;
        self.began_before += u64::from(flags & fact_flag::BEGAN_BEFORE != 0);
        if flags & fact_flag::OPEN != 0 {
            self.open += 1;
        } else {
            match batch.u8("end_reason")[row] {
                h2_stream_end::RESET => {
                    self.resets += 1;
                    self.reset_codes[error_place(batch.u32("reset_code")[row])] += 1;
                }
                h2_stream_end::CONNECTION_ENDED => self.cut += 1,
                _ => self.complete += 1,
            }
            self.times.add(duration);
            self.total = self.total.saturating_add(duration);
        }
        let first = batch.u64("first_answer")[row];
        if first > 0 {
            self.first_answers.add(first);
        }
        let add = |sum: &mut u64, bytes: u64| *sum = sum.saturating_add(bytes);
        add(&mut self.request_bytes, batch.u64("request_bytes")[row]);
        add(&mut self.response_bytes, batch.u64("response_bytes")[row]);
        self.max_in_flight = self.max_in_flight.max(batch.u32("in_flight")[row]);
        let status = batch.u8("grpc_status")[row];
        if status != NO_GRPC_STATUS {
            self.statuses[status_place(status)] += 1;
        }
        match batch.u16("status")[row] {
            400..500 => self.http_errors[0] += 1,
            500.. => self.http_errors[1] += 1,
            _ => {}
        }
    }

    /// Those with a status of gRPC that is not OK.
    pub(super) fn failed(&self) -> u64 {
        self.statuses[1..].iter().sum()
    }
}

impl Fold for Sums {
    fn fold(&mut self, from: Sums) {
        for (into, from) in [
            (&mut self.count, from.count),
            (&mut self.open, from.open),
            (&mut self.complete, from.complete),
            (&mut self.resets, from.resets),
            (&mut self.cut, from.cut),
            (&mut self.began_before, from.began_before),
            (&mut self.total, from.total),
            (&mut self.request_bytes, from.request_bytes),
            (&mut self.response_bytes, from.response_bytes),
        ] {
            *into = into.saturating_add(from);
        }
        self.max_in_flight = self.max_in_flight.max(from.max_in_flight);
        self.times.merge(&from.times);
        self.first_answers.merge(&from.first_answers);
        let codes = self.reset_codes.iter_mut().zip(from.reset_codes);
        codes.for_each(|(into, from)| *into += from);
        let statuses = self.statuses.iter_mut().zip(from.statuses);
        statuses.for_each(|(into, from)| *into += from);
        let errors = self.http_errors.iter_mut().zip(from.http_errors);
        errors.for_each(|(into, from)| *into += from);
    }

    fn weight(&self) -> usize {
        self.times.weight() + self.first_answers.weight()
    }
}

/// All streams and connections.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) streams: Sums,
    pub(super) connections: u64,
    pub(super) open: u64,
    pub(super) guessed: u64,
    pub(super) sent_bytes: u64,
    pub(super) received_bytes: u64,
    pub(super) pings_sent: u64,
    pub(super) pings_received: u64,
    pub(super) desyncs: u64,
    pub(super) undecoded: u64,
    pub(super) max_in_flight: u32,
}

impl Totals {
    pub(super) fn add_connection(&mut self, row: &Connection) {
        self.connections += 1;
        self.open += u64::from(row.is(fact_flag::OPEN));
        self.guessed += u64::from(row.is(fact_flag::BEGAN_BEFORE));
        self.sent_bytes = self.sent_bytes.saturating_add(row.sent_bytes);
        self.received_bytes = self.received_bytes.saturating_add(row.received_bytes);
        self.pings_sent += u64::from(row.pings_sent);
        self.pings_received += u64::from(row.pings_received);
        self.desyncs += u64::from(row.desyncs);
        self.undecoded += u64::from(row.undecoded);
        self.max_in_flight = self.max_in_flight.max(row.max_in_flight);
    }
}

impl Fold for Totals {
    fn fold(&mut self, from: Totals) {
        self.streams.fold(from.streams);
        for (into, from) in [
            (&mut self.connections, from.connections),
            (&mut self.open, from.open),
            (&mut self.guessed, from.guessed),
            (&mut self.sent_bytes, from.sent_bytes),
            (&mut self.received_bytes, from.received_bytes),
            (&mut self.pings_sent, from.pings_sent),
            (&mut self.pings_received, from.pings_received),
            (&mut self.desyncs, from.desyncs),
            (&mut self.undecoded, from.undecoded),
        ] {
            *into = into.saturating_add(from);
        }
        self.max_in_flight = self.max_in_flight.max(from.max_in_flight);
    }
}

/// RST_STREAM and GOAWAY frames by code: sent, received.
#[derive(Debug, Default)]
pub(super) struct Control {
    pub(super) resets: [[u64; 2]; ERROR_PLACES],
    pub(super) goaways: [[u64; 2]; ERROR_PLACES],
}

impl Control {
    pub(super) fn add(&mut self, event: &Event) {
        let codes = match event.kind {
            h2_control_kind::RST_STREAM => &mut self.resets,
            h2_control_kind::GOAWAY => &mut self.goaways,
            _ => return,
        };
        let received = usize::from(event.direction == h2_direction::RECEIVED);
        codes[error_place(event.code)][received] += 1;
    }
}

impl Fold for Control {
    fn fold(&mut self, from: Control) {
        let add = |into: &mut [[u64; 2]; ERROR_PLACES], from: [[u64; 2]; ERROR_PLACES]| {
            for (into, from) in into.iter_mut().flatten().zip(from.iter().flatten()) {
                *into += from;
            }
        };
        add(&mut self.resets, from.resets);
        add(&mut self.goaways, from.goaways);
    }
}
