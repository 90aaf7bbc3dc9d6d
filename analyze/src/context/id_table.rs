//! `IdTable`: rows of a definition by id.

/// Rows by id. Ids that run from 1 without gaps (every healthy trace) cost one indexed load; any
/// others a binary search. Memory follows the number of rows, never the size of an id.
#[derive(Debug)]
pub(crate) struct IdTable<T> {
    /// Sorted; empty when row i has id i + 1.
    ids: Vec<u32>,
    rows: Vec<T>,
}

impl<T> Default for IdTable<T> {
    fn default() -> Self {
        Self { ids: Vec::new(), rows: Vec::new() }
    }
}

impl<T> IdTable<T> {
    /// Takes rows in file order. Of rows with the same id the first one counts.
    pub(crate) fn new(mut rows: Vec<(u32, T)>) -> Self {
        if !rows.is_sorted_by(|a, b| a.0 < b.0) {
            rows.sort_by_key(|row| row.0);
            rows.dedup_by(|later, first| later.0 == first.0);
        }
        let dense = rows.iter().zip(1u32..).all(|(row, id)| row.0 == id);
        if dense {
            return Self { ids: Vec::new(), rows: rows.into_iter().map(|row| row.1).collect() };
        }
        let (ids, rows) = rows.into_iter().unzip();
        Self { ids, rows }
    }

    /// The row with this id.
    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        self.rows.get(self.position(id)?)
    }

    /// Where the row with this id lies, below [`IdTable::len`]: for tables beside this one.
    pub(crate) fn position(&self, id: u32) -> Option<usize> {
        if self.ids.is_empty() {
            let at = (id as usize).checked_sub(1)?;
            return (at < self.rows.len()).then_some(at);
        }
        self.ids.binary_search(&id).ok()
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// All rows, by rising id.
    pub(crate) fn rows(&self) -> &[T] {
        &self.rows
    }

    /// All ids, rising, in the order of [`IdTable::rows`].
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.rows.len()).map(|at| self.ids.get(at).copied().unwrap_or(at as u32 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::IdTable;

    fn check(rows: &[(u32, char)], id: u32, expected: Option<char>) {
        assert_eq!(IdTable::new(rows.to_vec()).get(id).copied(), expected, "{rows:?} id {id}");
    }

    #[test]
    fn finds_rows_by_id() {
        let dense = [(1, 'a'), (2, 'b'), (3, 'c')];
        check(&dense, 0, None);
        check(&dense, 2, Some('b'));
        check(&dense, 4, None);
        let gaps = [(4_000_000_000, 'z'), (7, 'b'), (7, 'x'), (0, 'n')];
        check(&gaps, 7, Some('b'));
        check(&gaps, 4_000_000_000, Some('z'));
        check(&gaps, 0, Some('n'));
        check(&gaps, 1, None);
        check(&[], 1, None);
    }
}
