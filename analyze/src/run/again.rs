//! `Again`: another pass over the facts of a report.

use super::{Read, Scan, fold};
use crate::context::Context;
use crate::error::Result;
use crate::query::Filter;

/// Scans the facts that a report has scanned once more: the same rows, cut and ordered in any way.
pub struct Again<'a> {
    pub(super) cx: &'a Context<'a>,
    pub(super) filter: &'a Filter,
    pub(super) reads: &'a [Read],
    pub(super) threads: usize,
}

impl<'a> Again<'a> {
    /// What the trace defines.
    pub fn cx(&self) -> &'a Context<'a> {
        self.cx
    }

    /// Folds all facts.
    pub(crate) fn fold<S: Scan>(&self, scan: &S) -> Result<S::Folded> {
        // What cannot be read, the first pass has told.
        fold(scan, self.cx, self.filter, self.reads, self.threads).map(|(folded, _)| folded)
    }
}
