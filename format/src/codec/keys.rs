//! The distinct values of a column, numbered in ascending order.

use crate::limits::MAX_KEYS;

/// A column as numbers into its distinct values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// Per row: which value.
    pub(crate) codes: Vec<u16>,
    /// The distinct values, ascending.
    pub(crate) values: Vec<u64>,
}

/// Which key each row has, and how many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) codes: &'a [u16],
    pub(crate) count: usize,
}

impl Keys {
    /// Its distinct values as keys for another column.
    pub(crate) fn key(&self) -> Key<'_> {
        Key { codes: &self.codes, count: self.values.len() }
    }
}

/// Numbers the pairs of two keys, in `codes`; `None` when there could be too many.
pub(crate) fn pair<'a>(
    first: Key<'_>,
    second: Key<'_>,
    codes: &'a mut Vec<u16>,
) -> Option<Key<'a>> {
    let count = first.count * second.count;
    if count > MAX_KEYS {
        return None;
    }
    codes.clear();
    let rows = first.codes.iter().zip(second.codes);
    codes.extend(rows.map(|(&one, &two)| one * second.count as u16 + two));
    Some(Key { codes, count })
}

/// Numbers values; keeps its table.
#[derive(Default)]
pub(crate) struct Numbering {
    table: Vec<(u64, u32)>,
    order: Vec<u16>,
    ranks: Vec<u16>,
}

impl Numbering {
    /// Numbers `values`; false when more than `most` differ, and then `keys` is of no use.
    pub(crate) fn number(&mut self, values: &[u64], most: usize, keys: &mut Keys) -> bool {
        let most = most.min(MAX_KEYS);
        // At most half of the slots are used; a small column clears a small table.
        let slots = (2 * most.min(values.len()) + 2).next_power_of_two();
        let shift = 64 - slots.trailing_zeros();
        self.table.clear();
        self.table.resize(slots, (0, 0));
        keys.codes.clear();
        keys.codes.reserve(values.len());
        keys.values.clear();
        let mut last = (0, None);
        for &value in values {
            if let (before, Some(code)) = last
                && before == value
            {
                keys.codes.push(code);
                continue;
            }
            let mut slot = hash(value, shift);
            let code = loop {
                let (held, code) = self.table[slot & (slots - 1)];
                if code != 0 && held == value {
                    break code - 1;
                }
                if code == 0 {
                    if keys.values.len() == most {
                        return false;
                    }
                    keys.values.push(value);
                    self.table[slot & (slots - 1)] = (value, keys.values.len() as u32);
                    break keys.values.len() as u32 - 1;
                }
                slot += 1;
            } as u16;
            keys.codes.push(code);
            last = (value, Some(code));
        }
        self.sort(keys);
        true
    }

    /// From the order of first use to ascending order: neighbours then differ by little.
    fn sort(&mut self, keys: &mut Keys) {
        if keys.values.is_sorted() {
            return;
        }
        let count = keys.values.len() as u16;
        self.order.clear();
        self.order.extend(0..count);
        self.order.sort_unstable_by_key(|&code| keys.values[usize::from(code)]);
        self.ranks.clear();
        self.ranks.resize(usize::from(count), 0);
        for (rank, &code) in (0..count).zip(&self.order) {
            self.ranks[usize::from(code)] = rank;
        }
        keys.codes.iter_mut().for_each(|code| *code = self.ranks[usize::from(*code)]);
        keys.values.sort_unstable();
    }
}

/// Fibonacci hashing: the high bits of a product, spread over the table.
#[inline(always)]
fn hash(value: u64, shift: u32) -> usize {
    (value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize
}
