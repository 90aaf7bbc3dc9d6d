//! One turn of the recorder: empty the rings, make sense of what they held, write.
//!
//! The order matters. Facts are taken first, then definitions, then the side band: whatever a fact
//! names was sent before it, and a mapping was reported before any stack passed through it. Then
//! everything that defines is applied in order of time, and only then are facts given the ids of
//! the trace.

mod losses;

use crate::attacher::Executable;
use crate::coverage::Coverage;
use crate::devices::Devices;
use crate::error::Result;
use crate::kernel::Kernel;
use crate::mappings::Mappings;
use crate::names::{self, Question};
use crate::sideband::{Mapped, Sideband};
use crate::stacks::Stacks;
use crate::stall::Stall;
use crate::tape::{OWN_RING, Tape};
use crate::tasks::Tasks;
use crate::texts::Texts;
use ktape_format::schema::{
    Desc, Kind, OffCpu, RECORDS, SyscallCount, WireComm, WireExec, WireExit, WireFork, WireStack,
    WireText, by_id, wire_stack_flag,
};
use rustc_hash::FxHashMap;
use std::time::Duration;

/// Everything that lies between the rings and the file.
pub(crate) struct Reader {
    pub(crate) tape: Tape,
    pub(crate) tasks: Tasks,
    pub(crate) mappings: Mappings,
    pub(crate) stacks: Stacks,
    texts: Texts,
    devices: Devices,
    pub(crate) coverage: Coverage,
    sideband: Sideband,
    mapped: Vec<Mapped>,
    /// Files that were mapped to be executed since they were asked for, with their devices; kept only
    /// where somebody asks.
    executables: Option<Vec<((u32, u32), Executable)>>,
    messages: Vec<Message>,
    shapes: FxHashMap<u16, Shape>,
    /// Rows that the recorder made itself, by record: they count as produced.
    own: FxHashMap<u16, u64>,
    /// What rows of sums stand for, by record: of those whose losses are no part of them.
    summed: FxHashMap<u16, u64>,
    last_counters: FxHashMap<(u32, u16), (u64, u64)>,
    /// What was produced by the end of the last segment, by CPU and record of sums.
    settled: FxHashMap<(u32, u16), u64>,
    lost: u64,
    /// From which length on a stall is looked for, ns.
    stall_from: u64,
    /// The longest one since it was asked for.
    stall: Option<Stall>,
}

/// A definition on its way, with the time by which it is sorted.
struct Message {
    time: u64,
    kind: MessageKind,
}

enum MessageKind {
    Mapped(usize),
    Fork(WireFork),
    Exec(WireExec, Vec<u8>),
    Comm(WireComm),
    Exit(WireExit),
    Stack(WireStack, Vec<u64>),
    Text(WireText, Vec<u8>),
}

/// Where a record keeps what must be translated or known.
struct Shape {
    stacks: Vec<usize>,
    texts: Vec<usize>,
    devices: Vec<usize>,
    /// Offsets of a thread and its process.
    threads: Vec<(usize, usize)>,
}

impl Shape {
    fn of(desc: &Desc) -> Shape {
        let of_kind = |kind| {
            desc.fields
                .iter()
                .filter(move |field| field.kind == kind)
                .map(|field| field.offset)
                .collect::<Vec<usize>>()
        };
        // The n-th thread of a record belongs to its n-th process; where there are only processes,
        // their first threads stand for them.
        let (mut tids, tgids) = (of_kind(Kind::Tid), of_kind(Kind::Tgid));
        if tids.is_empty() {
            tids.clone_from(&tgids);
        }
        let threads = tids.into_iter().zip(tgids).collect();
        Shape {
            stacks: of_kind(Kind::StackId),
            texts: of_kind(Kind::StringId),
            devices: of_kind(Kind::DeviceId),
            threads,
        }
    }
}

/// Items taken from one ring in a turn, so that the others get theirs.
const ITEMS_PER_TURN: usize = 1 << 13;

