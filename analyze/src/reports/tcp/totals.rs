//! `Totals`: what the kernel counted in a network namespace.

use ktape_format::Batch;

use crate::run::Fold;

/// Counters of `tcp_counters`, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// The time that they cover, ns.
    pub(super) duration: u64,
    /// In the order of [`Totals::COUNTERS`].
    pub(super) counts: [u64; Totals::COUNTERS.len()],
}

impl Totals {
    /// Field, label.
    pub(super) const COUNTERS: [(&'static str, &'static str); 23] = [
        ("out_segs", "segments sent"),
        ("in_segs", "segments received"),
        ("retrans_segs", "segments sent again"),
        ("out_rsts", "resets sent"),
        ("in_errs", "bad segments"),
        ("active_opens", "connections opened"),
        ("passive_opens", "connections accepted"),
        ("attempt_fails", "failed attempts"),
        ("estab_resets", "connections reset"),
        ("timeouts", "time-outs"),
        ("syn_retrans", "SYNs sent again"),
        ("fast_retrans", "fast retransmits"),
        ("loss_probes", "tail loss probes"),
        ("lost_retransmits", "lost retransmits"),
        ("spurious_timeouts", "spurious time-outs"),
        ("listen_overflows", "accept queue overflows"),
        ("listen_drops", "drops at listeners"),
        ("to_zero_window", "windows closed"),
        ("from_zero_window", "windows opened again"),
        ("want_zero_window", "windows wanted closed"),
        ("zero_window_drops", "drops by closed windows"),
        ("aborts_on_timeout", "given up by time-out"),
        ("aborts_on_close", "closed with unread data"),
    ];

    pub(super) const COLUMNS: [&'static str; 25] = {
        let mut columns = ["netns", "duration", "", "", "", "", "", "", "", "", "", "", "", "", "",
            "", "", "", "", "", "", "", "", "", ""];
        let mut at = 0;
        while at < Totals::COUNTERS.len() {
            columns[at + 2] = Totals::COUNTERS[at].0;
            at += 1;
        }
        columns
    };

    pub(super) fn of(batch: &Batch, row: usize) -> Self {
        let counts = Totals::COUNTERS.map(|(field, _)| batch.u64(field)[row]);
        Self { duration: batch.u64("duration")[row], counts }
    }
}

impl Fold for Totals {
    fn fold(&mut self, from: Totals) {
        self.duration = self.duration.saturating_add(from.duration);
        for (into, from) in self.counts.iter_mut().zip(from.counts) {
            *into = into.saturating_add(from);
        }
    }
}
