//! A trace is hostile input: cut anywhere, changed anyhow, it is read without panic, hang, or
//! unbounded memory.

mod repair;
mod small;

use std::io::{Seek, Write};

use ktape_format::{Batch, Decoder, Error, State, Trace, verify};
use repair::repair;
use small::simulate::Random;

/// How many changed traces are read.
const MUTATIONS: u64 = 100_000;

/// Reads everything in a trace that can be read, and returns how many rows that was.
fn read_all(bytes: &[u8]) -> Option<(usize, State)> {
    let trace = Trace::from_stream(bytes).ok()?;
    verify(&trace);
    let mut decoder = Decoder::new();
    let mut batch = Batch::new();
    let mut rows = 0;
    for (place, chunk) in trace.chunks().iter().enumerate() {
        let Some(record) = trace.record_by_id(chunk.record) else { continue };
        let names: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
        if decoder.read(&trace, place, &names, &mut batch).is_ok() {
            rows += batch.rows();
        }
    }
    Some((rows, trace.state().clone()))
}

#[test]
fn truncated_at_every_byte() {
    let whole = small::trace(160);
    let trace = Trace::from_stream(&whole[..]).unwrap();
    let start = trace.header_len() as usize;
    let ends: Vec<usize> =
        trace.chunks().iter().map(|chunk| chunk.offset as usize + chunk.len as usize).collect();
    for len in 0..whole.len() {
        let found = Trace::from_stream(&whole[..len]);
        if len < start {
            assert!(
                matches!(found, Err(Error::Header { .. } | Error::NotATrace { .. })),
                "cut at {len}"
            );
            continue;
        }
        let found = found.unwrap();
        assert_eq!(found.chunks().len(), ends.iter().filter(|&&end| end <= len).count());
        let State::Unfinished(damages) = found.state() else { panic!("cut at {len}") };
        let rest = ends.iter().rev().find(|&&end| end <= len).map_or(len - start, |end| len - end);
        assert_eq!(damages.len(), usize::from(rest > 0), "cut at {len}");
        assert_eq!(damages.first().map_or(0, |damage| damage.len), rest as u64, "cut at {len}");
        assert_eq!(verify(&found).len(), damages.len(), "cut at {len}");
    }
    assert_eq!(verify(&trace), []);
}

#[test]
fn mutations() {
    let whole = small::trace(400);
    let (rows, _) = read_all(&whole).unwrap();
    let layout = Layout::new(&whole);
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let part = &|thread: u64| {
        let mut random = Random(thread);
        let mut readable = 0;
        let mut lossless = 0;
        for round in (thread..MUTATIONS).step_by(threads as usize) {
            let mut bytes = whole.clone();
            for _ in 0..1 + random.below(3) {
                mutate(&mut bytes, &layout, &mut random);
            }
            // Without this, the checksums would stop nearly every change before it is decoded.
            if round % 8 > 1 {
                repair(&mut bytes);
            }
            if let Some((read, _)) = read_all(&bytes) {
                readable += 1;
                lossless += u64::from(read == rows);
            }
        }
        (readable, lossless)
    };
    let (readable, lossless) = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|thread| scope.spawn(move || part(thread))).collect();
        parts
            .into_iter()
            .map(|part| part.join().unwrap())
            .fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
    });
    assert!(readable > MUTATIONS / 2, "only {readable} were opened");
    assert!(lossless > 0 && lossless < readable, "{lossless} of {readable} lost nothing");
    let peak = peak_memory();
    assert!(peak < 256 << 20, "{peak} bytes of memory");
}

/// The most memory that this process ever used, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn mutate(bytes: &mut Vec<u8>, layout: &Layout, random: &mut Random) {
    let len = bytes.len() as u64;
    if len == 0 {
        return;
    }
    // Half of all changes hit a head, where the lengths are.
    let at = if random.below(2) == 0 {
        let chunk = layout.chunks[random.below(layout.chunks.len() as u64) as usize];
        (chunk + random.below(300) as usize).min(bytes.len() - 1)
    } else {
        random.below(len) as usize
    };
    match random.below(6) {
        0 | 1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = random.next() as u8,
        3 => {
            let from = random.below(len) as usize;
            let count = (random.below(64) as usize).min(bytes.len() - from.max(at));
            bytes.copy_within(from..from + count, at);
        }
        4 => {
            let number = [0, 1, 0x7fff_ffff, u32::MAX, 1 << 15, 1 << 24][random.below(6) as usize];
            if let Some(field) = bytes.get_mut(at..at + 4) {
                field.copy_from_slice(&u32::to_le_bytes(number));
            }
        }
        _ if random.below(8) == 0 => bytes.truncate(at),
        _ => {
            let count = (random.below(16) as usize).min(bytes.len() - at);
            bytes.drain(at..at + count);
        }
    }
}

/// Where the chunks begin.
struct Layout {
    chunks: Vec<usize>,
}

impl Layout {
    fn new(bytes: &[u8]) -> Layout {
        let trace = Trace::from_stream(bytes).unwrap();
        Layout { chunks: trace.chunks().iter().map(|chunk| chunk.offset as usize).collect() }
    }
}

#[test]
fn a_growing_file_reads_as_it_was_when_opened() {
    let whole = small::trace(200);
    let half = Trace::from_stream(&whole[..]).unwrap().chunks()[3].offset as usize;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&whole[..half]).unwrap();
    let trace = Trace::open(file.path()).unwrap();
    assert_eq!(trace.chunks().len(), 3);
    file.write_all(&whole[half..]).unwrap();
    assert_eq!(verify(&trace), []);
    let again = Trace::open(file.path()).unwrap();
    assert_eq!(*again.state(), State::Complete);
    // The file loses its end while it is being read: an error, not a crash.
    file.as_file_mut().set_len(half as u64 - 10).unwrap();
    file.rewind().unwrap();
    let problems = verify(&trace);
    let last = trace.chunks()[2].offset;
    assert!(!problems.is_empty() && problems.iter().all(|problem| problem.offset == last));
}

/// Rows of the first would be read with the types that the program knows of the second.
#[test]
fn a_record_whose_id_is_taken_is_none() {
    let mut meta = small::meta();
    let known = meta.schema.iter().find(|record| record.name == "off_cpu").unwrap().clone();
    let mut other = known.clone();
    other.name = "other".to_owned();
    other.fields.iter_mut().for_each(|field| field.ty = 4);
    meta.schema.insert(0, other);
    let writer = ktape_format::Writer::new(Vec::new(), meta, Default::default()).unwrap();
    let trace = Trace::from_stream(&writer.finish().unwrap().0[..]).unwrap();
    assert_eq!(trace.record_by_id(known.id).unwrap().name, "other");
    assert!(trace.record("off_cpu").is_none());
    assert!(trace.record("other").is_some() && trace.record("string").is_some());
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let whole = small::trace(200);
    let layout = Layout::new(&whole);
    let start = layout.chunks[2];
    let mut bytes = whole.clone();
    let tgids = if bytes[start + 22] > 8 { 0 } else { usize::from(bytes[start + 22]) };
    let entry = start + 40 + 4 * tgids;
    bytes[entry + 10..entry + 14].copy_from_slice(&u32::MAX.to_le_bytes());
    repair(&mut bytes);
    let problems = verify(&Trace::from_stream(&bytes[..]).unwrap());
    assert!(problems.iter().any(|problem| problem.what.contains("claims 4294967295")));
}
