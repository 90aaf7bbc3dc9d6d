//! `Report`: the extension point. One file per report implements it.

use ktape_format::{Batch, ChunkInfo};

use super::Again;
use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::error::Result;
use crate::query::Filter;

/// A record that a report reads, with the columns of it that it looks at. Nothing else is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Name of the record.
    pub record: &'static str,
    /// Names of its fields.
    pub columns: Vec<&'static str>,
    /// Whether the report still answers something when the trace has none of it: then its absence
    /// is no news.
    pub optional: bool,
    /// Those of the columns that the report takes as keys where it can have them so
    /// ([`Batch::keys`]).
    pub keyed: Vec<&'static str>,
}

impl Read {
    /// A record that the report lives on.
    pub fn of(record: &'static str, columns: &[&'static str]) -> Self {
        Self { record, columns: columns.to_vec(), optional: false, keyed: Vec::new() }
    }

    /// A record that the report can do without.
    pub fn maybe(record: &'static str, columns: &[&'static str]) -> Self {
        Self { optional: true, ..Self::of(record, columns) }
    }
}

/// A question that a trace answers.
///
/// The struct holds the report's own flags; its doc comment is the help text. Facts come in any
/// order and cut into batches in any way, so `scan` and `merge` must make a commutative fold: sums,
/// counts, smallest, largest, histograms, sets. `finish` sorts by a key that leaves no ties. Numbers
/// are integers throughout. Filters, `--sort`, `--top`, threads and output formats are not a report's
/// business; notes about losses and damage are added for it.
pub trait Report: clap::Args + Send + Sync + 'static {
    /// What it is called on the command line.
    const NAME: &'static str;

    /// What one thread has folded so far.
    type State: Default + Send;

    /// Refuses flags that do not fit together, or do not fit the records that there are.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Which definitions it needs.
    fn needs(&self) -> Needs {
        Needs::TASKS
    }

    /// Which facts it needs. May depend on its flags, and on the trace (see
    /// [`crate::context::Tasks::reused`]).
    fn reads(&self, cx: &Context<'_>) -> Vec<Read>;

    /// Folds a chunk by what its head says, when that is all that the report needs of it: then its rows
    /// stay unread, and `scan` does not see them. Asked only for chunks all of whose rows pass.
    fn skim(&self, _cx: &Context<'_>, _chunk: &ChunkInfo, _state: &mut Self::State) -> bool {
        false
    }

    /// Folds the rows of one batch. `batch.record()` tells which of the records it is; rows that the
    /// filters exclude are gone already.
    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut Self::State);

    /// Folds what another thread has folded.
    fn merge(&self, into: &mut Self::State, from: Self::State);

    /// Scans the facts once more where one pass does not tell enough, as for exact percentiles, and adds
    /// what was found to the fold.
    ///
    /// # Errors
    ///
    /// Those of [`super::run`].
    fn look_again(&self, _again: &Again<'_>, _state: &mut Self::State) -> Result<()> {
        Ok(())
    }

    /// Turns the fold into an answer. `filter` tells the window that it is about.
    fn finish(&self, cx: &Context<'_>, filter: &Filter, state: Self::State) -> Answer;
}
