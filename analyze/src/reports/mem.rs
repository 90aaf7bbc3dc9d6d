//! `report mem`.

mod answer;
mod heap;

use ktape_format::Batch;
use ktape_schema::{
    AllocTotal, FaultTotal, HeapTotal, MemoryUse, PageFault, memory_use_flag, page_fault_flag,
};

use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::query::Filter;
use crate::run::{Bounded, BoundedKey, Fold, LogHistogram, Read, Report, Slots};

/// Memory: page faults, growth of processes, and what the kernel allocates.
///
/// Major faults had to read the page, from a file or from swap, and each is recorded with its time;
/// minor ones only had to map it, and are counted exactly by process and stack. Memory of processes is
/// sampled (once a second): its growth is the last sample less the first of the window. Allocations of
/// the kernel need `-e mem/kernel=all/`, those of programs from their C library `-e mem/heap=all/`: there
/// what lives was allocated since the recording began, and not freed until the end of the window, of the
/// program, or of its process. It is not told of a window that begins later.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Mem {
    /// What one row is.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
}

/// What one row of the answer is.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// A process: its faults and its memory.
    #[default]
    Process,
    /// A stack that faulted.
    Stack,
    /// A place in the kernel that allocates or frees.
    Site,
    /// A stack that allocates from the C library: what lives, and how much comes and goes.
    Heap,
}

/// Most stacks and call sites that are told apart.
const MOST: usize = 1 << 17;

/// Page faults.
#[derive(Clone, Debug, Default)]
struct Faults {
    minor: u64,
    major: u64,
    /// Those of them whose time is known, and their time.
    timed: u64,
    total: u64,
    max: u64,
}

impl Fold for Faults {
    fn fold(&mut self, from: Faults) {
        self.minor = self.minor.saturating_add(from.minor);
        self.major = self.major.saturating_add(from.major);
        self.timed = self.timed.saturating_add(from.timed);
        self.total = self.total.saturating_add(from.total);
        self.max = self.max.max(from.max);
    }
}

/// A moment and how many pages a process had then: anonymous, of files, shared, in swap. Of samples
/// of one moment the one with the most pages counts.
type Sample = (u64, [u64; 4]);

/// The memory of a process.
#[derive(Clone, Debug, Default)]
struct Memory {
    first: Option<Sample>,
    last: Option<Sample>,
    /// The most pages in memory in any sample.
    most: u64,
    /// The most that it ever had, as far as the kernel noted it.
    peak: u64,
    approximate: bool,
}

/// Pages of a sample that are in memory: anonymous, of files, shared.
fn resident(sample: &Sample) -> u64 {
    sample.1[..3].iter().fold(0, |sum, pages| sum.saturating_add(*pages))
}

impl Memory {
    fn add(&mut self, sample: Sample, peak: u64, approximate: bool) {
        let most = resident(&sample);
        let peak = peak.max(most);
        self.fold(Memory { first: Some(sample), last: Some(sample), most, peak, approximate });
    }
}

impl Fold for Memory {
    fn fold(&mut self, from: Memory) {
        // The other order of pages, so that the smaller sample wins among the first.
        self.first = match (self.first, from.first) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, other) => one.or(other),
        };
        self.last = self.last.max(from.last);
        self.most = self.most.max(from.most);
        self.peak = self.peak.max(from.peak);
        self.approximate |= from.approximate;
    }
}

/// What is kept of a process.
#[derive(Clone, Debug, Default)]
struct OfProcess {
    faults: Faults,
    memory: Memory,
}

impl Fold for OfProcess {
    fn fold(&mut self, from: OfProcess) {
        self.faults.fold(from.faults);
        self.memory.fold(from.memory);
    }
}

/// A stack of a process, or a call site and what is done there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct PlaceKey {
    /// [`crate::context::ProcessKey`], or `alloc_total.what`.
    of: u64,
    stack: u32,
}

impl BoundedKey for PlaceKey {
    const OTHERS: Self = Self { of: u64::MAX, stack: u32::MAX };
}

/// Allocations: calls and bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Calls {
    count: u64,
    bytes: u64,
}

impl Fold for Calls {
    fn fold(&mut self, from: Calls) {
        self.count = self.count.saturating_add(from.count);
        self.bytes = self.bytes.saturating_add(from.bytes);
    }
}

/// The fold.
#[derive(Debug, Default)]
pub struct State {
    processes: Slots<OfProcess>,
    stacks: Bounded<PlaceKey, Faults, MOST>,
    times: LogHistogram,
    sites: Bounded<PlaceKey, Calls, MOST>,
    heaps: heap::Heaps,
}

