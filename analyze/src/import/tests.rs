//! Small perf.data files, whole, damaged and of kinds that are refused.

use std::io::Write;

use ktape_format::{Batch, Decoder, Trace};

use super::{ImportPerf, import_perf};
use crate::testing::Random;

const SWITCH: u64 = 300;
const WAKING: u64 = 301;
const MONOTONIC: u32 = 1;
/// The CPU of what is of none.
const OWN: u64 = u32::MAX as u64;
/// IP, TID, TIME, CALLCHAIN, CPU, PERIOD, RAW, IDENTIFIER: what `perf record -g` asks for.
const ASKED: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 16;

const FORMATS: [&str; 2] = [
    "name: sched_switch\nID: 300\nformat:\n\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\n\
     \tfield:char prev_comm[16];\toffset:8;\tsize:16;\n\tfield:pid_t prev_pid;\toffset:24;\tsize:4;\n\
     \tfield:long prev_state;\toffset:32;\tsize:8;\n\tfield:char next_comm[16];\toffset:40;\tsize:16;\n\
     \tfield:pid_t next_pid;\toffset:56;\tsize:4;\n\
     print fmt: \"\", __print_flags(1, \"|\", { 1, \"S\" }, { 2, \"D\" }, { 0x20, \"Z\" })\n",
    "name: sched_waking\nID: 301\nformat:\n\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\n\
     \tfield:char comm[16];\toffset:8;\tsize:16;\n\tfield:pid_t pid;\toffset:24;\tsize:4;\n",
];

/// A file in the making.
struct Made {
    records: Vec<u8>,
    events: Vec<(u32, u64)>,
}

impl Made {
    fn new() -> Self {
        let events = vec![(2, SWITCH), (2, WAKING), (1, 0)];
        Self { records: Vec::new(), events }
    }

    fn record(&mut self, kind: u32, misc: u16, body: &[u8]) {
        self.records.extend(kind.to_le_bytes());
        self.records.extend(misc.to_le_bytes());
        self.records.extend((body.len() as u16 + 8).to_le_bytes());
        self.records.extend(body);
    }

    /// A record with the end that tells thread, time, CPU and event.
    fn stamped(&mut self, kind: u32, body: &[u8], time: u64) {
        let end = [7 | 7 << 32, time, 0, 1].map(u64::to_le_bytes);
        self.record(kind, 0, &[body, end.as_flattened()].concat());
    }

    fn sample(&mut self, event: u64, time: u64, tid: u32, misc: u16, chain: &[u64], raw: &[u8]) {
        let mut body = Vec::new();
        for word in [event, 0x1000, u64::from(tid) | u64::from(tid) << 32, time, 0, 250_000] {
            body.extend(word.to_le_bytes());
        }
        body.extend((chain.len() as u64).to_le_bytes());
        chain.iter().for_each(|address| body.extend(address.to_le_bytes()));
        body.extend((raw.len() as u32).to_le_bytes());
        body.extend(raw);
        self.record(9, misc, &body);
    }

    fn switch(&mut self, time: u64, prev: u32, state: u64, next: u32) {
        let mut raw = [0; 64];
        raw[8..12].copy_from_slice(b"prev");
        raw[24..28].copy_from_slice(&prev.to_le_bytes());
        raw[32..40].copy_from_slice(&state.to_le_bytes());
        raw[40..44].copy_from_slice(b"next");
        raw[56..60].copy_from_slice(&next.to_le_bytes());
        let chain = [-512i64 as u64, 0x40_0010, 0x40_0021];
        self.sample(1, time, prev, 1, &chain, &raw);
    }

    fn waking(&mut self, time: u64, by: u32, tid: u32) {
        let mut raw = [0; 28];
        raw[24..28].copy_from_slice(&tid.to_le_bytes());
        self.sample(2, time, by, 1, &[], &raw);
    }

