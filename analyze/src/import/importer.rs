//! `Importer`: what each record of perf becomes.

use ktape_schema::{CpuSample, OffCpu, sample_mode};

use super::bytes::Bytes;
use super::events::{Events, SwitchFields, Use, WakeFields};
use super::file::PerfFile;
use super::formats::Place;
use super::kernel::Kernel;
use super::losses::Losses;
use super::mappings::{Mapped, Mappings};
use super::ordered::{Record, SAMPLE};
use super::sample::{Sample, Stamp};
use super::stacks::{Both, Code, Stacks};
use super::tape::{OWN_RING, Tape};
use super::tasks::Tasks;
use super::waits::{At, Waits, left};
use crate::error::Result;

/// `PERF_RECORD_*` of include/uapi/linux/perf_event.h.
mod kind {
    pub(super) const MMAP: u32 = 1;
    pub(super) const LOST: u32 = 2;
    pub(super) const COMM: u32 = 3;
    pub(super) const EXIT: u32 = 4;
    pub(super) const FORK: u32 = 7;
    pub(super) const MMAP2: u32 = 10;
    pub(super) const LOST_SAMPLES: u32 = 13;
    pub(super) const SWITCH: u32 = 14;
    pub(super) const SWITCH_CPU_WIDE: u32 = 15;
    pub(super) const KSYMBOL: u32 = 17;
}

/// `PERF_RECORD_MISC_*`: exec of COMM, made-up fork of FORK, switch away of SWITCH.
const MISC_13: u16 = 1 << 13;
/// `PERF_RECORD_MISC_LOST_SAMPLES_BPF` of LOST_SAMPLES.
const MISC_LOST_BY_FILTER: u16 = 1 << 15;
/// The mode of the CPU, and its values.
const CPU_MODE: u16 = 7;
const MODE_KERNEL: u16 = 1;
const MODE_USER: u16 = 2;

/// What could not be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unused {
    /// Records that are cut off.
    pub(super) damaged: u64,
    /// Samples of events that no record of a trace is for.
    pub(super) other_events: u64,
    /// Samples taken in guests of the host.
    pub(super) guests: u64,
}

/// A trace in the making.
pub(super) struct Importer<'a, 'w> {
    pub(super) file: &'a PerfFile,
    pub(super) events: &'a Events,
    pub(super) arch: &'a str,
    pub(super) tape: Tape<'w>,
    pub(super) tasks: Tasks,
    pub(super) waits: Waits,
    pub(super) mappings: Mappings,
    pub(super) kernel: Kernel,
    pub(super) stacks: Stacks,
    pub(super) losses: Losses,
    pub(super) unused: Unused,
    /// The latest moment so far.
    pub(super) now: u64,
}

impl Importer<'_, '_> {
    /// Takes the next record.
    pub(super) fn record(&mut self, record: &Record) -> Result<()> {
        let time = (record.time != 0).then_some(record.time);
        self.now = self.now.max(record.time);
        let taken = match record.kind {
            SAMPLE => self.sample(record),
            kind::MMAP => self.map(record, false)?,
            kind::MMAP2 => self.map(record, true)?,
            _ => self.other(record, time),
        };
        self.unused.damaged += u64::from(taken.is_none());
        self.tape.turn()
    }

    fn map(&mut self, record: &Record, second: bool) -> Result<Option<()>> {
        let Some(mapped) = Mapped::parse(&record.body, record.misc, second) else {
            return Ok(Some(()));
        };
        if mapped.pid == u32::MAX || record.misc & CPU_MODE == MODE_KERNEL {
            self.kernel.map(&mapped, self.arch, &self.mappings, self.file)?;
        } else {
            self.mappings.add(&mapped, self.now);
        }
        Ok(Some(()))
    }