impl Report for Mem {
    const NAME: &'static str = "mem";
    type State = State;

    fn needs(&self) -> Needs {
        Needs::CODE
    }

    fn reads(&self, _: &Context<'_>) -> Vec<Read> {
        let memory = [
            "time",
            "anon_pages",
            "file_pages",
            "shmem_pages",
            "swap_pages",
            "peak_pages",
            "tgid",
            "flags",
        ];
        vec![
            Read::of(FaultTotal::DESC.name, &["end", "count", "tgid", "ustack"]),
            Read::maybe(PageFault::DESC.name, &["end", "duration", "tid", "tgid", "ustack", "flags"]),
            Read::maybe(MemoryUse::DESC.name, &memory),
            Read::maybe(AllocTotal::DESC.name, &["count", "bytes", "site", "what"]),
            Read::maybe(HeapTotal::DESC.name, &heap::COLUMNS),
        ]
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        match batch.record() {
            id if id == FaultTotal::DESC.id => minor(cx, batch, state),
            id if id == PageFault::DESC.id => major(cx, batch, state),
            id if id == MemoryUse::DESC.id => memory(cx, batch, state),
            id if id == HeapTotal::DESC.id => heap::scan(cx, batch, &mut state.heaps),
            _ => allocations(batch, state),
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        into.processes.merge(from.processes);
        into.stacks.merge(from.stacks);
        into.times.merge(&from.times);
        into.sites.merge(from.sites);
        into.heaps.merge(from.heaps);
    }

    fn finish(&self, cx: &Context<'_>, filter: &Filter, state: State) -> Answer {
        answer::answer(self.by, cx, filter, state)
    }
}

fn minor(cx: &Context<'_>, batch: &Batch, state: &mut State) {
    let (ends, counts) = (batch.u64("end"), batch.u64("count"));
    let (tgids, ustacks) = (batch.u32("tgid"), batch.u32("ustack"));
    for row in 0..batch.rows() {
        let process = cx.tasks().process_key(tgids[row], ends[row]).0;
        let faults = Faults { minor: counts[row], ..Faults::default() };
        state.processes.at(process).faults.fold(faults.clone());
        state.stacks.at(PlaceKey { of: process, stack: ustacks[row] }).fold(faults);
    }
}

fn major(cx: &Context<'_>, batch: &Batch, state: &mut State) {
    let (ends, durations) = (batch.u64("end"), batch.u64("duration"));
    let (tids, tgids) = (batch.u32("tid"), batch.u32("tgid"));
    let (ustacks, flags) = (batch.u32("ustack"), batch.u16("flags"));
    for row in 0..batch.rows() {
        let thread = cx.tasks().thread_key(tids[row], tgids[row], ends[row]);
        let process = cx.tasks().process_of(thread).0;
        let timed = flags[row] & page_fault_flag::TIMED != 0;
        let duration = if timed { durations[row] } else { 0 };
        let faults = Faults {
            minor: 0,
            major: 1,
            timed: u64::from(timed),
            total: duration,
            max: duration,
        };
        if timed {
            state.times.add(duration);
        }
        state.processes.at(process).faults.fold(faults.clone());
        state.stacks.at(PlaceKey { of: process, stack: ustacks[row] }).fold(faults);
    }
}

fn memory(cx: &Context<'_>, batch: &Batch, state: &mut State) {
    let (times, tgids) = (batch.u64("time"), batch.u32("tgid"));
    let (peaks, flags) = (batch.u64("peak_pages"), batch.u32("flags"));
    let pages = ["anon_pages", "file_pages", "shmem_pages", "swap_pages"].map(|name| batch.u64(name));
    for row in 0..batch.rows() {
        let process = cx.tasks().process_key(tgids[row], times[row]).0;
        let sample = (times[row], pages.map(|pages| pages[row]));
        let approximate = flags[row] & memory_use_flag::APPROXIMATE != 0;
        state.processes.at(process).memory.add(sample, peaks[row], approximate);
    }
}

fn allocations(batch: &Batch, state: &mut State) {
    let (counts, bytes) = (batch.u64("count"), batch.u64("bytes"));
    let (sites, whats) = (batch.u32("site"), batch.u32("what"));
    for row in 0..batch.rows() {
        let key = PlaceKey { of: whats[row].into(), stack: sites[row] };
        state.sites.at(key).fold(Calls { count: counts[row], bytes: bytes[row] });
    }
}
