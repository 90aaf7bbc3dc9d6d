//! Which symbol stands for an address, when a table is seen once and in any order.

/// How far behind a symbol's end an address may lie that nothing else stands for: functions are
/// padded to start at multiples of up to 64 bytes.
const MAX_PADDING: u64 = 64;
/// Most symbols at one address and of one rank whose names are compared.
const MAX_TIES: usize = 64;

/// The best symbol so far for an address: the nearest, then the one of the lowest rank.
///
/// Those that tie in both are kept all: their names decide, and names are read last.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    /// Value, rank and name.
    best: Option<(u64, u8, u32)>,
    /// Where the longest of them ends.
    end: u64,
    ties: Vec<u32>,
}

impl Choice {
    fn offer(&mut self, value: u64, end: u64, rank: u8, name: u32) {
        if let Some((best_value, best_rank, best_name)) = self.best {
            if value < best_value || value == best_value && rank > best_rank {
                return;
            }
            if value == best_value && rank == best_rank {
                self.end = self.end.max(end);
                let known = name == best_name || self.ties.contains(&name);
                if !known && self.ties.len() < MAX_TIES {
                    self.ties.push(name);
                }
                return;
            }
        }
        self.best = Some((value, rank, name));
        self.end = end;
        self.ties.clear();
    }

    /// Where the symbol starts.
    pub(super) fn value(&self) -> Option<u64> {
        self.best.map(|(value, ..)| value)
    }

    /// Where the names of the symbols that tie are in the string table.
    pub(super) fn names(&self) -> impl Iterator<Item = u32> {
        self.best.map(|(.., name)| name).into_iter().chain(self.ties.iter().copied())
    }
}

/// The best symbols for a sorted list of addresses.
///
/// A symbol with a size is found at every address inside it; one without at those above it, up to
/// the next one. Costs a binary search for each symbol, and memory for each address only.
pub(super) struct Choices<'a> {
    /// Sorted.
    wanted: &'a [u64],
    /// For each: symbols below this address are of another section.
    floors: &'a [u64],
    /// Symbols with a size that the address lies in.
    inside: Vec<Choice>,
    /// Symbols without a size at or below the address.
    unsized_below: Vec<Choice>,
    /// Symbols with a size at or below the address, wherever they end.
    sized_below: Vec<Choice>,
    /// How many addresses may still be visited for symbols that overlap: a hostile table could
    /// have each of its symbols cover each address.
    visits: u64,
}

