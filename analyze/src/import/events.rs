//! What the events of a perf.data file are to a trace.

use std::rc::Rc;

use ktape_schema::sample_event;
use rustc_hash::FxHashMap;

use super::features::Features;
use super::file::PerfFile;
use super::formats::{Format, Place};
use super::header::Event;
use super::sample::{self, Sample, Stamp, has};
use crate::error::Result;

/// Where `sched_switch` has what.
#[derive(Clone, Debug, Default)]
pub(super) struct SwitchFields {
    pub(super) prev_comm: Place,
    pub(super) prev_tid: Place,
    pub(super) prev_state: Place,
    pub(super) next_comm: Place,
    pub(super) next_tid: Place,
    /// The bits of the state, by letter.
    pub(super) letters: Rc<[(u64, u8)]>,
}

/// Where the tracepoints of wake-ups have what.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WakeFields {
    pub(super) tid: Place,
    pub(super) comm: Place,
    pub(super) flags: Place,
    /// `sched_wakeup_new`: the thread is new.
    pub(super) new: bool,
}

/// What becomes of the samples of an event.
#[derive(Clone, Debug)]
pub(super) enum Use {
    Switch(SwitchFields),
    Wake(WakeFields),
    /// Samples of running threads: what their weight counts (`sample_event`).
    Cpu(u8),
    /// No record of ktape's says what it counts.
    Other,
}

/// The events of a file.
pub(super) struct Events {
    events: Vec<(Event, Use)>,
    by_id: FxHashMap<u64, usize>,
    /// The names of those that are used, as perf has them.
    pub(super) switches: Vec<String>,
    pub(super) wakes: Vec<String>,
    pub(super) samples: Vec<String>,
    place: IdPlace,
}

/// Where a record says whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdPlace {
    /// There is one event.
    Only,
    /// At a fixed place: the first of a sample, the last of other records.
    Fixed,
    /// Where the first event has it: all have the same.
    Same,
}

impl Events {
    /// Refuses files whose samples have no times or cannot be told apart.
    pub(super) fn of(file: &PerfFile, events: Vec<Event>, features: &Features) -> Result<Self> {
        let all = |bit| events.iter().all(|event| event.sample_type & bit != 0);
        let same = events.windows(2).all(|pair| pair[0].sample_type == pair[1].sample_type);
        let place = match events.len() {
            1 => IdPlace::Only,
            _ if all(has::IDENTIFIER) => IdPlace::Fixed,
            _ if same && all(has::ID) => IdPlace::Same,
            _ => return Err(file.fail("its events cannot be told apart: they have no identifiers")),
        };
        let mut found = Self {
            events: Vec::new(),
            by_id: FxHashMap::default(),
            switches: Vec::new(),
            wakes: Vec::new(),
            samples: Vec::new(),
            place,
        };
        let mut known: FxHashMap<u64, Option<(Use, String)>> = FxHashMap::default();
        for format in &features.formats {
            known
                .entry(format.id)
                .or_insert_with(|| Some((tracepoint(format)?, format!("sched:{}", format.name))));
        }
        let mut timeless = false;
        for (index, event) in events.into_iter().enumerate() {
            found.by_id.extend(event.ids.iter().map(|&id| (id, index)));
            let (meaning, name) = meaning(&event, &known);
            match meaning {
                Use::Switch(_) => found.switches.push(name),
                Use::Wake(_) => found.wakes.push(name),
                Use::Cpu(_) => found.samples.push(name),
                Use::Other => {}
            }
            timeless |= !matches!(meaning, Use::Other)
                && event.sample_type & (has::TIME | has::TID) != has::TIME | has::TID;
            found.events.push((event, meaning));
        }
        if found.switches.is_empty() && found.samples.is_empty() {
            return Err(file.fail(
                "it has nothing that a trace can hold: record sched:sched_switch, sched:sched_waking \
                 and sched:sched_wakeup_new for waits, cpu-clock or cycles for samples, such as \
                 `perf record -a -g -e sched:sched_switch,sched:sched_waking,\
                 sched:sched_wakeup_new,cpu-clock`",
            ));
        }
        if timeless {
            return Err(file.fail(
                "its samples have no times or threads: record with `perf record --timestamp`",
            ));
        }
        Ok(found)
    }

