//! The blocks of the answer, and its main table.

use std::cmp::Reverse;

use ktape_schema::{
    tcp_direction, tcp_flag, tcp_outcome, tcp_owner, tcp_retransmit_kind, tcp_state_code,
};

use super::connection::Ended;
use super::events::Retransmits;
use super::group::{self, Group as Sums};
use super::sample::Shot;
use super::{By, Connection, State, Tcp, cells, tables};
use crate::answer::{Answer, Block, Cell, Facts, Histogram, Note, NoteKind, Show, Table, Unit};
use crate::context::Context;
use crate::run::{BoundedKey, LogHistogram};
use crate::task_cells;

pub(super) fn answer(report: &Tcp, cx: &Context<'_>, mut state: State) -> Answer {
    let whole = std::mem::take(&mut state.whole);
    let mut blocks = vec![Block::Heading("TCP".to_owned()), Block::Facts(summary(&whole))];
    blocks.extend(histograms(&whole));
    let main = match report.by {
        By::Connection => connections(cx, &mut state),
        By::Host if !cx.hosts().several() => groups(cx, By::Host, vec![(0, whole.clone())]),
        by => groups(cx, by, std::mem::take(&mut state.groups).into_sorted()),
    };
    let show = if main.rows.is_empty() { Show::Json } else { Show::All };
    blocks.push(Block::Table(Table { show, ..main }));
    blocks.push(tables::retransmits(&whole));
    blocks.push(tables::resets(&mut state));
    blocks.push(tables::failures(cx, &mut state));
    blocks.push(tables::listeners(cx, &mut state));
    if report.states {
        blocks.extend(tables::states(std::mem::take(&mut state.changes)));
    }
    blocks.extend(tables::totals(&mut state));
    Answer { blocks, notes: notes(&whole), ..Answer::default() }
}

fn summary(whole: &Sums) -> Facts {
    let count = Cell::Count;
    let retransmits = &whole.retransmits;
    let mut rows = vec![
        ("connections", "connections", count(whole.connections)),
        ("active", "  opened from here", count(whole.active)),
        ("passive", "  accepted", count(whole.passive)),
        ("open", "  open at the stop", count(whole.open)),
        ("connect_failed", "  failed to connect", count(whole.failed)),
        ("reset_by_peer", "  reset by the peer", count(whole.reset)),
        ("aborted", "  aborted from here", count(whole.aborted)),
        ("failed", "  given up by the kernel", count(whole.broken)),
        ("sent_bytes", "sent", Cell::Bytes(whole.bytes_sent)),
        ("received_bytes", "received", Cell::Bytes(whole.bytes_received)),
        ("retransmitted_segments", "sent again, segments", count(retransmits.all())),
        ("retransmitted_bytes", "  bytes", Cell::Bytes(retransmits.bytes)),
        ("resets", "resets", count(whole.resets)),
        ("samples", "samples", count(whole.samples)),
        ("zero_window_samples", "  with a window of 0", count(whole.own_zero_windows)),
        ("peer_zero_window_samples", "  with the peer's at 0", count(whole.peer_zero_windows)),
    ];
    if retransmits.failed > 0 {
        let failed = ("failed_retransmits", "not sent, segments", count(retransmits.failed));
        rows.push(failed);
    }
    rows.extend(latencies(whole).map(|(key, label, cell)| (key, label, cell)));
    Facts { key: "summary", rows, ..Facts::default() }
}

fn latencies(group: &Sums) -> [(&'static str, &'static str, Cell); 9] {
    let (connects, rtt) = (&group.connects, &group.rtt);
    [
        ("connect_p50_ns", "connect p50", cells::percentile(connects, 500)),
        ("connect_p99_ns", "connect p99", cells::percentile(connects, 990)),
        ("connect_max_ns", "connect max", cells::max(connects)),
        ("handshake_p50_ns", "", cells::percentile(&group.handshakes, 500)),
        ("handshake_p99_ns", "", cells::percentile(&group.handshakes, 990)),
        ("handshake_max_ns", "", cells::max(&group.handshakes)),
        ("rtt_p50_ns", "rtt p50", cells::percentile(rtt, 500)),
        ("rtt_p99_ns", "rtt p99", cells::percentile(rtt, 990)),
        ("rtt_max_ns", "rtt max", cells::max(rtt)),
    ]
}

