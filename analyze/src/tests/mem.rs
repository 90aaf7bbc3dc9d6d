use ktape_schema::{
    AllocTotal, FaultTotal, HeapTotal, MemoryUse, PageFault, alloc_what, memory_use_flag,
    page_fault_flag,
};
use serde_json::{Value, json};

use crate::query::FilterArgs;
use crate::reports::mem::{By, Mem};
use crate::testing::{Random, START, Tape, answer};

const MS: u64 = 1_000_000;

/// Facts of the probe for the property of all reports.
pub(crate) fn noise(tape: &mut Tape, random: &mut Random, end: u64, tid: u32, tgid: u32) {
    let mut pick = |limit: u64| random.below(limit);
    let fault = PageFault {
        end,
        duration: pick(1 << 24),
        address: pick(1 << 40),
        tid,
        tgid,
        ustack: pick(6) as u32,
        cpu: pick(2) as u16,
        flags: pick(4) as u16,
    };
    tape.fact(PageFault::DESC, fault.cpu, &fault.encode());
    let count = pick(100);
    let total = FaultTotal { end, duration: MS, count, tgid, ustack: pick(6) as u32 };
    tape.fact(FaultTotal::DESC, 0, &total.encode());
    let (bytes, site, what) = (pick(1 << 20), pick(8) as u32, pick(8) as u32);
    let total = AllocTotal { end, duration: MS, count, bytes, site, what };
    tape.fact(AllocTotal::DESC, 0, &total.encode());
    let memory = MemoryUse {
        time: end,
        anon_pages: pick(1000),
        file_pages: pick(1000),
        shmem_pages: pick(10),
        swap_pages: pick(2),
        peak_pages: pick(2000),
        tgid,
        flags: pick(2) as u32,
    };
    tape.fact(MemoryUse::DESC, 0, &memory.encode());
    let heap = HeapTotal {
        end,
        duration: MS,
        count: pick(100),
        bytes: pick(1 << 62),
        frees: pick(100),
        freed_bytes: pick(1 << 20),
        unknown_frees: pick(3),
        tgid,
        ustack: pick(6) as u32,
        image: pick(3) as u32,
        flags: 0,
    };
    tape.fact(HeapTotal::DESC, 0, &heap.encode());
}

fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "server");
    tape.thread(20, 20, "client");
    let ustack = tape.user_stack(&["main", "touch"]);
    let site = tape.kernel_stack(&["alloc_file"]);
    let other = tape.kernel_stack(&["alloc_file"]);
    let minor = |second: u64, count: u64, tgid: u32, ustack: u32| FaultTotal {
        end: START + second * 1000 * MS,
        duration: 1000 * MS,
        count,
        tgid,
        ustack,
    };
    for row in [minor(1, 100, 10, ustack), minor(2, 30, 10, ustack), minor(2, 7, 20, 0)] {
        tape.fact(FaultTotal::DESC, 0, &row.encode());
    }
    let major = |duration: u64, flags: u16| PageFault {
        end: START + 1500 * MS,
        duration,
        tid: 20,
        tgid: 20,
        ustack,
        flags,
        ..PageFault::default()
    };
    for row in
        [major(3 * MS, page_fault_flag::TIMED), major(0, 0), major(MS, page_fault_flag::TIMED)]
    {
        tape.fact(PageFault::DESC, 0, &row.encode());
    }
    for (second, anon_pages) in [(1, 100), (3, 350), (2, 500)] {
        let time = START + second * 1000 * MS;
        let row = MemoryUse { time, anon_pages, file_pages: 50, tgid: 10, ..MemoryUse::default() };
        tape.fact(MemoryUse::DESC, 0, &row.encode());
    }
    let alloc = |site: u32, what: u32, count: u64, bytes: u64| AllocTotal {
        end: START + 1000 * MS,
        duration: 1000 * MS,
        count,
        bytes,
        site,
        what,
    };
    for row in [
        alloc(site, alloc_what::KMALLOC, 3, 300),
        alloc(other, alloc_what::KMALLOC, 2, 500),
        alloc(site, alloc_what::KFREE, 4, 0),
        alloc(0, alloc_what::PAGE_ALLOC, 2, 8192),
    ] {
        tape.fact(AllocTotal::DESC, 0, &row.encode());
    }
    tape
}

