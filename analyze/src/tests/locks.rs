use ktape_schema::{
    FutexWait, LockContention, futex_flag, futex_op, futex_owner, futex_result, lock_flag, lock_how,
};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::locks::{By, Locks};
use crate::testing::{Random, START, Tape, answer};

const MS: u64 = 1_000_000;

/// Facts of the probe for the property of all reports.
pub(crate) fn noise(tape: &mut Tape, random: &mut Random, end: u64, tid: u32, tgid: u32) {
    let mut pick = |limit: u64| random.below(limit);
    let wait = FutexWait {
        end,
        duration: pick(1 << 30),
        address: 0x7f00_0000_0000 + pick(5) * 8,
        tid,
        tgid,
        waker: 100 + pick(14) as u32,
        waker_tgid: tgid,
        owner: pick(2) as u32 * (100 + pick(14) as u32),
        owner_tgid: tgid,
        ustack: pick(4) as u32,
        word: [0, 2, 105, 7][pick(4) as usize],
        cpu: pick(2) as u16,
        flags: pick(16) as u16,
        op: [0, 6, 9, 64][pick(4) as usize],
        result: pick(7) as u8,
        owner_by: pick(3) as u8,
        words: 1,
    };
    tape.fact(FutexWait::DESC, wait.cpu, &wait.encode());
    let contention = LockContention {
        end,
        duration: pick(1 << 20),
        lock: pick(4) as u32,
        name: pick(3) as u32,
        tid,
        tgid,
        kstack: pick(7) as u32,
        cpu: pick(2) as u16,
        how: pick(64) as u8,
        flags: pick(16) as u8,
    };
    tape.fact(LockContention::DESC, contention.cpu, &contention.encode());
}

fn wait(end: u64, duration: u64, tid: u32, address: u64) -> FutexWait {
    FutexWait {
        end: START + end * MS,
        duration: duration * MS,
        address,
        tid,
        tgid: 10,
        op: futex_op::WAIT,
        result: futex_result::WOKEN,
        words: 1,
        ..FutexWait::default()
    }
}

fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "server");
    tape.thread(11, 10, "worker");
    tape.thread(12, 10, "helper");
    let ustack = tape.user_stack(&["main", "work", "lock"]);
    let kstack =
        tape.kernel_stack(&["entry", "vfs_write", "down_write", "rwsem_down_write_slowpath"]);
    let name = tape.string("cgroup_mutex");
    let mut add = |row: FutexWait| tape.fact(FutexWait::DESC, 0, &row.encode());
    let owned = |row: FutexWait, owner: u32| FutexWait {
        owner,
        owner_tgid: 10,
        owner_by: futex_owner::GLIBC_MUTEX,
        waker: owner,
        waker_tgid: 10,
        word: 2,
        ustack,
        ..row
    };
    add(owned(wait(100, 10, 11, 0x1000), 10));
    add(owned(wait(200, 30, 11, 0x1000), 12));
    add(owned(wait(300, 20, 12, 0x1000), 11));
    // The same lock, where nobody was seen to own it.
    add(FutexWait { word: 2, ..wait(310, 4, 12, 0x1000) });
    add(FutexWait { word: 2, ..wait(320, 5, 12, 0x2000) });
    let condition = FutexWait {
        op: futex_op::WAIT_BITSET,
        result: futex_result::TIMED_OUT,
        flags: futex_flag::TIMED,
        ..wait(400, 300, 11, 0x3000)
    };
    add(condition);
    let join = FutexWait {
        op: futex_op::WAIT_BITSET,
        flags: futex_flag::SHARED,
        word: 12,
        ..wait(500, 100, 10, 0x4000)
    };
    add(join);
    let hang = FutexWait {
        result: futex_result::OPEN,
        flags: futex_flag::OPEN,
        waker: 0,
        ..owned(wait(1000, 400, 11, 0x5000), 12)
    };
    add(hang);
    let mut add = |row: LockContention| tape.fact(LockContention::DESC, 0, &row.encode());
    let contention = LockContention {
        end: START + 50 * MS,
        duration: 3 * MS,
        lock: 7,
        tid: 11,
        tgid: 10,
        kstack,
        how: lock_how::WRITE,
        ..LockContention::default()
    };
    add(contention);
    add(LockContention { duration: MS, kstack: 0, ..contention });
    add(LockContention { duration: 2 * MS, lock: 8, name, how: lock_how::MUTEX, ..contention });
    let flags = lock_flag::MMAP_LOCK;
    add(LockContention { duration: MS, lock: 9, how: lock_how::READ, flags, ..contention });
    tape
}

