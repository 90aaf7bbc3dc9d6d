//! `report h2`.

mod answer;
mod codes;
mod connections;
mod events;
mod sums;

use std::borrow::Cow;

use ktape_format::Batch;
use ktape_schema::{H2Connection, H2Control, H2Stream, h2_control_kind, h2_direction};

use crate::answer::Answer;
use crate::context::Context;
use crate::enum_name::enum_name;
use crate::query::Filter;
use crate::run::{Bounded, Fold, Longest, Read, Report};
use connections::Connection;
use events::Event;
use sums::{Control, Sums, Totals};

/// HTTP/2 and gRPC: requests by method, connection or process, resets, GOAWAYs, pings.
///
/// A stream is a request with its answer, from its first HEADERS frame until both sides closed it or one
/// reset it. A call between two recorded processes counts twice, once for the client and once for the
/// server. Percentiles are at most 1/32 above the true ones and leave out streams that were still open.
/// A method is the path of the request; where that could not be read it is empty, as on connections that
/// are older than the recording.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct H2 {
    /// What one row is: by default a method, or a connection where no method is known.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub by: Option<By>,
    /// Show the log instead: connections, settings, pings, resets and GOAWAYs in order of time.
    #[arg(long)]
    pub log: bool,
}

/// What one row of the answer is.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A method, as client or as server.
    Method,
    /// A connection.
    Connection,
    /// A process, as client or as server.
    Process,
}

/// Most groups that are told apart.
const MOST: usize = 1 << 13;
/// Connections that are kept: those with the most streams.
const CONNECTIONS: usize = 10_000;
/// GOAWAY frames that are kept: the first.
const GOAWAYS: usize = 1_000;
/// Lines of the log that are kept: the first.
const EVENTS: usize = 100_000;

/// The fold.
#[derive(Debug, Default)]
pub struct State {
    /// By path and role.
    methods: Bounded<(u64, u32), Sums, MOST>,
    /// By connection and 0.
    streams: Bounded<(u64, u32), Sums, MOST>,
    /// By process and role.
    processes: Bounded<(u64, u32), Sums, MOST>,
    all: Totals,
    connections: Longest<Connection, CONNECTIONS>,
    control: Control,
    goaways: Longest<Event, GOAWAYS>,
    events: Longest<Event, EVENTS>,
}

impl H2 {
    /// Whether streams are summed up in this way.
    fn sums(&self, by: By) -> bool {
        match self.by {
            Some(asked) => asked == by,
            // Only at the end it is known whether there is any method.
            None => by != By::Process,
        }
    }
}

impl Report for H2 {
    const NAME: &'static str = "h2";
    type State = State;

    fn reads(&self, _: &Context<'_>) -> Vec<Read> {
        let mut reads = vec![
            Read::of(H2Connection::DESC.name, &Connection::COLUMNS),
            Read::maybe(H2Control::DESC.name, &Event::COLUMNS),
        ];
        if !self.log {
            reads.push(Read::maybe(H2Stream::DESC.name, &Sums::COLUMNS));
        }
        reads
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        match batch.record() {
            id if id == H2Connection::DESC.id => {
                for row in 0..batch.rows() {
                    let connection = Connection::of(cx, batch, row);
                    state.all.add_connection(&connection);
                    if self.log {
                        connection.events().for_each(|event| state.events.add(event));
                    } else {
                        state.connections.add(connection);
                    }
                }
            }
            id if id == H2Control::DESC.id => {
                for row in 0..batch.rows() {
                    let event = Event::of(cx, batch, row);
                    state.control.add(&event);
                    if self.log {
                        state.events.add(event);
                    } else if event.kind == h2_control_kind::GOAWAY {
                        state.goaways.add(event);
                    }
                }
            }
            id if id == H2Stream::DESC.id => {
                let (ends, tgids) = (batch.u64("end"), batch.u32("tgid"));
                let (paths, connections) = (batch.u32("path"), batch.u32("connection"));
                let roles = batch.u8("role");
                for row in 0..batch.rows() {
                    let role = u32::from(roles[row]);
                    state.all.streams.add(batch, row);
                    if self.sums(By::Method) {
                        state.methods.at((paths[row].into(), role)).add(batch, row);
                    }
                    if self.sums(By::Connection) {
                        state.streams.at((connections[row].into(), 0)).add(batch, row);
                    }
                    if self.sums(By::Process) {
                        let process = cx.tasks().process_key(tgids[row], ends[row]);
                        state.processes.at((process.0, role)).add(batch, row);
                    }
                }
            }
            _ => {}
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.methods.merge(from.methods);
        into.streams.merge(from.streams);
        into.processes.merge(from.processes);
        into.all.fold(from.all);
        into.connections.merge(from.connections);
        into.control.fold(from.control);
        into.goaways.merge(from.goaways);
        into.events.merge(from.events);
    }

    fn finish(&self, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
        if self.log { events::answer(cx, state) } else { answer::answer(self.by, cx, filter, state) }
    }
}

/// `sent`, `received`.
fn direction(value: u8) -> Cow<'static, str> {
    enum_name(h2_direction::NAMES, value)
}