    /// What is neither a sample nor a mapping; `None` when it is cut off.
    fn other(&mut self, record: &Record, time: Option<u64>) -> Option<()> {
        let mut bytes = Bytes(&record.body);
        let flag = record.misc & MISC_13 != 0;
        match record.kind {
            kind::COMM => {
                let ids = (bytes.u32()?, bytes.u32()?);
                if flag && time.is_some() {
                    self.mappings.exec(ids.0);
                }
                self.tasks.comm(ids, bytes.text(), flag, time, &mut self.tape);
            }
            kind::FORK => {
                let ids = [bytes.u32()?, bytes.u32()?, bytes.u32()?, bytes.u32()?];
                if ids[0] != ids[1] && time.is_some() && !flag {
                    self.mappings.fork(ids[0], ids[1]);
                }
                self.tasks.fork(ids, time, &mut self.tape);
            }
            kind::EXIT => {
                bytes.take(8)?;
                let tid = bytes.u32()?;
                let run = self.waits.usage(tid, self.now).run;
                self.tasks.exit(tid, self.now, run, &mut self.tape);
            }
            kind::LOST => {
                bytes.take(8)?;
                self.losses.tell(bytes.u64()?);
            }
            // What a filter of perf left out was not to be there.
            kind::LOST_SAMPLES if record.misc & MISC_LOST_BY_FILTER == 0 => {
                let record = match self.events.meaning(&record.body) {
                    Some(Use::Cpu(_)) => Some(CpuSample::DESC.id),
                    Some(Use::Switch(_) | Use::Wake(_)) => Some(OffCpu::DESC.id),
                    Some(Use::Other) => None,
                    None => Some(self.main_record()),
                };
                self.losses.count(record, bytes.u64()?);
            }
            kind::SWITCH | kind::SWITCH_CPU_WIDE if !flag => {
                let stamp = self.events.stamp(&record.body);
                if stamp.tid != 0 && !self.events.switches.is_empty() {
                    let at = self.at(&stamp);
                    self.waits.arrive_if_off(stamp.tid, at, &self.tasks, &mut self.tape);
                }
            }
            kind::KSYMBOL => self.kernel.symbol(&record.body),
            _ => {}
        }
        Some(())
    }

    /// The record that losses are counted as when it is not known of what they are.
    fn main_record(&self) -> u16 {
        if self.events.switches.is_empty() { CpuSample::DESC.id } else { OffCpu::DESC.id }
    }

    fn at(&self, stamp: &Stamp) -> At {
        At { time: self.now, cpu: ring(stamp) }
    }

    fn sample(&mut self, record: &Record) -> Option<()> {
        let events = self.events;
        let (event, meaning, sample) = events.sample(&record.body)?;
        match meaning {
            Use::Switch(fields) => self.switch(fields, &sample)?,
            Use::Wake(fields) => self.wake(fields, &sample)?,
            Use::Cpu(counts) => {
                let period = sample.period.unwrap_or(event.period.max(1));
                self.cpu_sample(*counts, period, &sample, record.misc & CPU_MODE);
            }
            Use::Other => self.unused.other_events += 1,
        }
        Some(())
    }

    fn switch(&mut self, fields: &SwitchFields, sample: &Sample<'_>) -> Option<()> {
        let stamp = &sample.stamp;
        let prev = fields.prev_tid.number(sample.raw)? as u32;
        let next = fields.next_tid.number(sample.raw)? as u32;
        let at = self.at(stamp);
        if prev != 0 {
            let left = left(fields.prev_state.number(sample.raw)?, &fields.letters);
            // The sample is of the thread that leaves.
            let tgid = if stamp.tid == prev { stamp.pid } else { 0 };
            self.tasks.meet(prev, tgid, comm(fields.prev_comm, sample), at.time, &mut self.tape);
            let stacks = self.chain(sample.chain, self.tasks.tgid(prev), true);
            self.waits.leave(prev, at, left, stacks);
        }
        self.waits.run(next, at);
        if next != 0 {
            self.tasks.meet(next, 0, comm(fields.next_comm, sample), at.time, &mut self.tape);
            self.waits.arrive(next, at, &self.tasks, &mut self.tape);
        }
        Some(())
    }

