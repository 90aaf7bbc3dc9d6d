//! `Dictionary`: the entries of several traces in one space of ids.

use std::rc::Rc;

use ktape_format::{Batch, Trace, Value};
use ktape_schema::{Desc, Device, Frame, Kind, Module, Stack, StackNode, StringText};
use rustc_hash::{FxHashMap, FxHashSet};

use super::translation::Translation;
use crate::context::{Context, Loader, LoaderState, Needs};
use crate::error::{Error, Result};

/// The dictionaries, each after those that its entries name, with the kind of their ids.
const DICTIONARIES: [(&Desc, Kind); 6] = [
    (StringText::DESC, Kind::StringId),
    (Module::DESC, Kind::ModuleId),
    (Frame::DESC, Kind::FrameId),
    (StackNode::DESC, Kind::NodeId),
    (Stack::DESC, Kind::StackId),
    (Device::DESC, Kind::DeviceId),
];

/// What is known of a dictionary's entries so far.
#[derive(Default)]
struct Dictionary {
    /// By id: whose it is, and what it says.
    entries: FxHashMap<u32, (usize, Rc<[u8]>)>,
    /// By host and what it says: its id.
    ids: FxHashMap<(usize, Rc<[u8]>), u32>,
    last: u32,
    /// All ids from here on are taken, once the highest one is; 0 before that.
    taken_from: u32,
}

impl Dictionary {
    /// The id of an entry, which it keeps if it can. In parts of one recording (`same`) equal ids are
    /// equal entries, and different ones stay different. Entries of other recordings of a host become
    /// one if they say the same; those of several hosts stay apart.
    fn id(&mut self, host: usize, id: u32, least: u32, entry: Rc<[u8]>, same: bool) -> Option<u32> {
        let known = self.entries.get(&id);
        if known.is_some_and(|known| *known == (host, Rc::clone(&entry))) {
            return Some(id);
        }
        let key = (host, Rc::clone(&entry));
        let free = known.is_none() && id > least && id != UNDEFINED;
        if let Some(&other) = self.ids.get(&key).filter(|_| !(same && free)) {
            return Some(other);
        }
        let id = if free { id } else { self.fresh(least)? };
        self.last = self.last.max(id);
        self.entries.insert(id, (host, entry));
        self.ids.entry(key).or_insert(id);
        Some(id)
    }

    /// An id that no entry has, above `least`. Each is looked at once, however often this is asked.
    fn fresh(&mut self, least: u32) -> Option<u32> {
        if let Some(next) = self.last.checked_add(1).filter(|&next| next != UNDEFINED) {
            return Some(next);
        }
        if self.taken_from == 0 {
            self.taken_from = UNDEFINED;
        }
        let below = (1..self.taken_from).rev().find(|id| !self.entries.contains_key(id));
        self.taken_from = below.unwrap_or(1);
        below.filter(|&id| id > least)
    }
}

/// An id that no merged trace defines.
const UNDEFINED: u32 = u32::MAX;

