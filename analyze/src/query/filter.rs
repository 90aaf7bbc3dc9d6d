//! `Filter`: the filters, placed in one trace.

use ktape_format::{ChunkInfo, Tgids};

use super::Glob;
use crate::context::{Context, Hosts, ThreadKey, UNKNOWN};

/// Which names of a thread pass `--comm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    None,
    Some,
    All,
}

/// Which facts a question is about. A fact belongs to the window in which it ends.
#[derive(Clone, Debug)]
pub struct Filter {
    /// First moment of the window, monotonic ns.
    pub from: u64,
    /// Last moment of the window, monotonic ns.
    pub to: u64,
    /// Numbers that processes had on their hosts, sorted; empty for all.
    pub pids: Vec<u32>,
    /// Numbers that threads had on their hosts, sorted; empty for all.
    pub tids: Vec<u32>,
    /// Empty for all.
    pub globs: Vec<Glob>,
    /// Sorted ranges, both ends inside; empty for all.
    pub cpus: Vec<(u32, u32)>,
    /// Nanoseconds; 0 for all.
    pub min_duration: u64,
    /// Per host whether it passes; empty for all.
    pub hosts: Vec<bool>,
    pub(super) names: Vec<Names>,
    pub(super) numbers: Hosts,
}

impl Filter {
    /// Lets everything pass.
    pub fn all() -> Self {
        Self {
            from: 0,
            to: u64::MAX,
            pids: Vec::new(),
            tids: Vec::new(),
            globs: Vec::new(),
            cpus: Vec::new(),
            min_duration: 0,
            hosts: Vec::new(),
            names: Vec::new(),
            numbers: Hosts::default(),
        }
    }

    /// Whether the window is the whole recording.
    pub fn is_all_time(&self) -> bool {
        self.from == 0 && self.to == u64::MAX
    }

    /// Whether it looks at certain threads or processes only.
    pub fn picks_tasks(&self) -> bool {
        !(self.pids.is_empty() && self.tids.is_empty() && self.globs.is_empty())
    }

    /// Whether facts of this CPU pass.
    pub fn passes_cpu(&self, cpu: u32) -> bool {
        let local = self.numbers.local_cpu(cpu);
        (self.cpus.is_empty() || self.cpus.iter().any(|&(low, high)| (low..=high).contains(&local)))
            && self.passes_host(|hosts| hosts.of_cpu(cpu))
    }

    /// Whether facts of this process number pass.
    pub fn passes_pid(&self, pid: u32) -> bool {
        let local = self.numbers.local_tid(pid);
        (self.pids.is_empty() || self.pids.binary_search(&local).is_ok())
            && self.passes_host(|hosts| hosts.of_tid(pid))
    }

    /// Whether facts of this thread number pass.
    pub fn passes_tid(&self, tid: u32) -> bool {
        let local = self.numbers.local_tid(tid);
        (self.tids.is_empty() || self.tids.binary_search(&local).is_ok())
            && self.passes_host(|hosts| hosts.of_tid(tid))
    }

    /// Whether facts of a host pass.
    fn passes_host(&self, host: impl Fn(&Hosts) -> usize) -> bool {
        self.hosts.is_empty() || self.hosts.get(host(&self.numbers)).copied().unwrap_or(false)
    }

    /// Whether a thread's name at a time passes.
    pub fn passes_name(&self, cx: &Context<'_>, key: ThreadKey, time: u64) -> bool {
        if self.globs.is_empty() {
            return true;
        }
        match self.names.get(key.0 as usize) {
            Some(Names::All) => true,
            Some(Names::None) => false,
            Some(Names::Some) => Glob::pass(&self.globs, cx.thread_comm_at(key, time)),
            None => Glob::pass(&self.globs, UNKNOWN),
        }
    }

    /// The window clipped to the recording: (from, to), monotonic ns, from <= to.
    pub fn window(&self, cx: &Context<'_>) -> (u64, u64) {
        let from = self.from.clamp(cx.start(), cx.end());
        (from, self.to.clamp(from, cx.end()))
    }

    /// Whether a chunk may hold a row that passes, by what the index says of it. `timed` says
    /// whether its record has a time at all.
    pub(crate) fn passes_chunk(&self, chunk: &ChunkInfo, timed: bool) -> bool {
        if timed && (chunk.last < self.from || chunk.first > self.to) {
            return false;
        }
        // A chunk is of one ring, and a ring of one host.
        if !self.passes_host(|hosts| hosts.of_ring(chunk.ring)) {
            return false;
        }
        match &chunk.tgids {
            Tgids::Few(tgids) => {
                self.pids.is_empty() || tgids.iter().any(|&tgid| self.passes_pid(tgid))
            }
            _ => true,
        }
    }
}
