//! `Part`: what of a recording a trimmed trace has, as its notes say.

use ktape_format::Meta;

use crate::query::{cpu_range, parse_duration};

/// What all notes of a part begin with.
const PREFIX: &str = "trimmed ";
const TIME: &str = "trimmed time";
const PID: &str = "trimmed pid";
const TID: &str = "trimmed tid";
const COMM: &str = "trimmed comm";
const CPU: &str = "trimmed cpu";
const HOST: &str = "trimmed host";
const MIN_DURATION: &str = "trimmed min-duration";
const RECORDS: &str = "trimmed record";
/// When the whole recording ended.
const END: &str = "trimmed end";
/// The records of which the whole recording has facts.
const FACTS: &str = "trimmed facts";

/// What of a recording a trace has: the filters that it was trimmed with. A trace without notes of
/// trimming is whole and has no `Part`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Windows of time in monotonic ns, rising, apart from each other; 0 and `u64::MAX` where they
    /// are open. A fact at the end of one belongs to the next; reports show the end as it stands.
    pub windows: Vec<(u64, u64)>,
    /// Processes; empty for all.
    pub pids: Vec<u32>,
    /// Threads; empty for all.
    pub tids: Vec<u32>,
    /// Patterns of names as they were given; empty for all.
    pub comm: Vec<String>,
    /// Ranges of CPUs; empty for all.
    pub cpus: Vec<(u32, u32)>,
    /// Patterns of names of hosts as they were given; empty for all.
    pub hosts: Vec<String>,
    /// Least duration, ns; 0 for all.
    pub min_duration: u64,
    /// Names of the records whose facts were kept; empty for all.
    pub records: Vec<String>,
    /// When the whole recording ended, monotonic ns.
    pub end: u64,
    /// Names of the records of which the whole recording has facts.
    pub facts: Vec<String>,
}

impl Part {
    /// All of a recording.
    pub fn whole() -> Self {
        Self { windows: vec![(0, u64::MAX)], ..Self::default() }
    }

    /// What the notes of a trace say; `None` for a whole one. A note that cannot be read says
    /// nothing.
    pub fn of(meta: &Meta) -> Option<Self> {
        let note = |name: &str| {
            let found = meta.notes.iter().find(|note| note.0 == name);
            found.map(|note| note.1.as_str()).filter(|text| !text.is_empty())
        };
        if !meta.notes.iter().any(|note| note.0.starts_with(PREFIX)) {
            return None;
        }
        let start = meta.start.mono;
        let names = |name| -> Vec<String> {
            note(name).map(|text| text.split(", ").map(str::to_owned).collect()).unwrap_or_default()
        };
        let numbers = |name| -> Vec<u32> {
            let mut numbers: Vec<u32> =
                names(name).iter().filter_map(|text| text.parse().ok()).collect();
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        };
        let mut windows: Vec<(u64, u64)> =
            names(TIME).iter().filter_map(|text| window(text, start)).collect();
        windows.sort_unstable();
        if windows.is_empty() {
            windows.push((0, u64::MAX));
        }
        let offset = |name| note(name).and_then(|text| parse_duration(text).ok());
        Some(Self {
            windows,
            pids: numbers(PID),
            tids: numbers(TID),
            comm: names(COMM),
            cpus: names(CPU).iter().filter_map(|text| cpu_range(text)).collect(),
            hosts: names(HOST),
            min_duration: offset(MIN_DURATION).unwrap_or(0),
            records: names(RECORDS),
            end: offset(END).map_or(0, |offset| start.saturating_add(offset)),
            facts: names(FACTS),
        })
    }

    /// Whether a note is one of a part.
    pub(crate) fn is_note(name: &str) -> bool {
        name.starts_with(PREFIX)
    }

    /// Puts notes of this part in the place of those that are there; none for a whole recording.
    pub fn note(&self, meta: &mut Meta) {
        meta.notes.retain(|note| !Self::is_note(&note.0));
        if self.is_whole() {
            return;
        }
        let start = meta.start.mono;
        let numbers = |list: &[u32]| list.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let cpus = self.cpus.iter().map(|&(low, high)| format!("{low}-{high}"));
        let offset = |time: u64| seconds(time.saturating_sub(start));
        let windows = self.windows.iter().map(|&(from, to)| {
            let from = if from == 0 { "start".to_owned() } else { offset(from) };
            let to = if to == u64::MAX { "end".to_owned() } else { offset(to) };
            format!("{from} to {to}")
        });
        let all_time = self.windows == [(0, u64::MAX)];
        let notes = [
            (TIME, if all_time { String::new() } else { windows.collect::<Vec<_>>().join(", ") }),
            (PID, numbers(&self.pids)),
            (TID, numbers(&self.tids)),
            (COMM, self.comm.join(", ")),
            (CPU, cpus.collect::<Vec<_>>().join(", ")),
            (HOST, self.hosts.join(", ")),
            (
                MIN_DURATION,
                if self.min_duration == 0 { String::new() } else { seconds(self.min_duration) },
            ),
            (RECORDS, self.records.join(", ")),
            (END, offset(self.end)),
            (FACTS, self.facts.join(", ")),
        ];
        let said = notes.into_iter().filter(|note| !note.1.is_empty());
        meta.notes.extend(said.map(|(name, value)| (name.to_owned(), value)));
    }