impl<'a> Choices<'a> {
    pub(super) fn new(wanted: &'a [u64], floors: &'a [u64]) -> Choices<'a> {
        let none = vec![Choice::default(); wanted.len()];
        Choices {
            wanted,
            floors,
            inside: none.clone(),
            unsized_below: none.clone(),
            sized_below: none,
            visits: 20_000_000,
        }
    }

    /// Takes note of one symbol.
    pub(super) fn offer(&mut self, value: u64, size: u64, rank: u8, name: u32) {
        let first = self.wanted.partition_point(|&address| address < value);
        if first == self.wanted.len() {
            return;
        }
        if size == 0 {
            self.unsized_below[first].offer(value, value, rank, name);
            return;
        }
        let end = value.saturating_add(size);
        self.sized_below[first].offer(value, end, rank, name);
        for at in first..self.wanted.len() {
            if self.wanted[at] >= end || self.visits == 0 {
                break;
            }
            self.visits -= 1;
            self.inside[at].offer(value, end, rank, name);
        }
    }

    /// Ends the pass: for each address the symbol that it lies in or that has no size, and the one
    /// that it is the padding behind, perhaps.
    pub(super) fn finish(mut self) -> Vec<(Choice, Choice)> {
        for at in 1..self.wanted.len() {
            for list in [&mut self.unsized_below, &mut self.sized_below] {
                let (before, rest) = list.split_at_mut(at);
                if rest[0].best.is_none() {
                    rest[0].clone_from(&before[at - 1]);
                }
            }
        }
        let mut found = Vec::with_capacity(self.wanted.len());
        for at in 0..self.wanted.len() {
            let near = |choice: &mut Choice| {
                let choice = std::mem::take(choice);
                if choice.value().is_some_and(|value| value >= self.floors[at]) {
                    choice
                } else {
                    Choice::default()
                }
            };
            let inside = std::mem::take(&mut self.inside[at]);
            let unsized_below = near(&mut self.unsized_below[at]);
            let sized_below = near(&mut self.sized_below[at]);
            let sure = if inside.best.is_some() {
                inside
            } else if unsized_below.value() >= sized_below.value() {
                unsized_below
            } else {
                Choice::default()
            };
            let padding = self.wanted[at].saturating_sub(sized_below.end) < MAX_PADDING;
            found.push((sure, if padding { sized_below } else { Choice::default() }));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Symbols as (value, size, rank, name); expected: name and whether it is sure.
    fn check(symbols: &[(u64, u64, u8, u32)], expected: &[(u64, Option<(u32, bool)>)]) {
        let wanted: Vec<u64> = expected.iter().map(|&(address, _)| address).collect();
        let floors = vec![0x10; wanted.len()];
        for reversed in [false, true] {
            let mut choices = Choices::new(&wanted, &floors);
            let mut list = symbols.to_vec();
            if reversed {
                list.reverse();
            }
            for (value, size, rank, name) in list {
                choices.offer(value, size, rank, name);
            }
            let found: Vec<_> = choices
                .finish()
                .iter()
                .map(|(sure, perhaps)| {
                    sure.names()
                        .min()
                        .map(|name| (name, true))
                        .or(perhaps.names().min().map(|name| (name, false)))
                })
                .collect();
            let expected: Vec<_> = expected.iter().map(|&(_, found)| found).collect();
            assert_eq!(found, expected, "{symbols:?} reversed {reversed}");
        }
    }

    #[test]
    fn nearest() {
        let sized = [(0x20, 0x10, 0, 1), (0x40, 0x10, 0, 2)];
        check(
            &sized,
            &[
                (0x1f, None),
                (0x20, Some((1, true))),
                (0x2f, Some((1, true))),
                (0x30, Some((1, false))),
                (0x3f, Some((1, false))),
                (0x40, Some((2, true))),
                (0x8f, Some((2, false))),
                (0x90, None),
            ],
        );
        // Several addresses in one symbol, and none of its own for the later ones.
        check(&[(0x20, 0, 0, 1)], &[(0x21, Some((1, true))), (0x5000, Some((1, true)))]);
        // Below the floor: another section.
        check(&[(0x8, 0, 0, 1), (0x9, 2, 0, 2)], &[(0xa, Some((2, true))), (0x20, None)]);
        // A label inside of a function does not hide it; a function inside of another does.
        check(&[(0x20, 0x40, 0, 1), (0x30, 0, 0, 2)], &[(0x38, Some((1, true)))]);
        check(
            &[(0x20, 0x40, 0, 1), (0x30, 8, 0, 2)],
            &[(0x34, Some((2, true))), (0x38, Some((1, true)))],
        );
        // What ended before an unsized symbol started does not matter, and the other way round.
        check(&[(0x20, 8, 0, 1), (0x30, 0, 0, 2)], &[(0x38, Some((2, true)))]);
        check(&[(0x20, 0, 0, 1), (0x30, 8, 0, 2)], &[(0x38, Some((2, false)))]);
    }

    #[test]
    fn ties() {
        check(&[(0x20, 8, 1, 1), (0x20, 8, 0, 2)], &[(0x20, Some((2, true)))]);
        check(&[(0x20, 8, 1, 3), (0x20, 4, 1, 2)], &[(0x20, Some((2, true)))]);
        check(&[(0x20, 0, 0, 3), (0x20, 0, 0, 2)], &[(0x20, Some((2, true)))]);
        check(&[(u64::MAX, u64::MAX, 0, 3)], &[(0x20, None), (u64::MAX, Some((3, false)))]);
    }
}
