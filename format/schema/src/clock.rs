//! `clock`: one moment on several clocks.

crate::record! {
    /// One moment on the host's clocks, to place monotonic times in the calendar and to align hosts.
    Clock = 29 as "clock", Definition {
        /// CLOCK_MONOTONIC.
        mono: u64 [TimeNs],
        /// CLOCK_REALTIME, nanoseconds since 1970-01-01T00:00:00Z.
        realtime: u64 [Number],
        /// CLOCK_BOOTTIME.
        boottime: u64 [Number],
    }
}
