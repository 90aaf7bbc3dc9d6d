//! One moment on three clocks.

use crate::proc::{Error, Result};

/// One moment on the host's clocks, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Anchor {
    /// CLOCK_MONOTONIC.
    pub mono: u64,
    /// CLOCK_REALTIME since 1970-01-01T00:00:00Z.
    pub realtime: u64,
    /// CLOCK_BOOTTIME.
    pub boottime: u64,
    /// The three were read within this many nanoseconds: how far they can be apart.
    pub spread: u64,
}

impl Anchor {
    /// The monotonic time of a moment given on CLOCK_BOOTTIME.
    ///
    /// The two differ by the time spent suspended. What happened before a suspend comes out too
    /// early by the length of that suspend: the kernel keeps no history of the difference. Never
    /// below 0.
    pub(crate) fn mono_of_boottime(&self, boottime: u64) -> u64 {
        boottime.saturating_sub(self.boottime.saturating_sub(self.mono))
    }
}

/// Reads the clocks: the tightest of a few tries, the monotonic clock read before and after the
/// other two.
pub(crate) fn anchor() -> Result<Anchor> {
    let mut best: Option<Anchor> = None;
    for _ in 0..8 {
        let before = read(libc::CLOCK_MONOTONIC)?;
        let realtime = read(libc::CLOCK_REALTIME)?;
        let boottime = read(libc::CLOCK_BOOTTIME)?;
        let spread = read(libc::CLOCK_MONOTONIC)?.saturating_sub(before);
        if best.is_none_or(|best| spread < best.spread) {
            best = Some(Anchor { mono: before + spread / 2, realtime, boottime, spread });
        }
    }
    Ok(best.unwrap_or_default())
}

#[expect(unsafe_code, reason = "clock_gettime is a libc call")]
fn read(clock: libc::clockid_t) -> Result<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the kernel to fill, and outlives the call.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(Error::Call { call: "clock_gettime", source: std::io::Error::last_os_error() });
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Ok(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boottime_becomes_monotonic() {
        let anchor = Anchor { mono: 1_000, realtime: 7, boottime: 1_600, spread: 1 };
        assert_eq!(anchor.mono_of_boottime(1_600), 1_000);
        assert_eq!(anchor.mono_of_boottime(700), 100);
        assert_eq!(anchor.mono_of_boottime(5), 0);
    }

    #[test]
    fn clocks_advance_together() {
        let (a, b) = (anchor().unwrap(), anchor().unwrap());
        assert!(b.mono >= a.mono && b.boottime >= b.mono);
        assert!(a.realtime > 1_600_000_000_000_000_000);
        assert!(a.spread < 100_000_000, "{a:?}");
    }
}
