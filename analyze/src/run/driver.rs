//! Runs a report: picks chunks, decodes them on all threads, filters, folds.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};

use ktape_format::{Batch, ChunkInfo, Decoder, Trace};

use super::{Again, Read, Report, notes};
use crate::answer::{Answer, Note};
use crate::context::{Context, Damage, record_id, what};
use crate::error::{Error, Result};
use crate::query::{Filter, FilterArgs, RowFilter};

/// What is asked of a trace, apart from the report itself.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Which facts to look at.
    pub filter: FilterArgs,
    /// How many threads scan; 0 for one per CPU. The answer does not depend on it.
    pub threads: usize,
}

/// Runs a report over a trace.
pub fn run<R: Report>(report: &R, trace: &Trace, query: &Query) -> Result<Answer> {
    report.check()?;
    let mut cx = Context::load(trace, report.needs());
    let filter = query.filter.resolve(&cx)?;
    cx.narrow_to(&filter);
    let reads = report.reads(&cx);
    let (mut state, gaps) = fold(report, &cx, &filter, &reads, query.threads)?;
    let again = Again { cx: &cx, filter: &filter, reads: &reads, threads: query.threads };
    report.look_again(&again, &mut state)?;
    let mut answer = report.finish(&cx, &filter, state);
    if cx.hosts().several() {
        answer.tell_hosts(cx.hosts());
    }
    answer.report = R::NAME;
    answer.window = Some((cx.offset(filter.window(&cx).0), cx.offset(filter.window(&cx).1)));
    // Last: what an answer names is read for it.
    answer.notes.splice(0..0, gaps.notes(&cx, &filter, &reads));
    Ok(answer)
}

/// What is folded over facts: a report, or one side of a comparison.
pub(crate) trait Scan: Sync {
    /// What one thread has folded so far.
    type Folded: Default + Send;

    /// See [`Report::skim`].
    fn skim_chunk(&self, cx: &Context<'_>, chunk: &ChunkInfo, folded: &mut Self::Folded) -> bool;

    /// See [`Report::scan`].
    fn scan_batch(&self, cx: &Context<'_>, batch: &Batch, folded: &mut Self::Folded);

    /// See [`Report::merge`].
    fn merge_folded(&self, into: &mut Self::Folded, from: Self::Folded);
}

impl<R: Report> Scan for R {
    type Folded = R::State;

    fn skim_chunk(&self, cx: &Context<'_>, chunk: &ChunkInfo, folded: &mut R::State) -> bool {
        self.skim(cx, chunk, folded)
    }

    fn scan_batch(&self, cx: &Context<'_>, batch: &Batch, folded: &mut R::State) {
        self.scan(cx, batch, folded);
    }

    fn merge_folded(&self, into: &mut R::State, from: R::State) {
        self.merge(into, from);
    }
}

/// Folds the facts of `reads` that pass `filter`, on `threads` threads (0 for one per CPU).
pub(crate) fn fold<'a, S: Scan>(
    scan: &S,
    cx: &'a Context<'a>,
    filter: &'a Filter,
    reads: &'a [Read],
    threads: usize,
) -> Result<(S::Folded, Gaps<'a>)> {
    let plan = Plan::new(cx, filter, reads);
    let (folded, damages) = plan.scan(scan, self::threads(threads, &plan))?;
    Ok((folded, Gaps { jobs: plan.jobs, damages }))
}

/// What a fold could not look at.
pub(crate) struct Gaps<'a> {
    jobs: Vec<Job<'a>>,
    damages: Vec<Damage>,
}

impl Gaps<'_> {
    /// The notes of an answer about that. To be asked for when all that it names has been read.
    pub(crate) fn notes(mut self, cx: &Context<'_>, filter: &Filter, reads: &[Read]) -> Vec<Note> {
        cx.lost_any();
        self.damages.extend(cx.damages());
        self.damages.sort();
        self.damages.dedup();
        let dropped: Vec<_> = self.jobs.iter().map(|job| (job.read, &job.rows)).collect();
        notes::of(cx, filter, reads, &dropped, &self.damages)
    }
}