fn histograms(whole: &Sums) -> Vec<Block> {
    let histogram = |key, title: &str, of: &LogHistogram| {
        let buckets = of.log2();
        Block::Histogram(Histogram { key, title: title.to_owned(), unit: Unit::Ns, buckets })
    };
    vec![
        histogram("rtt", "Smoothed round-trip times, of samples", &whole.rtt),
        histogram("connect_latency", "Connect latency, SYN to established", &whole.connects),
        histogram("handshake_latency", "Handshakes, SYN-ACK to ACK", &whole.handshakes),
    ]
}

/// Columns of the table of connections, after those of the process.
const CONNECTION: [(&str, &str); 45] = [
    ("direction", "way"),
    ("local", "local"),
    ("remote", "remote"),
    ("outcome", "outcome"),
    ("error", "error"),
    ("state", ""),
    ("open", ""),
    ("began_before", ""),
    ("owner", ""),
    ("end_ns", ""),
    ("duration_ns", "lasted"),
    ("connect_ns", "connect"),
    ("sent_bytes", "sent"),
    ("acked_bytes", ""),
    ("received_bytes", "received"),
    ("segs_out", ""),
    ("segs_in", ""),
    ("lifetime_retransmitted_segments", ""),
    ("lifetime_retransmitted_bytes", ""),
    ("retransmitted_segments", "again"),
    ("retransmits_timeout", ""),
    ("retransmits_fast", ""),
    ("retransmits_tail_loss_probe", ""),
    ("retransmits_after_timeout", ""),
    ("retransmits_syn", ""),
    ("retransmits_other", ""),
    ("resets", ""),
    ("lost_segments", ""),
    ("dsack_dups", ""),
    ("reordered", ""),
    ("out_of_order", ""),
    ("srtt_ns", "rtt"),
    ("rttvar_ns", ""),
    ("min_rtt_ns", ""),
    ("avg_srtt_ns", ""),
    ("max_srtt_ns", ""),
    ("cwnd_segments", "cwnd"),
    ("ssthresh_segments", ""),
    ("snd_wnd_bytes", ""),
    ("rcv_wnd_bytes", ""),
    ("mss_bytes", ""),
    ("delivery_bytes_per_s", ""),
    ("zero_window_samples", "zero wnd"),
    ("peer_zero_window_samples", ""),
    ("samples", ""),
];

/// Where most was sent again first, then where most was carried.
fn connections(cx: &Context<'_>, state: &mut State) -> Table {
    let mut all: Vec<(u64, Connection)> =
        std::mem::take(&mut state.connections).into_sorted();
    // What found no room, and events of sockets that nothing else is known of, are no connections.
    let not_kept = all.iter().filter(|(key, _)| *key == u64::OTHERS).count() as u64;
    all.retain(|(key, known)| {
        *key != u64::OTHERS && (known.ended.is_some() || known.samples.last.is_some())
    });
    all.sort_by_cached_key(|(key, known)| {
        let carried = |sent: u64, received: u64| sent.saturating_add(received);
        let bytes = match (&known.ended, &known.samples.last) {
            (Some(ended), _) => carried(ended.bytes_sent, ended.bytes_received),
            (None, Some(last)) => carried(last.bytes_sent, last.bytes_received),
            (None, None) => 0,
        };
        (Reverse(known.retransmits.all()), Reverse(bytes), *key)
    });
    let mut columns = task_cells::PROCESS.to_vec();
    columns.extend(CONNECTION);
    columns.extend([("netns", ""), ("connection", "")]);
    let mut table = Table::main("connections", &columns);
    table.title = "Connections".to_owned();
    table.not_kept = not_kept;
    table.rows = all.iter().map(|(key, known)| connection(cx, *key, known)).collect();
    table
}

