//! `Group`: sums over the connections of a peer, of a process, or of the host.

use ktape_schema::{tcp_direction, tcp_flag, tcp_outcome};

use super::connection::Ended;
use super::events::Retransmits;
use super::sample::Shot;
use crate::run::{Fold, LogHistogram};

/// The key of connections whose process is not known. No process has it: those of the trace have
/// small keys, and those that nobody defined their number.
pub(super) const NOBODY: u64 = u64::MAX - 1;

/// Sums. All of them add up without order.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// Whose they are: where they are several, the lowest.
    pub(super) process: Option<u64>,
    pub(super) remote: Option<u32>,
    pub(super) connections: u64,
    pub(super) active: u64,
    pub(super) passive: u64,
    pub(super) open: u64,
    /// By `tcp_connection.outcome`.
    pub(super) failed: u64,
    pub(super) reset: u64,
    pub(super) aborted: u64,
    pub(super) broken: u64,
    pub(super) bytes_sent: u64,
    pub(super) bytes_acked: u64,
    pub(super) bytes_received: u64,
    pub(super) bytes_retrans: u64,
    pub(super) segs_out: u64,
    pub(super) segs_in: u64,
    pub(super) segs_retrans: u64,
    pub(super) retransmits: Retransmits,
    pub(super) resets: u64,
    pub(super) samples: u64,
    pub(super) own_zero_windows: u64,
    pub(super) peer_zero_windows: u64,
    /// Round-trip times of samples, ns.
    pub(super) rtt: LogHistogram,
    /// Times to connect, ns.
    pub(super) connects: LogHistogram,
    /// Times of handshakes of passive connections, ns.
    pub(super) handshakes: LogHistogram,
}

/// The lower of two, where there are any.
fn lower<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

impl Group {
    pub(super) fn is_of(&mut self, process: Option<u64>, remote: u32) {
        self.process = lower(self.process, process);
        self.remote = lower(self.remote, Some(remote));
    }

    pub(super) fn add(&mut self, ended: &Ended) {
        let count = |it: bool| u64::from(it);
        self.connections += 1;
        self.active += count(ended.direction == tcp_direction::ACTIVE);
        self.passive += count(ended.direction == tcp_direction::PASSIVE);
        self.open += count(ended.has(tcp_flag::OPEN));
        self.failed += count(ended.failed());
        self.reset += count(ended.outcome == tcp_outcome::RESET_BY_PEER);
        self.aborted += count(ended.outcome == tcp_outcome::ABORTED);
        self.broken += count(ended.outcome == tcp_outcome::FAILED);
        let add = |sum: &mut u64, value: u64| *sum = sum.saturating_add(value);
        add(&mut self.bytes_sent, ended.bytes_sent);
        add(&mut self.bytes_acked, ended.bytes_acked);
        add(&mut self.bytes_received, ended.bytes_received);
        add(&mut self.bytes_retrans, ended.bytes_retrans);
        add(&mut self.segs_out, ended.segs_out.into());
        add(&mut self.segs_in, ended.segs_in.into());
        add(&mut self.segs_retrans, ended.retrans.into());
        if let Some(latency) = ended.connect_latency() {
            self.connects.add(latency);
        }
        if let Some(latency) = ended.handshake_latency() {
            self.handshakes.add(latency);
        }
    }

    pub(super) fn sample(&mut self, shot: &Shot) {
        self.samples += 1;
        self.own_zero_windows += u64::from(shot.own_window_closed());
        self.peer_zero_windows += u64::from(shot.peer_window_closed());
        if shot.srtt_us > 0 {
            self.rtt.add(u64::from(shot.srtt_us) * 1000);
        }
    }
}

impl Fold for Group {
    fn fold(&mut self, from: Group) {
        self.process = lower(self.process, from.process);
        self.remote = lower(self.remote, from.remote);
        for (into, from) in [
            (&mut self.connections, from.connections),
            (&mut self.active, from.active),
            (&mut self.passive, from.passive),
            (&mut self.open, from.open),
            (&mut self.failed, from.failed),
            (&mut self.reset, from.reset),
            (&mut self.aborted, from.aborted),
            (&mut self.broken, from.broken),
            (&mut self.bytes_sent, from.bytes_sent),
            (&mut self.bytes_acked, from.bytes_acked),
            (&mut self.bytes_received, from.bytes_received),
            (&mut self.bytes_retrans, from.bytes_retrans),
            (&mut self.segs_out, from.segs_out),
            (&mut self.segs_in, from.segs_in),
            (&mut self.segs_retrans, from.segs_retrans),
            (&mut self.resets, from.resets),
            (&mut self.samples, from.samples),
            (&mut self.own_zero_windows, from.own_zero_windows),
            (&mut self.peer_zero_windows, from.peer_zero_windows),
        ] {
            *into = into.saturating_add(from);
        }
        self.retransmits.fold(from.retransmits);
        self.rtt.merge(&from.rtt);
        self.connects.merge(&from.connects);
        self.handshakes.merge(&from.handshakes);
    }

    fn weight(&self) -> usize {
        [&self.rtt, &self.connects, &self.handshakes].into_iter().map(LogHistogram::weight).sum()
    }
}

/// The host of an address with port: `10.0.0.1` of `10.0.0.1:443`, `::1` of `[::1]:443`.
pub(super) fn host(address: &[u8]) -> &[u8] {
    let end = address.iter().rposition(|&byte| byte == b':').unwrap_or(address.len());
    let host = &address[..end];
    host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host)
}

/// A number for the host of an address (FNV-1a): below [`NOBODY`].
pub(super) fn peer_key(address: &[u8]) -> u64 {
    let mix = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    host(address).iter().fold(0xcbf2_9ce4_8422_2325, mix) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_cut_off() {
        let check = |address: &str, expected: &str| {
            assert_eq!(String::from_utf8_lossy(host(address.as_bytes())), expected);
        };
        check("10.0.0.1:443", "10.0.0.1");
        check("[::1]:443", "::1");
        check("", "");
        check("x", "x");
        assert_eq!(peer_key(b"10.0.0.1:443"), peer_key(b"10.0.0.1:80"));
        assert_ne!(peer_key(b"10.0.0.1:443"), peer_key(b"10.0.0.2:443"));
    }
}
