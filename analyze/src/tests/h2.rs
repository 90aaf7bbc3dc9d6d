use ktape_schema::{
    H2Connection, H2Control, H2Stream, NO_GRPC_STATUS, fact_flag, h2_connection_end,
    h2_control_kind as kind, h2_direction as way, h2_role as role, h2_source, h2_stream_end,
};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::h2::{By, H2};
use crate::testing::{START, Tape, answer};

fn stream(tape: &mut Tape, path: &str, id: u32, duration: u64, change: impl FnOnce(&mut H2Stream)) {
    let path = if path.is_empty() { 0 } else { tape.string(path) };
    let mut row = H2Stream {
        end: START + 10_000 + u64::from(id),
        duration,
        first_answer: duration / 2,
        request_bytes: 10,
        response_bytes: 100,
        connection: 1,
        stream: id,
        tid: 10,
        tgid: 10,
        path,
        in_flight: 1,
        status: 200,
        source: h2_source::PLAINTEXT,
        role: role::CLIENT,
        end_reason: h2_stream_end::COMPLETE,
        grpc_status: 0,
        closed: 3,
        ..H2Stream::default()
    };
    change(&mut row);
    tape.fact(H2Stream::DESC, 0, &row.encode());
}

fn control(tape: &mut Tape, time: u64, change: impl FnOnce(&mut H2Control)) {
    let mut row = H2Control {
        time: START + time,
        connection: 1,
        tid: 10,
        tgid: 10,
        direction: way::RECEIVED,
        source: h2_source::PLAINTEXT,
        role: role::CLIENT,
        ..H2Control::default()
    };
    change(&mut row);
    tape.fact(H2Control::DESC, 0, &row.encode());
}

fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "client");
    tape.thread(20, 20, "server");
    let (local, remote, text) =
        (tape.string("10.0.0.1:5000"), tape.string("10.0.0.2:443"), tape.string("max_age"));
    let row = H2Connection {
        end: START + 50_000,
        duration: 49_000,
        sent_bytes: 500,
        received_bytes: 700,
        connection: 1,
        tid: 10,
        tgid: 10,
        local,
        remote,
        opened: 5,
        ended: 4,
        resets: 1,
        max_in_flight: 3,
        pings_sent: 2,
        pings_received: 3,
        goaway_last: 9,
        goaway_code: 0,
        goaway_text: text,
        goaway_by: way::RECEIVED,
        role: role::CLIENT,
        source: h2_source::PLAINTEXT,
        end_reason: h2_connection_end::CLOSED,
        ..H2Connection::default()
    };
    tape.fact(H2Connection::DESC, 0, &row.encode());
    stream(&mut tape, "/a.B/C", 1, 1000, |_| ());
    stream(&mut tape, "/a.B/C", 3, 3000, |row| row.grpc_status = 5);
    stream(&mut tape, "/a.B/C", 5, 10_000, |row| {
        row.end_reason = h2_stream_end::RESET;
        row.reset_code = 8;
        row.reset_by = way::SENT;
        row.grpc_status = NO_GRPC_STATUS;
        row.in_flight = 3;
    });
    stream(&mut tape, "/a.B/D", 7, 20, |_| ());
    stream(&mut tape, "", 9, 30, |row| {
        row.flags = fact_flag::OPEN;
        row.end_reason = h2_stream_end::NONE;
        row.grpc_status = NO_GRPC_STATUS;
        row.tgid = 20;
        row.tid = 20;
        row.role = role::SERVER;
        row.connection = 2;
    });
    control(&mut tape, 30_000, |row| {
        row.kind = kind::GOAWAY;
        row.last_stream = 9;
        row.text = text;
        row.length = 15;
    });
    control(&mut tape, 20_000, |row| {
        row.kind = kind::RST_STREAM;
        row.direction = way::SENT;
        row.stream = 5;
        row.code = 8;
        row.length = 4;
    });
    control(&mut tape, 1000, |row| row.kind = kind::SETTINGS);
    control(&mut tape, 1001, |row| {
        row.kind = kind::PING;
        row.frame_flags = 1;
        row.direction = way::SENT;
    });
    control(&mut tape, 25_000, |row| {
        row.kind = kind::RST_STREAM;
        row.stream = 7;
        row.code = 77;
    });
    tape
}