    fn wake(&mut self, fields: &WakeFields, sample: &Sample<'_>) -> Option<()> {
        /// TRACE_FLAG_HARDIRQ, TRACE_FLAG_SOFTIRQ, TRACE_FLAG_NMI: what an interrupt does is not the
        /// doing of the thread that it interrupted.
        const INTERRUPT: u64 = 0x08 | 0x10 | 0x40;
        let tid = fields.tid.number(sample.raw)? as u32;
        let stamp = &sample.stamp;
        let interrupt = fields.flags.number(sample.raw)? & INTERRUPT != 0;
        let waker = match interrupt || stamp.tid == 0 || stamp.tid == u32::MAX {
            true => (0, 0),
            false => {
                self.tasks.meet(stamp.tid, stamp.pid, b"", self.now, &mut self.tape);
                (stamp.tid, self.tasks.tgid(stamp.tid))
            }
        };
        if fields.new {
            self.tasks.meet(tid, 0, comm(fields.comm, sample), self.now, &mut self.tape);
            self.waits.wake_new(tid, self.at(stamp), waker);
        } else {
            self.waits.wake(tid, self.now, waker);
        }
        Some(())
    }

    fn cpu_sample(&mut self, counts: u8, weight: u64, sample: &Sample<'_>, mode: u16) {
        let stamp = &sample.stamp;
        // The idle task is not sampled.
        if stamp.tid == 0 || stamp.tid == u32::MAX {
            return;
        }
        let mode = match mode {
            MODE_KERNEL => sample_mode::KERNEL,
            MODE_USER => sample_mode::USER,
            _ => {
                self.unused.guests += 1;
                return;
            }
        };
        self.tasks.meet(stamp.tid, stamp.pid, b"", self.now, &mut self.tape);
        let tgid = self.tasks.tgid(stamp.tid);
        let stacks = match sample.chain.is_empty() {
            false => self.chain(sample.chain, tgid, false),
            true if sample.ip == 0 => Both::default(),
            true => {
                let mark: i64 = if mode == sample_mode::KERNEL { -128 } else { -512 };
                let chain = [mark.to_le_bytes(), sample.ip.to_le_bytes()];
                self.chain(chain.as_flattened(), tgid, false)
            }
        };
        let row = CpuSample {
            time: self.now,
            weight,
            tid: stamp.tid,
            tgid,
            kstack: stacks.kernel,
            ustack: stacks.user,
            cpu: ring(stamp).into(),
            event: counts,
            mode,
            flags: 0,
        };
        self.tape.fact(CpuSample::DESC, ring(stamp), &row.encode());
    }

    fn chain(&mut self, chain: &[u8], tgid: u32, called: bool) -> Both {
        let mut code =
            Code { kernel: &mut self.kernel, mappings: &mut self.mappings, tape: &mut self.tape };
        self.stacks.of_chain(chain, tgid, called, &mut code)
    }

    /// Tells what is known at the end only.
    pub(super) fn end(&mut self) {
        self.waits.tell_open(self.now, &self.tasks, &mut self.tape);
        let usage = |tid| self.waits.usage(tid, self.now);
        self.tasks.tell_usage(self.now, usage, &mut self.tape);
        let record = self.main_record();
        self.losses.write(record, self.now, &mut self.tape);
    }
}

/// The ring of facts of a CPU: its number. What does not tell its CPU is taken for the first one's.
fn ring(stamp: &Stamp) -> u16 {
    stamp.cpu.map_or(0, |cpu| u16::try_from(cpu).unwrap_or(OWN_RING).min(OWN_RING - 1))
}

/// The name of a thread in a tracepoint.
fn comm<'a>(place: Place, sample: &Sample<'a>) -> &'a [u8] {
    Bytes(place.bytes(sample.raw).unwrap_or_default()).text()
}
