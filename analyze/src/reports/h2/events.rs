//! `Event`: a line of the log of HTTP/2.

use std::borrow::Cow;
use std::cmp::Reverse;

use ktape_format::Batch;
use ktape_schema::h2_control_kind;

use super::{State, codes, direction};
use crate::answer::{Answer, Block, Cell, Note, NoteKind, Table};
use crate::context::{Context, ProcessKey};
use crate::enum_name::enum_name;

/// What an event is, in the order in which those of one moment stand in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EventKind {
    /// The first bytes of a connection.
    #[default]
    Found,
    /// A frame.
    Frame,
    /// The end of a connection.
    Closed,
}

/// An event, ordered by its time, the first the largest; then by what else tells it from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    pub(super) time: Reverse<u64>,
    pub(super) what: Reverse<EventKind>,
    pub(super) connection: Reverse<u32>,
    pub(super) kind: u8,
    pub(super) direction: u8,
    pub(super) stream: u32,
    pub(super) code: u32,
    pub(super) last_stream: u32,
    pub(super) length: u32,
    pub(super) frame_flags: u16,
    /// Debug text of GOAWAY, local address of a connection.
    pub(super) text: u32,
    pub(super) remote: u32,
    pub(super) process: u64,
}

/// Acknowledges SETTINGS or PING (`h2_control.frame_flags`).
const ACK: u16 = 1;

impl Event {
    pub(super) const COLUMNS: [&'static str; 11] = [
        "time",
        "connection",
        "stream",
        "tgid",
        "code",
        "last_stream",
        "text",
        "length",
        "frame_flags",
        "kind",
        "direction",
    ];

    pub(super) fn of(cx: &Context<'_>, batch: &Batch, row: usize) -> Self {
        let time = batch.u64("time")[row];
        Self {
            time: Reverse(time),
            what: Reverse(EventKind::Frame),
            connection: Reverse(batch.u32("connection")[row]),
            kind: batch.u8("kind")[row],
            direction: batch.u8("direction")[row],
            stream: batch.u32("stream")[row],
            code: batch.u32("code")[row],
            last_stream: batch.u32("last_stream")[row],
            length: batch.u32("length")[row],
            frame_flags: batch.u16("frame_flags")[row],
            text: batch.u32("text")[row],
            remote: 0,
            process: cx.tasks().process_key(batch.u32("tgid")[row], time).0,
        }
    }

    /// What happened, in words.
    fn words(&self, cx: &Context<'_>) -> Vec<u8> {
        let ack = if self.frame_flags & ACK != 0 { " ack" } else { "" };
        let text = cx.strings().get(self.text);
        match self.what.0 {
            EventKind::Found if self.text == 0 => b"new connection".to_vec(),
            EventKind::Found => {
                let remote = cx.strings().get(self.remote);
                [b"new connection ", text, b" to ", remote].concat()
            }
            EventKind::Closed => b"connection closed".to_vec(),
            EventKind::Frame => match self.kind {
                h2_control_kind::RST_STREAM => {
                    format!("reset stream {} {}", self.stream, codes::error(self.code)).into_bytes()
                }
                h2_control_kind::GOAWAY => {
                    let start = format!(
                        "goaway last stream {} {}",
                        self.last_stream,
                        codes::error(self.code)
                    );
                    let sep: &[u8] = if text.is_empty() { b"" } else { b" " };
                    [start.as_bytes(), sep, text].concat()
                }
                kind => {
                    let name = enum_name(h2_control_kind::NAMES, kind);
                    format!("{name}{ack}").into_bytes()
                }
            },
        }
    }

    /// Which way its frame went.
    fn direction(&self) -> Cell {
        match self.what.0 {
            EventKind::Frame => Cell::text(direction(self.direction).as_bytes()),
            EventKind::Found | EventKind::Closed => Cell::None,
        }
    }