    /// The clock of the records, where one was asked for.
    pub(super) fn clock(&self) -> Option<i32> {
        self.events.first().and_then(|(event, _)| event.clock)
    }

    /// Whether samples tell their CPU.
    pub(super) fn tell_cpus(&self) -> bool {
        self.events.iter().all(|(event, meaning)| {
            matches!(meaning, Use::Other) || event.sample_type & has::CPU != 0
        })
    }

    /// Whether some event has call chains.
    pub(super) fn have_chains(&self) -> bool {
        self.events.iter().any(|(event, _)| event.sample_type & has::CALLCHAIN != 0)
    }

    /// The event of a sample, the sample and what becomes of it. `None`: it is cut off or of nobody.
    pub(super) fn sample<'a>(&self, body: &'a [u8]) -> Option<(&Event, &Use, Sample<'a>)> {
        let index = match self.place {
            IdPlace::Only => 0,
            IdPlace::Fixed => {
                let id = body.first_chunk().copied().map(u64::from_le_bytes)?;
                *self.by_id.get(&id)?
            }
            IdPlace::Same => {
                let id = sample::sample(&self.events.first()?.0, body)?.stamp.id;
                *self.by_id.get(&id)?
            }
        };
        let (event, meaning) = self.events.get(index)?;
        Some((event, meaning, sample::sample(event, body)?))
    }

    /// When and where a record was made that is no sample.
    pub(super) fn stamp(&self, body: &[u8]) -> Stamp {
        let index = match self.place {
            IdPlace::Fixed => {
                let id = body.last_chunk().copied().map(u64::from_le_bytes);
                id.and_then(|id| self.by_id.get(&id)).copied().unwrap_or(0)
            }
            _ => 0,
        };
        self.events.get(index).map_or_else(Stamp::default, |event| sample::stamp(&event.0, body))
    }

    /// What becomes of the samples of the event that a record is about which is no sample; `None` when
    /// it does not say which.
    pub(super) fn meaning(&self, body: &[u8]) -> Option<&Use> {
        let index = match self.place {
            IdPlace::Only => 0,
            _ => *self.by_id.get(&self.stamp(body).id)?,
        };
        self.events.get(index).map(|event| &event.1)
    }
}

/// What becomes of an event, and its name. `known`: of the tracepoints, by number.
fn meaning(event: &Event, known: &FxHashMap<u64, Option<(Use, String)>>) -> (Use, String) {
    const HARDWARE: u32 = 0;
    const SOFTWARE: u32 = 1;
    const TRACEPOINT: u32 = 2;
    // On machines with several kinds of cores the kind stands above.
    match (event.kind, event.config & 0xffff_ffff) {
        (HARDWARE, 0) => (Use::Cpu(sample_event::CYCLES), "cycles".to_owned()),
        (SOFTWARE, 0) => (Use::Cpu(sample_event::CPU_CLOCK), "cpu-clock".to_owned()),
        (SOFTWARE, 1) => (Use::Cpu(sample_event::CPU_CLOCK), "task-clock".to_owned()),
        (TRACEPOINT, _) => known
            .get(&event.config)
            .and_then(Clone::clone)
            .filter(|_| event.sample_type & has::RAW != 0)
            .unwrap_or((Use::Other, String::new())),
        _ => (Use::Other, String::new()),
    }
}

fn tracepoint(format: &Format) -> Option<Use> {
    let place = |name| format.place(name);
    Some(match format.name.as_str() {
        "sched_switch" => Use::Switch(SwitchFields {
            prev_comm: place("prev_comm")?,
            prev_tid: place("prev_pid")?,
            prev_state: place("prev_state")?,
            next_comm: place("next_comm")?,
            next_tid: place("next_pid")?,
            letters: format.letters.as_slice().into(),
        }),
        name @ ("sched_wakeup" | "sched_waking" | "sched_wakeup_new") => Use::Wake(WakeFields {
            tid: place("pid")?,
            comm: place("comm")?,
            flags: place("common_flags")?,
            new: name == "sched_wakeup_new",
        }),
        _ => return None,
    })
}
