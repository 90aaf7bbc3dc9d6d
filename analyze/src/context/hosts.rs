//! `Hosts`: the hosts of a merged trace, and whose a number is.

use ktape_format::Meta;

/// The note that a trace of several hosts has for each of them, in order.
const NOTE: &str = "merged host";
/// Between the name of a host and its CPUs in that note.
const CPUS: &str = ": CPUs ";
/// Bits of a thread's number on its own host: PID_MAX_LIMIT is 2^22 (include/linux/threads.h). Above
/// them is the number of the host.
const TID_BITS: u32 = 22;
/// Most hosts of a trace: what the bits above leave, without the highest one, which
/// [`super::ThreadKey`] needs.
pub(crate) const MAX_HOSTS: usize = 1 << (31 - TID_BITS);
/// The ring of rows that the recorder of the first host made; that of host h is so many below.
const RECORDER_RING: u16 = u16::MAX;
/// What stands for no device of the first host, likewise.
pub(crate) const NO_DEVICE: u32 = u32::MAX;
/// The CPU of counters of such rows, likewise.
const RECORDER_CPU: u32 = u32::MAX;

/// One host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Its name; no other host of the trace has it.
    pub name: String,
    /// The number that its CPU 0 has in the trace.
    pub first_cpu: u32,
    /// How many CPU numbers it has.
    pub cpus: u32,
}

/// The hosts of a trace. In a trace of several, threads and CPUs have numbers that tell the host;
/// people see those that they had there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// At least one.
    list: Vec<Host>,
}

impl Hosts {
    /// What a header says.
    pub(crate) fn of(meta: &Meta) -> Self {
        let notes = meta.notes.iter().filter(|note| note.0 == NOTE).map(|note| note.1.as_str());
        let mut list: Vec<Host> = notes.take(MAX_HOSTS).filter_map(read).collect();
        if list.len() < 2 {
            let name = meta.host.hostname.clone();
            list = vec![Host { name, first_cpu: 0, cpus: u32::MAX }];
        }
        Self { list }
    }

    /// Several hosts, at most [`MAX_HOSTS`].
    pub(crate) fn new(list: Vec<Host>) -> Self {
        Self { list }
    }

    /// Puts notes of these hosts in a header; none for a single one.
    pub(crate) fn note(&self, meta: &mut Meta) {
        if self.several() {
            let notes = self.list.iter().map(|host| {
                let last = host.first_cpu.saturating_add(host.cpus.saturating_sub(1));
                (NOTE.to_owned(), format!("{}{CPUS}{} to {last}", host.name, host.first_cpu))
            });
            meta.notes.extend(notes);
        }
    }

    /// Whether a note is one of these.
    pub(crate) fn is_note(name: &str) -> bool {
        name == NOTE
    }

    /// The same with other names.
    pub(crate) fn renamed(&self, name: impl Fn(&str) -> String) -> Self {
        let host = |host: &Host| Host { name: name(&host.name), ..host.clone() };
        Self { list: self.list.iter().map(host).collect() }
    }

    /// Whether there is more than one.
    pub fn several(&self) -> bool {
        self.list.len() > 1
    }

    /// All hosts in the order of their numbers.
    pub fn list(&self) -> &[Host] {
        &self.list
    }

    /// The host of a thread or process. One beyond all hosts is of the last.
    pub fn of_tid(&self, tid: u32) -> usize {
        if self.several() { ((tid >> TID_BITS) as usize).min(self.list.len() - 1) } else { 0 }
    }

    /// The number that a thread or process had on its host.
    pub fn local_tid(&self, tid: u32) -> u32 {
        if self.several() { tid & ((1 << TID_BITS) - 1) } else { tid }
    }

    /// The host of a CPU.
    pub fn of_cpu(&self, cpu: u32) -> usize {
        let recorder = (RECORDER_CPU - cpu) as usize;
        match self.list.partition_point(|host| host.first_cpu <= cpu).saturating_sub(1) {
            last if last + 1 == self.list.len() && recorder < self.list.len() => recorder,
            host => host,
        }
    }

    /// The number that a CPU had on its host.
    pub fn local_cpu(&self, cpu: u32) -> u32 {
        if self.several() && (RECORDER_CPU - cpu) as usize >= self.list.len() {
            cpu.saturating_sub(self.list[self.of_cpu(cpu)].first_cpu)
        } else {
            cpu
        }
    }

    /// The host that the rows of a ring come from.
    pub fn of_ring(&self, ring: u16) -> usize {
        let recorder = usize::from(RECORDER_RING - ring);
        if recorder < self.list.len() { recorder } else { self.of_cpu(ring.into()) }
    }

