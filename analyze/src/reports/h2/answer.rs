//! The blocks of the h2 answer.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ktape_schema::{fact_flag, h2_connection_end, h2_direction, h2_role, h2_source};

use super::connections::Connection;
use super::sums::{Control, Sums, Totals};
use super::{By, State, codes, direction, events};
use crate::answer::{Answer, Block, Cell, Facts, Note, NoteKind, Table};
use crate::context::{Context, ProcessKey};
use crate::query::Filter;
use crate::run::BoundedKey;
use crate::task_cells;

pub(super) fn answer(by: Option<By>, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
    let (from, to) = filter.window(cx);
    let window = to - from;
    let State { methods, streams, processes, all, connections, control, goaways, .. } = state;
    let methods = methods.into_sorted();
    let named = methods.iter().any(|((path, _), _)| *path != 0);
    let by = by.unwrap_or(if named { By::Method } else { By::Connection });
    let table = match by {
        By::Method => by_method(cx, window, methods),
        By::Process => by_process(cx, window, processes.into_sorted()),
        By::Connection => {
            let added = connections.added();
            by_connection(cx, window, added, connections.into_sorted(), streams.into_sorted())
        }
    };
    let added = goaways.added();
    let goaways = goaways.into_sorted();
    let mut blocks = vec![
        Block::Heading("HTTP/2".to_owned()),
        Block::Facts(summary(window, &all, &control)),
        Block::Table(table),
    ];
    blocks.extend(counts(
        "grpc_statuses",
        "gRPC status",
        ("status", "status"),
        all.streams.statuses.iter().enumerate().map(|(at, n)| (at, codes::status_at(at), *n)),
    ));
    blocks.extend(frames("resets", "RST_STREAM", &control.resets));
    if !goaways.is_empty() {
        blocks.push(Block::Table(events::goaways(cx, added, &goaways)));
    }
    Answer { blocks, notes: notes(&all), ..Answer::default() }
}

fn summary(window: u64, all: &Totals, control: &Control) -> Facts {
    let streams = &all.streams;
    let frames = |codes: &[[u64; 2]]| codes.iter().flatten().sum();
    Facts {
        rows: vec![
            ("window_ns", "window", Cell::DurNs(window)),
            ("connections", "connections", Cell::Count(all.connections)),
            ("connections_open", "  still open", Cell::Count(all.open)),
            ("streams", "streams", Cell::Count(streams.count)),
            ("rate_per_s", "  rate", Cell::Rate { count: streams.count, per_ns: window }),
            ("streams_open", "  still open", Cell::Count(streams.open)),
            ("streams_complete", "  complete", Cell::Count(streams.complete)),
            ("streams_reset", "  reset", Cell::Count(streams.resets)),
            ("streams_cut", "  cut by the connection's end", Cell::Count(streams.cut)),
            ("grpc_failed", "  gRPC status not OK", Cell::Count(streams.failed())),
            ("http_4xx", "  HTTP status 4xx", Cell::Count(streams.http_errors[0])),
            ("http_5xx", "  HTTP status 5xx", Cell::Count(streams.http_errors[1])),
            ("p50_ns", "p50", Cell::DurNs(streams.times.percentile(500))),
            ("p99_ns", "p99", Cell::DurNs(streams.times.percentile(990))),
            ("max_ns", "max", Cell::DurNs(streams.times.max())),
            ("max_in_flight", "most in flight", Cell::Count(all.max_in_flight.into())),
            ("sent_bytes", "sent", Cell::Bytes(all.sent_bytes)),
            ("received_bytes", "received", Cell::Bytes(all.received_bytes)),
            ("pings_sent", "pings sent", Cell::Count(all.pings_sent)),
            ("pings_received", "pings received", Cell::Count(all.pings_received)),
            ("reset_frames", "RST_STREAM frames", Cell::Count(frames(&control.resets))),
            ("goaway_frames", "GOAWAY frames", Cell::Count(frames(&control.goaways))),
            ("desyncs", "lost track", Cell::Count(all.desyncs)),
        ],
        ..Facts::default()
    }
}

/// What is told of a group's streams: keys, labels.
const COLUMNS: [(&str, &str); 18] = [
    ("streams", "streams"),
    ("rate_per_s", "rate"),
    ("open", "open"),
    ("resets", "reset"),
    ("cut", ""),
    ("grpc_failed", "not OK"),
    ("http_4xx", "4xx"),
    ("http_5xx", "5xx"),
    ("avg_ns", "average"),
    ("p50_ns", "p50"),
    ("p90_ns", "p90"),
    ("p99_ns", "p99"),
    ("max_ns", "max"),
    ("first_answer_p50_ns", ""),
    ("first_answer_p99_ns", ""),
    ("max_in_flight", "in flight"),
    ("request_bytes", "request"),
    ("response_bytes", "response"),
];

