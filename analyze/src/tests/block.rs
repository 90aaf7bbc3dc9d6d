use ktape_schema::{BlockIo, Device, block_flag as flag, block_op as op};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::block::{Block, By};
use crate::testing::{START, Tape, answer};

const US: u64 = 1000;
const SDA: u32 = 8 << 20;

fn request(tid: u32, op: u8, flags: u16, bytes: u64, queue: u64, service: u64) -> BlockIo {
    BlockIo {
        end: START + 1_000_000_000,
        duration: (queue + service) * US,
        queue: queue * US,
        service: service * US,
        bytes,
        tid,
        tgid: tid,
        device: SDA,
        partition: SDA | 1,
        flags,
        op,
        issues: 1,
        ..BlockIo::default()
    }
}

fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "writer");
    tape.thread(20, 20, "reader");
    let name = tape.string("sda");
    tape.define(Device::DESC, &Device { id: SDA, name }.encode());
    let kstack = tape.kernel_stack(&["entry", "submit_bio"]);
    let ustack = tape.user_stack(&["main", "load"]);
    let rows = [
        request(20, op::READ, flag::SEQUENTIAL, 4096, 10, 100),
        BlockIo { kstack, ustack, ..request(20, op::READ, 0, 8192, 30, 300) },
        BlockIo { error: 5, ..request(20, op::READ, flag::MERGED, 0, 20, 200) },
        request(10, op::WRITE, 0, 512, 1, 2),
        BlockIo { issues: 0, ..request(10, op::EMPTY_FLUSH, 0, 0, 77, 0) },
        request(0, op::FLUSH, 0, 0, 0, 70),
        // Known are its end and its bytes.
        request(0, op::READ, flag::BEGAN_BEFORE, 512, 0, 0),
        request(10, op::WRITE, flag::OPEN, 0, 5, 900),
        BlockIo {
            device: 9 << 20 | 3,
            partition: 9 << 20 | 3,
            ..request(10, op::READ, 0, 1024, 1, 1)
        },
    ];
    for row in rows {
        tape.fact(BlockIo::DESC, 0, &row.encode());
    }
    tape
}

fn ask(by: By) -> Value {
    answer(&Block { by }, &tape(), FilterArgs::default())
}

fn check(row: &Value, expected: &Value) {
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&row[key], value, "{key} of {row:#}");
    }
}

#[test]
fn by_device_and_operation() {
    let found = ask(By::Device);
    check(
        &found["summary"],
        &json!({"count": 8, "total_bytes": 14336, "open": 1, "began_before": 1}),
    );
    let rows = found["devices"].as_array().expect("rows");
    assert_eq!(rows.len(), 5);
    let reads = json!({
        "device": "sda", "operation": "read", "count": 4, "total_bytes": 12800, "errors": 1,
        "sequential_percentage": 25.0, "merged_percentage": 25.0, "began_before": 1, "open": 0,
        "rate_per_s": 4.0, "per_second_bytes": 12800, "avg_bytes": 3200,
        "queue_avg_ns": 20 * US, "service_avg_ns": 200 * US, "service_max_ns": 300 * US,
        "service_total_ns": 600 * US,
    });
    check(&rows[0], &reads);
    // Waits for a flush, and is not issued itself.
    let empty = json!({"operation": "empty_flush", "count": 1, "queue_max_ns": 77 * US,
        "service_avg_ns": null, "service_max_ns": null});
    check(&rows[1], &empty);
    check(&rows[2], &json!({"operation": "flush", "count": 1, "service_max_ns": 70 * US}));
    let writes = json!({"operation": "write", "count": 1, "open": 1, "open_max_ns": 905 * US});
    check(&rows[3], &writes);
    check(&rows[4], &json!({"device": "9:3", "operation": "read", "count": 1}));
    let counted = |bucket: &Value| bucket["count"].as_u64().expect("a number");
    let buckets = found["service"].as_array().expect("buckets");
    assert_eq!(buckets.iter().map(counted).sum::<u64>(), 6);
}

#[test]
fn by_partition_process_and_stack() {
    let found = ask(By::Partition);
    check(&found["partitions"][0], &json!({"partition": "8:1", "operation": "read", "count": 4}));
    let found = ask(By::Process);
    let reader = json!({"pid": 20, "comm": "reader", "count": 3, "reads": 3, "read_bytes": 12288,
        "writes": 0, "errors": 1, "total_time_ns": 660 * US});
    check(&found["processes"][0], &reader);
    let writer =
        json!({"pid": 10, "count": 3, "reads": 1, "writes": 1, "write_bytes": 512, "open": 1});
    check(&found["processes"][1], &writer);
    check(&found["processes"][2], &json!({"pid": 0, "comm": "[block layer]", "count": 2}));
    let found = ask(By::Stack);
    let stack = json!({"total_time_ns": 330 * US, "count": 1,
        "stack": "reader;main;load;entry_[k];submit_bio_[k]"});
    let rows = found["stacks"].as_array().expect("rows");
    let named = rows.iter().find(|row| row["stack"] == stack["stack"]).expect("the stack");
    check(named, &stack);
}