/// With fewer rows each, further threads cost more than they save.
const WORTH_A_THREAD: u64 = 50_000;

fn threads(asked: usize, plan: &Plan<'_>) -> usize {
    let rows: u64 = plan.chunks.iter().map(|&(_, chunk)| plan.rows(chunk)).sum();
    let worth = usize::try_from(rows / WORTH_A_THREAD).unwrap_or(usize::MAX);
    let asked = match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from).min(worth),
        asked => asked,
    };
    asked.clamp(1, plan.chunks.len().max(1))
}

/// A record that is read, and how its rows are filtered.
struct Job<'a> {
    read: &'a Read,
    rows: RowFilter<'a>,
}

/// Which chunks to read, and for which job.
struct Plan<'a> {
    cx: &'a Context<'a>,
    jobs: Vec<Job<'a>>,
    /// (job, chunk).
    chunks: Vec<(usize, usize)>,
}

impl<'a> Plan<'a> {
    fn new(cx: &'a Context<'a>, filter: &'a Filter, reads: &'a [Read]) -> Self {
        let trace = cx.trace();
        let mut jobs = Vec::new();
        let mut chunks = Vec::new();
        for read in reads {
            let Some(id) = record_id(trace, read.record) else { continue };
            let Some(schema) = trace.record_by_id(id) else { continue };
            let rows = RowFilter::new(cx, filter, schema);
            let passing = trace
                .chunks()
                .iter()
                .enumerate()
                .filter(|(_, chunk)| chunk.record == id && rows.passes_chunk(chunk));
            chunks.extend(passing.map(|(index, _)| (jobs.len(), index)));
            jobs.push(Job { read, rows });
        }
        Self { cx, jobs, chunks }
    }

    fn rows(&self, chunk: usize) -> u64 {
        u64::from(self.cx.trace().chunks()[chunk].rows)
    }

    fn scan<S: Scan>(&self, scan: &S, threads: usize) -> Result<(S::Folded, Vec<Damage>)> {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let other = |_| {
                let builder = std::thread::Builder::new();
                let work = builder.spawn_scoped(scope, || self.work(scan, &next));
                work.map_err(|source| Error::Threads { threads, source })
            };
            let others: Vec<_> = (1..threads).map(other).collect::<Result<_>>()?;
            let (mut state, mut damages) = self.work(scan, &next);
            for other in others {
                let (part, more) = other.join().unwrap_or_else(|panic| resume_unwind(panic));
                scan.merge_folded(&mut state, part);
                damages.extend(more);
            }
            Ok((state, damages))
        })
    }

    /// What one thread does: takes the next chunk until there is none.
    fn work<S: Scan>(&self, scan: &S, next: &AtomicUsize) -> (S::Folded, Vec<Damage>) {
        let trace = self.cx.trace();
        let (mut decoder, mut batch) = (Decoder::new(), Batch::new());
        let (mut keep, mut columns) = (Vec::new(), Vec::new());
        let (mut state, mut damages) = (S::Folded::default(), Vec::new());
        while let Some(&(job, index)) = self.chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (job, chunk) = (&self.jobs[job], &trace.chunks()[index]);
            if job.rows.passes_whole(chunk) && scan.skim_chunk(self.cx, chunk, &mut state) {
                continue;
            }
            columns.clear();
            columns.extend_from_slice(&job.read.columns);
            job.rows.columns(chunk, &mut columns);
            if let Err(error) =
                decoder.read_keyed(trace, index, &columns, &job.read.keyed, &mut batch)
            {
                damages.push(Damage { offset: chunk.offset, what: what(&error) });
                continue;
            }
            job.rows.apply(chunk, &mut batch, &mut keep);
            if batch.rows() > 0 {
                scan.scan_batch(self.cx, &batch, &mut state);
            }
        }
        (state, damages)
    }
}
