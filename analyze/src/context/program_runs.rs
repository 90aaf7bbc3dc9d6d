//! What the kernel programs of a recording cost.

use std::cmp::Reverse;

use ktape_schema::ProgramRun;

use super::loader::Loader;

/// The rows of `program_run`, the most expensive program first.
pub(super) fn load(loader: &mut Loader<'_>) -> Vec<ProgramRun> {
    let mut rows: Vec<ProgramRun> = Vec::new();
    let columns = ["time", "runs", "run", "missed", "program", "probe"];
    loader.each(ProgramRun::DESC.name, &columns, |batch| {
        rows.extend((0..batch.rows()).map(|row| ProgramRun {
            time: batch.u64("time")[row],
            runs: batch.u64("runs")[row],
            run: batch.u64("run")[row],
            missed: batch.u64("missed")[row],
            program: batch.u32("program")[row],
            probe: batch.u32("probe")[row],
        }));
    });
    rows.sort_by_key(|row| (Reverse(row.run), row.program, row.probe, row.runs, row.time));
    rows
}
