//! The probe `block`: every request to a disk.

use crate::error::Result;
use crate::probe::{Attach, AttachPoint, Collect, Knob, KnobKind, Probe, Totals};
use crate::table::Table;
use aya::maps::Map;
use ktape_format::schema::{BlockIo, Desc, block_flag};

pub(super) const PROBE: Probe = Probe {
    name: "block",
    about: "every request to a disk: time in the queue and in the device, bytes, who made it",
    cost: "5 to 9 us per request, 1.4 us without stacks",
    default: false,
    always: false,
    records: &[BlockIo::DESC],
    // The end first: it does nothing about requests that were not seen to begin.
    attach: &[
        AttachPoint {
            what: "a part of a request completes",
            alternatives: &[Attach::TpBtf {
                program: "block_complete",
                tracepoint: "block_rq_complete",
            }],
        },
        AttachPoint {
            what: "a request is merged into another",
            alternatives: &[Attach::TpBtf { program: "block_merge", tracepoint: "block_rq_merge" }],
        },
        AttachPoint {
            what: "a request is issued to the driver",
            alternatives: &[Attach::TpBtf { program: "block_issue", tracepoint: "block_rq_issue" }],
        },
        AttachPoint {
            what: "a request is made",
            alternatives: &[
                Attach::TpBtf { program: "block_start", tracepoint: "block_io_start" },
                Attach::All(&[
                    Attach::TpBtf { program: "block_insert", tracepoint: "block_rq_insert" },
                    Attach::TpBtf { program: "block_getrq", tracepoint: "block_getrq" },
                ]),
            ],
        },
    ],
    optional: &[],
    walks: &[],
    maps: &["block_requests", "block_heads", "block_bios"],
    needs: &[],
    knobs: &[Knob {
        name: "stacks",
        about: "take the stacks of who makes a request: `all` (default) or `none`",
        symbol: "block_stacks",
        kind: KnobKind::Choice(&[("none", 0), ("all", 1)]),
        default: 1,
    }],
    totals: &[Totals { maps: &["block_requests"], collector }],
};

/// Words of `struct block_request`: the fact, then start, issue, length, born, ended.
const FACT: usize = BlockIo::SIZE / 8;
type Row = [u64; FACT + 5];

/// The requests that are on their way.
struct Requests {
    table: Table<2, { FACT + 5 }>,
}

fn collector(maps: &[Map]) -> Result<Box<dyn Collect>> {
    Ok(Box::new(Requests { table: Table::new(&maps[0])? }))
}

impl Collect for Requests {
    fn collect(&mut self, _: u64, _: &[u32], _: &mut dyn FnMut(&'static Desc, &[u8])) {}

    fn open(&mut self, stop: u64, rows: &mut dyn FnMut(&'static Desc, &[u8])) {
        self.table.each(|_, row| {
            if let Some(fact) = open_fact(&row[0], stop) {
                rows(BlockIo::DESC, &fact.encode());
            }
        });
    }
}

/// What an entry comes to when the recording stops; `None` for one that was begun after that, for one
/// that has ended, and for the recorder's own, whose start is 0.
fn open_fact(row: &Row, stop: u64) -> Option<BlockIo> {
    let bytes: Vec<u8> = row[..FACT].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let [start, issue] = [row[FACT], row[FACT + 1]];
    if start == 0 || row[FACT + 4] != 0 {
        return None;
    }
    let mut fact = BlockIo::decode(&bytes)?;
    fact.end = stop;
    fact.duration = stop.checked_sub(start)?;
    fact.service = if issue == 0 { 0 } else { stop.saturating_sub(issue).min(fact.duration) };
    fact.queue = fact.duration - fact.service;
    fact.flags |= block_flag::OPEN;
    Some(fact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_is_told_as_open() {
        let fact = BlockIo { bytes: 7, tid: 3, op: 1, flags: block_flag::SYNC, ..Default::default() };
        let row = |start: u64, issue: u64| {
            let mut row: Row = [0; FACT + 5];
            for (word, bytes) in row.iter_mut().zip(fact.encode().chunks_exact(8)) {
                *word = u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
            }
            (row[FACT], row[FACT + 1]) = (start, issue);
            row
        };
        let check = |start, issue, expected: Option<(u64, u64, u64)>| {
            let open = open_fact(&row(start, issue), 1000);
            assert_eq!(open.map(|open| (open.duration, open.queue, open.service)), expected);
            if let Some(open) = open {
                assert_eq!((open.end, open.bytes, open.tid), (1000, 7, 3));
                assert_eq!(open.flags, block_flag::SYNC | block_flag::OPEN);
            }
        };
        check(400, 900, Some((600, 500, 100)));
        check(400, 0, Some((600, 600, 0)));
        check(1001, 0, None);
        check(0, 0, None);
        let mut ended = row(400, 900);
        ended[FACT + 4] = 1;
        assert_eq!(open_fact(&ended, 1000), None);
    }
}
