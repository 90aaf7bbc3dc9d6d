//! The host: kernel, CPUs, memory, and what this process may do there.

use std::ffi::CStr;
use std::fs;
use std::io;

use crate::proc::cap::CapabilitySet;
use crate::proc::{Error, Result};

/// A set of CPUs, as /sys/devices/system/cpu lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cpus {
    numbers: Vec<u32>,
}

impl Cpus {
    /// Highest CPU number that is believed, far above the kernel's own limit (8192).
    const MAX: u32 = 1 << 16;

    /// Reads a list such as `0-1,4`. The empty text is the empty set.
    pub(crate) fn parse(text: &str) -> Option<Cpus> {
        let mut numbers = Vec::new();
        for range in text.trim().split(',').filter(|range| !range.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
            if first > last || last >= Cpus::MAX {
                return None;
            }
            numbers.extend(first..=last);
            if numbers.len() > Cpus::MAX as usize {
                return None;
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        Some(Cpus { numbers })
    }

    /// Their numbers, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.numbers.iter().copied()
    }

    /// How many.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.numbers.len()).unwrap_or(u32::MAX)
    }

    /// One more than the highest: the length of an array indexed by CPU number.
    pub(crate) fn bound(&self) -> u32 {
        self.numbers.last().map_or(0, |last| last + 1)
    }
}

/// What is known of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostFacts {
    /// `uname -n`.
    pub hostname: String,
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub version: String,
    /// `uname -m`: "x86_64", "aarch64".
    pub arch: String,
    /// CPUs that run.
    pub online: Cpus,
    /// CPUs that could be there: what per-CPU maps and rings must be sized for.
    pub possible: Cpus,
    /// Bytes of a page.
    pub page_size: u32,
    /// Bytes of memory.
    pub mem_bytes: u64,
    /// A random id of this boot; empty when it cannot be read.
    pub boot_id: String,
    /// kernel.perf_event_paranoid, when the kernel has perf events.
    pub perf_event_paranoid: Option<i32>,
    /// kernel.kptr_restrict: 1 hides kernel addresses from processes without CAP_SYSLOG, 2 from
    /// all.
    pub kptr_restrict: Option<i32>,
    /// kernel.unprivileged_bpf_disabled.
    pub unprivileged_bpf_disabled: Option<i32>,
    /// What this process may do.
    pub capabilities: CapabilitySet,
}

impl HostFacts {
    /// Asks the kernel. A fraction of a millisecond.
    pub(crate) fn read() -> Result<HostFacts> {
        let uname = uname()?;
        let status = read("/proc/self/status")?;
        Ok(HostFacts {
            hostname: text(&uname.nodename),
            release: text(&uname.release),
            version: text(&uname.version),
            arch: text(&uname.machine),
            online: cpus("/sys/devices/system/cpu/online")?,
            possible: cpus("/sys/devices/system/cpu/possible")?,
            page_size: u32::try_from(sysconf(libc::_SC_PAGESIZE)?).unwrap_or(u32::MAX),
            mem_bytes: sysconf(libc::_SC_PHYS_PAGES)?.saturating_mul(sysconf(libc::_SC_PAGESIZE)?),
            boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .map(|id| id.trim().to_owned())
                .unwrap_or_default(),
            perf_event_paranoid: knob("perf_event_paranoid"),
            kptr_restrict: knob("kptr_restrict"),
            unprivileged_bpf_disabled: knob("unprivileged_bpf_disabled"),
            capabilities: CapabilitySet::of_status(&status)
                .ok_or(Error::Text { path: "/proc/self/status".into(), what: "no CapEff line" })?,
        })
    }
}

fn read(path: &str) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::Read { path: path.into(), source })
}

fn cpus(path: &str) -> Result<Cpus> {
    let text = read(path)?;
    std::str::from_utf8(&text)
        .ok()
        .and_then(Cpus::parse)
        .ok_or(Error::Text { path: path.into(), what: "not a list of CPUs" })
}

fn knob(name: &str) -> Option<i32> {
    fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?.trim().parse().ok()
}

/// A NUL-terminated field of `utsname`.
fn text(field: &[libc::c_char]) -> String {
    let bytes: Vec<u8> = field.iter().map(|&c| c.cast_unsigned_byte()).collect();
    CStr::from_bytes_until_nul(&bytes)
        .map(|text| text.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// `c_char` is signed on x86-64 and unsigned on aarch64.
trait CastUnsignedByte {
    fn cast_unsigned_byte(self) -> u8;
}

impl CastUnsignedByte for i8 {
    fn cast_unsigned_byte(self) -> u8 {
        self.cast_unsigned()
    }
}

impl CastUnsignedByte for u8 {
    fn cast_unsigned_byte(self) -> u8 {
        self
    }
}

#[expect(unsafe_code, reason = "uname is a libc call")]
fn uname() -> Result<libc::utsname> {
    // SAFETY: utsname is arrays of characters: all zeros is a value of it.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: `name` is a valid utsname for the kernel to fill, and outlives the call.
    if unsafe { libc::uname(&raw mut name) } != 0 {
        return Err(Error::Call { call: "uname", source: io::Error::last_os_error() });
    }
    Ok(name)
}

#[expect(unsafe_code, reason = "sysconf is a libc call")]
fn sysconf(name: libc::c_int) -> Result<u64> {
    // SAFETY: sysconf takes a number and has no preconditions.
    let value = unsafe { libc::sysconf(name) };
    u64::try_from(value)
        .map_err(|_| Error::Call { call: "sysconf", source: io::Error::last_os_error() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists() {
        let check = |text: &str, expected: Option<&[u32]>| {
            assert_eq!(Cpus::parse(text).map(|cpus| cpus.numbers).as_deref(), expected, "{text}");
        };
        check("0\n", Some(&[0]));
        check("0-1,4", Some(&[0, 1, 4]));
        check("4,0-2,2", Some(&[0, 1, 2, 4]));
        check("\n", Some(&[]));
        for wrong in ["1-0", "a", "0-", "-", "0-4294967295", "4294967296"] {
            check(wrong, None);
        }
        let repeated = "0-60000,".repeat(100_000);
        check(&repeated, None);
        assert_eq!(Cpus::parse("0-1,4").unwrap().bound(), 5);
        assert_eq!(Cpus::parse("0-1,4").unwrap().count(), 3);
    }

    #[test]
    fn this_host() {
        let host = HostFacts::read().unwrap();
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!(host.release, release.trim());
        assert_eq!(host.arch, std::env::consts::ARCH);
        assert!(host.online.count() >= 1 && host.possible.count() >= host.online.count());
        assert!(host.page_size.is_power_of_two() && host.mem_bytes > 1 << 20);
        assert_eq!(host.boot_id.len(), 36);
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap();
        let kib: u64 =
            meminfo.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap();
        assert_eq!(host.mem_bytes, kib * 1024);
    }
}
