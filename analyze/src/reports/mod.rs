//! The reports. Each is one file and one line in this list.

use crate::run::Entry;

/// Declares the modules of the reports and the one list of them.
macro_rules! reports {
    ($($module:ident :: $report:ident,)+) => {
        $(pub mod $module;)+

        /// Every report, in the order of the command's help.
        pub const REPORTS: &[Entry] = &[$(Entry::of::<$module::$report>(),)+];
    };
}

/// The report that `ktape report` gives when none is named.
pub const OVERVIEW: Entry = Entry::of::<overview::Overview>();

reports! {
    overview::Overview,
    offcpu::OffCpu,
    runqlat::RunqLat,
    cpu::Cpu,
    stalls::Stalls,
    wakeups::Wakeups,
    timeline::Timeline,
    syscalls::Syscalls,
    io::Io,
    block::Block,
    tcp::Tcp,
    h2::H2,
    locks::Locks,
    mem::Mem,
    counters::Counters,
    tree::Tree,
    facts::Facts,
}
