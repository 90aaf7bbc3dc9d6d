//! What a probe is: its programs, where they attach, what it needs, which knobs it has.

use crate::counting::Event;
use ktape_format::schema::{CounterTotal, Desc, HeapTotal, MemoryUse};

/// One probe. The list of all of them is [`crate::probes::PROBES`].
#[derive(Debug)]
pub struct Probe {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it records, in a line.
    pub about: &'static str,
    /// What it costs, in a line: measured, with the unit.
    pub cost: &'static str,
    /// Recorded unless the user chooses otherwise.
    pub default: bool,
    /// Always attached and not chosen: what gives other facts their meaning.
    pub always: bool,
    /// The facts it makes.
    pub records: &'static [&'static Desc],
    /// Its programs; all of them must attach.
    pub attach: &'static [AttachPoint],
    /// Programs that it is better with, and does without where they cannot attach.
    pub optional: &'static [Optional],
    /// Iterators that are walked for what there is, or what is still open at the stop.
    pub walks: &'static [Walk],
    /// Maps that it alone uses: made as small as can be in recordings without it.
    pub maps: &'static [&'static str],
    /// What the host must have.
    pub needs: &'static [Needs],
    /// What can be set.
    pub knobs: &'static [Knob],
    /// Maps whose rows become facts every second, or at the stop.
    pub totals: &'static [Totals],
}

/// One place in the kernel to hook, by the first alternative that works.
#[derive(Debug)]
pub struct AttachPoint {
    /// What happens there, for people.
    pub what: &'static str,
    /// Tried in this order.
    pub alternatives: &'static [Attach],
}

/// An attach point that a probe can do without.
#[derive(Debug)]
pub struct Optional {
    /// Attached only if this knob has one of these values; a set, if it has one of these bits.
    pub knob: (&'static str, &'static [u64]),
    /// The place.
    pub point: AttachPoint,
}

/// One way to attach a program.
#[derive(Clone, Copy, Debug)]
pub enum Attach {
    /// A tracepoint with typed arguments (`tp_btf`).
    TpBtf {
        /// Program name in the object.
        program: &'static str,
        /// Tracepoint name.
        tracepoint: &'static str,
    },
    /// The entry of a kernel function, by trampoline (`fentry`).
    Fentry {
        /// Program name in the object.
        program: &'static str,
        /// Kernel function.
        function: &'static str,
    },
    /// The entry of a kernel function, by breakpoint or ftrace (`kprobe`). Not its return: of a
    /// function that waits, a kretprobe sees no more returns at a time than there are CPUs, twice.
    Kprobe {
        /// Program name in the object.
        program: &'static str,
        /// Kernel function.
        function: &'static str,
    },
    /// A tracepoint by its format file in tracefs.
    Tracepoint {
        /// Program name in the object.
        program: &'static str,
        /// Group of events.
        category: &'static str,
        /// Event.
        name: &'static str,
    },
    /// This one, on kernels before a version, and why not later.
    Before {
        /// Major and minor version of the first kernel that it is not for.
        kernel: (u32, u32),
        /// What is wrong with it from there on.
        why: &'static str,
        /// The way.
        how: &'static Attach,
    },
    /// This one, where all of these probes are recorded, which list it as well: its programs serve
    /// them all, and are attached once.
    Together {
        /// Their names.
        probes: &'static [&'static str],
        /// The way.
        how: &'static Attach,
    },
    /// A function of a shared library, in each file of that library on the host, for all processes
    /// that map it, also later.
    Uprobe {
        /// Program name in the object.
        program: &'static str,
        /// The library's name up to its version: `libssl`.
        library: &'static str,
        /// Function of it.
        function: &'static str,
        /// Where it returns, not where it begins.
        at_return: bool,
    },
    /// The beginning of a function of Go programs, in each one that is recorded, also later: see
    /// `golang.rs`.
    Go {
        /// Program name in the object.
        program: &'static str,
        /// Its full name.
        function: &'static str,
        /// Whether it tells names that are soon learned: then it need not stay.
        learned: bool,
    },
    /// In one function of Go programs the only call of another one: as `Go`.
    GoCall {
        /// Program name in the object.
        program: &'static str,
        /// The full name of the function that calls.
        inside: &'static str,
        /// The full name of the one that is called.
        function: &'static str,
    },
    /// All of these together, or none.
    All(&'static [Attach]),
    /// Each page fault on every CPU, major or minor ones (PERF_COUNT_SW_PAGE_FAULTS_MAJ, _MIN).
    PageFaults {
        /// Program name in the object.
        program: &'static str,
        /// Those that had to read the page.
        major: bool,
    },
    /// Overflows of an event on every CPU, by the knobs `freq` and `period`.
    Counter {
        /// Program name in the object.
        program: &'static str,
        /// The event.
        event: Event,
    },
    /// Samples on every CPU at the rate of the knob `freq`: hardware cycles, else the CPU clock.
    Sampling {
        /// Program name in the object.
        program: &'static str,
    },
}

