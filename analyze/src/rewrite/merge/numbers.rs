//! Numbers that a recorder or a host gave and that mean nothing elsewhere.

use std::collections::BTreeSet;

use ktape_format::{Column, Trace};
use ktape_schema::{
    H2Connection, H2Control, H2Stream, LockContention, TcpConnection, TcpCounters, TcpReset,
    TcpRetransmit, TcpSample, TcpState,
};
use rustc_hash::FxHashMap;

use super::translation::Translation;
use crate::error::{Error, Result};
use crate::rewrite::chunks::Chunks;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// TCP connections of a recording.
    Tcp = 0,
    /// HTTP/2 connections of a recording.
    H2 = 1,
    /// Kernel locks of a recording.
    Lock = 2,
    /// Network namespaces of a host.
    Namespace = 3,
}

impl Space {
    /// How many there are.
    pub(super) const COUNT: usize = 4;
    const OF_RECORDINGS: [Space; 3] = [Space::Tcp, Space::H2, Space::Lock];
}

/// All fields with such numbers. Their kind does not tell them: it is `number`.
const FIELDS: [(&str, &str, Space); 15] = [
    (TcpConnection::DESC.name, "connection", Space::Tcp),
    (TcpState::DESC.name, "connection", Space::Tcp),
    (TcpRetransmit::DESC.name, "connection", Space::Tcp),
    (TcpReset::DESC.name, "connection", Space::Tcp),
    (TcpSample::DESC.name, "connection", Space::Tcp),
    (H2Connection::DESC.name, "connection", Space::H2),
    (H2Stream::DESC.name, "connection", Space::H2),
    (H2Control::DESC.name, "connection", Space::H2),
    (LockContention::DESC.name, "lock", Space::Lock),
    (TcpConnection::DESC.name, "netns", Space::Namespace),
    (TcpState::DESC.name, "netns", Space::Namespace),
    (TcpRetransmit::DESC.name, "netns", Space::Namespace),
    (TcpReset::DESC.name, "netns", Space::Namespace),
    (TcpSample::DESC.name, "netns", Space::Namespace),
    (TcpCounters::DESC.name, "netns", Space::Namespace),
];

/// What the numbers of a field count.
pub(super) fn space_of(record: &str, field: &str) -> Option<Space> {
    FIELDS.iter().find(|known| (known.0, known.1) == (record, field)).map(|known| known.2)
}

/// Which numbers of each space a trace uses.
#[derive(Debug, Default)]
struct Used {
    highest: [u32; Space::COUNT],
    namespaces: BTreeSet<u64>,
}

fn used(trace: &Trace) -> Used {
    let mut used = Used::default();
    let mut chunks = Chunks::new(trace);
    for (index, _, schema) in chunks.all() {
        let fields: Vec<(&str, Space)> = schema
            .fields
            .iter()
            .filter_map(|field| Some((&*field.name, space_of(&schema.name, &field.name)?)))
            .collect();
        let names: Vec<&str> = fields.iter().map(|field| field.0).collect();
        if names.is_empty() || !chunks.read(index, &names) {
            continue;
        }
        for (at, (_, space)) in fields.iter().enumerate() {
            let highest = &mut used.highest[*space as usize];
            match chunks.batch.column(at) {
                Column::U32(numbers) if *space == Space::Namespace => {
                    used.namespaces.extend(numbers.iter().map(|&number| u64::from(number)));
                }
                Column::U64(numbers) => used.namespaces.extend(numbers),
                Column::U32(numbers) => {
                    *highest = numbers.iter().copied().max().unwrap_or(0).max(*highest);
                }
                _ => {}
            }
        }
    }
    used.namespaces.remove(&0);
    used
}

/// Gives recordings numbers behind those of the recordings before them, and namespaces of a host that
/// another host has, too, numbers that none has. Per trace: its host, and the first of the traces that
/// are of the same recording.
pub(super) fn renumber(
    traces: &[(&Trace, usize, usize)],
    translations: &mut [Translation<'_>],
) -> Result<()> {
    let all: Vec<Used> = traces.iter().map(|trace| used(trace.0)).collect();
    for space in Space::OF_RECORDINGS {
        let mut next = 0u32;
        for first in 0..traces.len() {
            if traces[first].2 != first {
                continue;
            }
            let parts = || (0..traces.len()).filter(|&part| traces[part].2 == first);
            let highest = parts().map(|part| all[part].highest[space as usize]).max().unwrap_or(0);
            parts().for_each(|part| translations[part].added[space as usize] = next);
            next = next
                .checked_add(highest)
                .ok_or_else(|| Error::Rewrite(format!("too many numbers of {space:?}")))?;
        }
    }
    let mut taken: BTreeSet<u64> = BTreeSet::new();
    for used in &all {
        taken.extend(&used.namespaces);
    }
    let mut owner: FxHashMap<u64, usize> = FxHashMap::default();
    let mut given: FxHashMap<(usize, u64), u64> = FxHashMap::default();
    let mut next = 1u64;
    for ((used, &(_, host, _)), translation) in all.iter().zip(traces).zip(translations) {
        for &namespace in &used.namespaces {
            if *owner.entry(namespace).or_insert(host) == host {
                continue;
            }
            let new = *given.entry((host, namespace)).or_insert_with(|| {
                while taken.contains(&next) {
                    next += 1;
                }
                next += 1;
                next - 1
            });
            translation.namespaces.insert(namespace, new);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::space_of;
    use ktape_schema::{Class, Kind};

    #[test]
    fn every_such_field_is_listed() {
        let names = ["connection", "lock", "netns"];
        for desc in ktape_schema::RECORDS.iter().filter(|desc| desc.class != Class::Wire) {
            for field in desc.fields.iter().filter(|field| names.contains(&field.name)) {
                assert_eq!(field.kind, Kind::Number);
                assert!(space_of(desc.name, field.name).is_some(), "{}.{}", desc.name, field.name);
            }
        }
        assert_eq!(space_of("off_cpu", "end"), None);
    }
}
