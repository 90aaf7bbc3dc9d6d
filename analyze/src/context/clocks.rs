//! `Clocks`: from monotonic times to calendar times and back.

use ktape_format::Meta;

use super::loader::Loader;

/// Pairs of readings of the host's clocks.
#[derive(Debug, Default)]
pub struct Clocks {
    /// (monotonic, realtime), sorted; never empty after loading.
    pairs: Vec<(u64, u64)>,
}

impl Clocks {
    pub(crate) fn load(loader: &mut Loader<'_>, meta: &Meta) -> Self {
        let mut pairs = vec![(meta.start.mono, meta.start.realtime)];
        loader.each("clock", &["mono", "realtime"], |batch| {
            pairs.extend(
                batch.u64("mono").iter().copied().zip(batch.u64("realtime").iter().copied()),
            );
        });
        pairs.sort_unstable();
        Self { pairs }
    }

    /// Nanoseconds since 1970 of a monotonic time, by the last pair before it.
    pub fn realtime(&self, mono: u64) -> u64 {
        let at = self.pairs.partition_point(|pair| pair.0 <= mono).saturating_sub(1);
        let Some(&(pair_mono, pair_real)) = self.pairs.get(at) else { return 0 };
        shift(pair_real, pair_mono, mono)
    }

    /// Monotonic time of a moment given in nanoseconds since 1970.
    pub fn mono(&self, realtime: u64) -> u64 {
        let before = self.pairs.iter().rposition(|pair| pair.1 <= realtime).unwrap_or(0);
        let Some(&(pair_mono, pair_real)) = self.pairs.get(before) else { return 0 };
        shift(pair_mono, pair_real, realtime)
    }
}

/// `base` moved by what lies between `from` and `to`, kept within u64.
fn shift(base: u64, from: u64, to: u64) -> u64 {
    if to >= from { base.saturating_add(to - from) } else { base.saturating_sub(from - to) }
}