impl Reader {
    pub(crate) fn new(
        tape: Tape,
        tasks: Tasks,
        mappings: Mappings,
        stacks: Stacks,
        coverage: Coverage,
        sideband: Sideband,
        segments: bool,
    ) -> Reader {
        let shapes = RECORDS.iter().map(|desc| (desc.id, Shape::of(desc))).collect();
        Reader {
            tape,
            tasks,
            mappings,
            stacks,
            texts: Texts::new(segments),
            devices: Devices::default(),
            coverage,
            sideband,
            mapped: Vec::new(),
            executables: None,
            messages: Vec::new(),
            shapes,
            own: FxHashMap::default(),
            summed: FxHashMap::default(),
            last_counters: FxHashMap::default(),
            settled: FxHashMap::default(),
            lost: 0,
            stall_from: u64::MAX,
            stall: None,
        }
    }

    /// Looks for stalls of this length from now on.
    pub(crate) fn look_for_stalls(&mut self, from: Duration) {
        self.stall_from = from.as_nanos() as u64;
    }

    /// The longest stall that was met since the last call.
    pub(crate) fn take_stall(&mut self) -> Option<Stall> {
        self.stall.take()
    }

    /// A new segment has begun: what it uses has to be defined in it.
    pub(crate) fn retell(&mut self, now: u64) {
        self.mappings.retell();
        self.devices.retell();
        self.tasks.retell(now, &mut self.tape);
    }

    /// Empties all rings once. Returns whether one of them may hold more.
    pub(crate) fn turn(&mut self, kernel: &mut Kernel, now: u64) -> Result<bool> {
        let mut more = false;
        for at in 0..kernel.facts.len() {
            // A ring can outpace one chunk: write in between.
            let tape = &mut self.tape;
            let cpu = kernel.facts[at].cpu;
            let ring = &mut kernel.facts[at];
            let mut last = None;
            let taken = tape.fill(cpu, |facts| {
                ring.drain(ITEMS_PER_TURN, |record, bytes| {
                    if last.is_none_or(|desc: &Desc| desc.id != record) {
                        last = by_id(record);
                    }
                    if let Some(desc) = last
                        && let Some(row) = bytes.get(..desc.size)
                    {
                        facts.add(desc, row);
                    }
                })
            });
            more |= taken == ITEMS_PER_TURN;
            if self.tape.is_full() {
                self.define(kernel);
                self.write(now)?;
            }
        }
        self.define(kernel);
        Ok(more)
    }

    /// From now on files that are mapped to be executed are kept until they are taken.
    pub(crate) fn keep_executables(&mut self) {
        self.executables = Some(Vec::new());
    }