/// A way by typed tracepoints, on kernels before 7.0: since then their programs are preempted where the
/// kernel itself has preemption on ("tracing: Guard __DECLARE_TRACE() use of __DO_TRACE_CALL() with
/// SRCU-fast"), and a preempted program is run for no other thread of its CPU.
pub(crate) const fn not_preempted(how: &'static Attach) -> Attach {
    let why = "it can be preempted, and misses what others do meanwhile";
    Attach::Before { kernel: (7, 0), why, how }
}

/// Of a larger group only the first two parts are named.
const MOST_SHOWN: usize = 6;

impl Attach {
    /// The programs' names in the object.
    pub fn programs(&self) -> Vec<&'static str> {
        match self {
            Attach::All(parts) => parts.iter().flat_map(Attach::programs).collect(),
            Attach::Before { how, .. } | Attach::Together { how, .. } => how.programs(),
            Attach::TpBtf { program, .. }
            | Attach::Fentry { program, .. }
            | Attach::Kprobe { program, .. }
            | Attach::Tracepoint { program, .. }
            | Attach::Uprobe { program, .. }
            | Attach::Go { program, .. }
            | Attach::GoCall { program, .. }
            | Attach::PageFaults { program, .. }
            | Attach::Counter { program, .. }
            | Attach::Sampling { program } => vec![*program],
        }
    }

    /// Whether it is a way for a recording of these probes.
    pub(crate) fn is_for(&self, recorded: &[&str]) -> bool {
        let Attach::Together { probes, .. } = self else { return true };
        probes.iter().all(|probe| recorded.contains(probe))
    }

    /// Itself, or what a group is made of.
    pub(crate) fn parts(&self) -> Box<dyn Iterator<Item = Attach> + '_> {
        match self {
            Attach::All(parts) => Box::new(parts.iter().flat_map(Attach::parts)),
            Attach::Before { how, .. } | Attach::Together { how, .. } => how.parts(),
            one => Box::new(std::iter::once(*one)),
        }
    }

    /// The alternative as bpftrace would write it: `tp_btf:sched_switch`.
    pub fn describe(&self) -> String {
        match self {
            Attach::TpBtf { tracepoint, .. } => format!("tp_btf:{tracepoint}"),
            Attach::Fentry { function, .. } => format!("fentry:{function}"),
            Attach::Kprobe { function, .. } => format!("kprobe:{function}"),
            Attach::Tracepoint { category, name, .. } => format!("tracepoint:{category}:{name}"),
            Attach::Uprobe { library, function, .. } => format!("uprobe:{library}:{function}"),
            Attach::Go { function, .. } => format!("uprobe:go:{function}"),
            Attach::GoCall { inside, function, .. } => format!("uprobe:go:{inside}:{function}"),
            Attach::All(parts) => {
                // Entry and return of a function are told once.
                let mut all: Vec<String> = parts.iter().map(Attach::describe).collect();
                all.dedup();
                let shown = if all.len() > MOST_SHOWN { 2 } else { all.len() };
                let more = all.len() - shown;
                all.truncate(shown);
                if more > 0 {
                    all.push(format!("{more} more"));
                }
                all.join(", ")
            }
            Attach::Before { how, .. } => how.describe(),
            Attach::Together { how, .. } => format!("{}, shared", how.describe()),
            Attach::PageFaults { major: true, .. } => "perf_event:major-faults".into(),
            Attach::PageFaults { major: false, .. } => "perf_event:minor-faults".into(),
            Attach::Counter { event, .. } => format!("perf_event:{}", event.name()),
            Attach::Sampling { .. } => "perf_event".into(),
        }
    }
}

/// The ways to attach that a recording can do without.
pub const WAYS: [&str; 5] = ["tp_btf", "fentry", "kprobe", "tracepoint", "uprobe"];

/// A kernel iterator: the rows that it gives are facts. It is walked at the stop, for what is still
/// open then, and before, if so wanted.
#[derive(Debug)]
pub struct Walk {
    /// Program name in the object (`SEC("iter/task")`).
    pub program: &'static str,
    /// What it iterates over: the word behind `iter/`. Where the object for old kernels differs, that
    /// of recent ones, `|`, that of old ones.
    pub over: &'static str,
    /// The record of the rows that it gives.
    pub record: &'static Desc,
    /// Walk it at the start of the recording, too.
    pub at_start: bool,
    /// Walk it again and again: the knob that says how often.
    pub every: Option<&'static str>,
}

/// What the host must have for a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// This kernel version or a later one.
    Kernel(u32, u32),
    /// The kernel was built with this tracepoint.
    Tracepoint(&'static str, &'static str),
}

/// Something that can be set per recording.
#[derive(Debug)]
pub struct Knob {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, with its default.
    pub about: &'static str,
    /// The `const volatile` variable of the kernel program; empty when only the recorder reads it.
    pub symbol: &'static str,
    /// What values it takes.
    pub kind: KnobKind,
    /// Its value when nobody sets it.
    pub default: u64,
}