/// The rows of a table, these columns of them.
fn check(by: By, table: &str, keys: &[&str], expected: Value) {
    let found = answer(&Mem { by }, &tape(), FilterArgs::default());
    let rows = found[table].as_array().unwrap_or_else(|| panic!("no {table} in {found:#}"));
    let row = |row: &Value| keys.iter().map(|key| row[key].clone()).collect::<Vec<_>>();
    assert_eq!(json!(rows.iter().map(row).collect::<Vec<_>>()), expected);
}

#[test]
fn processes_have_their_faults_and_their_growth() {
    let keys = ["pid", "minor_faults", "major_faults", "major_ns", "major_max_ns"];
    let expected = json!([[20, 7, 3, 4 * MS, 3 * MS], [10, 130, 0, null, null]]);
    check(By::Process, "processes", &keys, expected);
    let keys = ["pid", "rss_bytes", "rss_growth_bytes", "rss_max_bytes", "anon_bytes"];
    let page = 4096;
    let grown = json!([10, 400 * page, 250 * page, 550 * page, 350 * page]);
    check(By::Process, "processes", &keys, json!([[20, null, null, null, null], grown]));
}

#[test]
fn stacks_and_call_sites_add_up() {
    let keys = ["stack", "minor_faults", "major_faults"];
    let expected = json!([
        ["server;main;touch", 130, 0],
        ["client;[no stack]", 7, 0],
        ["client;main;touch", 0, 3],
    ]);
    check(By::Stack, "stacks", &keys, expected);
    let keys = ["site", "what", "count", "total_bytes"];
    let expected = json!([
        [null, "page_alloc", 2, 8192],
        ["alloc_file", "kmalloc", 5, 800],
        ["alloc_file", "kfree", 4, null],
    ]);
    check(By::Site, "sites", &keys, expected);
}

#[test]
fn what_lives_is_of_the_last_program() {
    let mut tape = tape();
    let ustack = tape.user_stack(&["main", "leak"]);
    let row = |second: u64, image: u32, ustack: u32, count: u64, frees: u64| HeapTotal {
        end: START + second * 1000 * MS,
        duration: 1000 * MS,
        count,
        bytes: 100 * count,
        frees,
        freed_bytes: 100 * frees,
        unknown_frees: u64::from(ustack == 0),
        tgid: 10,
        ustack,
        image,
        flags: 0,
    };
    for row in [row(1, 1, ustack, 50, 10), row(2, 2, ustack, 9, 2), row(3, 2, ustack, 1, 5)] {
        tape.fact(HeapTotal::DESC, 0, &row.encode());
    }
    tape.fact(HeapTotal::DESC, 0, &row(3, 2, 0, 0, 0).encode());
    let found = answer(&Mem { by: By::Heap }, &tape, FilterArgs::default());
    let stacks = found["stacks"].as_array().expect("stacks");
    assert_eq!(stacks.len(), 1, "{found:#}");
    let keys = ["stack", "live_bytes", "live_blocks", "allocations", "frees"];
    let row: Vec<&Value> = keys.iter().map(|key| &stacks[0][key]).collect();
    assert_eq!(json!(row), json!(["server;main;leak", 300, 3, 60, 17]));
    assert_eq!(found["heap"]["unknown_frees"], 1);
    assert_eq!(found["heap_processes"][0]["live_bytes"], 300);
    let later = FilterArgs { time: Some("1.5s,".into()), ..FilterArgs::default() };
    let found = answer(&Mem { by: By::Heap }, &tape, later);
    assert_eq!(found["heap"]["live_bytes"], Value::Null, "older blocks are freed in it");
    assert_eq!(found["heap"]["frees"], 7);
}

#[test]
fn memory_that_is_approximate_is_said_to_be() {
    let mut tape = tape();
    let row = MemoryUse {
        time: START,
        anon_pages: 1,
        peak_pages: 1000,
        tgid: 10,
        flags: memory_use_flag::APPROXIMATE,
        ..MemoryUse::default()
    };
    tape.fact(MemoryUse::DESC, 0, &row.encode());
    let found = answer(&Mem::default(), &tape, FilterArgs::default());
    assert!(found["notes"][0]["text"].as_str().expect("a note").contains("approximate"));
    assert_eq!(found["processes"][1]["rss_peak_bytes"], 1000 * 4096);
}
