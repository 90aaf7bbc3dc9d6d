//! `merge`: the rows of many chunks in order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ktape_format::{Batch, ChunkInfo, Decoder, RecordSchema};
use ktape_schema::Type;

use crate::context::{Context, Damage, what};
use crate::error::Result;
use crate::query::RowFilter;
use crate::row_layout::Layout;

/// A record whose rows are wanted.
pub(super) struct Job<'a> {
    pub(super) schema: &'a RecordSchema,
    pub(super) layout: Layout,
    pub(super) filter: RowFilter<'a>,
}

/// What became of the merge.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// Chunks that could not be read.
    pub(super) damages: Vec<Damage>,
    /// Some chunk had to wait although its first row was due: rows are out of order.
    pub(super) unordered: bool,
}

/// Decoded rows are held up to this many bytes, which is more than a second of 128 busy CPUs. A trace
/// whose chunks overlap so much that it takes more comes out of order instead.
const MOST_BYTES: u64 = 384 << 20;

/// A chunk whose rows are due.
struct Open {
    job: usize,
    batch: Batch,
    /// (time, row), sorted, as far as not written yet.
    order: std::vec::IntoIter<(u64, u32)>,
    bytes: u64,
}

/// Place in the heap: time, ring, record, chunk, row, slot of the open chunk.
type Due = Reverse<(u64, u16, u16, usize, u32, usize)>;

/// Calls `each` with every row that passes, by (time, ring, record), then in the order of the file.
pub(super) fn merge(
    cx: &Context<'_>,
    jobs: &[Job<'_>],
    most_bytes: Option<u64>,
    mut each: impl FnMut(&Job<'_>, &Batch, usize) -> Result<()>,
) -> Result<Merged> {
    let most_bytes = most_bytes.unwrap_or(MOST_BYTES);
    let trace = cx.trace();
    let mut waiting: Vec<(usize, usize, &ChunkInfo)> = Vec::new();
    for (chunk, info) in trace.chunks().iter().enumerate() {
        let job = jobs.iter().position(|job| job.schema.id == info.record);
        if let Some(job) = job.filter(|&job| jobs[job].filter.passes_chunk(info)) {
            waiting.push((job, chunk, info));
        }
    }
    // Last first: the next one is popped.
    waiting.sort_by_key(|(_, chunk, info)| Reverse((info.first, info.ring, *chunk)));
    let mut open: Vec<Option<Open>> = Vec::new();
    let mut spare: Vec<Batch> = Vec::new();
    let mut due: BinaryHeap<Due> = BinaryHeap::new();
    let mut opener = Opener { cx, decoder: Decoder::new(), keep: Vec::new() };
    let mut merged = Merged::default();
    let mut bytes = 0;
    loop {
        while let Some(&(job, chunk, info)) = waiting.last() {
            if due.peek().is_some_and(|next| info.first > next.0.0) {
                break;
            }
            if bytes > 0 && bytes + size(jobs[job].schema, info) > most_bytes {
                merged.unordered = true;
                break;
            }
            waiting.pop();
            match opener.open(&jobs[job], job, chunk, spare.pop().unwrap_or_default()) {
                Ok(opened) => {
                    bytes += opened.bytes;
                    let slot = open.iter().position(Option::is_none).unwrap_or(open.len());
                    if slot == open.len() {
                        open.push(None);
                    }
                    open[slot] = Some(opened);
                    next_of(&mut open, slot, chunk, info, &mut due, &mut spare, &mut bytes);
                }
                Err(damage) => merged.damages.push(damage),
            }
        }
        let Some(Reverse((_, _, _, chunk, row, slot))) = due.pop() else { break };
        if let Some(opened) = &open[slot] {
            each(&jobs[opened.job], &opened.batch, row as usize)?;
        }
        let info = &trace.chunks()[chunk];
        next_of(&mut open, slot, chunk, info, &mut due, &mut spare, &mut bytes);
    }
    Ok(merged)
}

/// Puts the next row of an open chunk into the heap, or closes the chunk.
fn next_of(
    open: &mut [Option<Open>],
    slot: usize,
    chunk: usize,
    info: &ChunkInfo,
    due: &mut BinaryHeap<Due>,
    spare: &mut Vec<Batch>,
    bytes: &mut u64,
) {
    let Some(opened) = &mut open[slot] else { return };
    if let Some((time, row)) = opened.order.next() {
        due.push(Reverse((time, info.ring, info.record, chunk, row, slot)));
        return;
    }
    *bytes -= opened.bytes;
    spare.extend(open[slot].take().map(|closed| closed.batch));
}

/// Bytes that a chunk's rows take decoded, with their order.
fn size(schema: &RecordSchema, info: &ChunkInfo) -> u64 {
    let row: usize = schema
        .fields
        .iter()
        // Texts are short as a rule; a column of them is bounded by the format.
        .map(|field| Type::from_code(field.ty).map_or(8, Type::size).max(1))
        .sum();
    u64::from(info.rows) * (row as u64 + 16)
}

struct Opener<'a> {
    cx: &'a Context<'a>,
    decoder: Decoder,
    keep: Vec<bool>,
}

impl Opener<'_> {
    fn open(
        &mut self,
        job: &Job<'_>,
        index: usize,
        chunk: usize,
        mut batch: Batch,
    ) -> std::result::Result<Open, Damage> {
        let trace = self.cx.trace();
        let info = &trace.chunks()[chunk];
        let columns: Vec<&str> = job.schema.fields.iter().map(|field| &*field.name).collect();
        self.decoder
            .read(trace, chunk, &columns, &mut batch)
            .map_err(|error| Damage { offset: info.offset, what: what(&error) })?;
        job.filter.apply(info, &mut batch, &mut self.keep);
        let mut order: Vec<(u64, u32)> =
            (0..batch.rows()).map(|row| (job.layout.time(&batch, row), row as u32)).collect();
        if !order.is_sorted() {
            order.sort_unstable();
        }
        let bytes = size(job.schema, info);
        Ok(Open { job: index, batch, order: order.into_iter(), bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::{Job, Layout, merge};
    use crate::context::{Context, Needs};
    use crate::query::{Filter, RowFilter};
    use crate::testing::busy;

    /// Rows that come, and whether they come in order.
    fn check(most_bytes: Option<u64>, in_order: bool) {
        let trace = busy(7, 300).cut(5);
        let cx = Context::load(&trace, Needs::TASKS);
        let filter = Filter::all();
        let jobs: Vec<Job<'_>> = ["off_cpu", "cpu_sample"]
            .into_iter()
            .map(|name| {
                let schema = trace.record(name).expect("a record");
                let filter = RowFilter::new(&cx, &filter, schema);
                Job { schema, layout: Layout::of(schema), filter }
            })
            .collect();
        let mut times = Vec::new();
        let merged = merge(&cx, &jobs, most_bytes, |job, batch, row| {
            times.push(job.layout.time(batch, row));
            Ok(())
        })
        .expect("rows");
        assert_eq!(times.len(), 600);
        assert_eq!((times.is_sorted(), merged.unordered), (in_order, !in_order));
    }

    #[test]
    fn memory_goes_before_order() {
        check(None, true);
        check(Some(1), false);
    }
}
