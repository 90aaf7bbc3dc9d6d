//! A set of thread ids.

/// Thread ids are below 2^22 (PID_MAX_LIMIT, include/linux/threads.h): half a MiB when all are in use.
#[derive(Default)]
pub(crate) struct TidSet {
    words: Vec<u64>,
}

const MAX: u32 = 1 << 22;

impl TidSet {
    /// Puts an id in.
    pub(crate) fn insert(&mut self, tid: u32) {
        if tid >= MAX {
            return;
        }
        let word = (tid / 64) as usize;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (tid % 64);
    }

    /// Takes an id out.
    pub(crate) fn remove(&mut self, tid: u32) {
        if let Some(word) = self.words.get_mut((tid / 64) as usize) {
            *word &= !(1 << (tid % 64));
        }
    }

    /// Takes all out.
    pub(crate) fn clear(&mut self) {
        self.words.clear();
    }

    /// Whether an id is in.
    pub(crate) fn contains(&self, tid: u32) -> bool {
        self.words.get((tid / 64) as usize).is_some_and(|word| word >> (tid % 64) & 1 == 1)
    }
}
