//! One sample, and the time, thread and CPU of records that are none.
//!
//! The layouts are those of include/uapi/linux/perf_event.h (`PERF_RECORD_SAMPLE`, `struct sample_id`).

use super::bytes::Bytes;
use super::header::Event;

/// `PERF_SAMPLE_*`.
pub(super) mod has {
    pub(crate) const IP: u64 = 1;
    pub(crate) const TID: u64 = 1 << 1;
    pub(crate) const TIME: u64 = 1 << 2;
    pub(crate) const ADDR: u64 = 1 << 3;
    pub(crate) const READ: u64 = 1 << 4;
    pub(crate) const CALLCHAIN: u64 = 1 << 5;
    pub(crate) const ID: u64 = 1 << 6;
    pub(crate) const CPU: u64 = 1 << 7;
    pub(crate) const PERIOD: u64 = 1 << 8;
    pub(crate) const STREAM_ID: u64 = 1 << 9;
    pub(crate) const RAW: u64 = 1 << 10;
    pub(crate) const IDENTIFIER: u64 = 1 << 16;
}

/// What a record tells of when and where it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) pid: u32,
    pub(super) tid: u32,
    /// 0 when it does not say.
    pub(super) time: u64,
    pub(super) cpu: Option<u32>,
    /// The number of its event; 0 when it does not say.
    pub(super) id: u64,
}

/// A sample.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample<'a> {
    pub(super) stamp: Stamp,
    pub(super) ip: u64,
    pub(super) period: Option<u64>,
    /// Its call chain: addresses of 8 bytes, innermost first, with context marks between.
    pub(super) chain: &'a [u8],
    /// What the tracepoint wrote.
    pub(super) raw: &'a [u8],
}

/// Reads a sample of an event; `None` when it is cut off.
pub(super) fn sample<'a>(event: &Event, body: &'a [u8]) -> Option<Sample<'a>> {
    let mut bytes = Bytes(body);
    let mut sample = Sample::default();
    let stamp = &mut sample.stamp;
    let asked = |bit| event.sample_type & bit != 0;
    if asked(has::IDENTIFIER) {
        stamp.id = bytes.u64()?;
    }
    if asked(has::IP) {
        sample.ip = bytes.u64()?;
    }
    if asked(has::TID) {
        (stamp.pid, stamp.tid) = (bytes.u32()?, bytes.u32()?);
    }
    if asked(has::TIME) {
        stamp.time = bytes.u64()?;
    }
    if asked(has::ADDR) {
        bytes.u64()?;
    }
    if asked(has::ID) {
        stamp.id = bytes.u64()?;
    }
    if asked(has::STREAM_ID) {
        bytes.u64()?;
    }
    if asked(has::CPU) {
        stamp.cpu = Some(bytes.u32()?);
        bytes.u32()?;
    }
    if asked(has::PERIOD) {
        sample.period = Some(bytes.u64()?);
    }
    if asked(has::READ) {
        pass_counts(event.read_format, &mut bytes)?;
    }
    if asked(has::CALLCHAIN) {
        let len = usize::try_from(bytes.u64()?).ok()?.checked_mul(8)?;
        sample.chain = bytes.take(len)?;
    }
    if asked(has::RAW) {
        let len = bytes.u32()? as usize;
        sample.raw = bytes.take(len)?;
    }
    Some(sample)
}

/// Passes over the values of counters (`struct read_format`).
fn pass_counts(format: u64, bytes: &mut Bytes<'_>) -> Option<()> {
    const GROUP: u64 = 1 << 3;
    let times = (format & 1) + (format >> 1 & 1);
    let rest = (format >> 2 & 1) + (format >> 4 & 1);
    let words = match format & GROUP {
        0 => 1 + times + rest,
        _ => bytes.u64()?.checked_mul(1 + rest)?.checked_add(times)?,
    };
    bytes.take(usize::try_from(words).ok()?.checked_mul(8)?)?;
    Some(())
}

/// Reads the end of a record that is no sample; nothing is known of one that has none.
pub(super) fn stamp(event: &Event, body: &[u8]) -> Stamp {
    let mut stamp = Stamp::default();
    if !event.id_all {
        return stamp;
    }
    let asked = |bit| event.sample_type & bit != 0;
    let fields = [has::TID, has::TIME, has::ID, has::STREAM_ID, has::CPU, has::IDENTIFIER];
    let len = 8 * fields.into_iter().filter(|bit| asked(*bit)).count();
    let Some(start) = body.len().checked_sub(len) else { return stamp };
    let mut bytes = Bytes(&body[start..]);
    for field in fields.into_iter().filter(|bit| asked(*bit)) {
        let Some(word) = bytes.u64() else { break };
        match field {
            has::TID => (stamp.pid, stamp.tid) = (word as u32, (word >> 32) as u32),
            has::TIME => stamp.time = word,
            has::CPU => stamp.cpu = Some(word as u32),
            has::ID | has::IDENTIFIER => stamp.id = word,
            _ => {}
        }
    }
    stamp
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sample_type: u64) -> Event {
        Event { sample_type, id_all: true, ..Event::default() }
    }

    #[test]
    fn a_sample_that_claims_more_than_it_has_is_none() {
        let event = event(has::TIME | has::CALLCHAIN | has::RAW);
        let body = |words: &[u64]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_le_bytes()).collect()
        };
        let whole = body(&[7, 2, 0xa, 0xb, 0]);
        let found = sample(&event, &whole).expect("a sample");
        assert_eq!((found.stamp.time, found.chain.len(), found.raw.len()), (7, 16, 0));
        assert!(sample(&event, &body(&[7, 3, 0xa, 0xb])).is_none());
        assert!(sample(&event, &body(&[7, u64::MAX, 0xa])).is_none());
        assert!(sample(&event, &body(&[7, 1 << 61, 0xa])).is_none());
        let group = Event { sample_type: has::READ, read_format: 0x1f, ..Event::default() };
        assert!(sample(&group, &body(&[u64::MAX])).is_none());
        assert!(sample(&group, &body(&[1, 0, 0, 1, 2, 3])).is_some());
    }

    #[test]
    fn the_stamp_is_read_from_the_end() {
        let event = event(has::TID | has::TIME | has::CPU | has::IDENTIFIER);
        let words = [99u64, 5 | 6 << 32, 1000, 3, 42];
        let body: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let expected = Stamp { pid: 5, tid: 6, time: 1000, cpu: Some(3), id: 42 };
        assert_eq!(stamp(&event, &body), expected);
        assert_eq!(stamp(&event, &body[..24]), Stamp::default());
    }
}