    /// The bytes of the file.
    fn bytes(&self) -> Vec<u8> {
        let words = |words: &[u64]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_le_bytes()).collect()
        };
        let ids = 104;
        let attrs = ids + 8 * self.events.len();
        let data = attrs + 144 * self.events.len();
        let mut bytes = b"PERFILE2".to_vec();
        bytes.extend(words(&[104, 144, attrs as u64, 144 * self.events.len() as u64]));
        bytes.extend(words(&[data as u64, self.records.len() as u64, 0, 0]));
        // TRACING_DATA, HOSTNAME, CLOCK_DATA.
        bytes.extend(words(&[1 << 1 | 1 << 3 | 1 << 29, 0, 0, 0]));
        bytes.extend(words(&(1..=self.events.len() as u64).collect::<Vec<_>>()));
        for (index, &(kind, config)) in self.events.iter().enumerate() {
            let mut attr = [0; 128];
            attr[..4].copy_from_slice(&kind.to_le_bytes());
            attr[8..16].copy_from_slice(&config.to_le_bytes());
            attr[24..32].copy_from_slice(&ASKED.to_le_bytes());
            attr[40..48].copy_from_slice(&(1u64 << 18 | 1 << 25).to_le_bytes());
            attr[92..96].copy_from_slice(&MONOTONIC.to_le_bytes());
            bytes.extend(attr);
            bytes.extend(words(&[(ids + 8 * index) as u64, 8]));
        }
        bytes.extend(&self.records);
        let mut tracing = b"\x17\x08\x44tracing0.6\0\0\x08\0\x10\0\0header_page\0".to_vec();
        tracing.extend(words(&[0]));
        tracing.extend(b"header_event\0");
        tracing.extend(words(&[0]));
        tracing.extend(0u32.to_le_bytes());
        tracing.extend(1u32.to_le_bytes());
        tracing.extend(b"sched\0");
        tracing.extend(2u32.to_le_bytes());
        for format in FORMATS {
            tracing.extend(words(&[format.len() as u64]));
            tracing.extend(format.as_bytes());
        }
        let host = b"\x08\0\0\0host\0\0\0\0".to_vec();
        let clock = words(&[1 | 1 << 32, 1_795_176_000_000_000_000, 900]);
        let mut at = (bytes.len() + 3 * 16) as u64;
        for section in [&tracing, &host, &clock] {
            bytes.extend(words(&[at, section.len() as u64]));
            at += section.len() as u64;
        }
        [bytes, tracing, host, clock].concat()
    }
}

/// Two threads of one process on CPU 0: 7 sleeps from 1000 to 1900, woken by 8 at 1500.
fn small() -> Made {
    let mut made = Made::new();
    let numbers = |numbers: &[u32]| -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    };
    for tid in [7, 8] {
        let body = [&numbers(&[7, tid])[..], b"app\0\0\0\0\0"].concat();
        made.stamped(3, &body, 0);
    }
    let mut map = numbers(&[7, 7]);
    for word in [0x40_0000u64, 0x1000, 0x2000, 0, 0, 0] {
        map.extend(word.to_le_bytes());
    }
    map.extend(numbers(&[5, 2]));
    map.extend(b"/bin/app");
    map.extend([0; 8]);
    made.stamped(10, &map, 0);
    made.switch(1000, 7, 1, 8);
    made.waking(1500, 8, 7);
    made.sample(3, 1600, 8, 2, &[-512i64 as u64, 0x40_0030], &[]);
    made.switch(1900, 8, 0x100, 7);
    made.stamped(2, &[1u64, 3].map(u64::to_le_bytes).concat(), 1950);
    made.switch(2000, 7, 2, 0);
    made
}

fn import(bytes: &[u8]) -> Result<(Trace, String), String> {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("written");
    let mut out = Vec::new();
    let answer = import_perf(file.path(), &ImportPerf::default(), &mut out);
    let answer = answer.map_err(|error| error.to_string())?;
    let notes: Vec<String> = answer.notes.iter().map(|note| note.text.clone()).collect();
    Ok((Trace::from_stream(&out[..]).expect("a trace that was just written"), notes.join("\n")))
}

