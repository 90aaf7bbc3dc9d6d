//! `Behaviour`: what the mix of its calls says of a process.

use crate::syscall_class::SyscallClass;

/// What a process (or all of them) mostly does.
///
/// denet's rules (commit 42a428d, which it later took out), the first that holds wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    IoBound,
    NetworkBound,
    MemoryBound,
    CpuBound,
    Mixed,
    Unknown,
}

/// The rules in words; the answer carries them.
pub(super) const RULES: &str = "behaviour, the first that holds: io_bound when more than 60 % of the \
    calls are file_io and there are more than 100 calls per second; network_bound when more than 40 % \
    are network; memory_bound when more than 30 % are memory; cpu_bound below 50 calls per second with \
    more than 50 % of a CPU (of all CPUs for the whole); mixed when more than 20 % are file_io and more \
    than 10 % memory; else unknown. read and write on sockets and pipes count as file_io";

/// What the rules look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mix {
    pub(super) calls: u64,
    pub(super) file_io: u64,
    pub(super) network: u64,
    pub(super) memory: u64,
    /// How long it lived within the window, ns.
    pub(super) lived: u64,
    /// CPU time in it, ns; `None` when that is not known.
    pub(super) cpu: Option<u64>,
}

impl Mix {
    pub(super) fn add(&mut self, class: SyscallClass, count: u64) {
        self.calls = self.calls.saturating_add(count);
        match class {
            SyscallClass::FileIo => self.file_io = self.file_io.saturating_add(count),
            SyscallClass::Network => self.network = self.network.saturating_add(count),
            SyscallClass::Memory => self.memory = self.memory.saturating_add(count),
            _ => {}
        }
    }

    pub(super) fn behaviour(&self) -> Behaviour {
        const SECOND: u128 = 1_000_000_000;
        let share_above = |part: u64, percent: u128| {
            u128::from(part) * 100 > u128::from(self.calls) * percent
        };
        // calls / (lived / 1 s), without dividing.
        let (calls, lived) = (u128::from(self.calls) * SECOND, u128::from(self.lived));
        let busy = self.cpu.is_some_and(|cpu| u128::from(cpu) * 100 > lived * 50);
        if share_above(self.file_io, 60) && calls > lived * 100 {
            Behaviour::IoBound
        } else if share_above(self.network, 40) {
            Behaviour::NetworkBound
        } else if share_above(self.memory, 30) {
            Behaviour::MemoryBound
        } else if calls < lived * 50 && busy {
            Behaviour::CpuBound
        } else if share_above(self.file_io, 20) && share_above(self.memory, 10) {
            Behaviour::Mixed
        } else {
            Behaviour::Unknown
        }
    }
}

impl Behaviour {
    pub(super) fn name(self) -> &'static str {
        match self {
            Behaviour::IoBound => "io_bound",
            Behaviour::NetworkBound => "network_bound",
            Behaviour::MemoryBound => "memory_bound",
            Behaviour::CpuBound => "cpu_bound",
            Behaviour::Mixed => "mixed",
            Behaviour::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Behaviour, Mix};

    /// One second of life, unless said otherwise.
    fn check(mix: Mix, expected: Behaviour) {
        let lived = if mix.lived == 0 { 1_000_000_000 } else { mix.lived };
        let mix = Mix { lived, ..mix };
        assert_eq!(mix.behaviour(), expected, "{mix:?}");
    }

    #[test]
    fn thresholds_are_strict_and_in_order() {
        let none = Mix::default();
        check(none, Behaviour::Unknown);
        let io = Mix { calls: 1000, file_io: 601, network: 0, memory: 399, ..none };
        check(io, Behaviour::IoBound);
        check(Mix { file_io: 600, network: 0, memory: 0, ..io }, Behaviour::Unknown);
        check(Mix { file_io: 600, memory: 101, ..io }, Behaviour::Mixed);
        // 100 calls per second are not more than 100.
        check(Mix { calls: 100, file_io: 100, memory: 0, ..none }, Behaviour::Unknown);
        check(Mix { calls: 101, file_io: 101, memory: 0, ..none }, Behaviour::IoBound);
        check(Mix { calls: 10, network: 5, memory: 5, ..none }, Behaviour::NetworkBound);
        check(Mix { calls: 10, network: 4, memory: 4, ..none }, Behaviour::MemoryBound);
        check(Mix { calls: 10, memory: 3, ..none }, Behaviour::Unknown);
        check(Mix { calls: 49, cpu: Some(500_000_001), ..none }, Behaviour::CpuBound);
        check(Mix { calls: 50, cpu: Some(500_000_001), ..none }, Behaviour::Unknown);
        check(Mix { calls: 49, cpu: Some(500_000_000), ..none }, Behaviour::Unknown);
        check(Mix { calls: 49, lived: 900_000_000, cpu: Some(500_000_000), ..none }, Behaviour::Unknown);
        check(Mix { cpu: Some(u64::MAX), lived: u64::MAX, ..none }, Behaviour::CpuBound);
    }
}
