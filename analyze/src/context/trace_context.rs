//! `Context`: the definitions of one trace.

use ktape_format::{Meta, ProbeMeta, ProbeState, Trace, filter_name};
use ktape_schema::{Class, ProgramRun};

use super::tasks::text_or_unknown;
use super::{
    Clocks, Code, Coverages, Damage, Devices, Hosts, Loader, Losses, Part, ProcessKey, Strings,
    Tasks, ThreadKey, program_runs, record_id, task_rows,
};
use crate::query::Filter;
use crate::syscall_table::SyscallTable;
use crate::wait_class::WaitClasses;

/// Which definitions a report needs beyond the ones that are always loaded (strings, tasks, losses,
/// clocks, coverage).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Modules, frames, stacks and symbols.
    pub code: bool,
}

impl Needs {
    /// Nothing more.
    pub const TASKS: Needs = Needs { code: false };
    /// Stacks and what they are made of.
    pub const CODE: Needs = Needs { code: true };
}

/// All that a report may ask about a trace besides its facts.
pub struct Context<'t> {
    trace: &'t Trace,
    strings: Strings,
    tasks: Tasks,
    code: Code,
    losses: Losses,
    clocks: Clocks,
    coverages: Coverages,
    program_runs: Vec<ProgramRun>,
    devices: Devices,
    damages: Vec<Damage>,
    part: Option<Part>,
    hosts: Hosts,
    end: u64,
    window: (u64, u64),
    least_duration: u64,
    chose_threads: bool,
    syscalls: SyscallTable,
    wait_classes: WaitClasses,
}

impl<'t> Context<'t> {
    /// Loads the definitions of a trace. Never fails: what is damaged or missing is unknown, and
    /// [`Context::damages`] names it.
    pub fn load(trace: &'t Trace, needs: Needs) -> Self {
        let mut loader = Loader::new(trace);
        let strings = Strings::load(&mut loader);
        let tasks = task_rows::load(&mut loader);
        let code = if needs.code { Code::load(&mut loader) } else { Code::default() };
        let losses = Losses::load(&mut loader);
        let clocks = Clocks::load(&mut loader, trace.meta());
        let coverages = Coverages::load(&mut loader);
        let program_runs = program_runs::load(&mut loader);
        let devices = Devices::load(&mut loader);
        let mut damages = loader.damages;
        damages.sort();
        let arch = &trace.meta().host.arch;
        let filters = &trace.meta().filters;
        let part = Part::of(trace.meta());
        let end = end_of(trace).max(part.as_ref().map_or(0, |part| part.end));
        Self {
            trace,
            strings,
            tasks,
            code,
            losses,
            clocks,
            coverages,
            program_runs,
            devices,
            damages,
            end,
            window: (0, u64::MAX),
            least_duration: 0,
            chose_threads: filters
                .iter()
                .any(|(name, _)| filter_name::CHOICES.contains(&name.as_str()))
                || part.as_ref().is_some_and(Part::picks_tasks),
            part,
            hosts: Hosts::of(trace.meta()),
            syscalls: SyscallTable::of(arch),
            wait_classes: WaitClasses::of(arch),
        }
    }

    /// The shortest duration that is asked for (--min-duration), ns. Facts with shorter ones are
    /// gone before a report sees them; this is for parts of a duration.
    pub fn least_duration(&self) -> u64 {
        self.least_duration
    }

    /// The window that is asked for, clipped to the recording: (from, to), monotonic ns.
    pub fn window(&self) -> (u64, u64) {
        self.window
    }

    /// Takes notice of what is asked for.
    pub(crate) fn narrow_to(&mut self, filter: &Filter) {
        self.window = filter.window(self);
        self.least_duration = filter.min_duration;
        self.chose_threads |= filter.picks_tasks();
    }

    /// Whether the recording was of threads of interest, or is asked about some: then one that hangs
    /// is news.
    pub fn chose_threads(&self) -> bool {
        self.chose_threads
    }

    /// Whether facts of this record were recorded: a probe that makes them was attached, or there
    /// are some.
    pub fn was_recorded(&self, record: &str) -> bool {
        let made = |probe: &ProbeMeta| {
            probe.state == ProbeState::Attached && probe.records.iter().any(|name| name == record)
        };
        self.meta().probes.iter().any(made) || self.has_facts(record)
    }