/// The values of a knob, and the width of its variable.
#[derive(Clone, Copy, Debug)]
pub enum KnobKind {
    /// A length of time; 8 bytes of nanoseconds.
    Duration,
    /// One of these names; 1 byte.
    Choice(&'static [(&'static str, u64)]),
    /// A number in this range, in the kernel 8 bytes.
    Number(u64, u64),
    /// Some of these names, with `+` between them, each with its bit; only for the recorder.
    Set(&'static [(&'static str, u64)]),
}

/// Facts of whole threads and processes: with -C they are not recorded, since no CPU is theirs.
pub(crate) const OF_NO_CPU: &[&Desc] = &[MemoryUse::DESC, CounterTotal::DESC, HeapTotal::DESC];

impl Probe {
    fn ways(&self) -> impl Iterator<Item = &'static Attach> {
        let optional = self.optional.iter().map(|optional| &optional.point);
        let points = self.attach.iter().chain(optional);
        points.flat_map(|point| point.alternatives)
    }

    /// All its programs in the object.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &'static str> {
        self.ways().flat_map(Attach::programs).chain(self.walks.iter().map(|walk| walk.program))
    }

    /// Those that a recording of these probes may use.
    pub(crate) fn programs_beside(&self, probes: &[&Probe]) -> impl Iterator<Item = &'static str> {
        let names: Vec<&str> = probes.iter().map(|probe| probe.name).collect();
        let ways = self.ways().filter(move |way| way.is_for(&names));
        ways.flat_map(Attach::programs).chain(self.walks.iter().map(|walk| walk.program))
    }
}

impl Walk {
    /// What it iterates over, in the object for recent kernels or the other one.
    pub(crate) fn over(&self, recent: bool) -> &'static str {
        let (of_recent, of_old) = self.over.split_once('|').unwrap_or((self.over, self.over));
        if recent { of_recent } else { of_old }
    }
}

impl Knob {
    /// Reads a value as typed; the error says what would be right.
    pub fn parse(&self, text: &str) -> Result<u64, String> {
        match self.kind {
            KnobKind::Duration => crate::units::parse_duration(text)
                .map(|duration| duration.as_nanos() as u64)
                .map_err(|error| format!("{} takes a duration: {error}", self.name)),
            KnobKind::Choice(choices) => {
                choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(
                    || {
                        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                        format!("{} takes one of {}, not {text}", self.name, names.join(", "))
                    },
                )
            }
            KnobKind::Set(known) => text.split('+').try_fold(0, |bits, part| {
                let found = known.iter().find(|(name, _)| *name == part);
                found.map(|(_, bit)| bits | bit).ok_or_else(|| {
                    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                    format!(
                        "{} takes some of {}, with + between them, not {part}",
                        self.name,
                        names.join(", ")
                    )
                })
            }),
            KnobKind::Number(low, high) => {
                text.parse().ok().filter(|value| (low..=high).contains(value)).ok_or_else(|| {
                    format!("{} takes a number from {low} to {high}, not {text}", self.name)
                })
            }
        }
    }

    /// A value as a user would type it.
    pub fn show(&self, value: u64) -> String {
        match self.kind {
            KnobKind::Duration => crate::units::show_duration(value),
            KnobKind::Choice(choices) => choices
                .iter()
                .find(|(_, known)| *known == value)
                .map_or_else(|| value.to_string(), |(name, _)| (*name).to_string()),
            KnobKind::Number(..) => value.to_string(),
            KnobKind::Set(known) => {
                let set = known.iter().filter(|(_, bit)| value & bit != 0 || value == *bit);
                set.map(|(name, _)| *name).collect::<Vec<&str>>().join("+")
            }
        }
    }

    /// The bytes of the kernel program's variable.
    pub(crate) fn bytes(&self, value: u64) -> Vec<u8> {
        match self.kind {
            KnobKind::Duration | KnobKind::Number(..) => value.to_ne_bytes().to_vec(),
            KnobKind::Choice(_) | KnobKind::Set(_) => vec![value as u8],
        }
    }
}

/// Turns the rows of maps into facts.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// The names of the maps in the object.
    pub maps: &'static [&'static str],
    /// Makes their collector; they come in that order.
    pub collector: fn(&[aya::maps::Map]) -> crate::error::Result<Box<dyn Collect>>,
}

/// Reads a map that kernel programs add to.
pub trait Collect {
    /// Called every second and at the stop: hands over what was added since the last call, as rows of
    /// facts ending at `now`. `gone` are
    /// processes that have ended since: their rows may be dropped from the map.
    fn collect(&mut self, now: u64, gone: &[u32], rows: &mut dyn FnMut(&'static Desc, &[u8]));

    /// Called after each [`Collect::collect`] but the one at the stop: hands over facts that are whole
    /// now and that nobody has counted as produced.
    fn ended(&mut self, _now: u64, _rows: &mut dyn FnMut(&'static Desc, &[u8])) {}

    /// Hands over what has begun and not ended at the stop; nobody has counted it as produced.
    fn open(&mut self, _stop: u64, _rows: &mut dyn FnMut(&'static Desc, &[u8])) {}
}
