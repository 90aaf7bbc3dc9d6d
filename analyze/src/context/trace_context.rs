//! `Context`: the definitions of one trace.

use std::sync::{Mutex, OnceLock, PoisonError};

use ktape_format::{Meta, ProbeMeta, ProbeState, Trace, filter_name};
use ktape_schema::{Class, ProgramRun};

use super::strings::StringTable;
use super::tasks::text_or_unknown;
use super::{
    Clocks, Code, Coverages, Damage, Devices, Hosts, Loader, LoaderState, Losses, Part, ProcessKey,
    Strings, Tasks, ThreadKey, program_runs, record_id, task_rows,
};
use crate::query::Filter;
use crate::syscall_table::SyscallTable;
use crate::wait_class::WaitClasses;

/// Which definitions a report looks at while it scans facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Threads and processes.
    pub tasks: bool,
    /// Modules, frames, stacks and symbols.
    pub code: bool,
    /// Other tasks than those whose facts pass `--pid`.
    pub others: bool,
}

impl Needs {
    /// None: what the facts say is named in the end.
    pub const NAMES: Needs = Needs { tasks: false, code: false, others: true };
    /// Threads and processes.
    pub const TASKS: Needs = Needs { tasks: true, code: false, others: true };
    /// Stacks and what they are made of, too.
    pub const CODE: Needs = Needs { tasks: true, code: true, others: true };
}

/// All that a report may ask about a trace besides its facts. What only some answers need is read when
/// it is first asked for.
pub struct Context<'t> {
    trace: &'t Trace,
    needs: Needs,
    loader: Mutex<LoaderState>,
    strings: OnceLock<StringTable>,
    tasks: OnceLock<Tasks>,
    code: Code,
    losses: OnceLock<Losses>,
    lost_any: OnceLock<bool>,
    clocks: OnceLock<Clocks>,
    coverages: OnceLock<Coverages>,
    program_runs: OnceLock<Vec<ProgramRun>>,
    devices: OnceLock<Devices>,
    /// Sorted; only tasks of these processes are needed. Empty for all.
    pids: Vec<u32>,
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
    /// Loads the definitions of a trace that are needed from the start. Never fails: what is damaged or
    /// missing is unknown, and [`Context::damages`] names it.
    pub fn load(trace: &'t Trace, needs: Needs) -> Self {
        let mut state = LoaderState::new(trace);
        let code = match needs.code {
            true => Code::load(&mut Loader::new(trace, &mut state)),
            false => Code::default(),
        };
        let arch = &trace.meta().host.arch;
        let filters = &trace.meta().filters;
        let part = Part::of(trace.meta());
        let end = end_of(trace).max(part.as_ref().map_or(0, |part| part.end));
        let cx = Self {
            trace,
            needs,
            loader: Mutex::new(state),
            strings: OnceLock::new(),
            tasks: OnceLock::new(),
            code,
            losses: OnceLock::new(),
            lost_any: OnceLock::new(),
            clocks: OnceLock::new(),
            coverages: OnceLock::new(),
            program_runs: OnceLock::new(),
            devices: OnceLock::new(),
            pids: Vec::new(),
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
        };
        if needs.tasks {
            // Before threads scan: in which order definitions are read is then always the same.
            cx.tasks();
            cx.strings();
        }
        cx
    }

    /// Reads all definitions, so that [`Context::damages`] names all that cannot be.
    pub(crate) fn load_all(&self) {
        self.tasks();
        self.strings().read_all();
        self.losses();
        self.clocks();
        self.coverages();
        self.program_runs();
        self.devices();
    }

    fn loaded<'a, T>(
        &self,
        cell: &'a OnceLock<T>,
        load: impl FnOnce(&mut Loader<'_>) -> T,
    ) -> &'a T {
        cell.get_or_init(|| {
            let mut state = self.loader.lock().unwrap_or_else(PoisonError::into_inner);
            load(&mut Loader::new(self.trace, &mut state))
        })
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
        if !self.needs.others && filter.tids.is_empty() && filter.globs.is_empty() {
            self.pids.clone_from(&filter.pids);
        }
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
    pub fn strings(&self) -> Strings<'_> {
        Strings { trace: self.trace, table: self.loaded(&self.strings, StringTable::load) }
    }

    /// Threads and processes.
    pub fn tasks(&self) -> &Tasks {
        self.loaded(&self.tasks, |loader| task_rows::load(loader, &self.pids))
    }

    /// Modules, frames, stacks, symbols. Empty unless [`Needs::CODE`] was asked for.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// Loss counters.
    pub fn losses(&self) -> &Losses {
        self.loaded(&self.losses, Losses::load)
    }

    /// Whether anything was lost at all; [`Context::losses`] tells what.
    pub fn lost_any(&self) -> bool {
        match self.losses.get() {
            Some(losses) => losses.lost_any(),
            None => *self.loaded(&self.lost_any, Losses::any),
        }
    }

    /// Clock pairs.
    pub fn clocks(&self) -> &Clocks {
        self.loaded(&self.clocks, |loader| Clocks::load(loader, self.trace.meta()))
    }

    /// How much long waiting time has stacks.
    pub fn coverages(&self) -> &Coverages {
        self.loaded(&self.coverages, Coverages::load)
    }

    /// What each kernel program cost, the most expensive first.
    pub fn program_runs(&self) -> &[ProgramRun] {
        let rows: &Vec<ProgramRun> = self.loaded(&self.program_runs, program_runs::load);
        rows
    }

    /// Names of device numbers.
    pub fn devices(&self) -> &Devices {
        self.loaded(&self.devices, Devices::load)
    }

    /// The name of a device: its number, major:minor, when the trace has none; empty for 0. In a trace
    /// of several hosts `@host` for none of that host.
    pub fn device_name(&self, id: u32) -> Vec<u8> {
        match self.devices().name(id) {
            Some(name) => self.strings().get(name).to_vec(),
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

    /// Definition chunks that could not be read so far, by offset.
    pub fn damages(&self) -> Vec<Damage> {
        let loader = self.loader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut damages = loader.damages.clone();
        drop(loader);
        damages.extend(self.strings.get().map(StringTable::damages).unwrap_or_default());
        damages.sort();
        damages.dedup();
        damages
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
        text_or_unknown(self.strings(), self.tasks().thread_comm(key))
    }

    /// The name that a thread had at a time.
    pub fn thread_comm_at(&self, key: ThreadKey, time: u64) -> &[u8] {
        text_or_unknown(self.strings(), self.tasks().thread_comm_at(key, time))
    }

    /// A process's last name, `[unknown]` when it has none.
    pub fn process_comm(&self, key: ProcessKey) -> &[u8] {
        text_or_unknown(self.strings(), self.tasks().process_comm(key))
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