fn connection(cx: &Context<'_>, key: u64, known: &Connection) -> Vec<Cell> {
    let (ended, last) = (known.ended.as_ref(), known.samples.last.as_ref());
    let of = |ended_value: fn(&Ended) -> u32, last_value: fn(&Shot) -> u32| {
        ended.map(ended_value).or(last.map(last_value)).unwrap_or(0)
    };
    let wide = |ended_value: fn(&Ended) -> u64, last_value: fn(&Shot) -> u64| {
        Cell::Bytes(ended.map(ended_value).or(last.map(last_value)).unwrap_or(0))
    };
    let owner = ended.and_then(|ended| ended.process).or(last.and_then(|last| last.process));
    let mut row = cells::process(cx, owner);
    let counted = |value: fn(&Ended) -> u32| {
        Cell::maybe(ended.map(value), |value| Cell::Count(value.into()))
    };
    let named = |names, value: fn(&Ended) -> u8| {
        Cell::maybe(ended.map(value), |value| Cell::name(names, value))
    };
    let shot = |value: fn(&Shot) -> u32, cell: fn(u64) -> Cell| {
        Cell::maybe(last.map(value), |value| cell(value.into()))
    };
    let state = ended.map(|ended| ended.state).or(last.map(|last| last.state)).unwrap_or(0);
    row.extend([
        named(tcp_direction::NAMES, |ended| ended.direction),
        cells::address(cx, of(|ended| ended.local, |last| last.local)),
        cells::address(cx, of(|ended| ended.remote, |last| last.remote)),
        named(tcp_outcome::NAMES, |ended| ended.outcome),
        cells::error(ended.map_or(0, |ended| ended.error)),
        Cell::name(tcp_state_code::NAMES, state),
        Cell::Bool(ended.is_none_or(|ended| ended.has(tcp_flag::OPEN))),
        Cell::maybe(ended, |ended| Cell::Bool(ended.has(tcp_flag::BEGAN_BEFORE))),
        named(tcp_owner::NAMES, |ended| ended.owner),
        Cell::maybe(ended, |ended| Cell::Time(cx.offset(ended.end))),
        Cell::maybe(ended, |ended| Cell::DurNs(ended.duration)),
        Cell::maybe(ended.filter(|ended| ended.connect > 0), |ended| Cell::DurNs(ended.connect)),
        wide(|ended| ended.bytes_sent, |last| last.bytes_sent),
        wide(|ended| ended.bytes_acked, |last| last.bytes_acked),
        wide(|ended| ended.bytes_received, |last| last.bytes_received),
        counted(|ended| ended.segs_out),
        counted(|ended| ended.segs_in),
        Cell::Count(of(|ended| ended.retrans, |last| last.retrans).into()),
        Cell::maybe(ended, |ended| Cell::Bytes(ended.bytes_retrans)),
        Cell::Count(known.retransmits.all()),
    ]);
    row.extend(kinds(&known.retransmits));
    row.extend([
        Cell::Count(known.resets),
        counted(|ended| ended.lost),
        counted(|ended| ended.dsack_dups),
        counted(|ended| ended.reordered),
        counted(|ended| ended.out_of_order),
        cells::micros(of(|ended| ended.srtt_us, |last| last.srtt_us)),
        cells::micros(of(|ended| ended.rttvar_us, |last| last.rttvar_us)),
        cells::micros(of(|ended| ended.min_rtt_us, |last| last.min_rtt_us)),
        Cell::maybe(known.samples.srtt_mean_ns(), Cell::DurNs),
        cells::micros(known.samples.srtt_max_us),
        shot(|last| last.cwnd, Cell::Count),
        shot(|last| last.ssthresh, Cell::Count),
        shot(|last| last.snd_wnd, Cell::Bytes),
        shot(|last| last.rcv_wnd, Cell::Bytes),
        shot(|last| last.mss, Cell::Bytes),
        Cell::maybe(last, |last| Cell::Rate {
            count: last.delivery_rate,
            per_ns: 1_000_000_000,
        }),
        Cell::Count(known.samples.own_zero_windows),
        Cell::Count(known.samples.peer_zero_windows),
        Cell::Count(known.samples.count),
        Cell::Count(of(|ended| ended.netns, |last| last.netns).into()),
        Cell::Count(key),
    ]);
    row
}

/// Segments sent again in the recording: by time-out, fast, as a probe, after a time-out, SYN, other.
fn kinds(sent: &Retransmits) -> [Cell; 6] {
    use tcp_retransmit_kind as kind;
    [
        kind::TIMEOUT,
        kind::FAST,
        kind::TAIL_LOSS_PROBE,
        kind::AFTER_TIMEOUT,
        kind::SYN,
        kind::OTHER,
    ]
    .map(|kind| Cell::Count(sent.segments[usize::from(kind)]))
}