fn cells(window: u64, sums: &Sums) -> Vec<Cell> {
    let times = &sums.times;
    let time = |value| Cell::maybe((times.count() > 0).then_some(value), Cell::DurNs);
    let first = |per_mille| {
        let known = sums.first_answers.count() > 0;
        Cell::maybe(known.then(|| sums.first_answers.percentile(per_mille)), Cell::DurNs)
    };
    vec![
        Cell::Count(sums.count),
        Cell::Rate { count: sums.count, per_ns: window },
        Cell::Count(sums.open),
        Cell::Count(sums.resets),
        Cell::Count(sums.cut),
        Cell::Count(sums.failed()),
        Cell::Count(sums.http_errors[0]),
        Cell::Count(sums.http_errors[1]),
        time(sums.total.checked_div(times.count()).unwrap_or(0)),
        time(times.percentile(500)),
        time(times.percentile(900)),
        time(times.percentile(990)),
        time(times.max()),
        first(500),
        first(990),
        Cell::Count(sums.max_in_flight.into()),
        Cell::Bytes(sums.request_bytes),
        Cell::Bytes(sums.response_bytes),
    ]
}

fn role(role: u32) -> Cell {
    Cell::name(h2_role::NAMES, role)
}

type Groups = Vec<((u64, u32), Sums)>;

/// The key of all groups that were too many to be told apart.
const OTHERS: (u64, u32) = <(u64, u32)>::OTHERS;

fn by_method(cx: &Context<'_>, window: u64, mut groups: Groups) -> Table {
    let mut columns = vec![("method", "method"), ("role", "as")];
    columns.extend(COLUMNS);
    let mut table = Table::main("methods", &columns);
    table.title = "By method".to_owned();
    groups.sort_by_key(|(key, sums)| (Reverse(sums.count), *key));
    table.rows = groups
        .into_iter()
        .map(|(key, sums)| {
            let path = u32::try_from(key.0).ok().filter(|&path| path != 0);
            let mut row = match (key, path) {
                (OTHERS, _) => vec![Cell::others(), Cell::None],
                (_, Some(path)) => vec![Cell::text(cx.strings().get(path)), role(key.1)],
                (_, None) => vec![Cell::None, role(key.1)],
            };
            row.extend(cells(window, &sums));
            row
        })
        .collect();
    table
}

fn by_process(cx: &Context<'_>, window: u64, mut groups: Groups) -> Table {
    let mut columns = task_cells::PROCESS.to_vec();
    columns.push(("role", "as"));
    columns.extend(COLUMNS);
    let mut table = Table::main("processes", &columns);
    table.title = "By process".to_owned();
    groups.sort_by_key(|(key, sums)| {
        (Reverse(sums.count), cx.tasks().pid(ProcessKey(key.0)), *key)
    });
    table.rows = groups
        .into_iter()
        .map(|(key, sums)| {
            let mut row = match key {
                OTHERS => vec![Cell::None, Cell::None, Cell::others(), Cell::None],
                _ => [task_cells::process(cx, ProcessKey(key.0)), vec![role(key.1)]]
                    .concat(),
            };
            row.extend(cells(window, &sums));
            row
        })
        .collect();
    table
}

/// What is told of a connection besides its streams.
const CONNECTION: [(&str, &str); 23] = [
    ("connection", "conn"),
    ("pid", "pid"),
    ("comm", "process"),
    ("role", "as"),
    ("local", "local"),
    ("remote", "remote"),
    ("source", ""),
    ("start_ns", "from"),
    ("duration_ns", "for"),
    ("end_reason", ""),
    ("connection_open", ""),
    ("began_before", ""),
    ("opened", ""),
    ("ended", ""),
    ("sent_bytes", "sent"),
    ("received_bytes", "received"),
    ("pings_sent", ""),
    ("pings_received", ""),
    ("desyncs", ""),
    ("undecoded", ""),
    ("goaway", "goaway"),
    ("goaway_last_stream", ""),
    ("goaway_debug", ""),
];