    /// Those that were mapped since the last time.
    pub(crate) fn take_executables(&mut self) -> Vec<((u32, u32), Executable)> {
        self.executables.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes definitions and applies them in order of time.
    fn define(&mut self, kernel: &mut Kernel) {
        let Reader { messages, mapped, sideband, .. } = self;
        kernel.definitions.drain(|record, bytes| {
            messages.extend(parse(record, bytes));
        });
        sideband.drain(mapped);
        for (at, mapping) in mapped.iter().enumerate() {
            messages.push(Message { time: mapping.time, kind: MessageKind::Mapped(at) });
        }
        if messages.is_empty() {
            return;
        }
        let mut messages = std::mem::take(&mut self.messages);
        let mut mapped = std::mem::take(&mut self.mapped);
        if let Some(executables) = &mut self.executables {
            executables.extend(mapped.iter().filter(|mapping| mapping.inode != 0).map(|mapping| {
                let Mapped { tgid, inode, .. } = *mapping;
                let generation = mapping.generation;
                let path = mapping.path.clone();
                (mapping.device, Executable { tgid, inode, generation, path })
            }));
        }
        messages.sort_by_key(|message| message.time);
        self.learn_prefixes(&messages, kernel);
        for message in messages.drain(..) {
            self.apply(message, &mapped);
        }
        mapped.clear();
        self.messages = messages;
        self.mapped = mapped;
    }

    /// Kernel stacks begin with the program that took them; to cut that away its callers must be
    /// known by name. They are few.
    fn learn_prefixes(&mut self, messages: &[Message], kernel: &mut Kernel) {
        let mut unknown = Vec::new();
        for message in messages {
            if let MessageKind::Stack(stack, addresses) = &message.kind
                && stack.flags & wire_stack_flag::PROGRAM != 0
            {
                self.stacks.unknown_prefix(addresses, &mut unknown);
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return;
        }
        match kernel.kernel_names(&unknown) {
            Ok(names) => {
                for (&address, name) in unknown.iter().zip(&names) {
                    self.stacks.learn_prefix(address, name);
                }
            }
            Err(_) => {
                let names = self.stacks.kernel().symbols(&unknown);
                for (&address, name) in unknown.iter().zip(names) {
                    self.stacks.learn_prefix(address, name.as_deref().unwrap_or_default());
                }
            }
        }
    }

    fn apply(&mut self, message: Message, mapped: &[Mapped]) {
        let Reader { tape, tasks, mappings, stacks, texts, .. } = self;
        match message.kind {
            MessageKind::Mapped(at) => mappings.map(&mapped[at], tape),
            MessageKind::Fork(fork) => {
                tasks.fork(&fork, tape);
                if fork.tid == fork.tgid {
                    mappings.fork(fork.tgid, fork.parent);
                }
            }
            MessageKind::Exec(exec, rest) => {
                tasks.exec(&exec, &rest, tape);
                mappings.exec(exec.tgid, exec.time);
            }
            MessageKind::Comm(change) => {
                tasks.comm(&change, tape);
                if change.tid == change.tgid {
                    mappings.renamed(change.tgid, change.time);
                }
            }
            MessageKind::Exit(exit) => {
                tasks.exit(&exit, tape);
                if exit.live == 0 {
                    mappings.exit(exit.tgid);
                }
            }
            MessageKind::Stack(stack, addresses) => {
                stacks.add(&stack, &addresses, mappings, tape);
            }
            MessageKind::Text(text, bytes) => texts.add(&text, &bytes, tape),
        }
    }

    /// Gives pending facts the ids of the trace and writes everything.
    pub(crate) fn write(&mut self, now: u64) -> Result<()> {
        let mut pending = self.tape.take_pending();
        for rows in pending.iter_mut().flatten() {
            let Some(shape) = self.shapes.get(&rows.desc.id) else { continue };
            for row in rows.bytes.chunks_exact_mut(rows.desc.size) {
                for &at in &shape.stacks {
                    replace(row, at, |id| {
                        self.stacks.translate(id, &mut self.mappings, &mut self.tape)
                    });
                }
                for &at in &shape.texts {
                    replace(row, at, |id| self.texts.translate(id, &mut self.tape));
                }
                for &at in &shape.devices {
                    self.devices.know(word(row, at), &mut self.tape);
                }
                for (at, &(tid, tgid)) in shape.threads.iter().enumerate() {
                    let (tid, subject) = (word(row, tid), at == 0);
                    if !self.tasks.is_known(tid, subject) {
                        self.tasks.know(tid, word(row, tgid), subject, now, &mut self.tape);
                    }
                }
            }
            if rows.desc.id == OffCpu::DESC.id {
                let least = self.coverage.threshold().min(self.stall_from);
                for row in rows.bytes.chunks_exact(rows.desc.size) {
                    // Most waits are short: no more of them is decoded than that.
                    if duration(row) >= least
                        && let Some(fact) = OffCpu::decode(row)
                    {
                        self.coverage.add(&fact, &self.tasks);
                        let stall = Stall::of(&fact);
                        let long = stall.filter(|stall| stall.duration >= self.stall_from);
                        self.stall = self.stall.max(long);
                    }
                }
            }
        }
        self.tape.put_back(pending);
        self.tape.flush()
    }

    /// Asks for the names of all frames of this segment.
    pub(crate) fn question(&mut self, kernel: &mut Kernel) -> Question {
        names::question(&mut self.stacks, &self.mappings, kernel, &mut self.tape)
    }

    /// Writes down what a crash would take along: the names of new frames in the kernel, and the
    /// loss counters as of these rows.
    pub(crate) fn secure(&mut self, kernel: &mut Kernel, now: u64) -> Result<()> {
        names::write_kernel(&mut self.stacks, kernel, &mut self.tape);
        self.count_losses(kernel, now)?;
        self.tape.secure();
        self.write(now)
    }

    /// Keeps memory bounded however many stacks there are.
    pub(crate) fn forget_if_large(&mut self, kernel: &mut Kernel) -> Result<()> {
        if self.stacks.trim_memory() {
            let question = self.question(kernel);
            self.tape.names(question)?;
            self.stacks.forget_frames();
        }
        Ok(())
    }

    /// Takes a row that the recorder made itself.
    pub(crate) fn own_fact(&mut self, desc: &'static Desc, row: &[u8]) {
        *self.own.entry(desc.id).or_default() += 1;
        self.tape.fact(desc, OWN_RING, row);
    }

    /// Takes a row of what the kernel programs have added up.
    pub(crate) fn sum(&mut self, desc: &'static Desc, row: &[u8]) {
        if desc.id == SyscallCount::DESC.id
            && let Some(row) = SyscallCount::decode(row)
        {
            *self.summed.entry(desc.id).or_default() += row.count;
        }
        self.tape.fact(desc, OWN_RING, row);
    }

    /// Facts and definitions that were lost, as of the last count.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Descriptors of the side band, to wait on.
    pub(crate) fn sideband_fds(&self) -> Vec<std::os::fd::RawFd> {
        self.sideband.fds().collect()
    }
}

/// Where [`OffCpu::duration`] lies in a row.
const DURATION_AT: usize = std::mem::offset_of!(OffCpu, duration);

fn duration(row: &[u8]) -> u64 {
    let bytes = row.get(DURATION_AT..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |&bytes| u64::from_ne_bytes(bytes))
}

fn word(row: &[u8], at: usize) -> u32 {
    row.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

/// Puts the id of the trace in the place of the kernel programs'; 0 is none in both.
fn replace(row: &mut [u8], at: usize, translate: impl FnOnce(u32) -> u32) {
    let id = word(row, at);
    if id != 0 {
        row[at..at + 4].copy_from_slice(&translate(id).to_ne_bytes());
    }
}

fn parse(record: u16, bytes: &[u8]) -> Option<Message> {
    let message = if record == WireStack::DESC.id {
        let stack = WireStack::decode(bytes)?;
        let addresses = bytes.get(WireStack::SIZE..)?;
        let addresses = addresses
            .chunks_exact(8)
            .take(stack.count as usize)
            .filter_map(|bytes| Some(u64::from_ne_bytes(bytes.try_into().ok()?)))
            .collect();
        Message { time: stack.time, kind: MessageKind::Stack(stack, addresses) }
    } else if record == WireText::DESC.id {
        let text = WireText::decode(bytes)?;
        let rest = bytes.get(WireText::SIZE..)?.get(..text.len as usize)?.to_vec();
        Message { time: text.time, kind: MessageKind::Text(text, rest) }
    } else if record == WireFork::DESC.id {
        let fork = WireFork::decode(bytes)?;
        Message { time: fork.time, kind: MessageKind::Fork(fork) }
    } else if record == WireExec::DESC.id {
        let exec = WireExec::decode(bytes)?;
        let rest = bytes.get(WireExec::SIZE..)?.to_vec();
        Message { time: exec.time, kind: MessageKind::Exec(exec, rest) }
    } else if record == WireComm::DESC.id {
        let comm = WireComm::decode(bytes)?;
        Message { time: comm.time, kind: MessageKind::Comm(comm) }
    } else if record == WireExit::DESC.id {
        let exit = WireExit::decode(bytes)?;
        Message { time: exit.time, kind: MessageKind::Exit(exit) }
    } else {
        return None;
    };
    Some(message)
}
