//! A recording from start to end.

mod segments;

use crate::attacher::Attaching;
use crate::command::Launched;
use crate::coverage::Coverage;
use crate::ending::{Cause, Ending};
use crate::error::{Error, Result};
use crate::header;
use crate::kernel::{Kernel, Moment, Run};
use crate::kernel_code::KernelCode;
use crate::mappings::Mappings;
use crate::options::{Files, Options, Output, Overwrite};
use crate::patience::Patience;
use crate::place;
use crate::poll::Poll;
use crate::probe::{Collect, Walk};
use crate::proc::{HostFacts, Snapshot};
use crate::reader::Reader;
use crate::setup::{self, Setup};
use crate::sideband::Sideband;
use crate::signals::Signals;
use crate::stacks::Stacks;
use crate::summary::{DumpCause, End, News, Outcome, Progress, Summary};
use crate::tape::Tape;
use crate::tasks::Tasks;
use crate::turning::{Due, Turning};
use crate::writing::Written;
use crate::{clock, cpu_usage, one_heap, open_files, output, privileges};
use ktape_format::schema::{Clock, StackCoverage, TaskRun, by_id};

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// How often everything pending is written: the most that a crash can lose.
const WRITE_EVERY: Duration = Duration::from_millis(600);

/// How often totals and losses are read.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// The rings are looked at this often even when nobody wakes the recorder.
const TURN_EVERY: Duration = Duration::from_millis(100);