    /// Whether the trace has any facts of this record, or the recording that it is a part of.
    pub(crate) fn has_facts(&self, record: &str) -> bool {
        let of_whole = |part: &Part| part.facts.iter().any(|name| name == record);
        if self.part.as_ref().is_some_and(|part| part.keeps(record) && of_whole(part)) {
            return true;
        }
        let id = record_id(self.trace, record);
        self.trace.chunks().iter().any(|chunk| Some(chunk.record) == id)
    }

    /// The trace itself.
    pub fn trace(&self) -> &'t Trace {
        self.trace
    }

    /// What its header says.
    pub fn meta(&self) -> &'t Meta {
        self.trace.meta()
    }

    /// Texts.
    pub fn strings(&self) -> &Strings {
        &self.strings
    }

    /// Threads and processes.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Modules, frames, stacks, symbols. Empty unless [`Needs::CODE`] was asked for.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// Loss counters.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Clock pairs.
    pub fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    /// How much long waiting time has stacks.
    pub fn coverages(&self) -> &Coverages {
        &self.coverages
    }

    /// What each kernel program cost, the most expensive first.
    pub fn program_runs(&self) -> &[ProgramRun] {
        &self.program_runs
    }

    /// Names of device numbers.
    pub fn devices(&self) -> &Devices {
        &self.devices
    }

    /// The name of a device: its number, major:minor, when the trace has none; empty for 0. In a trace
    /// of several hosts `@host` for none of that host.
    pub fn device_name(&self, id: u32) -> Vec<u8> {
        match self.devices.name(id) {
            Some(name) => self.strings.get(name).to_vec(),
            None if self.hosts.of_no_device(id).is_some() => {
                let host = self.hosts.of_no_device(id);
                host.map(|host| format!("@{}", host.name).into_bytes()).unwrap_or_default()
            }
            None if id == 0 => Vec::new(),
            None => Devices::number(id).into_bytes(),
        }
    }

    /// Names of the system calls of the recorded machine.
    pub fn syscalls(&self) -> SyscallTable {
        self.syscalls
    }

    /// What waits on the recorded machine are for.
    pub fn wait_classes(&self) -> &WaitClasses {
        &self.wait_classes
    }

    /// Definition chunks that could not be read, by offset.
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// What of the recording this trace has; `None` for all of it.
    pub fn part(&self) -> Option<&Part> {
        self.part.as_ref()
    }

    /// The hosts that it is of.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// When the recording started, monotonic ns.
    pub fn start(&self) -> u64 {
        self.meta().start.mono
    }

    /// The last time that the trace speaks of, or the recording that it is a part of, monotonic ns; at
    /// least [`Context::start`].
    pub fn end(&self) -> u64 {
        self.end
    }

    /// A monotonic time as nanoseconds since the start of the recording; negative before it.
    pub fn offset(&self, time: u64) -> i64 {
        let start = self.start();
        if time >= start {
            i64::try_from(time - start).unwrap_or(i64::MAX)
        } else {
            i64::try_from(start - time).map_or(i64::MIN, |before| -before)
        }
    }

    /// A thread's last name, `[unknown]` when it has none.
    pub fn thread_comm(&self, key: ThreadKey) -> &[u8] {
        text_or_unknown(&self.strings, self.tasks.thread_comm(key))
    }

    /// The name that a thread had at a time.
    pub fn thread_comm_at(&self, key: ThreadKey, time: u64) -> &[u8] {
        text_or_unknown(&self.strings, self.tasks.thread_comm_at(key, time))
    }

    /// A process's last name, `[unknown]` when it has none.
    pub fn process_comm(&self, key: ProcessKey) -> &[u8] {
        text_or_unknown(&self.strings, self.tasks.process_comm(key))
    }
}

/// Facts and loss counters tell the time of the recording; tasks may be much older.
pub(crate) fn end_of(trace: &Trace) -> u64 {
    let loss = ktape_schema::Loss::DESC.id;
    let clock = ktape_schema::Clock::DESC.id;
    trace
        .chunks()
        .iter()
        .filter(|chunk| {
            let fact = trace
                .record_by_id(chunk.record)
                .is_some_and(|schema| schema.class == Class::Fact as u8);
            fact || chunk.record == loss || chunk.record == clock
        })
        .map(|chunk| chunk.last)
        .max()
        .unwrap_or(0)
        .max(trace.meta().start.mono)
}
