//! What recorders cost a load, in short turns within one long run of it.
//!
//! Two runs of a load differ by a tenth with nothing else on the machine, which hides a cost of some
//! percent. Within a run, the rate in a turn with a recorder is compared with that of the turns before
//! and after it. The rate of an undisturbed run drifts by a tenth within seconds, and less the shorter
//! one looks: many short turns tell more than few long ones.

use super::measure;
use super::recorder::{Programs, Recorder};
use super::table::{self, Values};
use anyhow::Result;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

/// In which turns recorders are measured.
#[derive(Clone, Copy)]
pub struct Plan {
    /// What it is called in the tables.
    pub name: &'static str,
    /// What a load does again and again, in the plural.
    pub unit: &'static str,
    /// Turns of each recorder.
    pub turns: usize,
    /// How long a turn is.
    pub turn: Duration,
    /// Between a recorder's start and its turn.
    pub settle: Duration,
    /// The recorders that are of interest.
    pub measured: &'static [Recorder],
}

/// Something that works all the time, and says how much.
pub trait Load {
    /// An error once it does not run any more.
    fn check_alive(&self) -> Result<()>;
    /// Ends it; how much was done until when.
    fn end(self) -> Result<Progress>;
}

/// Between the recorder's end and the next turn without one, and before the first turn.
const PAUSE: Duration = Duration::from_millis(200);

/// Until what was done in the last turn is written: pgbench keeps some hundred lines of its log.
const FLUSH: Duration = Duration::from_secs(2);

/// The share of its work that each recorder costs a load, in percent, one value per turn.
pub type Losses = Vec<(Recorder, Values)>;

/// Measures and prints the losses with those of `recorders` that are of interest. `start` starts the
/// load, which has to last for so many seconds.
///
/// Turns in which nothing is started tell how far the medians can be trusted.
pub fn measure<L: Load>(
    plan: &Plan,
    recorders: &[Recorder],
    programs: &Programs,
    folder: &Path,
    start: impl FnOnce(u64) -> Result<L>,
) -> Result<Losses> {
    let wanted = plan.measured.iter().copied().filter(|each| recorders.contains(each));
    let measured: Vec<Option<Recorder>> = [None].into_iter().chain(wanted.map(Some)).collect();
    // Each pair of turns takes a recorder's start and end on top, 1.3 s with perf.
    let longest = 2 * plan.turn + plan.settle + PAUSE + Duration::from_millis(1300);
    let seconds = (longest * (plan.turns * measured.len()) as u32).as_secs() + 5;
    let load = start(seconds)?;

    let mut turns = Vec::new();
    let mut without = vec![turn(plan.turn)];
    for round in 0..plan.turns {
        eprintln!("{}: turn {} of {}", plan.name, round + 1, plan.turns);
        for at in 0..measured.len() {
            // In another order each time, so that none always follows the same one.
            let at = if round % 2 == 0 { at } else { measured.len() - 1 - at };
            let recorder = measured[(at + round / 2) % measured.len()];
            let file = folder.join("recording");
            let running =
                recorder.map(|each| measure::start(each, programs, &file, &[])).transpose()?;
            sleep(plan.settle);
            turns.push((recorder, turn(plan.turn)));
            if let (Some(recorder), Some(running)) = (recorder, running) {
                measure::end(running, recorder.tool())?;
                measure::clear(folder)?;
            }
            sleep(PAUSE);
            without.push(turn(plan.turn));
        }
    }
    sleep(FLUSH);
    load.check_alive()?;
    let progress = load.end()?;
    let losses = measured.iter().map(|&recorder| {
        let own = turns.iter().enumerate().filter(|(_, (each, _))| *each == recorder);
        let loss = own.map(|(at, (_, turn))| {
            let alone = progress.rate_between(&without[at], turn, &without[at + 1]);
            (1.0 - progress.rate(turn) / alone) * 100.0
        });
        (recorder, loss.filter(|loss| loss.is_finite()).collect::<Values>())
    });
    let losses: Vec<_> = losses.collect();

    println!("\n## {}, recorders in turns of {:?} within one run", plan.name, plan.turn);
    let alone: Values = without.iter().map(|turn| progress.rate(turn)).collect();
    println!("nothing: {} {} per second, {} turns", alone.show(0), plan.unit, alone.len());
    let rows: Vec<_> = losses
        .iter()
        .map(|(recorder, loss)| {
            let quartile =
                |part| loss.quantile(part).map_or("-".into(), |loss| format!("{loss:.1}"));
            vec![
                recorder.map_or("(nothing)", Recorder::name).to_owned(),
                loss.len().to_string(),
                quartile(0.5),
                quartile(0.25),
                quartile(0.75),
            ]
        })
        .collect();
    table::print(&["recorder", "n", "lost %", "first quartile", "third quartile"], &rows);
    Ok(losses.into_iter().filter_map(|(recorder, loss)| Some((recorder?, loss))).collect())
}

/// From when to when work is counted, in microseconds of the wall clock.
struct Turn {
    begin: u64,
    end: u64,
}

fn turn(length: Duration) -> Turn {
    let now = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_micros() as u64
    };
    let begin = now();
    sleep(length);
    Turn { begin, end: now() }
}

impl Turn {
    fn middle(&self) -> u64 {
        u64::midpoint(self.begin, self.end)
    }
}

/// How much was done until when.
pub struct Progress {
    /// Microseconds of the wall clock, in order, and all that was done by then.
    points: Vec<(u64, f64)>,
}

impl Progress {
    /// Of a load that said how much it had done by when.
    pub fn of_totals(mut points: Vec<(u64, f64)>) -> Self {
        points.sort_unstable_by_key(|&(time, _)| time);
        Self { points }
    }

    /// Of a load that said when it had done something, each time as much.
    pub fn of_ends(mut ends: Vec<u64>, each: f64) -> Self {
        ends.sort_unstable();
        let points = ends.into_iter().zip(1_u32..).map(|(end, nth)| (end, f64::from(nth) * each));
        Self { points: points.collect() }
    }

    /// The rate to expect at `turn` from that of the turns around it, the nearer of which tells more.
    fn rate_between(&self, before: &Turn, turn: &Turn, after: &Turn) -> f64 {
        let [from, at, to] = [before, turn, after].map(Turn::middle);
        let part = (at - from) as f64 / (to - from) as f64;
        self.rate(before) * (1.0 - part) + self.rate(after) * part
    }

    /// Units per second.
    fn rate(&self, turn: &Turn) -> f64 {
        let before = |time| match self.points.partition_point(|&(point, _)| point < time) {
            0 => 0.0,
            at => self.points[at - 1].1,
        };
        (before(turn.end) - before(turn.begin)) * 1e6 / (turn.end - turn.begin) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::{Progress, Turn};

    #[test]
    fn rates() {
        let rate = Progress::of_ends(vec![20, 9, 10, 14], 2.0).rate(&Turn { begin: 10, end: 20 });
        assert_eq!(rate, 400_000.0);
        let totals = Progress::of_totals(vec![(9, 7.0), (15, 9.0)]);
        assert_eq!(totals.rate(&Turn { begin: 0, end: 10 }), 700_000.0);
        assert_eq!(totals.rate(&Turn { begin: 10, end: 20 }), 200_000.0);
        // From one turn with none to one with all, three quarters of the way.
        let [before, turn, after] =
            [0, 6, 8].map(|begin| Turn { begin: 100 + begin, end: 102 + begin });
        let progress = Progress::of_ends(vec![108, 109], 2.0);
        assert_eq!(progress.rate_between(&before, &turn, &after), progress.rate(&after) * 0.75);
    }
}
