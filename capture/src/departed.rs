//! Processes that have ended, whose rows may leave the maps that kernel programs add to.

use crate::proc::process_start;
use rustc_hash::FxHashSet;

/// Those that ended since the last reading of a map.
#[derive(Default)]
pub(crate) struct Departed {
    gone: FxHashSet<u32>,
}

impl Departed {
    /// Those that ended before the last reading: their last row was added before that, too. `gone`:
    /// those that have ended since. A number that is another process's by now is left out, since a
    /// row that is read and then removed could grow in between.
    pub(crate) fn turn(&mut self, gone: &[u32]) -> FxHashSet<u32> {
        let before = std::mem::replace(&mut self.gone, gone.iter().copied().collect());
        before.into_iter().filter(|&tgid| process_start(tgid).is_none()).collect()
    }

    /// One of them has added rows after all: it is looked at again.
    pub(crate) fn keep(&mut self, tgid: u32) {
        self.gone.insert(tgid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_leave_a_turn_late_and_only_without_a_process() {
        let mut departed = Departed::default();
        let own = std::process::id();
        assert!(departed.turn(&[u32::MAX, own]).is_empty());
        assert_eq!(departed.turn(&[]), [u32::MAX].into_iter().collect());
        departed.keep(u32::MAX);
        assert_eq!(departed.turn(&[]), [u32::MAX].into_iter().collect());
        assert!(departed.turn(&[]).is_empty());
    }
}