/// Records until a signal (SIGINT, SIGTERM, SIGHUP), the command's end, or a limit of the options.
/// The trace is whole when this returns; a command that was launched may still run, and is to be
/// [ended](Ending::end).
pub fn record(options: &Options, tell: &mut dyn FnMut(&News)) -> Result<(Summary, Option<Ending>)> {
    one_heap::share();
    let host = HostFacts::read()
        .map_err(|error| Error::Kernel { action: "ask the host", message: error.to_string() })?;
    // Everything that can be refused is refused before the command is started and the previous
    // trace moved away.
    setup::check_host(&host)?;
    setup::choose(&options.probes)?;
    let output = output::target(&options.output, &options.files)?;
    let options = &Options { output, ..options.clone() };
    let signals = Signals::watch()?;
    let turning = Turning::new(&options.files)?;
    let stats = options.bpf_stats.then(Kernel::count_runs).transpose()?;
    let mut command = match options.command.as_slice() {
        [] => None,
        command => Some(Launched::hold(command, options.output == Output::Stdout)?),
    };
    // Not before: the command would inherit it.
    open_files::raise_limit();
    if let Some(delay) = options.delay {
        if let Some(command) = &mut command {
            command.release()?;
        }
        wait(delay, &signals, command.as_ref())?;
    }
    let pid = command.as_ref().map(|command| command.pid);
    let held = pid.filter(|_| options.delay.is_none());
    let cpus = setup::cpu_list(&host);
    // Before the programs: no mapping may be missed that a stack could pass through.
    let sideband = Sideband::open(&cpus, host.page_size as usize)?;
    let program = command.as_ref().map(|command| command.program.as_path());
    let Setup { mut kernel, start, run_times, probes, attached, attacher, by_target, missing } =
        setup::attach(options, &host, pid, held, program)?;

    let meta = header::meta(options, &host, &start, &probes);
    let tape = Tape::new(place::open(options, meta)?, host.possible.bound() as usize);
    let threshold = attached.iter().find_map(|choice| choice.value("long")).unwrap_or(1_000_000);
    let segments = turning.has_segments();
    let tasks = Tasks::new(!setup::whole_host(options), pid, segments);
    let kernel_code = KernelCode::of_host();
    let hidden = kernel_code.hidden();
    let warnings = hidden.map(|why| format!("functions of the kernel have no names: {why}"));
    let mut warnings: Vec<String> = warnings.into_iter().chain(missing).collect();
    let mut session = Session {
        reader: Reader::new(
            tape,
            tasks,
            Mappings::default(),
            Stacks::new(kernel_code, segments),
            Coverage::new(threshold),
            sideband,
            segments,
        ),
        turning,
        runs: BTreeMap::new(),
        collectors: Vec::new(),
        walks: Vec::new(),
        // Before the privileges are dropped.
        attaching: attacher.is_needed().then(|| attacher.start()).transpose()?,
        // Of threads the number of their process is not known here.
        by_target: by_target && options.targets.tids.is_empty(),
        began: Instant::now(),
        start: start.mono,
        options,
    };
    for choice in &attached {
        for walk in choice.probe.walks {
            let every = walk.every.and_then(|knob| choice.value(knob)).map(Duration::from_nanos);
            session.walks.push(Walked { walk, every, last: Instant::now() });
            if walk.at_start {
                session.walk(&mut kernel, walk)?;
            }
        }
        session.collectors.extend(kernel.totals(choice.probe)?);
    }
    if session.attaching.is_some() {
        session.reader.keep_executables();
    }
    if let Files::Overwritten(Overwrite { on_stall: Some(from), .. }) = options.files {
        session.reader.look_for_stalls(from);
    }
    session.snapshot(&start, &run_times);
    privileges::drop_unneeded()?;

    if let Some(command) = &mut command {
        kernel.set_moment(Moment::Release, clock::monotonic())?;
        command.release()?;
        session.began = Instant::now();
    }
    session.turning.begin();
    let until = options.duration.and_then(|duration| session.began.checked_add(duration));
    session.reader.tape.set_patience(Patience::new(signals.again()?, until));
    if matches!(options.files, Files::Overwritten(_)) {
        tell(&News::Holding);
    }
    let before = cpu_usage::of_thread();
    let ended = session.run(&mut kernel, &signals, command.as_ref(), tell);
    let draining = cpu_usage::of_thread().saturating_sub(before);
    let stop = clock::now();
    let duration = Duration::from_nanos(stop.mono.saturating_sub(start.mono));
    let end = ended.as_ref().ok().copied();
    let ended = ended.and_then(|_| session.read_open(&mut kernel, stop.mono));
    let attachments = session.attaching.as_mut().map(Attaching::stop).unwrap_or_default();
    warnings.extend(attachments.warnings);
    kernel.detach(attachments.links);
    session.reader.tape.begin_last();
    drop(stats);
    let succeeded = command.as_ref().filter(|_| end == Some(End::Command)).map(Launched::succeeded);
    let finished = match ended {
        Ok(()) => session.stop(kernel, &stop, succeeded),
        Err(error) => {
            // What was handed over is written all the same; the first error is the one that counts.
            drop(session.reader.tape.finish());
            Err(error)
        }
    };
    while let Some(news) = session.reader.tape.news() {
        tell(&news);
    }
    let (cpu, peak_bytes) = cpu_usage::of_process();
    let (outcomes, written, failure) = match finished {
        Ok((outcomes, written, missed)) => {
            warnings.extend(missed);
            (outcomes, written, None)
        }
        Err(error) => (Vec::new(), Written::default(), Some(crate::error::chain(&error))),
    };
    let summary = Summary {
        duration,
        outcomes,
        bytes: written.bytes,
        files: written.files,
        cpu,
        draining,
        writing: written.cpu,
        peak_bytes,
        skipped: probes
            .into_iter()
            .filter(|probe| probe.state == ktape_format::ProbeState::Skipped)
            .map(|probe| (probe.name, probe.reason))
            .collect(),
        warnings,
        end,
        failure,
    };
    // Not before: what it waits for is what was asked.
    let cause = match end {
        Some(End::Signal) => Cause::Signal,
        Some(End::Duration) => Cause::Recorder,
        Some(End::Command | End::Size | End::Gone) | None => Cause::Other,
    };
    Ok((summary, command.map(|command| Ending::new(command, signals, cause))))
}

/// Waits before the recording, but not for a command that has ended, nor after a signal: the
/// recording then ends as it begins.
fn wait(delay: Duration, signals: &Signals, command: Option<&Launched>) -> Result<()> {
    let poll = Poll::new()?;
    poll.add(signals.as_raw_fd())?;
    if let Some(command) = command {
        poll.add(command.as_raw_fd())?;
    }
    let until = Instant::now() + delay;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        if signals.pending() || command.is_some_and(Launched::has_ended) {
            break;
        }
        poll.wait(left);
    }
    Ok(())
}

/// An iterator of an attached probe.
struct Walked {
    walk: &'static Walk,
    /// How often it is walked, if not only at the stop.
    every: Option<Duration>,
    last: Instant,
}

