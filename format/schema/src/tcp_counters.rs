//! `tcp_counters`: what the kernel counts of TCP in a network namespace.

crate::record! {
    /// What the counters of a network namespace grew by (`/proc/PID/net/snmp` and `netstat`, every second and at the stop; a row only where something grew).
    TcpCounters = 39 as "tcp_counters", Fact {
        /// When they were read.
        end: u64 [TimeNs],
        /// Time since the row before: or the start of the recording, or the first sight of the namespace.
        duration: u64 [DurNs],
        /// Segments sent (Tcp OutSegs, without those sent again).
        out_segs: u64 [Count],
        /// Segments received (Tcp InSegs).
        in_segs: u64 [Count],
        /// Segments sent again (Tcp RetransSegs).
        retrans_segs: u64 [Count],
        /// RSTs sent (Tcp OutRsts).
        out_rsts: u64 [Count],
        /// Segments received with an error (Tcp InErrs).
        in_errs: u64 [Count],
        /// Connections opened from here (Tcp ActiveOpens).
        active_opens: u64 [Count],
        /// Connections opened from elsewhere (Tcp PassiveOpens).
        passive_opens: u64 [Count],
        /// Connections that were never established (Tcp AttemptFails).
        attempt_fails: u64 [Count],
        /// Established connections that were reset (Tcp EstabResets).
        estab_resets: u64 [Count],
        /// Times that the retransmission timer fired (TcpExt TCPTimeouts).
        timeouts: u64 [Count],
        /// SYNs and SYN-ACKs sent again (TcpExt TCPSynRetrans).
        syn_retrans: u64 [Count],
        /// Segments sent again because acknowledgments showed a loss (TcpExt TCPFastRetrans).
        fast_retrans: u64 [Count],
        /// Tail loss probes (TcpExt TCPLossProbes).
        loss_probes: u64 [Count],
        /// Retransmitted segments that were lost again (TcpExt TCPLostRetransmit).
        lost_retransmits: u64 [Count],
        /// Times that the timer had fired for nothing (TcpExt TCPSpuriousRTOs).
        spurious_timeouts: u64 [Count],
        /// Connections dropped because an accept queue was full (TcpExt ListenOverflows).
        listen_overflows: u64 [Count],
        /// Connections dropped at a listener for whatever reason, a full queue included (TcpExt ListenDrops).
        listen_drops: u64 [Count],
        /// Windows of 0 that this side announced, after a larger one (TcpExt TCPToZeroWindowAdv).
        to_zero_window: u64 [Count],
        /// Windows above 0 announced after one of 0 (TcpExt TCPFromZeroWindowAdv).
        from_zero_window: u64 [Count],
        /// Windows that should have been 0 and could not, as one had been promised (TcpExt TCPWantZeroWindowAdv).
        want_zero_window: u64 [Count],
        /// Segments dropped beyond a window of 0 (TcpExt TCPZeroWindowDrop; kernel 6.1 and later).
        zero_window_drops: u64 [Count],
        /// Connections given up after too many time-outs (TcpExt TCPAbortOnTimeout).
        aborts_on_timeout: u64 [Count],
        /// Connections given up with unread data (TcpExt TCPAbortOnClose).
        aborts_on_close: u64 [Count],
        /// Network namespace: the inode number of `/proc/PID/ns/net`.
        netns: u64 [Number],
    }
}
