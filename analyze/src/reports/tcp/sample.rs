//! `Samples`: what the samples of one socket come to.

use ktape_format::Batch;
use ktape_schema::tcp_state_code;

use crate::context::Context;
use crate::run::Fold;

/// One sample. Ordered by time first: the last one is the largest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shot {
    pub(super) time: u64,
    pub(super) process: Option<u64>,
    pub(super) bytes_sent: u64,
    pub(super) bytes_acked: u64,
    pub(super) bytes_received: u64,
    pub(super) delivery_rate: u64,
    pub(super) local: u32,
    pub(super) remote: u32,
    pub(super) netns: u32,
    pub(super) srtt_us: u32,
    pub(super) rttvar_us: u32,
    pub(super) min_rtt_us: u32,
    pub(super) cwnd: u32,
    pub(super) ssthresh: u32,
    pub(super) snd_wnd: u32,
    pub(super) rcv_wnd: u32,
    pub(super) mss: u32,
    pub(super) retrans: u32,
    pub(super) unread: u32,
    pub(super) unacked: u32,
    pub(super) backlog: u32,
    pub(super) max_backlog: u32,
    pub(super) state: u8,
}

impl Shot {
    pub(super) const COLUMNS: [&'static str; 24] = [
        "time",
        "bytes_sent",
        "bytes_acked",
        "bytes_received",
        "delivery_rate",
        "connection",
        "tgid",
        "local",
        "remote",
        "netns",
        "srtt_us",
        "rttvar_us",
        "min_rtt_us",
        "cwnd",
        "ssthresh",
        "snd_wnd",
        "rcv_wnd",
        "mss",
        "retrans",
        "unread",
        "unacked",
        "backlog",
        "max_backlog",
        "state",
    ];

    pub(super) fn of(cx: &Context<'_>, batch: &Batch, row: usize) -> Self {
        let word = |name| batch.u32(name)[row];
        let time = batch.u64("time")[row];
        let tgid = word("tgid");
        Self {
            time,
            process: (tgid != 0).then(|| cx.tasks().process_key(tgid, time).0),
            bytes_sent: batch.u64("bytes_sent")[row],
            bytes_acked: batch.u64("bytes_acked")[row],
            bytes_received: batch.u64("bytes_received")[row],
            delivery_rate: batch.u64("delivery_rate")[row],
            local: word("local"),
            remote: word("remote"),
            netns: word("netns"),
            srtt_us: word("srtt_us"),
            rttvar_us: word("rttvar_us"),
            min_rtt_us: word("min_rtt_us"),
            cwnd: word("cwnd"),
            ssthresh: word("ssthresh"),
            snd_wnd: word("snd_wnd"),
            rcv_wnd: word("rcv_wnd"),
            mss: word("mss"),
            retrans: word("retrans"),
            unread: word("unread"),
            unacked: word("unacked"),
            backlog: word("backlog"),
            max_backlog: word("max_backlog"),
            state: batch.u8("state")[row],
        }
    }

    pub(super) fn is_listener(&self) -> bool {
        self.state == tcp_state_code::LISTEN
    }

    /// We have no room for more data.
    pub(super) fn own_window_closed(&self) -> bool {
        self.carries_data() && self.rcv_wnd == 0
    }

    /// The peer has none.
    pub(super) fn peer_window_closed(&self) -> bool {
        self.carries_data() && self.snd_wnd == 0
    }

    /// Data flows both ways, or to us, or from us.
    fn carries_data(&self) -> bool {
        let states =
            [tcp_state_code::ESTABLISHED, tcp_state_code::CLOSE_WAIT, tcp_state_code::FIN_WAIT2];
        states.contains(&self.state)
    }
}

/// Counts and extremes of a socket's samples, and the last of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    pub(super) count: u64,
    pub(super) last: Option<Shot>,
    /// Samples with a round-trip time, and its sum, smallest and largest, us.
    pub(super) rtts: u64,
    pub(super) srtt_sum_us: u64,
    pub(super) srtt_max_us: u32,
    /// Samples in which we, or the peer, had no room for more data.
    pub(super) own_zero_windows: u64,
    pub(super) peer_zero_windows: u64,
    pub(super) most_unread: u32,
    /// Of a listener: the longest queue, and samples in which no more fitted in.
    pub(super) most_backlog: u32,
    pub(super) full: u64,
}

impl Samples {
    pub(super) fn add(&mut self, shot: Shot) {
        self.count += 1;
        if shot.srtt_us > 0 {
            self.rtts += 1;
            self.srtt_sum_us = self.srtt_sum_us.saturating_add(shot.srtt_us.into());
            self.srtt_max_us = self.srtt_max_us.max(shot.srtt_us);
        }
        self.own_zero_windows += u64::from(shot.own_window_closed());
        self.peer_zero_windows += u64::from(shot.peer_window_closed());
        self.most_unread = self.most_unread.max(shot.unread);
        if shot.is_listener() {
            self.most_backlog = self.most_backlog.max(shot.backlog);
            // sk_acceptq_is_full() of include/net/sock.h: one more than the limit is let in.
            self.full += u64::from(shot.backlog > shot.max_backlog);
        }
        self.last = self.last.take().max(Some(shot));
    }

    /// The mean of the smoothed round-trip times, ns.
    pub(super) fn srtt_mean_ns(&self) -> Option<u64> {
        let sum = u128::from(self.srtt_sum_us) * 1000;
        (self.rtts > 0).then(|| u64::try_from(sum / u128::from(self.rtts)).unwrap_or(u64::MAX))
    }
}

impl Fold for Samples {
    fn fold(&mut self, from: Samples) {
        self.count = self.count.saturating_add(from.count);
        self.last = self.last.take().max(from.last);
        self.rtts = self.rtts.saturating_add(from.rtts);
        self.srtt_sum_us = self.srtt_sum_us.saturating_add(from.srtt_sum_us);
        self.srtt_max_us = self.srtt_max_us.max(from.srtt_max_us);
        self.own_zero_windows = self.own_zero_windows.saturating_add(from.own_zero_windows);
        self.peer_zero_windows = self.peer_zero_windows.saturating_add(from.peer_zero_windows);
        self.most_unread = self.most_unread.max(from.most_unread);
        self.most_backlog = self.most_backlog.max(from.most_backlog);
        self.full = self.full.saturating_add(from.full);
    }
}
