//! The counters of TCP in a network namespace: `/proc/PID/net/snmp` and `netstat`.

use ktape_format::schema::TcpCounters;
use std::path::{Path, PathBuf};

/// What the kernel has counted since the namespace was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TcpCounts([u64; NAMES.len()]);

/// Protocol and name of each counter, in the order of the fields of `tcp_counters`.
const NAMES: [(&str, &str); 23] = [
    ("Tcp", "OutSegs"),
    ("Tcp", "InSegs"),
    ("Tcp", "RetransSegs"),
    ("Tcp", "OutRsts"),
    ("Tcp", "InErrs"),
    ("Tcp", "ActiveOpens"),
    ("Tcp", "PassiveOpens"),
    ("Tcp", "AttemptFails"),
    ("Tcp", "EstabResets"),
    ("TcpExt", "TCPTimeouts"),
    ("TcpExt", "TCPSynRetrans"),
    ("TcpExt", "TCPFastRetrans"),
    ("TcpExt", "TCPLossProbes"),
    ("TcpExt", "TCPLostRetransmit"),
    ("TcpExt", "TCPSpuriousRTOs"),
    ("TcpExt", "ListenOverflows"),
    ("TcpExt", "ListenDrops"),
    ("TcpExt", "TCPToZeroWindowAdv"),
    ("TcpExt", "TCPFromZeroWindowAdv"),
    ("TcpExt", "TCPWantZeroWindowAdv"),
    ("TcpExt", "TCPZeroWindowDrop"),
    ("TcpExt", "TCPAbortOnTimeout"),
    ("TcpExt", "TCPAbortOnClose"),
];

fn folder(process: &str) -> PathBuf {
    Path::new("/proc").join(process)
}

impl TcpCounts {
    /// The network namespace of a process, by its inode number.
    pub(crate) fn namespace(process: &str) -> Option<u32> {
        let link = std::fs::read_link(folder(process).join("ns/net")).ok()?;
        // net:[4026531840]
        let number = link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?;
        number.parse().ok()
    }

    /// The counters of the namespace of a process.
    pub(crate) fn read(process: &str) -> Option<TcpCounts> {
        let net = folder(process).join("net");
        let snmp = std::fs::read_to_string(net.join("snmp")).ok()?;
        let netstat = std::fs::read_to_string(net.join("netstat")).ok()?;
        Some(TcpCounts::parse(&(snmp + &netstat)))
    }

    /// A line of names, a line of numbers, each behind its protocol. A counter that the kernel does
    /// not have stays 0.
    fn parse(text: &str) -> TcpCounts {
        let mut counts = TcpCounts::default();
        let mut lines = text.lines();
        while let (Some(names), Some(numbers)) = (lines.next(), lines.next()) {
            let Some((protocol, names)) = names.split_once(": ") else { continue };
            let numbers = numbers.split_whitespace().skip(1);
            for (name, number) in names.split_whitespace().zip(numbers) {
                let at = NAMES.iter().position(|&known| known == (protocol, name));
                if let (Some(at), Ok(number)) = (at, number.parse()) {
                    counts.0[at] = number;
                }
            }
        }
        counts
    }

    /// What was counted since `before`.
    pub(crate) fn since(
        &self,
        before: &TcpCounts,
        netns: u32,
        end: u64,
        duration: u64,
    ) -> TcpCounters {
        let mut grown = self.0;
        for (now, before) in grown.iter_mut().zip(before.0) {
            *now = now.saturating_sub(before);
        }
        let [
            out_segs,
            in_segs,
            retrans_segs,
            out_rsts,
            in_errs,
            active_opens,
            passive_opens,
            attempt_fails,
            estab_resets,
            timeouts,
            syn_retrans,
            fast_retrans,
            loss_probes,
            lost_retransmits,
            spurious_timeouts,
            listen_overflows,
            listen_drops,
            to_zero_window,
            from_zero_window,
            want_zero_window,
            zero_window_drops,
            aborts_on_timeout,
            aborts_on_close,
        ] = grown;
        TcpCounters {
            end,
            duration,
            out_segs,
            in_segs,
            retrans_segs,
            out_rsts,
            in_errs,
            active_opens,
            passive_opens,
            attempt_fails,
            estab_resets,
            timeouts,
            syn_retrans,
            fast_retrans,
            loss_probes,
            lost_retransmits,
            spurious_timeouts,
            listen_overflows,
            listen_drops,
            to_zero_window,
            from_zero_window,
            want_zero_window,
            zero_window_drops,
            aborts_on_timeout,
            aborts_on_close,
            netns: netns.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_name() {
        let text = "Ip: Forwarding DefaultTTL\nIp: 1 64\n\
                    Tcp: MaxConn ActiveOpens OutSegs RetransSegs\nTcp: -1 3 1009 17\n\
                    TcpExt: SyncookiesSent ListenOverflows TCPTimeouts\nTcpExt: 0 5 7\n";
        let counts = TcpCounts::parse(text);
        let row = counts.since(&TcpCounts::default(), 4, 20, 10);
        assert_eq!((row.active_opens, row.out_segs, row.retrans_segs), (3, 1009, 17));
        assert_eq!((row.listen_overflows, row.timeouts, row.in_segs), (5, 7, 0));
        assert_eq!((row.netns, row.end, row.duration), (4, 20, 10));
        assert_eq!(counts.since(&counts, 4, 20, 10).out_segs, 0);
        assert_eq!(TcpCounts::parse("garbage\n\nTcp: x"), TcpCounts::default());
    }

    #[test]
    fn this_process_is_in_a_namespace() {
        assert!(TcpCounts::namespace("self").is_some_and(|netns| netns > 0));
        assert!(TcpCounts::read("self").is_some());
        assert_eq!(TcpCounts::namespace("0"), None);
    }
}
