//! `report timeline`.

mod answer;
mod grid;
mod measure;
mod series;

use ktape_format::Batch;

use crate::answer::Answer;
use crate::context::{Context, Needs};
use crate::query::{Filter, parse_duration};
use crate::run::{Read, Report};
use grid::Grid;
use measure::MEASURES;
use series::Series;

/// Timeline: what went on at the same time, interval by interval, over all that was recorded.
///
/// Measures of time (CPUs busy, threads runnable, operations in flight) are averages over the
/// interval: a wait of ten seconds counts in each of the ten in which it lasted. Others are counted in
/// the interval in which they end. All times are of one clock, the kernel's monotonic one, so causes
/// and effects line up. With --time, what ends after the window is missing from it.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Timeline {
    /// Length of an interval; by default such that there are at most 60.
    #[arg(long, value_name = "TIME", value_parser = parse_every)]
    pub every: Option<u64>,
    /// Only these measures, in this order; by default all of which the trace has facts.
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', value_parser = names())]
    pub measure: Vec<String>,
    /// Say how each measure goes along with this one: their correlation over the intervals.
    #[arg(long, value_name = "NAME", value_parser = names())]
    pub with: Option<String>,
}

fn parse_every(text: &str) -> Result<u64, String> {
    match parse_duration(text)? {
        0 => Err("an interval of no length".to_owned()),
        every => Ok(every),
    }
}

/// The names of measures as the command line takes them.
fn names() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(MEASURES.iter().map(|measure| measure.name))
}

/// The fold.
#[derive(Debug, Default)]
pub struct State {
    /// One per measure of [`MEASURES`]; those without facts stay empty.
    series: Vec<Series>,
}

impl State {
    fn series(&mut self, at: usize) -> &mut Series {
        if self.series.is_empty() {
            self.series.resize_with(MEASURES.len(), Series::default);
        }
        &mut self.series[at]
    }
}

impl Timeline {
    /// Positions of the measures that are asked for, in that order.
    fn measures(&self, cx: &Context<'_>) -> Vec<usize> {
        let position = |name: &String| MEASURES.iter().position(|measure| measure.name == *name);
        if self.measure.is_empty() {
            let there = |&at: &usize| cx.has_facts(MEASURES[at].record);
            return (0..MEASURES.len()).filter(there).collect();
        }
        let asked = self.measure.iter().chain(&self.with).filter_map(position);
        asked.fold(Vec::new(), |mut all, at| {
            if !all.contains(&at) {
                all.push(at);
            }
            all
        })
    }
}

impl Report for Timeline {
    const NAME: &'static str = "timeline";
    type State = State;

    fn needs(&self) -> Needs {
        Needs::TASKS
    }

    fn reads(&self, cx: &Context<'_>) -> Vec<Read> {
        let mut reads: Vec<Read> = Vec::new();
        for at in self.measures(cx) {
            let measure = &MEASURES[at];
            let at = reads.iter().position(|read| read.record == measure.record);
            let at = at.unwrap_or_else(|| {
                reads.push(Read::maybe(measure.record, &[]));
                reads.len() - 1
            });
            for column in measure.columns() {
                if !reads[at].columns.contains(&column) {
                    reads[at].columns.push(column);
                }
            }
        }
        reads
    }

    fn scan(&self, cx: &Context<'_>, batch: &Batch, state: &mut State) {
        let grid = Grid::of(cx.window(), self.every);
        for at in self.measures(cx) {
            let measure = &MEASURES[at];
            if measure.is_of(batch) {
                measure.add(cx, batch, &grid, state.series(at));
            }
        }
    }

    fn merge(&self, into: &mut State, from: State) {
        for (at, series) in from.series.into_iter().enumerate() {
            into.series(at).merge(series);
        }
    }

    fn finish(&self, cx: &Context<'_>, _: &Filter, state: State) -> Answer {
        answer::answer(self, cx, state)
    }
}