    /// What stands for no device, or one that is not known, of the host that a ring is of: files
    /// without a device of several hosts are not the same ones.
    pub(crate) fn no_device(&self, ring: u16) -> u32 {
        if self.several() { NO_DEVICE - self.of_ring(ring) as u32 } else { 0 }
    }

    /// The host whose [`Hosts::no_device`] it is.
    pub(crate) fn of_no_device(&self, device: u32) -> Option<&Host> {
        self.list.get((NO_DEVICE - device) as usize).filter(|_| self.several())
    }

    /// A number of this kind as its host had it.
    pub fn local(&self, kind: &str, number: u64) -> u64 {
        match (kind, u32::try_from(number)) {
            ("tid" | "tgid", Ok(tid)) => self.local_tid(tid).into(),
            ("cpu", Ok(cpu)) => self.local_cpu(cpu).into(),
            _ => number,
        }
    }

    /// What a thread of a host is called in the trace; `None` when its number is none of Linux. 0 is
    /// no thread anywhere.
    pub(crate) fn tid(&self, host: usize, local: u32) -> Option<u32> {
        match local {
            0 => Some(0),
            _ if !self.several() => Some(local),
            _ if local >> TID_BITS != 0 => None,
            _ => Some(local | (host as u32) << TID_BITS),
        }
    }

    /// What a CPU of a host is called in the trace; `None` when the host has no such one.
    pub(crate) fn cpu(&self, host: usize, local: u32) -> Option<u32> {
        let of = self.list.get(host).filter(|_| self.several());
        match of {
            None => Some(local),
            Some(_) if local == RECORDER_CPU => Some(RECORDER_CPU - host as u32),
            Some(of) => (local < of.cpus).then(|| of.first_cpu.saturating_add(local)),
        }
    }

    /// The ring that rows of a host go to.
    pub(crate) fn ring(&self, host: usize, local: u16) -> u16 {
        let own = RECORDER_RING - host as u16;
        match self.cpu(host, local.into()) {
            _ if !self.several() => local,
            Some(cpu) if local != RECORDER_RING => u16::try_from(cpu).unwrap_or(own),
            _ => own,
        }
    }
}

/// `name: CPUs 4 to 7`.
fn read(text: &str) -> Option<Host> {
    let (name, cpus) = text.rsplit_once(CPUS)?;
    let (first, last) = cpus.split_once(" to ")?;
    let (first_cpu, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    let cpus = last.checked_sub(first_cpu)?.checked_add(1)?;
    Some(Host { name: name.to_owned(), first_cpu, cpus })
}

#[cfg(test)]
mod tests {
    use super::{Host, Hosts};
    use ktape_format::Meta;

    fn hosts(list: &[(&str, u32, u32)]) -> Hosts {
        let host = |&(name, first_cpu, cpus): &(&str, u32, u32)| Host {
            name: name.into(),
            first_cpu,
            cpus,
        };
        Hosts::new(list.iter().map(host).collect())
    }

    #[test]
    fn numbers_tell_the_host_and_lead_back() {
        let two = hosts(&[("a", 0, 4), ("b: CPUs", 4, 2)]);
        let check = |host: usize, tid: u32, cpu: u32, ring: u16| {
            let there = two.tid(host, tid).expect("a thread");
            assert_eq!((two.of_tid(there), two.local_tid(there)), (host, tid));
            let there = two.cpu(host, cpu).expect("a CPU");
            assert_eq!((two.of_cpu(there), two.local_cpu(there).min(9)), (host, cpu.min(9)));
            assert_eq!(two.of_ring(two.ring(host, ring)), host);
        };
        check(0, 1, 0, 0);
        check(0, 4_194_303, 3, 3);
        check(1, 1, 1, 1);
        check(1, 4_194_303, u32::MAX, u16::MAX);
        check(0, 7, u32::MAX, u16::MAX);
        assert_eq!((two.tid(1, 0), two.tid(1, 1 << 22), two.cpu(1, 2)), (Some(0), None, None));
    }

    #[test]
    fn notes_lead_back_too() {
        let check = |hosts: Hosts, notes: usize| {
            let mut meta = Meta::default();
            meta.host.hostname = "a".into();
            hosts.note(&mut meta);
            assert_eq!(meta.notes.len(), notes);
            assert_eq!(Hosts::of(&meta), hosts);
        };
        check(hosts(&[("a", 0, 4), ("b: CPUs", 4, 2)]), 2);
        check(hosts(&[("a", 0, u32::MAX)]), 0);
    }
}
