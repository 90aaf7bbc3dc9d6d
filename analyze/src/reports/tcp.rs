//! `report tcp`.

mod answer;
mod cells;
mod connection;
mod events;
mod group;
mod sample;
mod tables;
mod totals;

use ktape_format::Batch;
use ktape_schema::{TcpConnection, TcpCounters, TcpReset, TcpRetransmit, TcpSample, TcpState};

use crate::answer::Answer;
use crate::context::Context;
use crate::query::Filter;
use crate::run::{Bounded, Fold, Read, Report};
use connection::Ended;
use events::{Change, Failures, Reset, Retransmits};
use group::{Group, peer_key};
use sample::{Samples, Shot};
use totals::Totals;

/// TCP: connections with their latency, bytes, round-trip times, retransmits and resets.
///
/// A connection that ended or was open at the stop has its counters from the socket itself, so they
/// are of its whole life, also of the part before the recording. Round-trip times, windows and
/// backlogs are those of the samples (-e tcp/every=1s/): what lay between two is not seen.
/// With --time a connection belongs to the window in which it ends. Percentiles are at most 1/32
/// above the true ones.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Tcp {
    /// What one row is.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
    /// Add how long sockets were in each state, and where they went.
    #[arg(long)]
    pub states: bool,
}

/// What one row of the answer is.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// A connection, as one side sees it.
    #[default]
    Connection,
    /// The address of the other side.
    Peer,
    /// The process that connected or accepted.
    Process,
    /// This whole host.
    Host,
}

/// Most connections that are told apart.
const CONNECTIONS: usize = 1 << 16;
/// Most peers or processes that are.
const GROUPS: usize = 1 << 14;

/// What is known of a connection.
#[derive(Clone, Debug, Default)]
struct Connection {
    ended: Option<Ended>,
    samples: Samples,
    retransmits: Retransmits,
    resets: u64,
}

impl Fold for Connection {
    fn fold(&mut self, from: Connection) {
        self.ended = self.ended.take().max(from.ended);
        self.samples.fold(from.samples);
        self.retransmits.fold(from.retransmits);
        self.resets = self.resets.saturating_add(from.resets);
    }
}

/// The fold.
#[derive(Debug, Default)]
pub struct State {
    whole: Group,
    /// By connection number; 0 are those of no known socket.
    connections: Bounded<u64, Connection, CONNECTIONS>,
    /// By peer or process.
    groups: Bounded<u64, Group, GROUPS>,
    /// By connection number.
    listeners: Bounded<u64, Samples, 4096>,
    /// By peer and error.
    failures: Bounded<(u64, u32), Failures, 4096>,
    changes: Bounded<u64, Change, 4096>,
    resets: Bounded<u64, Reset, 1024>,
    /// By network namespace.
    totals: Bounded<u64, Totals, 1024>,
}

impl Report for Tcp {
    const NAME: &'static str = "tcp";
    type State = State;

    fn reads(&self, _: &Context<'_>) -> Vec<Read> {
        let mut reads = vec![
            Read::of(TcpConnection::DESC.name, &Ended::COLUMNS),
            Read::maybe(TcpRetransmit::DESC.name, &Retransmits::COLUMNS),
            Read::maybe(TcpReset::DESC.name, &Reset::COLUMNS),
            Read::maybe(TcpSample::DESC.name, &Shot::COLUMNS),
            Read::maybe(TcpCounters::DESC.name, &Totals::COLUMNS),
        ];
        if self.states {
            reads.push(Read::maybe(TcpState::DESC.name, &Change::COLUMNS));
        }
        reads
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        match batch.record() {
            id if id == TcpConnection::DESC.id => self.connections(cx, batch, state),
            id if id == TcpRetransmit::DESC.id => self.retransmits(cx, batch, state),
            id if id == TcpReset::DESC.id => self.resets(cx, batch, state),
            id if id == TcpSample::DESC.id => self.samples(cx, batch, state),
            id if id == TcpState::DESC.id => {
                (0..batch.rows()).for_each(|row| Change::add(batch, row, &mut state.changes));
            }
            id if id == TcpCounters::DESC.id => {
                for (row, &netns) in batch.u64("netns").iter().enumerate() {
                    state.totals.at(netns).fold(Totals::of(batch, row));
                }
            }
            _ => {}
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.whole.fold(from.whole);
        into.connections.merge(from.connections);
        into.groups.merge(from.groups);
        into.listeners.merge(from.listeners);
        into.failures.merge(from.failures);
        into.changes.merge(from.changes);
        into.resets.merge(from.resets);
        into.totals.merge(from.totals);
    }

    fn finish(&self, cx: &Context<'_>, _: &Filter, state: State) -> Answer {
        answer::answer(self, cx, state)
    }
}

impl Tcp {
    /// Adds a row of a process and peer to the whole, and to its group.
    fn group(
        &self,
        cx: &Context<'_>,
        state: &mut State,
        (ring, process): (u16, Option<u64>),
        remote: u32,
        add: impl Fn(&mut Group),
    ) {
        add(&mut state.whole);
        let key = match self.by {
            By::Host if cx.hosts().several() => cx.hosts().of_ring(ring) as u64,
            By::Connection | By::Host => return,
            By::Process => process.unwrap_or(group::NOBODY),
            By::Peer => peer_key(cx.strings().get(remote)),
        };
        let group = state.groups.at(key);
        group.is_of(process, remote);
        add(group);
    }

    fn connections(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        for (row, &id) in batch.u32("connection").iter().enumerate() {
            let ended = Ended::of(cx, batch, row);
            self.group(cx, state, (batch.ring(), ended.process), ended.remote, |group| group.add(&ended));
            if ended.failed() && ended.error != 0 {
                let key = (ended.remote.into(), ended.error);
                state.failures.at(key).fold(Failures::of(ended.duration));
            }
            if self.by == By::Connection {
                let known = state.connections.at(id.into());
                known.ended = known.ended.take().max(Some(ended));
            }
        }
    }

    fn retransmits(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let (times, tgids) = (batch.u64("time"), batch.u32("tgid"));
        for (row, &id) in batch.u32("connection").iter().enumerate() {
            let process = cells::process_key(cx, tgids[row], times[row]);
            let sent = Retransmits::of(batch, row);
            let remote = batch.u32("remote")[row];
            self.group(cx, state, (batch.ring(), process), remote, |group| group.retransmits.fold(sent));
            if self.by == By::Connection {
                state.connections.at(id.into()).retransmits.fold(sent);
            }
        }
    }

    fn resets(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let (times, tgids) = (batch.u64("time"), batch.u32("tgid"));
        for (row, &id) in batch.u32("connection").iter().enumerate() {
            let process = cells::process_key(cx, tgids[row], times[row]);
            let remote = batch.u32("remote")[row];
            self.group(cx, state, (batch.ring(), process), remote, |group| group.resets += 1);
            Reset::add(batch, row, &mut state.resets);
            if self.by == By::Connection {
                state.connections.at(id.into()).resets += 1;
            }
        }
    }

    fn samples(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        for (row, &id) in batch.u32("connection").iter().enumerate() {
            let shot = Shot::of(cx, batch, row);
            if shot.is_listener() {
                state.listeners.at(id.into()).add(shot);
                continue;
            }
            self.group(cx, state, (batch.ring(), shot.process), shot.remote, |group| group.sample(&shot));
            if self.by == By::Connection {
                state.connections.at(id.into()).samples.add(shot);
            }
        }
    }
}
