//! The clock that kernel programs stamp facts with.

use crate::proc::{Anchor, anchor};
use ktape_format::ClockPair;
use ktape_format::schema::Clock;

/// CLOCK_MONOTONIC now, in nanoseconds; 0 if the kernel has none (it always has).
pub(crate) fn monotonic() -> u64 {
    now().mono
}

/// One moment on all clocks.
pub(crate) fn now() -> Anchor {
    anchor().unwrap_or_default()
}

/// For the header.
pub(crate) fn pair(anchor: &Anchor) -> ClockPair {
    ClockPair { mono: anchor.mono, realtime: anchor.realtime, boottime: anchor.boottime }
}

/// For the trace's clock record.
pub(crate) fn row(anchor: &Anchor) -> Clock {
    Clock { mono: anchor.mono, realtime: anchor.realtime, boottime: anchor.boottime }
}