/// The ids of the entries of one trace in another: those that are other ones there.
#[derive(Debug, Default)]
pub(super) struct Renumbered {
    /// By kind.
    changed: Vec<(&'static str, FxHashMap<u32, u32>)>,
    /// By kind: all that the trace defines. What it does not must not become what another one does.
    own: Vec<(&'static str, FxHashSet<u32>)>,
}

impl Renumbered {
    /// What an id of a kind is called in the new trace.
    pub(super) fn id(&self, kind: &str, id: u32) -> u32 {
        let changed = self.changed.iter().find(|(own, _)| *own == kind);
        if let Some(&new) = changed.and_then(|(_, ids)| ids.get(&id)) {
            return new;
        }
        match self.own.iter().find(|(own, _)| *own == kind) {
            Some((_, own)) if id != 0 && !own.contains(&id) => UNDEFINED,
            _ => id,
        }
    }

    /// Whether all ids stay what they are.
    pub(super) fn is_same(&self) -> bool {
        self.changed.iter().all(|(_, ids)| ids.is_empty()) && self.own.is_empty()
    }
}

/// Gives the entries of all traces ids. Per trace: its host, and the first of the traces that are of the
/// same recording. Returns texts that none of them has: names of devices of several hosts.
pub(super) fn renumber(
    traces: &[(&Trace, usize, usize)],
    translations: &mut [Translation<'_>],
) -> Result<Vec<(u32, Vec<u8>)>> {
    let mut strings = Dictionary::default();
    let mut added = Vec::new();
    for (desc, kind) in DICTIONARIES {
        if desc.id == Device::DESC.id {
            added = name_devices(traces, translations, &mut strings)?;
        }
        let mut dictionary = Dictionary::default();
        for (at, translation) in translations.iter_mut().enumerate() {
            let (trace, host, recording) = traces[at];
            let other = |before: &(&Trace, usize, usize)| before.1 == host && before.2 != recording;
            let same = !traces[..at].iter().any(other);
            let fields: Vec<&str> = desc.fields.iter().map(|field| field.name).collect();
            let mut changed = FxHashMap::default();
            let mut own = FxHashSet::default();
            let mut full = false;
            Loader::new(trace, &mut LoaderState::new(trace)).each(desc.name, &fields, |batch| {
                for row in 0..batch.rows() {
                    let id = batch.u32("id")[row];
                    if id == 0 || !own.insert(id) {
                        continue;
                    }
                    let (entry, least) = entry(desc, batch, row, translation);
                    match dictionary.id(host, id, least, entry, same) {
                        Some(new) if new != id => _ = changed.insert(id, new),
                        Some(_) => {}
                        None => full = true,
                    }
                }
            });
            if full {
                return Err(Error::Rewrite(format!("{}: there are no ids left", desc.name)));
            }
            translation.ids.changed.push((kind.name(), changed));
            // The number of a device means the same in all recordings of a host.
            let several = traces.iter().any(|other| match kind {
                Kind::DeviceId => other.1 != host,
                _ => other.2 != recording,
            });
            if several {
                translation.ids.own.push((kind.name(), own));
            }
        }
        if desc.id == StringText::DESC.id {
            strings = dictionary;
        }
    }
    Ok(added)
}

/// Calls devices of several hosts `vda1@host`: reports tell files and devices by their names.
fn name_devices(
    traces: &[(&Trace, usize, usize)],
    translations: &mut [Translation<'_>],
    strings: &mut Dictionary,
) -> Result<Vec<(u32, Vec<u8>)>> {
    let mut added: Vec<(u32, Vec<u8>)> = Vec::new();
    for (&(trace, host, _), translation) in traces.iter().zip(translations) {
        if !translation.hosts.several() {
            continue;
        }
        let cx = Context::load(trace, Needs::NAMES);
        let texts = cx.strings();
        let mut names = FxHashSet::default();
        Loader::new(trace, &mut LoaderState::new(trace)).each(
            Device::DESC.name,
            &["id", "name"],
            |batch| {
                names.extend(batch.u32("name").iter().copied().filter(|&name| name != 0));
            },
        );
        let mut names: Vec<u32> = names.into_iter().collect();
        names.sort_unstable();
        for name in names {
            let host_name = translation.hosts.list()[host].name.as_bytes();
            let text = [texts.get(name), b"@", host_name].concat();
            let id = strings.id(host, name, 0, text.as_slice().into(), false);
            let id =
                id.ok_or_else(|| Error::Rewrite("string: there are no ids left".to_owned()))?;
            translation.device_names.insert(name, id);
            added.push((id, text));
        }
    }
    added.sort_unstable();
    added.dedup();
    Ok(added)
}

/// What an entry says in the new trace, without its id; and the id that its own must be above.
fn entry(desc: &Desc, batch: &Batch, row: usize, translation: &Translation<'_>) -> (Rc<[u8]>, u32) {
    let mut bytes = Vec::new();
    let mut least = 0;
    for (at, field) in desc.fields.iter().enumerate().filter(|(_, field)| field.name != "id") {
        match batch.value(at, row) {
            Value::U64(number) => {
                let number = translation.number(desc.name, field.name, field.kind.name(), number);
                let number = number.unwrap_or(u64::MAX);
                if desc.id == StackNode::DESC.id && field.name == "parent" {
                    least = u32::try_from(number).unwrap_or(u32::MAX);
                }
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            Value::I64(number) => bytes.extend_from_slice(&number.to_le_bytes()),
            Value::Text(text) => bytes.extend_from_slice(text),
        }
    }
    (bytes.into(), least)
}

#[cfg(test)]
mod tests {
    use ktape_format::Trace;
    use ktape_schema::Io;

    use super::Dictionary;
    use crate::context::{Context, Loader, LoaderState, Needs};
    use crate::rewrite::merge;
    use crate::testing::{START, Tape};

    fn check(same: bool, rows: &[(usize, u32, &[u8], u32)]) {
        let mut dictionary = Dictionary::default();
        for &(host, id, entry, expected) in rows {
            assert_eq!(dictionary.id(host, id, 0, entry.into(), same), Some(expected), "{rows:?}");
        }
    }

    #[test]
    fn entries_get_ids() {
        // Parts of one recording keep theirs, though two say the same.
        check(true, &[(0, 1, b"a", 1), (0, 5, b"b", 5), (0, 1, b"a", 1), (0, 7, b"a", 7)]);
        // What stands in the way gives way.
        check(true, &[(0, 1, b"a", 1), (0, 1, b"b", 2), (0, 2, b"c", 3)]);
        // Other recordings of a host: the same text is the same entry.
        check(false, &[(0, 1, b"a", 1), (0, 2, b"b", 2), (0, 9, b"a", 1), (0, 2, b"c", 3)]);
        // Hosts stay apart.
        check(false, &[(0, 1, b"a", 1), (1, 1, b"a", 2), (1, 3, b"a", 2)]);
    }

    #[test]
    fn ids_at_the_end_of_the_space_are_found_at_once() {
        let mut dictionary = Dictionary::default();
        let mut id = |id: u32, text: u32| {
            dictionary.id(0, id, 0, text.to_le_bytes()[..].into(), false).expect("an id")
        };
        assert_eq!(id(u32::MAX - 1, 1), u32::MAX - 1);
        // What stands for the undefined is nobody's.
        assert_eq!(id(u32::MAX, 2), u32::MAX - 2);
        for text in 3..200_000 {
            assert_eq!(id(u32::MAX - 1, text), u32::MAX - text);
        }
    }

    #[test]
    fn what_a_recording_does_not_define_stays_undefined() {
        let trace = |boot: &str, texts: &[&str]| {
            let mut tape = Tape::new();
            tape.meta.host.boot_id = boot.to_owned();
            texts.iter().for_each(|text| _ = tape.string(text));
            let io = Io { end: START + 1, duration: 1, tid: 7, tgid: 7, path: 2, ..Io::default() };
            tape.fact(Io::DESC, 0, &io.encode());
            tape.trace()
        };
        // One names a text that it lost; the other has one of that number.
        let (lacking, other) = (&["mine"][..], &["x", "theirs"][..]);
        for [first, second] in [[lacking, other], [other, lacking]] {
            let mut out = Vec::new();
            merge(&[trace("a", first), trace("b", second)], &mut out).expect("a new trace");
            let merged = Trace::from_stream(&out[..]).expect("a trace");
            let cx = Context::load(&merged, Needs::NAMES);
            let mut paths: Vec<Option<Vec<u8>>> = Vec::new();
            let mut state = LoaderState::new(&merged);
            Loader::new(&merged, &mut state).each(Io::DESC.name, &["path"], |batch| {
                let known = |id: &u32| cx.strings().defines(*id);
                let ids = batch.u32("path").iter();
                paths.extend(ids.map(|id| known(id).then(|| cx.strings().get(*id).to_vec())));
            });
            paths.sort_unstable();
            assert_eq!(paths, [None, Some(b"theirs".to_vec())]);
        }
    }

    #[test]
    fn a_node_stays_above_its_parent() {
        let mut nodes = Dictionary::default();
        assert_eq!(nodes.id(0, 9, 0, b"x"[..].into(), false), Some(9));
        assert_eq!(nodes.id(0, 2, 9, b"y"[..].into(), false), Some(10));
        assert_eq!(nodes.id(0, 3, 0, b"z"[..].into(), false), Some(3));
    }
}