    /// The name of what it is.
    fn name(&self) -> Cow<'static, str> {
        match self.what.0 {
            EventKind::Found => "connection".into(),
            EventKind::Frame => enum_name(h2_control_kind::NAMES, self.kind),
            EventKind::Closed => "closed".into(),
        }
    }
}

/// Keys, and labels in text.
const COLUMNS: [(&str, &str); 12] = [
    ("time_ns", "time"),
    ("connection", "conn"),
    ("pid", "pid"),
    ("comm", "process"),
    ("direction", ""),
    ("event", ""),
    ("text", "event"),
    ("stream", ""),
    ("code", ""),
    ("last_stream", ""),
    ("length_bytes", ""),
    ("ack", ""),
];

/// The log.
pub(super) fn answer(cx: &Context<'_>, state: State) -> Answer {
    let added = state.events.added();
    let mut table = Table::main("events", &COLUMNS);
    table.rows = state.events.into_sorted().iter().map(|event| row(cx, event)).collect();
    table.not_kept = added - table.rows.len() as u64;
    let mut notes = Vec::new();
    if table.not_kept > 0 {
        let text = "the log has its first lines only: --time shows later ones".to_owned();
        notes.push(Note::new(NoteKind::About, text));
    }
    let blocks = vec![Block::Heading("HTTP/2 log".to_owned()), Block::Table(table)];
    Answer { blocks, notes, ..Answer::default() }
}

fn row(cx: &Context<'_>, event: &Event) -> Vec<Cell> {
    let process = ProcessKey(event.process);
    let frame = event.what.0 == EventKind::Frame;
    let reset = frame && event.kind == h2_control_kind::RST_STREAM;
    let goaway = frame && event.kind == h2_control_kind::GOAWAY;
    // The direction stands before the event in text, as in a log.
    let way = match event.what.0 {
        EventKind::Frame => [direction(event.direction).as_bytes(), b" "].concat(),
        EventKind::Found | EventKind::Closed => Vec::new(),
    };
    vec![
        Cell::Time(cx.offset(event.time.0)),
        Cell::Count(event.connection.0.into()),
        Cell::Pid(cx.tasks().pid(process)),
        Cell::text(cx.process_comm(process)),
        event.direction(),
        Cell::text(event.name().as_bytes()),
        Cell::text([way, event.words(cx)].concat()),
        Cell::maybe(reset.then_some(event.stream), |stream| Cell::Count(stream.into())),
        Cell::maybe((reset || goaway).then_some(event.code), |code| Cell::Count(code.into())),
        Cell::maybe(goaway.then_some(event.last_stream), |last| Cell::Count(last.into())),
        Cell::maybe(frame.then_some(event.length), |length| Cell::Bytes(length.into())),
        Cell::maybe(frame.then_some(event.frame_flags & ACK != 0), Cell::Bool),
    ]
}

/// The GOAWAY frames as a table of their own.
pub(super) fn goaways(cx: &Context<'_>, added: u64, events: &[Event]) -> Table {
    let columns = [
        ("time_ns", "time"),
        ("connection", "conn"),
        ("pid", "pid"),
        ("comm", "process"),
        ("direction", "way"),
        ("code", "code"),
        ("code_name", "name"),
        ("last_stream", "last stream"),
        ("debug", "text"),
    ];
    let mut table = Table::plain("goaways", &columns);
    table.title = "GOAWAY".to_owned();
    table.not_kept = added - events.len() as u64;
    table.rows = events
        .iter()
        .map(|event| {
            let process = ProcessKey(event.process);
            vec![
                Cell::Time(cx.offset(event.time.0)),
                Cell::Count(event.connection.0.into()),
                Cell::Pid(cx.tasks().pid(process)),
                Cell::text(cx.process_comm(process)),
                Cell::text(direction(event.direction).as_bytes()),
                Cell::Count(event.code.into()),
                Cell::text(codes::error(event.code)),
                Cell::Count(event.last_stream.into()),
                Cell::text(cx.strings().get(event.text)),
            ]
        })
        .collect();
    table
}