/// The rows of a table, these columns of them.
fn columns(found: &Value, table: &str, keys: &[&str]) -> Vec<Vec<Value>> {
    let rows = found[table].as_array().unwrap_or_else(|| panic!("no {table} in {found:#}"));
    rows.iter().map(|row| keys.iter().map(|key| row[key].clone()).collect()).collect()
}

fn check(by: By, table: &str, keys: &[&str], expected: Value) -> Value {
    let found = answer(&Locks { by }, &tape(), FilterArgs::default());
    assert_eq!(json!(columns(&found, table, keys)), expected);
    found
}

#[test]
fn locks_stand_before_what_only_waits() {
    let keys = ["address", "kind", "count", "total_ns", "max_owner_comm", "max_waker_comm"];
    let found = check(
        By::Lock,
        "locks",
        &keys,
        json!([
            [0x5000, "mutex", 1, 400 * MS, "helper", null],
            [0x1000, "mutex", 4, 64 * MS, "helper", "helper"],
            [0x2000, "lock", 1, 5 * MS, null, null],
            [0x4000, "join", 1, 100 * MS, null, null],
            [0x3000, "other", 1, 300 * MS, null, null],
        ]),
    );
    let summary = json!({
        "count": 8, "woken_count": 6, "timed_out_count": 1, "interrupted_count": 0,
        "failed_count": 0, "open_count": 1, "total_ns": 869 * MS,
    });
    assert_eq!(found["summary"], summary);
    let kinds = columns(&found, "kinds", &["kind", "count", "total_ns"]);
    let expected = json!([
        ["mutex", 4, 460 * MS],
        ["lock", 2, 9 * MS],
        ["join", 1, 100 * MS],
        ["other", 1, 300 * MS],
    ]);
    assert_eq!(json!(kinds), expected);
    let open = columns(&found, "open", &["comm", "kind", "address", "duration_ns", "owner_comm"]);
    assert_eq!(json!(open), json!([["worker", "mutex", 0x5000, 400 * MS, "helper"]]));
}

#[test]
fn locks_of_the_kernel_have_names_and_callers() {
    check(
        By::Lock,
        "kernel_locks",
        &["lock", "name", "kind", "caller", "count", "total_ns"],
        json!([
            [7, null, "rwsem", "vfs_write", 2, 4 * MS],
            [8, "cgroup_mutex", "mutex", "vfs_write", 1, 2 * MS],
            [9, "mmap_lock", "rwsem", "vfs_write", 1, MS],
        ]),
    );
}

#[test]
fn rows_can_be_owners_wakers_processes_and_stacks() {
    let keys = ["comm", "count", "total_ns"];
    let owners = json!([["helper", 2, 430 * MS], ["worker", 1, 20 * MS], ["server", 1, 10 * MS]]);
    check(By::Owner, "owners", &keys, owners);
    let wakers = json!([["helper", 1, 30 * MS], ["worker", 1, 20 * MS], ["server", 1, 10 * MS]]);
    check(By::Waker, "wakers", &keys, wakers);
    let keys = ["pid", "count", "total_ns", "kernel_count", "kernel_total_ns"];
    check(By::Process, "processes", &keys, json!([[10, 8, 869 * MS, 4, 7 * MS]]));
    let found = check(
        By::Stack,
        "stacks",
        &["stack", "count", "total_ns"],
        json!([
            ["worker;main;work;lock", 3, 440 * MS],
            ["worker;[no stack]", 1, 300 * MS],
            ["server;[no stack]", 1, 100 * MS],
            ["helper;main;work;lock", 1, 20 * MS],
            ["helper;[no stack]", 2, 9 * MS],
        ]),
    );
    let kernel = columns(&found, "kernel_stacks", &["count", "total_ns"]);
    assert_eq!(json!(kernel), json!([[3, 6 * MS], [1, MS]]));
}
