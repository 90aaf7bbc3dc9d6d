//! Requests to a disk of our own, against what the kernel and fio count.

use ktape_format::Trace;
use ktape_format::schema::block_flag;
use ktape_tests::facts::{losses, number, report, rows, rows_where};
use ktape_tests::live::{NotRun, needs_program, say};
use ktape_tests::loop_device::LoopDevice;
use ktape_tests::recorder::{Folder, record};
use serde_json::{Value, json};

/// Prime numbers of writes, reads and discards, and their sizes.
const WRITES: (u64, u64) = (1009, 4096);
const READS: (u64, u64) = (503, 8192);
const DISCARDS: (u64, u64) = (61, 65536);

/// fio's arguments for so many requests of a size.
fn job(name: &str, device: &str, rw: &str, (count, bytes): (u64, u64)) -> Vec<String> {
    vec![
        format!("--name={name}"),
        "--stonewall".into(),
        format!("--filename={device}"),
        format!("--rw={rw}"),
        format!("--bs={bytes}"),
        format!("--size={}", count * bytes),
    ]
}

/// Requests and bytes of the operations that one column of /proc/diskstats counts.
fn counted(answer: &Value, device: &str, ops: &[&str]) -> (u64, u64) {
    let of_device = rows_where(answer, "devices", "device", &json!(device));
    let rows = of_device.iter().filter(|row| ops.iter().any(|op| row["operation"] == json!(op)));
    rows.fold((0, 0), |sum, row| (sum.0 + number(row, "count"), sum.1 + number(row, "total_bytes")))
}

pub(crate) fn counts() -> Result<(), NotRun> {
    needs_program("fio", "fio")?;
    needs_program("losetup", "util-linux")?;
    let folder = Folder::new();
    let disk = LoopDevice::over(&folder.file("disk"), 64 << 20).map_err(NotRun)?;
    let trace = folder.file("block.ktape");
    let mut command: Vec<String> =
        ["fio", "--output-format=json", "--direct=1", "--ioengine=psync", "--fsync=101"]
            .map(str::to_owned)
            .to_vec();
    command.extend(job("write", disk.path(), "write", WRITES));
    command.extend(job("read", disk.path(), "randread", READS));
    command.extend(job("discard", disk.path(), "randtrim", DISCARDS));
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let before = disk.stats();
    let ran = record(&trace, &["-a", "-e", "block"], &command).expect(0);
    let kernel = disk.stats().since(before);

    let fio: Value = ran.json();
    let said = |job: usize, what: &str| {
        let said = &fio["jobs"][job][what];
        (number(said, "total_ios"), number(said, "io_bytes"))
    };
    let answer = report(&trace, &["block"]);
    let opened = Trace::open(&trace).expect("a trace");
    let (produced, lost) = losses(&opened, "block_io");
    // On the project's virtual machines no program is run on top of what their host runs in them, and
    // so the end of one request in some thousand is not seen, which counts as lost.
    say(format!("{produced} requests of all disks, {lost} lost"));
    let mut missing = 0;
    let mut agrees = |found: (u64, u64), expected: (u64, u64), what: &str| {
        let fewer = expected.0.checked_sub(found.0).filter(|&fewer| fewer <= lost);
        let fewer = fewer.unwrap_or_else(|| panic!("{found:?} {what}, not {expected:?}"));
        assert!(found == expected || fewer > 0 && found.1 <= expected.1, "{what}");
        missing += fewer;
    };
    let name = disk.name();
    let ours = |ops: &[&str]| counted(&answer, name, ops);
    let sectors = |(count, bytes): (u64, u64)| (count, bytes / 512);
    agrees(sectors(ours(&["read"])), kernel.reads, "reads by diskstats");
    agrees(sectors(ours(&["write", "empty_flush"])), kernel.writes, "writes by diskstats");
    agrees(sectors(ours(&["discard"])), kernel.discards, "discards by diskstats");
    assert_eq!(ours(&["flush"]).0, kernel.flushes, "flushes as diskstats counts them");

    // Nobody else uses the disk.
    let by_fio = report(&trace, &["block", "--comm", "fio"]);
    let fios = |op: &str| counted(&by_fio, name, &[op]);
    let asked = |(count, bytes): (u64, u64)| (count, count * bytes);
    for (job, what, count) in [(0, "write", WRITES), (1, "read", READS), (2, "trim", DISCARDS)] {
        assert_eq!(said(job, what), asked(count), "fio's {what}");
        let op = if what == "trim" { "discard" } else { what };
        agrees(fios(op), asked(count), "of fio");
    }
    // One after each 101 writes, and one at the end of the file.
    let syncs = number(&fio["jobs"][0]["sync"], "total_ios");
    agrees((fios("empty_flush").0, 0), (syncs, 0), "fsyncs of fio");
    assert!(syncs >= WRITES.0 / 101, "{syncs}");
    // By diskstats and by fio.
    assert!(missing <= 2 * lost, "{missing} missing, {lost} lost");
    say(format!("{kernel:?} and {syncs} fsyncs: exact but for {missing} that are counted as lost"));

    let facts = rows(&opened, "block_io", ["duration", "queue", "service", "flags", "op"]);
    for [duration, queue, service, flags, _] in &facts {
        // Of one on another disk that was begun before, nothing but its length is known.
        let known = if flags & u64::from(block_flag::BEGAN_BEFORE) != 0 { 0 } else { *duration };
        assert_eq!(queue + service, known);
    }
    assert_eq!(facts.len() as u64 + lost, produced);
    // One request at a time, each behind the one before.
    let row = rows_where(&by_fio, "devices", "operation", &json!("write"))[0];
    let share = row["sequential_percentage"].as_f64().expect("a share");
    assert!(share >= 99.9, "{share} % of the writes are sequential");
    Ok(())
}