    /// Whether nothing was cut off.
    pub fn is_whole(&self) -> bool {
        let all = Self { end: self.end, facts: self.facts.clone(), ..Self::whole() };
        *self == all
    }

    /// From the first window's beginning to the last one's end.
    pub fn hull(&self) -> (u64, u64) {
        let first = self.windows.first().map_or(0, |window| window.0);
        (first, self.windows.last().map_or(u64::MAX, |window| window.1))
    }

    /// Whether threads or processes were chosen.
    pub fn picks_tasks(&self) -> bool {
        !(self.pids.is_empty() && self.tids.is_empty() && self.comm.is_empty())
    }

    /// Whether facts of this record were kept.
    pub fn keeps(&self, record: &str) -> bool {
        self.records.is_empty() || self.records.iter().any(|name| name == record)
    }

    /// What was kept, in words.
    pub fn text(&self, start: u64) -> String {
        let mut said = Meta::default();
        said.start.mono = start;
        self.note(&mut said);
        let words = said.notes.into_iter().filter(|note| note.0 != END && note.0 != FACTS);
        let words = words.map(|(name, value)| format!("{} {value}", &name[PREFIX.len()..]));
        words.collect::<Vec<_>>().join("; ")
    }
}

/// `1.5s to 3s`, `start to 3s`, `1.5s to end`.
fn window(text: &str, start: u64) -> Option<(u64, u64)> {
    let (from, to) = text.split_once(" to ")?;
    let place = |text: &str| Some(start.saturating_add(parse_duration(text).ok()?));
    let from = if from == "start" { 0 } else { place(from)? };
    let to = if to == "end" { u64::MAX } else { place(to)? };
    (from < to).then_some((from, to))
}

/// Nanoseconds as seconds with all digits that count.
pub(crate) fn seconds(ns: u64) -> String {
    let text = format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::Part;
    use ktape_format::Meta;

    fn check(part: &Part, notes: &[(&str, &str)]) {
        let mut meta = Meta::default();
        meta.start.mono = 5_000_000_000;
        meta.notes = vec![("kept".into(), "x".into()), ("trimmed time".into(), "old".into())];
        part.note(&mut meta);
        let found: Vec<(&str, &str)> =
            meta.notes.iter().skip(1).map(|note| (&*note.0, &*note.1)).collect();
        assert_eq!(found, notes);
        let expected = (!part.is_whole()).then(|| part.clone());
        assert_eq!(Part::of(&meta), expected);
    }

    #[test]
    fn notes_say_what_was_kept() {
        check(&Part::whole(), &[]);
        check(&Part { end: 7, facts: vec!["io".into()], ..Part::whole() }, &[]);
        let windows = vec![(0, 5_500_000_001), (6_000_000_000, u64::MAX)];
        let time = "start to 0.500000001s, 1s to end";
        check(
            &Part { windows, end: 8_000_000_000, ..Part::whole() },
            &[("trimmed time", time), ("trimmed end", "3s")],
        );
        let part = Part {
            pids: vec![1, 20],
            comm: vec!["a*".into(), "!b".into()],
            cpus: vec![(0, 3)],
            hosts: vec!["web*".into()],
            min_duration: 20,
            records: vec!["io".into()],
            facts: vec!["io".into(), "off_cpu".into()],
            end: 5_000_000_000,
            ..Part::whole()
        };
        check(
            &part,
            &[
                ("trimmed pid", "1, 20"),
                ("trimmed comm", "a*, !b"),
                ("trimmed cpu", "0-3"),
                ("trimmed host", "web*"),
                ("trimmed min-duration", "0.00000002s"),
                ("trimmed record", "io"),
                ("trimmed end", "0s"),
                ("trimmed facts", "io, off_cpu"),
            ],
        );
    }
}
