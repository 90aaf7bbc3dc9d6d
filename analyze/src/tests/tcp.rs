use ktape_schema::{
    TcpConnection, TcpCounters, TcpReset, TcpRetransmit, TcpSample, TcpState,
    tcp_direction as direction, tcp_flag as flag, tcp_outcome as outcome, tcp_owner as owner,
    tcp_retransmit_kind as kind, tcp_state_code as state,
};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::tcp::{By, Tcp};
use crate::testing::{START, Tape, answer};

const MS: u64 = 1_000_000;

/// A client's connection with losses, its server's side, a refused one, one that was there before
/// and whose process is not known.
fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "client");
    tape.thread(20, 20, "server");
    let here = tape.string("10.0.0.1:40000");
    let there = tape.string("10.0.0.2:443");
    let closed_port = tape.string("10.0.0.2:81");
    let six = tape.string("[fe80::1]:443");
    let base = TcpConnection {
        end: START + 900 * MS,
        duration: 500 * MS,
        netns: 7,
        state: state::FIN_WAIT2,
        outcome: outcome::CLOSED,
        flags: flag::ESTABLISHED,
        ..Default::default()
    };
    let client = TcpConnection {
        connect: 10 * MS,
        bytes_sent: 1100,
        bytes_acked: 1002,
        bytes_received: 31,
        bytes_retrans: 100,
        connection: 1,
        tid: 10,
        tgid: 10,
        local: here,
        remote: there,
        retrans: 5,
        srtt_us: 10_500,
        direction: direction::ACTIVE,
        owner: owner::CONNECT,
        ..base
    };
    let server = TcpConnection {
        connect: 9 * MS,
        bytes_sent: 30,
        bytes_received: 1001,
        connection: 2,
        tid: 20,
        tgid: 20,
        local: there,
        remote: here,
        direction: direction::PASSIVE,
        owner: owner::ACCEPT,
        ..base
    };
    let refused = TcpConnection {
        duration: 2 * MS,
        connect: 2 * MS,
        connection: 3,
        tid: 10,
        tgid: 10,
        local: here,
        remote: closed_port,
        error: 111,
        direction: direction::ACTIVE,
        outcome: outcome::CONNECT_FAILED,
        owner: owner::CONNECT,
        state: state::SYN_SENT,
        flags: 0,
        ..base
    };
    let before = TcpConnection {
        connection: 4,
        remote: six,
        outcome: outcome::OPEN,
        state: state::ESTABLISHED,
        flags: flag::ESTABLISHED | flag::OPEN | flag::BEGAN_BEFORE,
        ..base
    };
    for row in [client, server, refused, before] {
        tape.fact(TcpConnection::DESC, row.cpu as u16, &row.encode());
    }
    for (at, kind, segments, error) in [
        (1, kind::FAST, 2, 0),
        (2, kind::TIMEOUT, 1, 0),
        (3, kind::TAIL_LOSS_PROBE, 2, 0),
        (4, kind::FAST, 3, -105),
    ] {
        let row = TcpRetransmit {
            time: START + at * MS,
            connection: 1,
            tid: 10,
            tgid: 10,
            remote: there,
            segments,
            bytes: 20 * segments,
            error,
            kind,
            ..Default::default()
        };
        tape.fact(TcpRetransmit::DESC, 0, &row.encode());
    }
    // For the client's second connection, and for nobody.
    for (connection, tgid, way, reason) in [(3, 10, 1, 0), (0, 0, 0, 2)] {
        let row = TcpReset {
            time: START + 5 * MS,
            connection,
            tid: tgid,
            tgid,
            remote: closed_port,
            direction: way,
            reason,
            state: if connection > 0 { state::SYN_SENT } else { 0 },
            ..Default::default()
        };
        tape.fact(TcpReset::DESC, 0, &row.encode());
    }
    let sample = |at: u64, srtt_us, rcv_wnd| TcpSample {
        time: START + at * MS,
        connection: 1,
        tid: 10,
        tgid: 10,
        local: here,
        remote: there,
        srtt_us,
        cwnd: 10 + at as u32,
        snd_wnd: 65_535,
        rcv_wnd,
        state: state::ESTABLISHED,
        ..Default::default()
    };
    let listener = |at: u64, backlog| TcpSample {
        time: START + at * MS,
        connection: 5,
        tid: 20,
        tgid: 20,
        local: there,
        backlog,
        max_backlog: 3,
        state: state::LISTEN,
        ..Default::default()
    };
    for row in [
        sample(3, 12_000, 0),
        sample(1, 10_000, 1000),
        sample(2, 11_000, 0),
        listener(1, 4),
        listener(2, 3),
    ] {
        tape.fact(TcpSample::DESC, 0, &row.encode());
    }
    for (old, new, duration) in [
        (state::CLOSE, state::SYN_SENT, 0),
        (state::SYN_SENT, state::ESTABLISHED, 10 * MS),
        (state::SYN_SENT, state::CLOSE, 2 * MS),
    ] {
        let end = START + 20 * MS;
        let row = TcpState { end, duration, connection: 1, old, new, ..Default::default() };
        tape.fact(TcpState::DESC, 0, &row.encode());
    }
    for retrans_segs in [3, 2] {
        let row = TcpCounters {
            end: START + 30 * MS,
            duration: 10 * MS,
            retrans_segs,
            netns: 7,
            ..Default::default()
        };
        tape.fact(TcpCounters::DESC, 0, &row.encode());
    }
    tape
}

fn found(by: By, states: bool) -> Value {
    answer(&Tcp { by, states }, &tape(), FilterArgs::default())
}