fn rows(found: &Value, table: &str, keys: &[&str]) -> Vec<Vec<Value>> {
    let rows = found[table].as_array().expect("rows");
    rows.iter().map(|row| keys.iter().map(|key| row[*key].clone()).collect()).collect()
}

#[test]
fn by_method_is_what_is_shown_where_methods_are_known() {
    let found = answer(&H2::default(), &tape(), FilterArgs::default());
    let keys = ["method", "role", "streams", "open", "resets", "grpc_failed", "avg_ns", "max_ns"];
    assert_eq!(
        json!(rows(&found, "methods", &keys)),
        json!([
            ["/a.B/C", "client", 3, 0, 1, 1, 4666, 10_000],
            [null, "server", 1, 1, 0, 0, null, null],
            ["/a.B/D", "client", 1, 0, 0, 0, 20, 20],
        ])
    );
    for (key, value) in [
        ("streams", 5),
        ("streams_open", 1),
        ("streams_complete", 3),
        ("streams_reset", 1),
        ("grpc_failed", 1),
        ("max_in_flight", 3),
        ("sent_bytes", 500),
        ("pings_sent", 2),
        ("pings_received", 3),
        ("reset_frames", 2),
        ("goaway_frames", 1),
    ] {
        assert_eq!(found[key], json!(value), "{key}");
    }
    assert_eq!(
        json!(rows(&found, "grpc_statuses", &["status", "code", "count"])),
        json!([["OK", 0, 2], ["NOT_FOUND", 5, 1]])
    );
    assert_eq!(
        json!(rows(&found, "resets", &["name", "code", "sent", "received"])),
        json!([["CANCEL", 8, 1, 0], ["other", null, 0, 1]])
    );
    assert_eq!(
        json!(rows(&found, "goaways", &["connection", "code_name", "last_stream", "debug"])),
        json!([[1, "NO_ERROR", 9, "max_age"]])
    );
}

#[test]
fn by_connection_and_process() {
    let by = |by| H2 { by: Some(by), log: false };
    let found = answer(&by(By::Connection), &tape(), FilterArgs::default());
    let keys = ["connection", "pid", "local", "remote", "streams", "opened", "goaway"];
    assert_eq!(
        json!(rows(&found, "connections", &keys)),
        json!([
            [1, 10, "10.0.0.1:5000", "10.0.0.2:443", 4, 5, "received NO_ERROR"],
            [2, null, null, null, 1, null, null],
        ])
    );
    let found = answer(&by(By::Process), &tape(), FilterArgs::default());
    assert_eq!(
        json!(rows(&found, "processes", &["pid", "role", "streams"])),
        json!([[10, "client", 4], [20, "server", 1]])
    );
}

#[test]
fn the_log_is_in_order_of_time() {
    let found = answer(&H2 { by: None, log: true }, &tape(), FilterArgs::default());
    assert_eq!(
        json!(rows(&found, "events", &["time_ns", "connection", "direction", "text"])),
        json!([
            [1000, 1, null, "new connection 10.0.0.1:5000 to 10.0.0.2:443"],
            [1000, 1, "received", "received settings"],
            [1001, 1, "sent", "sent ping ack"],
            [20_000, 1, "sent", "sent reset stream 5 CANCEL"],
            [25_000, 1, "received", "received reset stream 7 error 0x4d"],
            [30_000, 1, "received", "received goaway last stream 9 NO_ERROR max_age"],
            [50_000, 1, null, "connection closed"],
        ])
    );
}

#[test]
fn connections_are_shown_where_no_method_is_known() {
    let mut tape = Tape::new();
    tape.thread(10, 10, "client");
    stream(&mut tape, "", 1, 1000, |_| ());
    let found = answer(&H2::default(), &tape, FilterArgs::default());
    assert_eq!(json!(rows(&found, "connections", &["connection", "streams"])), json!([[1, 1]]));
}