/// Columns of groups, after what names them.
const GROUP: [(&str, &str); 27] = [
    ("connections", "connections"),
    ("active", "from here"),
    ("passive", "accepted"),
    ("open", "open"),
    ("connect_failed", "failed"),
    ("reset_by_peer", "reset"),
    ("aborted", "aborted"),
    ("failed", ""),
    ("sent_bytes", "sent"),
    ("acked_bytes", ""),
    ("received_bytes", "received"),
    ("segs_out", ""),
    ("segs_in", ""),
    ("lifetime_retransmitted_segments", ""),
    ("lifetime_retransmitted_bytes", ""),
    ("retransmitted_segments", "again"),
    ("retransmits_timeout", ""),
    ("retransmits_fast", ""),
    ("retransmits_tail_loss_probe", ""),
    ("retransmits_after_timeout", ""),
    ("retransmits_syn", ""),
    ("retransmits_other", ""),
    ("retransmits_syn_ack", ""),
    ("resets", "resets"),
    ("samples", ""),
    ("zero_window_samples", "zero wnd"),
    ("peer_zero_window_samples", ""),
];

fn groups(cx: &Context<'_>, by: By, mut groups: Vec<(u64, Sums)>) -> Table {
    groups.sort_by_cached_key(|(key, group)| {
        let bytes = group.bytes_sent.saturating_add(group.bytes_received);
        (Reverse(group.retransmits.all()), Reverse(bytes), *key)
    });
    let (key, title, mut columns) = match by {
        By::Process => ("processes", "By process", task_cells::PROCESS.to_vec()),
        By::Peer => ("peers", "By peer", vec![("peer", "peer")]),
        By::Host | By::Connection => ("hosts", "The host", vec![("host", "host")]),
    };
    columns.extend(GROUP);
    let names = latencies(&Sums::default());
    columns.extend(names.iter().map(|&(key, label, _)| (key, label)));
    let mut table = Table::main(key, &columns);
    table.title = title.to_owned();
    for (key, group) in groups {
        let mut row = match by {
            _ if key == u64::OTHERS => {
                let blanks = columns.len() - GROUP.len() - names.len() - 1;
                let mut row = vec![Cell::None; blanks];
                row.push(Cell::others());
                row
            }
            By::Process => cells::process(cx, group.process),
            By::Peer => {
                let address = cx.strings().get(group.remote.unwrap_or(0));
                vec![match group::host(address) {
                    [] => Cell::None,
                    host => Cell::text(host),
                }]
            }
            By::Host | By::Connection => {
                let host = cx.hosts().list().get(key as usize);
                vec![Cell::maybe(host, |host| Cell::text(&host.name))]
            }
        };
        row.extend(group_cells(&group));
        row.extend(latencies(&group).map(|(_, _, cell)| cell));
        table.rows.push(row);
    }
    table
}

fn group_cells(group: &Sums) -> Vec<Cell> {
    let mut row: Vec<Cell> = [
        group.connections,
        group.active,
        group.passive,
        group.open,
        group.failed,
        group.reset,
        group.aborted,
        group.broken,
    ]
    .map(Cell::Count)
    .to_vec();
    let bytes = [group.bytes_sent, group.bytes_acked, group.bytes_received].map(Cell::Bytes);
    row.extend(bytes);
    row.extend([group.segs_out, group.segs_in, group.segs_retrans].map(Cell::Count));
    row.push(Cell::Bytes(group.bytes_retrans));
    row.push(Cell::Count(group.retransmits.all()));
    row.extend(kinds(&group.retransmits));
    let syn_acks = group.retransmits.segments[usize::from(tcp_retransmit_kind::SYN_ACK)];
    row.extend(
        [
            syn_acks,
            group.resets,
            group.samples,
            group.own_zero_windows,
            group.peer_zero_windows,
        ]
        .map(Cell::Count),
    );
    row
}

fn notes(whole: &Sums) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut about = |text: &str| notes.push(Note::new(NoteKind::About, text.to_owned()));
    if whole.connections > 0 {
        about(
            "each side of a connection within this host is a connection of its own; bytes are those \
             of a connection's whole life, segments sent `again` those of the recording",
        );
    }
    if whole.own_zero_windows + whole.peer_zero_windows > 0 {
        about("windows of 0 are those seen in samples: shorter ones show in the counters only");
    }
    notes
}