/// The numbers in the columns of a record.
fn rows<const N: usize>(trace: &Trace, record: &str, columns: [&str; N]) -> Vec<[u64; N]> {
    let id = trace.record(record).expect("a record").id;
    let mut rows = Vec::new();
    for (index, _) in trace.chunks().iter().enumerate().filter(|(_, chunk)| chunk.record == id) {
        let mut batch = Batch::new();
        Decoder::new().read(trace, index, &columns, &mut batch).expect("a readable chunk");
        for row in 0..batch.rows() {
            rows.push(columns.map(|column| {
                let at = batch.names().position(|name| name == column).expect("a column");
                match batch.value(at, row) {
                    ktape_format::Value::U64(value) => value,
                    value => panic!("{column} is {value:?}"),
                }
            }));
        }
    }
    rows
}

#[test]
fn a_small_file_becomes_a_trace() {
    let (trace, notes) = import(&small().bytes()).expect("a trace");
    let waits =
        rows(&trace, "off_cpu", ["tid", "end", "duration", "runq", "waker", "state", "flags"]);
    let expected =
        [[7, 1900, 900, 400, 8, 1, 0], [7, 2000, 0, 0, 0, 2, 1], [8, 2000, 100, 100, 0, 0, 1]];
    assert_eq!(waits, expected);
    assert!(rows(&trace, "off_cpu", ["ustack"])[0][0] > 0);
    let samples = rows(&trace, "cpu_sample", ["time", "tid", "tgid", "weight", "event", "mode"]);
    assert_eq!(samples, [[1600, 8, 7, 250_000, 1, 1]]);
    let mut offsets = rows(&trace, "frame", ["offset", "module"]);
    offsets.sort_unstable();
    assert_eq!(offsets, [[0x2010, 1], [0x2020, 1], [0x2030, 1]]);
    let losses = rows(&trace, "loss", ["record", "cpu", "produced", "lost"]);
    // Two waits were still open: they are of no CPU, as the losses.
    assert_eq!(losses, [[1, 0, 1, 0], [1, OWN, 5, 3], [2, 0, 1, 0]]);
    assert!(notes.contains("LOST 3 records"), "{notes}");
    let meta = trace.meta();
    assert_eq!(meta.host.hostname, "host");
    assert_eq!((meta.start.mono, meta.start.realtime), (1000, 1_795_176_000_000_000_100));
    // Runs from 1000 to 1900, and from 1900 to 2000.
    let runs = rows(&trace, "task_run", ["time", "tid", "run", "slices"]);
    assert_eq!(runs, [[1000, 7, 0, 0], [1000, 8, 0, 0], [2000, 7, 100, 1], [2000, 8, 900, 1]]);
}

#[test]
fn what_cannot_be_read_is_refused_with_a_way_out() {
    let check = |bytes: &[u8], what: &str| {
        let error = import(bytes).map(|_| ()).expect_err(what);
        assert!(error.contains(what), "{error}");
    };
    check(b"", "no perf.data file");
    check(b"\x89KTAPE\r\n", "no perf.data file");
    let whole = small().bytes();
    let changed = |at: usize, new: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        bytes
    };
    check(&changed(0, b"2ELIFREP"), "big-endian");
    check(&changed(8, &16u64.to_le_bytes()), "perf record -o FILE");
    check(&changed(48, &0u64.to_le_bytes()), "has not finished");
    check(&changed(16, &u64::MAX.to_le_bytes()), "size of its events");
    check(&changed(32, &u64::MAX.to_le_bytes()), "beyond the end");
    check(&changed(48, &u64::MAX.to_le_bytes()), "beyond the end");
    let mut made = Made::new();
    made.record(81, 0, &[0; 8]);
    check(&made.bytes(), "without -z");
    check(&Made::new().bytes(), "has not finished");
    let mut made = small();
    made.events = vec![(2, WAKING), (1, 9)];
    check(&made.bytes(), "sched:sched_switch");
}