fn cells(row: &Value, keys: &[&str]) -> Value {
    keys.iter().map(|key| row[key].clone()).collect()
}

#[test]
fn connections_have_their_process_latency_bytes_and_end() {
    let found = found(By::Connection, false);
    let keys = [
        "pid",
        "comm",
        "direction",
        "remote",
        "outcome",
        "error",
        "open",
        "began_before",
        "owner",
        "connect_ns",
        "sent_bytes",
        "received_bytes",
        "retransmitted_segments",
        "srtt_ns",
    ];
    let expected = [
        json!([
            10,
            "client",
            "active",
            "10.0.0.2:443",
            "closed",
            null,
            false,
            false,
            "connect",
            10 * MS,
            1100,
            31,
            5,
            10_500_000
        ]),
        json!([
            20,
            "server",
            "passive",
            "10.0.0.1:40000",
            "closed",
            null,
            false,
            false,
            "accept",
            9 * MS,
            30,
            1001,
            0,
            null
        ]),
        json!([
            10,
            "client",
            "active",
            "10.0.0.2:81",
            "connect_failed",
            "ECONNREFUSED",
            false,
            false,
            "connect",
            2 * MS,
            0,
            0,
            0,
            null
        ]),
        json!([
            null,
            "[unknown]",
            "unknown",
            "[fe80::1]:443",
            "open",
            null,
            true,
            true,
            "unknown",
            null,
            0,
            0,
            0,
            null
        ]),
    ];
    assert_eq!(found["connections"].as_array().map(Vec::len), Some(4));
    for (at, expected) in expected.iter().enumerate() {
        assert_eq!(cells(&found["connections"][at], &keys), *expected);
    }
    let client = &found["connections"][0];
    let keys = [
        "retransmits_timeout",
        "retransmits_fast",
        "retransmits_tail_loss_probe",
        "avg_srtt_ns",
        "max_srtt_ns",
        "cwnd_segments",
        "rcv_wnd_bytes",
        "zero_window_samples",
        "peer_zero_window_samples",
        "samples",
    ];
    let expected = json!([1, 2, 2, 11 * MS, 12 * MS, 13, 0, 2, 0, 3]);
    assert_eq!(cells(client, &keys), expected);
}

#[test]
fn the_whole_is_summed_up() {
    let found = found(By::Host, false);
    let keys = [
        "connections",
        "active",
        "passive",
        "open",
        "connect_failed",
        "retransmitted_segments",
        "retransmitted_bytes",
        "failed_retransmits",
        "resets",
        "samples",
    ];
    assert_eq!(cells(&found["summary"], &keys), json!([4, 2, 1, 1, 1, 5, 100, 3, 2, 3]));
    // A refused attempt is no latency of a connection.
    assert_eq!(found["summary"]["connect_max_ns"], json!(10 * MS));
    assert_eq!(found["summary"]["rtt_max_ns"], json!(12 * MS));
    let expected = json!([
        {"kind": "timeout", "segments": 1, "percentage": 20.0},
        {"kind": "fast", "segments": 2, "percentage": 40.0},
        {"kind": "tail_loss_probe", "segments": 2, "percentage": 40.0}
    ]);
    assert_eq!(found["retransmits"], expected);
    let expected = json!([
        {"direction": "sent", "reason": "no_socket", "state": "none", "count": 1,
            "without_socket": 1},
        {"direction": "received", "reason": "unknown", "state": "syn_sent", "count": 1,
            "without_socket": 0}
    ]);
    assert_eq!(found["resets"], expected);
    let expected = json!([{"remote": "10.0.0.2:81", "error": "ECONNREFUSED", "count": 1,
        "avg_ns": 2 * MS, "max_ns": 2 * MS}]);
    assert_eq!(found["failed_connects"], expected);
    let keys = ["local", "backlog", "most_backlog", "max_backlog", "full_samples", "samples"];
    let listener = &found["listeners"][0];
    assert_eq!(cells(listener, &keys), json!(["10.0.0.2:443", 3, 4, 3, 1, 2]));
    let counters = &found["counters"][0];
    assert_eq!(cells(counters, &["netns", "duration_ns", "retrans_segs"]), json!([7, 20 * MS, 5]));
}

#[test]
fn peers_are_hosts_and_processes_owners() {
    let peers = found(By::Peer, false);
    let expected = json!([["10.0.0.2", 2, 5], ["10.0.0.1", 1, 0], ["fe80::1", 1, 0]]);
    let rows = peers["peers"].as_array().expect("a table");
    let keys = ["peer", "connections", "retransmitted_segments"];
    let got: Value = rows.iter().map(|row| cells(row, &keys)).collect();
    assert_eq!(got, expected);
    let processes = found(By::Process, false);
    let rows = processes["processes"].as_array().expect("a table");
    let keys = ["pid", "comm", "connections", "sent_bytes"];
    let got: Value = rows.iter().map(|row| cells(row, &keys)).collect();
    let expected =
        json!([[10, "client", 2, 1100], [20, "server", 1, 30], [null, "[unknown]", 1, 0]]);
    assert_eq!(got, expected);
}

#[test]
fn states_are_told_when_asked_for() {
    assert_eq!(found(By::Host, false)["states"], Value::Null);
    let found = found(By::Host, true);
    let expected = json!([
        {"state": "syn_sent", "count": 2, "total_ns": 12 * MS, "avg_ns": 6 * MS,
            "max_ns": 10 * MS}
    ]);
    assert_eq!(found["states"], expected);
    assert_eq!(found["transitions"].as_array().map(Vec::len), Some(3));
    let first = &found["transitions"][0];
    assert_eq!(cells(first, &["from", "to", "count"]), json!(["syn_sent", "established", 1]));
}
