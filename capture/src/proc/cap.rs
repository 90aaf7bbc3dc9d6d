//! Capabilities of this process: what it may do to the host.

/// A capability that recording may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capability {
    /// Read any file, tracefs among them.
    DacReadSearch,
    /// Look into other processes: their maps, and files through /proc/PID/root.
    SysPtrace,
    /// Nearly everything; single uprobes need it.
    SysAdmin,
    /// See kernel addresses in /proc/kallsyms.
    Syslog,
    /// Perf events and stack walks from kernel programs.
    Perfmon,
    /// Load kernel programs.
    Bpf,
}

impl Capability {
    /// All of them, in the order of their numbers.
    #[cfg(test)]
    pub(crate) const ALL: [Capability; 6] = [
        Capability::DacReadSearch,
        Capability::SysPtrace,
        Capability::SysAdmin,
        Capability::Syslog,
        Capability::Perfmon,
        Capability::Bpf,
    ];

    /// Its bit, from include/uapi/linux/capability.h.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Capability::DacReadSearch => 2,
            Capability::SysPtrace => 19,
            Capability::SysAdmin => 21,
            Capability::Syslog => 34,
            Capability::Perfmon => 38,
            Capability::Bpf => 39,
        }
    }

    /// Its name as in capabilities(7).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Capability::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Capability::SysPtrace => "CAP_SYS_PTRACE",
            Capability::SysAdmin => "CAP_SYS_ADMIN",
            Capability::Syslog => "CAP_SYSLOG",
            Capability::Perfmon => "CAP_PERFMON",
            Capability::Bpf => "CAP_BPF",
        }
    }
}

/// The effective capabilities of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CapabilitySet(pub u64);

impl CapabilitySet {
    /// Reads the `CapEff:` line of /proc/PID/status.
    pub(crate) fn of_status(text: &[u8]) -> Option<CapabilitySet> {
        let line = text.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"CapEff:"))?;
        let hex = std::str::from_utf8(line).ok()?.trim();
        u64::from_str_radix(hex, 16).ok().map(CapabilitySet)
    }

    /// Whether the very bit is set.
    pub(crate) fn contains(self, capability: Capability) -> bool {
        self.0 & (1 << capability.number()) != 0
    }

    /// Whether the kernel would allow it: CAP_SYS_ADMIN still stands in for the two capabilities
    /// that Linux 5.8 split off it, CAP_PERFMON and CAP_BPF (and for CAP_SYSLOG).
    pub(crate) fn allows(self, capability: Capability) -> bool {
        self.contains(capability)
            || matches!(capability, Capability::Perfmon | Capability::Bpf | Capability::Syslog)
                && self.contains(Capability::SysAdmin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_by_name() {
        let check = |text: &str, expected: &[&str]| {
            let set = CapabilitySet::of_status(text.as_bytes()).unwrap();
            let has: Vec<_> =
                Capability::ALL.iter().filter(|&&c| set.contains(c)).map(|c| c.name()).collect();
            assert_eq!(has, expected, "{text}");
        };
        check("Name:\tx\nCapEff:\t0000000000000000\n", &[]);
        check("CapEff:\t000000c000000000\nCapBnd:\tff\n", &["CAP_PERFMON", "CAP_BPF"]);
        check(
            "CapEff:\t0000000400280004\n",
            &["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_SYSLOG"],
        );
        assert_eq!(CapabilitySet::of_status(b"CapEff:\tzz\n"), None);
        assert_eq!(CapabilitySet::of_status(b""), None);
        let admin = CapabilitySet(1 << 21);
        assert!(admin.allows(Capability::Bpf) && !admin.contains(Capability::Bpf));
        assert!(!admin.allows(Capability::SysPtrace));
    }
}
