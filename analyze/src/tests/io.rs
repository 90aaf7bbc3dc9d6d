use ktape_schema::{Device, Io as IoRow, file_kind as kind, io_flag as flag, io_op as op};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::io::{By, Io};
use crate::testing::{START, Tape, answer};

const MS: u64 = 1_000_000;
const SDA1: u32 = 8 << 20 | 1;

fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "writer");
    tape.thread(20, 20, "reader");
    let name = tape.string("sda1");
    tape.define(Device::DESC, &Device { id: SDA1, name }.encode());
    let (data, log) = (tape.string("/srv/data"), tape.string("/srv/log"));
    let fs = tape.string("ext4");
    let ustack = tape.user_stack(&["main", "load"]);
    let kstack = tape.kernel_stack(&["entry", "folio_wait"]);
    let row = |tid: u32, op: u8, nr: u16, ms: u64, path: u32| IoRow {
        end: START + 1000 * MS,
        duration: ms * MS,
        tid,
        tgid: tid,
        path,
        fs,
        device: SDA1,
        offset: -1,
        nr,
        op,
        kind: kind::REGULAR,
        ..IoRow::default()
    };
    let rows = [
        IoRow {
            bytes: 4096,
            requested: 8192,
            offset: 12288,
            inode: 7,
            ustack,
            ..row(20, op::READ, 17, 20, data)
        },
        IoRow { error: 5, requested: 8192, ..row(20, op::READ, 17, 30, data) },
        IoRow { bytes: 512, flags: flag::APPEND, ..row(10, op::WRITE, 1, 6, log) },
        row(10, op::SYNC, 74, 9, log),
        // The longest are those that are not over.
        IoRow { kstack, flags: flag::OPEN | flag::BEGAN_BEFORE, ..row(10, op::SYNC, 74, 8, log) },
        IoRow { kind: kind::NONE, device: 0, fs: 0, ..row(10, op::SYNC, 162, 5, 0) },
    ];
    for row in rows {
        tape.fact(IoRow::DESC, 0, &row.encode());
    }
    tape
}

fn ask(by: By) -> Value {
    answer(&Io { by }, &tape(), FilterArgs::default())
}

fn check(row: &Value, expected: &Value) {
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&row[key], value, "{key} of {row:#}");
    }
}

#[test]
fn open_ones_stand_first_then_the_slowest() {
    let found = ask(By::Call);
    let summary = json!({"count": 6, "open": 1, "errors": 1, "total_time_ns": 78 * MS,
        "read_bytes": 4096, "written_bytes": 512});
    check(&found["summary"], &summary);
    let open = json!({"duration_ns": 8 * MS, "open": true, "began_before": true, "syscall": "fsync",
        "path": "/srv/log", "stack": "writer;entry_[k];folio_wait_[k]"});
    check(&found["calls"][0], &open);
    check(&found["calls"][1], &json!({"duration_ns": 30 * MS, "error": "EIO", "io_bytes": 0}));
    let read = json!({"duration_ns": 20 * MS, "start_ns": 980 * MS, "operation": "read",
        "syscall": "pread64", "io_bytes": 4096, "requested_bytes": 8192, "offset": 12288,
        "inode": 7, "device": "sda1", "fs": "ext4", "kind": "regular", "error": null,
        "stack": "reader;main;load"});
    check(&found["calls"][2], &read);
    let sync =
        json!({"syscall": "sync", "path": "[none]", "device": null, "inode": null, "offset": null});
    check(&found["calls"][5], &sync);
}

#[test]
fn sums_by_everything() {
    let rows = |by: By, key: &str, name: &str| -> Vec<(Value, u64, u64)> {
        let found = ask(by);
        let number = |row: &Value, key: &str| row[key].as_u64().expect("a number");
        let rows = found[key].as_array().expect("rows").iter();
        rows.map(|row| (row[name].clone(), number(row, "count"), number(row, "total_time_ns") / MS))
            .collect()
    };
    let files = [(json!("/srv/data"), 2, 50), (json!("/srv/log"), 3, 23), (json!("[none]"), 1, 5)];
    assert_eq!(rows(By::File, "files", "path"), files);
    let processes = [(json!("reader"), 2, 50), (json!("writer"), 4, 28)];
    assert_eq!(rows(By::Process, "processes", "comm"), processes);
    assert_eq!(rows(By::Device, "devices", "device"), [(json!("sda1"), 5, 73), (json!(""), 1, 5)]);
    let operations = [
        (json!("pread64"), 2, 50),
        (json!("fsync"), 2, 17),
        (json!("write"), 1, 6),
        (json!("sync"), 1, 5),
    ];
    assert_eq!(rows(By::Operation, "operations", "syscall"), operations);
    let stacks = ask(By::Stack);
    let found = stacks["stacks"].as_array().expect("rows");
    assert!(found.iter().any(|row| row["stack"] == json!("reader;main;load")));
}
