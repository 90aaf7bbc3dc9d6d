//! The records of a file in the order of their times.
//!
//! perf writes what it finds in the rings of all CPUs, one after another, and marks where it has gone
//! round: what comes after two marks is later than what came before the first. So a record waits
//! until the second mark behind it, as in perf (tools/perf/util/ordered-events.c).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Read;

use super::bytes::Bytes;
use super::events::Events;
use super::file::{PerfFile, Section};
use crate::error::Result;

/// Records of perf itself begin here.
const OWN: u32 = 64;
const FINISHED_ROUND: u32 = 68;
const AUXTRACE: u32 = 71;
const COMPRESSED: u32 = 81;
const COMPRESSED2: u32 = 83;
pub(super) const SAMPLE: u32 = 9;
/// Bytes that wait for a mark at most, what each takes included; with more, the earlier half goes.
const MAX_WAITING: usize = 128 << 20;
const OVERHEAD: usize = 96;

/// A record as it lies in the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    /// 0 when it has none: made by perf at the start, of what was there before.
    pub(super) time: u64,
    /// Its place among all.
    number: u64,
    pub(super) kind: u32,
    pub(super) misc: u16,
    pub(super) body: Vec<u8>,
}

/// How reading ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    /// Records that are no whole ones.
    pub(super) damaged: u64,
    /// Whether the file ends within its records.
    pub(super) cut_off: bool,
    /// Records that came too late for their place.
    pub(super) late: u64,
}

struct Waiting {
    heap: BinaryHeap<Reverse<Record>>,
    bytes: usize,
    /// The latest time so far, and that at the last mark.
    latest: u64,
    marked: u64,
    given: u64,
    late: u64,
}

/// Gives all records to `each`, by time.
pub(super) fn read(
    file: &PerfFile,
    data: Section,
    events: &Events,
    mut each: impl FnMut(&Record) -> Result<()>,
) -> Result<Ended> {
    let mut reader = file.reader(data)?;
    let mut waiting =
        Waiting { heap: BinaryHeap::new(), bytes: 0, latest: 0, marked: 0, given: 0, late: 0 };
    let mut ended = Ended::default();
    for number in 0.. {
        let mut head = Vec::with_capacity(8);
        reader.by_ref().take(8).read_to_end(&mut head).map_err(|source| file.unread(source))?;
        let mut bytes = Bytes(&head);
        let Some(((kind, misc), size)) = bytes.u32().zip(bytes.u16()).zip(bytes.u16()) else {
            ended.cut_off = !head.is_empty() || file.len() < data.offset.saturating_add(data.size);
            break;
        };
        let Some(len) = usize::from(size).checked_sub(8) else {
            // Nothing says where the next one begins.
            ended.damaged += 1;
            ended.cut_off = true;
            break;
        };
        let mut body = Vec::with_capacity(len);
        reader
            .by_ref()
            .take(len as u64)
            .read_to_end(&mut body)
            .map_err(|source| file.unread(source))?;
        if body.len() < len {
            ended.cut_off = true;
            break;
        }
        match kind {
            COMPRESSED | COMPRESSED2 => {
                return Err(file.fail(
                    "its records are compressed, which ktape does not read: record without -z",
                ));
            }
            FINISHED_ROUND => {
                waiting.flush(waiting.marked, &mut each)?;
                waiting.marked = waiting.latest;
            }
            AUXTRACE => {
                let behind = Bytes(&body).u64().unwrap_or(0);
                std::io::copy(&mut reader.by_ref().take(behind), &mut std::io::sink())
                    .map_err(|source| file.unread(source))?;
            }
            OWN.. => {}
            _ => {
                let time = match kind {
                    SAMPLE => events.sample(&body).map(|(_, _, sample)| sample.stamp.time),
                    _ => Some(events.stamp(&body).time),
                };
                match time {
                    Some(time) => {
                        waiting.add(Record { time, number, kind, misc, body }, &mut each)?;
                    }
                    None => ended.damaged += 1,
                }
            }
        }
    }
    waiting.flush(u64::MAX, &mut each)?;
    ended.late = waiting.late;
    Ok(ended)
}

impl Waiting {
    fn add(&mut self, record: Record, each: &mut impl FnMut(&Record) -> Result<()>) -> Result<()> {
        if record.time == 0 || record.time == u64::MAX {
            return each(&Record { time: 0, ..record });
        }
        self.latest = self.latest.max(record.time);
        self.bytes += record.body.len() + OVERHEAD;
        self.heap.push(Reverse(record));
        if self.bytes > MAX_WAITING {
            while self.bytes > MAX_WAITING / 2 {
                self.give(each)?;
            }
        }
        Ok(())
    }

    /// Gives those up to a time.
    fn flush(&mut self, to: u64, each: &mut impl FnMut(&Record) -> Result<()>) -> Result<()> {
        while self.heap.peek().is_some_and(|next| next.0.time <= to) {
            self.give(each)?;
        }
        Ok(())
    }

    fn give(&mut self, each: &mut impl FnMut(&Record) -> Result<()>) -> Result<()> {
        let Some(Reverse(record)) = self.heap.pop() else { return Ok(()) };
        self.bytes = self.bytes.saturating_sub(record.body.len() + OVERHEAD);
        if record.time < self.given {
            self.late += 1;
            // Time does not go back: what follows relies on it.
            return each(&Record { time: self.given, ..record });
        }
        self.given = record.time;
        each(&record)
    }
}
