//! The header of a perf.data file: its events, and where its sections lie.
//!
//! The layouts are those of tools/perf/util/header.h (`struct perf_file_header`) and
//! include/uapi/linux/perf_event.h (`struct perf_event_attr`).

use super::bytes::Bytes;
use super::file::{PerfFile, Section};
use crate::error::Result;

/// Most bytes of the list of events, and of the numbers of one event.
const MAX_LIST: u64 = 1 << 22;
/// Most numbers of all events: one for each event and CPU.
const MAX_IDS: usize = 1 << 20;
/// What stands in the file for each event at least: the first published attribute and a section.
const MIN_ATTR: u64 = 64 + 16;
/// The header of a file, and of a stream that was written to a pipe.
const HEADER: u64 = 104;
const PIPE_HEADER: u64 = 16;

/// One event that perf opened, on all CPUs.
#[derive(Clone, Debug, Default)]
pub(super) struct Event {
    /// `PERF_TYPE_*`.
    pub(super) kind: u32,
    pub(super) config: u64,
    /// Fixed period; 0 when a frequency was asked for.
    pub(super) period: u64,
    /// `PERF_SAMPLE_*`: what its samples have.
    pub(super) sample_type: u64,
    pub(super) read_format: u64,
    /// Whether records that are no samples tell time and CPU, too.
    pub(super) id_all: bool,
    /// The clock that it tells, where one was asked for.
    pub(super) clock: Option<i32>,
    /// Its numbers, one for each CPU or thread.
    pub(super) ids: Vec<u64>,
}

/// What stands where.
pub(super) struct Header {
    pub(super) events: Vec<Event>,
    /// The records.
    pub(super) data: Section,
    /// The feature sections that there are, by number.
    pub(super) features: Vec<(u32, Section)>,
}

impl Header {
    pub(super) fn read(file: &PerfFile) -> Result<Self> {
        let front = Section { offset: 0, size: HEADER.min(file.len()) };
        let front = file.section("header", front, HEADER)?;
        match front.get(..8) {
            Some(b"PERFILE2") => {}
            Some(b"2ELIFREP") => {
                return Err(
                    file.fail("it was recorded on a big-endian machine, which ktape does not read")
                );
            }
            Some(b"PERFFILE") => {
                return Err(file.fail("it is of version 1, from before Linux 3.2"));
            }
            _ => return Err(file.fail("it is no perf.data file: make one with `perf record`")),
        }
        let mut bytes = Bytes(&front[8..]);
        if bytes.u64() == Some(PIPE_HEADER) {
            return Err(file.fail(
                "it was written to a pipe, which ktape does not read: use `perf record -o FILE`",
            ));
        }
        let mut numbers = [0u64; 11];
        for number in &mut numbers {
            *number = bytes.u64().ok_or_else(|| file.fail("cut off within its header"))?;
        }
        let [attr_size, attrs, attrs_size, data, data_size, _, _, ref flags @ ..] = numbers;
        if data_size == 0 {
            return Err(file.fail(
                "it has no records: perf record has not finished it, or was killed; end it with \
                 Ctrl-C",
            ));
        }
        let attrs = Section { offset: attrs, size: attrs_size };
        let events = read_events(file, attr_size, attrs)?;
        let data = Section { offset: data, size: data_size };
        Ok(Self { events, data, features: read_features(file, data, flags)? })
    }
}

fn read_events(file: &PerfFile, attr_size: u64, section: Section) -> Result<Vec<Event>> {
    if !(MIN_ATTR..=4096).contains(&attr_size) {
        return Err(file.fail("damaged: the size of its events is impossible"));
    }
    let list = file.section("list of events", section, MAX_LIST)?;
    let mut events = Vec::new();
    let mut ids = 0;
    for entry in list.chunks_exact(attr_size as usize) {
        let (attr, place) = entry.split_at(entry.len() - 16);
        let mut place = Bytes(place);
        let place = place.u64().zip(place.u64());
        let found = event(attr).zip(place);
        let (mut event, (offset, size)) =
            found.ok_or_else(|| file.fail("damaged: an event is cut off"))?;
        let numbers = file.section("numbers of an event", Section { offset, size }, MAX_LIST)?;
        ids += numbers.len() / 8;
        if ids > MAX_IDS {
            return Err(file.fail(format!("its events have more than {MAX_IDS} numbers")));
        }
        let mut numbers = Bytes(&numbers);
        event.ids.extend(std::iter::from_fn(|| numbers.u64()));
        events.push(event);
    }
    if events.is_empty() {
        return Err(file.fail("damaged: it has no events"));
    }
    Ok(events)
}

/// The event of a `struct perf_event_attr`.
fn event(attr: &[u8]) -> Option<Event> {
    const FREQ: u64 = 1 << 10;
    const SAMPLE_ID_ALL: u64 = 1 << 18;
    const USE_CLOCKID: u64 = 1 << 25;
    let mut bytes = Bytes(attr);
    let kind = bytes.u32()?;
    bytes.u32()?;
    let (config, period, sample_type) = (bytes.u64()?, bytes.u64()?, bytes.u64()?);
    let (read_format, flags) = (bytes.u64()?, bytes.u64()?);
    let clock = attr.get(92..96).and_then(|clock| Bytes(clock).u32()).map(u32::cast_signed);
    Some(Event {
        kind,
        config,
        period: if flags & FREQ == 0 { period } else { 0 },
        sample_type,
        read_format,
        id_all: flags & SAMPLE_ID_ALL != 0,
        clock: clock.filter(|_| flags & USE_CLOCKID != 0),
        ids: Vec::new(),
    })
}

/// The places of feature sections: behind the records, in the order of their numbers.
fn read_features(file: &PerfFile, data: Section, flags: &[u64]) -> Result<Vec<(u32, Section)>> {
    let numbers: Vec<u32> = (0..256)
        .filter(|bit| {
            flags.get(*bit as usize / 64).is_some_and(|word| word & (1 << (bit % 64)) != 0)
        })
        .collect();
    let offset = data.offset.saturating_add(data.size);
    let size = numbers.len() as u64 * 16;
    let places = file.section("list of sections", Section { offset, size }, size)?;
    let mut places = Bytes(&places);
    let section = |_| Some(Section { offset: places.u64()?, size: places.u64()? });
    let sections: Option<Vec<Section>> = numbers.iter().map(section).collect();
    let sections = sections.ok_or_else(|| file.fail("damaged: its list of sections is short"))?;
    Ok(numbers.into_iter().zip(sections).collect())
}
