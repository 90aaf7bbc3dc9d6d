//! The one list of probes.

use crate::probe::Probe;

macro_rules! probes {
    ($($module:ident,)+) => {
        $(mod $module;)+

        /// Every probe, in the order in which they attach.
        pub const PROBES: &[&Probe] = &[$(&$module::PROBE,)+];
    };
}

probes! {
    lifecycle,
    sched,
    cpu,
    syscalls,
    block,
    io,
    tcp,
    h2,
    locks,
    mem,
    counters,
}

/// The probe of this name.
pub fn by_name(name: &str) -> Option<&'static Probe> {
    PROBES.iter().copied().find(|probe| probe.name == name)
}
