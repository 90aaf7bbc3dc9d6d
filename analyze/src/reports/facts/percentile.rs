//! `Percentile`: those that `report facts` tells.

use ktape_schema::Kind;

/// A percentile.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Percentile {
    /// The median.
    #[value(name = "50")]
    P50,
    /// 90 %.
    #[value(name = "90")]
    P90,
    /// 95 %.
    #[value(name = "95")]
    P95,
    /// 99 %.
    #[value(name = "99")]
    P99,
    /// 99.9 %.
    #[value(name = "99.9")]
    P999,
}

impl Percentile {
    fn per_mille(self) -> u64 {
        match self {
            Percentile::P50 => 500,
            Percentile::P90 => 900,
            Percentile::P95 => 950,
            Percentile::P99 => 990,
            Percentile::P999 => 999,
        }
    }

    /// Its place among so many numbers in rising order, from 1 on: the nearest rank.
    pub(super) fn rank(self, count: u64) -> u64 {
        let rank = (u128::from(count) * u128::from(self.per_mille())).div_ceil(1000);
        u64::try_from(rank).unwrap_or(u64::MAX).max(1)
    }

    /// Its column.
    pub(super) fn key(self, kind: Kind) -> (&'static str, &'static str) {
        let [ns, bytes, label] = match self {
            Percentile::P50 => ["p50_ns", "p50_bytes", "p50"],
            Percentile::P90 => ["p90_ns", "p90_bytes", "p90"],
            Percentile::P95 => ["p95_ns", "p95_bytes", "p95"],
            Percentile::P99 => ["p99_ns", "p99_bytes", "p99"],
            Percentile::P999 => ["p999_ns", "p999_bytes", "p99.9"],
        };
        let plain = if self == Percentile::P999 { "p999" } else { label };
        match kind {
            Kind::DurNs => (ns, label),
            Kind::Bytes => (bytes, label),
            _ => (plain, label),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Percentile;

    #[test]
    fn ranks_are_rounded_up() {
        for (percentile, count, rank) in [
            (Percentile::P50, 1, 1),
            (Percentile::P50, 2, 1),
            (Percentile::P50, 3, 2),
            (Percentile::P99, 99, 99),
            (Percentile::P99, 100, 99),
            (Percentile::P99, 101, 100),
            (Percentile::P99, 700, 693),
            (Percentile::P999, 1000, 999),
            (Percentile::P99, u64::MAX, u64::MAX - u64::MAX / 100),
        ] {
            assert_eq!(percentile.rank(count), rank, "{percentile:?} of {count}");
        }
    }
}