struct Session<'a> {
    reader: Reader,
    collectors: Vec<Box<dyn Collect>>,
    walks: Vec<Walked>,
    /// Attaches programs to files as they come.
    attaching: Option<Attaching>,
    /// Only to those of processes that are recorded by number.
    by_target: bool,
    /// From when on [`Options::duration`] counts.
    began: Instant,
    start: u64,
    turning: Turning,
    /// What each program, by probe and name, had done by the start of the segment.
    runs: BTreeMap<(&'static str, &'static str), Run>,
    options: &'a Options,
}

impl Session<'_> {
    /// What was there before the recording. `run_times`: what of it was read already.
    fn snapshot(&mut self, start: &crate::proc::Anchor, run_times: &[TaskRun]) {
        let reader = &mut self.reader;
        reader.tape.define(Clock::DESC, &clock::row(start).encode());
        if let Ok(snapshot) = Snapshot::take() {
            let now = clock::monotonic();
            reader.tasks.snapshot(&snapshot, now, &mut reader.tape);
            for row in run_times {
                reader.tasks.run_time(row, &mut reader.tape);
            }
            reader.tasks.run_times(&mut reader.tape);
            for process in snapshot.processes.iter().filter(|process| !process.kthread) {
                reader.mappings.read(process.tgid, self.start);
            }
        }
    }

    /// Drains until something ends the recording.
    fn run(
        &mut self,
        kernel: &mut Kernel,
        signals: &Signals,
        command: Option<&Launched>,
        tell: &mut dyn FnMut(&News),
    ) -> Result<End> {
        let poll = Poll::new()?;
        for ring in &kernel.facts {
            poll.add(ring.as_raw_fd())?;
        }
        poll.add(kernel.definitions.as_raw_fd())?;
        for fd in self.reader.sideband_fds() {
            poll.add(fd)?;
        }
        poll.add(signals.as_raw_fd())?;
        if let Some(request) = self.turning.fd() {
            poll.add(request)?;
        }
        if let Some(command) = command {
            poll.add(command.as_raw_fd())?;
        }
        let mut written = Instant::now();
        let mut counted = Instant::now();
        loop {
            let now = clock::monotonic();
            let more = self.reader.turn(kernel, now)?;
            self.reader.tape.check()?;
            self.attach_due(kernel);
            self.walk_due(kernel)?;
            if self.reader.tape.is_full() || written.elapsed() >= WRITE_EVERY {
                self.reader.secure(kernel, now)?;
                self.reader.forget_if_large(kernel)?;
                written = Instant::now();
                let by_number = self.options.targets.are_by_number() && command.is_none();
                if by_number && !kernel.has_targets() {
                    return Ok(End::Gone);
                }
            }
            if counted.elapsed() >= COUNT_EVERY {
                self.count(kernel, now, true)?;
                counted = Instant::now();
                tell(&News::Progress(Progress {
                    elapsed: self.began.elapsed(),
                    facts: self.reader.tape.recorded().values().sum(),
                    bytes: self.reader.tape.written(),
                    lost: self.reader.lost(),
                }));
            }
            let stall = self.reader.take_stall();
            match self.turning.due(self.reader.tape.written_here(), stall) {
                Due::Nothing => {}
                Due::Next => self.turn_over(kernel)?,
                Due::Dump(cause) => {
                    self.turn_over(kernel)?;
                    self.reader.tape.dump(cause)?;
                }
            }
            while let Some(news) = self.reader.tape.news() {
                tell(&news);
            }
            if command.is_some_and(Launched::has_ended) {
                return Ok(End::Command);
            }
            if signals.pending() {
                return Ok(End::Signal);
            }
            if self.options.duration.is_some_and(|limit| self.began.elapsed() >= limit) {
                return Ok(End::Duration);
            }
            if self.options.max_size.is_some_and(|limit| self.reader.tape.written() >= limit) {
                return Ok(End::Size);
            }
            if !more {
                poll.wait(self.timeout());
            }
        }
    }

    fn timeout(&self) -> Duration {
        let left = self.options.duration.map(|limit| limit.saturating_sub(self.began.elapsed()));
        left.map_or(TURN_EVERY, |left| left.min(TURN_EVERY)).max(Duration::from_millis(1))
    }

    /// Reads totals.
    fn count(&mut self, kernel: &Kernel, now: u64, goes_on: bool) -> Result<()> {
        let gone = self.reader.tasks.gone();
        let Session { reader, collectors, .. } = self;
        for collector in collectors {
            collector.collect(now, &gone, &mut |desc, row| {
                reader.sum(desc, row);
            });
            // At the stop all that was left has been told as open.
            if goes_on {
                collector.ended(now, &mut |desc, row| reader.own_fact(desc, row));
            }
        }
        // Facts are never in the file before a reading of the counters that has them.
        reader.count_losses(kernel, now)?;
        // These rows may be all that names a process that has ended.
        reader.write(now)?;
        reader.tasks.forget_gone();
        let (_, taken) = kernel.counters()?;
        if let Some(row) = reader.coverage.window(now, taken) {
            reader.tape.define(StackCoverage::DESC, &row.encode());
        }
        Ok(())
    }

    /// Takes the rows of an iterator.
    fn walk(&mut self, kernel: &mut Kernel, walk: &Walk) -> Result<()> {
        let rows = kernel.walk(walk)?;
        for row in rows.chunks_exact(walk.record.size) {
            self.reader.own_fact(walk.record, row);
        }
        Ok(())
    }

    /// Walks the iterators whose time has come.
    fn walk_due(&mut self, kernel: &mut Kernel) -> Result<()> {
        for at in 0..self.walks.len() {
            let Walked { walk, every, last } = &mut self.walks[at];
            if every.is_some_and(|every| last.elapsed() >= every) {
                *last = Instant::now();
                let walk = *walk;
                self.walk(kernel, walk)?;
            }
        }
        Ok(())
    }

    /// Has the files looked at that processes have begun to execute.
    fn attach_due(&mut self, kernel: &Kernel) {
        let Some(attaching) = &mut self.attaching else { return };
        for (device, executable) in self.reader.take_executables() {
            if !self.by_target || kernel.is_target(executable.tgid) {
                attaching.look_at(device, executable);
            }
        }
    }

    /// Stops the programs, and takes the facts that are open at that moment.
    fn read_open(&mut self, kernel: &mut Kernel, stop: u64) -> Result<()> {
        kernel.set_moment(Moment::Stop, stop)?;
        // First: who runs again meanwhile is missing, and its stack with it.
        for at in 0..self.walks.len() {
            self.walk(kernel, self.walks[at].walk)?;
        }
        let Session { reader, collectors, .. } = self;
        for collector in collectors {
            collector.open(stop, &mut |desc, row| reader.own_fact(desc, row));
        }
        self.reader.tasks.run_times(&mut self.reader.tape);
        Ok(())
    }

    /// After the programs are detached: what is left in the rings, and names. `succeeded`: what became
    /// of the command, if it has ended.
    fn stop(
        &mut self,
        mut kernel: Kernel,
        stop: &crate::proc::Anchor,
        succeeded: Option<bool>,
    ) -> Result<(Vec<Outcome>, Written, Option<String>)> {
        let now = stop.mono;
        while self.reader.turn(&mut kernel, now)? {}
        self.reader.write(now)?;
        self.count(&kernel, now, false)?;
        let totals = self.reader.count_losses(&kernel, now)?;
        let closing = self.closing(&mut kernel, stop);
        let reader = &mut self.reader;
        reader.write(now)?;
        reader.tape.close(closing)?;
        if self.turning.dumps_at_end(succeeded) {
            reader.tape.dump(DumpCause::End)?;
        }
        let recorded = reader.tape.recorded().clone();
        let mut outcomes: BTreeMap<u16, (u64, u64)> =
            recorded.iter().map(|(&id, &rows)| (id, (rows, 0))).collect();
        outcomes.extend(totals.into_iter().map(|(id, produced, lost)| (id, (produced, lost))));
        let outcomes = outcomes
            .into_iter()
            .filter_map(|(id, (produced, lost))| {
                let record = by_id(id)?;
                let recorded = recorded.get(&id).copied().unwrap_or(0);
                Some(Outcome { record: record.name, recorded, produced, lost })
            })
            .collect();
        let written = self.reader.tape.finish()?;
        Ok((outcomes, written, passed_over(&kernel.runs())))
    }
}

/// Which programs the kernel did not run although it was their turn, in words.
fn passed_over(runs: &[Run]) -> Option<String> {
    let missed: Vec<String> = runs
        .iter()
        .filter(|run| run.missed > 0)
        .map(|run| format!("{} {} times", run.program, run.missed))
        .collect();
    (!missed.is_empty()).then(|| {
        format!(
            "the kernel passed over programs that ran already on that CPU, so what they would have \
             recorded is missing: {}",
            missed.join(", ")
        )
    })
}