#[test]
fn damage_is_left_out_or_refused() {
    let whole = small().bytes();
    let mut random = Random::new(7);
    let mut taken = 0;
    for at in (0..whole.len()).step_by(5) {
        taken += u32::from(import(&whole[..at]).is_ok());
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << random.below(8);
        taken += u32::from(import(&bytes).is_ok());
        let word = [u64::MAX, 1 << 63, 1 << 32, 0][random.below(4) as usize].to_le_bytes();
        let end = bytes.len().min(at + 8);
        bytes[at..end].copy_from_slice(&word[..end - at]);
        taken += u32::from(import(&bytes).is_ok());
    }
    assert!(taken > 100, "{taken} of the damaged files could be read");
}

#[test]
fn many_claims_of_little_stay_small() {
    // Mappings that each process takes over and changes: copies without end.
    let mut made = Made::new();
    let numbers = |numbers: &[u32]| -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    };
    let map = |pid: u32, start: u64| {
        let mut map = numbers(&[pid, pid]);
        map.extend([start, 0x10, 0].map(u64::to_le_bytes).concat());
        map.extend(b"/bin/app");
        map.extend([0; 8]);
        map
    };
    for index in 0..10_000 {
        made.stamped(1, &map(9, 0x1000 * index), 1);
    }
    for pid in 10..2000u32 {
        made.stamped(7, &[&numbers(&[pid, pid - 1, pid, pid - 1])[..], &[0; 8]].concat(), 2);
        made.stamped(1, &map(pid, 1 << 40), 2);
    }
    made.switch(3, 1999, 1, 0);
    let (_, notes) = import(&made.bytes()).expect("a trace");
    assert!(notes.contains("mappings found no room"), "{notes}");
}

#[test]
fn counters_of_events_say_what_was_lost() {
    let mut made = small();
    // A tracepoint that no record of a trace is for.
    made.events.push((2, 999));
    let mut lost = |misc: u16, event: u64, lost: u64| {
        let body = [lost, 0, 0, 0, event].map(u64::to_le_bytes);
        made.record(13, misc, body.as_flattened());
    };
    lost(0, 1, 20);
    lost(0, 3, 10);
    lost(0, 3, 1);
    lost(0, 4, 1000);
    lost(1 << 15, 3, 500);
    let (trace, notes) = import(&made.bytes()).expect("a trace");
    let losses = rows(&trace, "loss", ["record", "cpu", "produced", "lost"]);
    assert_eq!(losses, [[1, 0, 1, 0], [1, OWN, 22, 20], [2, 0, 1, 0], [2, OWN, 11, 11]]);
    assert!(notes.contains("LOST 31 records"), "{notes}");
}

#[test]
fn long_names_do_not_multiply() {
    let mut made = small();
    let numbers = |numbers: [u32; 4]| numbers.map(u32::to_le_bytes).concat();
    made.stamped(3, &[&numbers([9, 9, 0, 0])[..8], &[b'x'; 5000], &[0; 8]].concat(), 2100);
    made.stamped(7, &[&numbers([10, 9, 10, 9])[..], &[0; 8]].concat(), 2200);
    let (trace, _) = import(&made.bytes()).expect("a trace");
    let id = trace.record("string").expect("a record").id;
    let mut longest = 0;
    for (index, _) in trace.chunks().iter().enumerate().filter(|(_, chunk)| chunk.record == id) {
        let mut batch = Batch::new();
        Decoder::new().read(&trace, index, &["text"], &mut batch).expect("a readable chunk");
        let texts = batch.text("text");
        longest = (0..batch.rows()).map(|row| texts.get(row).len()).fold(longest, usize::max);
    }
    assert_eq!(longest, 16);
}