fn connection_cells(cx: &Context<'_>, row: &Connection) -> Vec<Cell> {
    let process = ProcessKey(row.process);
    let goaway = row.goaway_by != h2_direction::NONE;
    let address = |id: u32| Cell::maybe((id != 0).then(|| cx.strings().get(id)), Cell::text);
    vec![
        Cell::Count(row.connection.0.into()),
        Cell::Pid(cx.tasks().pid(process)),
        Cell::text(cx.process_comm(process)),
        Cell::name(h2_role::NAMES, row.role),
        address(row.local),
        address(row.remote),
        Cell::name(h2_source::NAMES, row.source),
        Cell::Time(cx.offset(row.end.saturating_sub(row.duration))),
        Cell::DurNs(row.duration),
        Cell::name(h2_connection_end::NAMES, row.end_reason),
        Cell::Bool(row.is(fact_flag::OPEN)),
        Cell::Bool(row.is(fact_flag::BEGAN_BEFORE)),
        Cell::Count(row.opened.into()),
        Cell::Count(row.ended.into()),
        Cell::Bytes(row.sent_bytes),
        Cell::Bytes(row.received_bytes),
        Cell::Count(row.pings_sent.into()),
        Cell::Count(row.pings_received.into()),
        Cell::Count(row.desyncs.into()),
        Cell::Count(row.undecoded.into()),
        Cell::maybe(goaway.then(|| codes::error(row.goaway_code)), |name| {
            Cell::text(format!("{} {name}", direction(row.goaway_by)))
        }),
        Cell::maybe(goaway.then_some(row.goaway_last), |last| Cell::Count(last.into())),
        Cell::maybe(goaway.then_some(row.goaway_text), |text| Cell::text(cx.strings().get(text))),
    ]
}

fn by_connection(
    cx: &Context<'_>,
    window: u64,
    added: u64,
    connections: Vec<Connection>,
    streams: Groups,
) -> Table {
    let mut columns = CONNECTION.to_vec();
    columns.extend(COLUMNS);
    let mut table = Table::main("connections", &columns);
    table.title = "By connection".to_owned();
    table.not_kept = added - connections.len() as u64;
    let mut streams: BTreeMap<(u64, u32), Sums> = streams.into_iter().collect();
    for row in &connections {
        let sums = streams.remove(&(row.connection.0.into(), 0)).unwrap_or_default();
        let mut cells_of_row = connection_cells(cx, row);
        cells_of_row.extend(cells(window, &sums));
        table.rows.push(cells_of_row);
    }
    // Of connections whose end is outside the window, or that were too many.
    let mut rest: Vec<_> = streams.into_iter().collect();
    rest.sort_by_key(|(key, sums)| (Reverse(sums.count), *key));
    for (key, sums) in rest {
        let mut row = vec![Cell::None; CONNECTION.len()];
        row[0] = if key == OTHERS { Cell::others() } else { Cell::Count(key.0) };
        row.extend(cells(window, &sums));
        table.rows.push(row);
    }
    table
}

/// A table of counts by code, of those that occurred.
fn counts(
    key: &'static str,
    title: &str,
    column: (&'static str, &'static str),
    codes: impl Iterator<Item = (usize, &'static str, u64)>,
) -> Option<Block> {
    let mut table = Table::plain(key, &[column, ("code", "code"), ("count", "count")]);
    table.title = title.to_owned();
    table.rows = codes
        .filter(|(.., count)| *count > 0)
        .map(|(code, name, count)| {
            vec![Cell::text(name), Cell::Count(code as u64), Cell::Count(count)]
        })
        .collect();
    (!table.rows.is_empty()).then_some(Block::Table(table))
}

/// A table of frames by code and direction, of those that occurred.
fn frames(key: &'static str, title: &str, codes: &[[u64; 2]]) -> Option<Block> {
    let columns = [
        ("name", "error"),
        ("code", "code"),
        ("sent", "sent"),
        ("received", "received"),
    ];
    let mut table = Table::plain(key, &columns);
    table.title = title.to_owned();
    table.rows = codes
        .iter()
        .enumerate()
        .filter(|(_, counts)| counts.iter().any(|&count| count > 0))
        .map(|(code, &[sent, received])| {
            let number = Cell::Count(code as u64);
            vec![
                Cell::text(codes::error_at(code)),
                if code + 1 == codes::ERROR_PLACES { Cell::None } else { number },
                Cell::Count(sent),
                Cell::Count(received),
            ]
        })
        .collect();
    (!table.rows.is_empty()).then_some(Block::Table(table))
}

fn notes(all: &Totals) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut about = |text: String| notes.push(Note::new(NoteKind::About, text));
    if all.guessed > 0 {
        about(format!(
            "{} connections are older than the recording: they were taken for HTTP/2 by the look of \
             their frames, and what was said on them before is unknown",
            all.guessed
        ));
    }
    if all.desyncs > 0 {
        about(format!(
            "track was lost {} times: some data of those connections was not seen (sendfile, splice, \
             sendmmsg, recvmmsg and io_uring are not), and their counts are too low",
            all.desyncs
        ));
    }
    if all.undecoded > 0 {
        about(format!(
            "{} header blocks were not read (longer than 1014 bytes, or in several frames): methods \
             and statuses on those connections may be missing",
            all.undecoded
        ));
    }
    if all.streams.began_before > 0 {
        about(format!(
            "{} streams had begun before the recording: they lasted longer",
            all.streams.began_before
        ));
    }
    notes
}
