//! The bars for recording, as the issue that built the recorder sets them.

use super::acceptance::Bar;
use super::recorder::Recorder;
use super::results::{Results, Runs};
use super::spent::Spent;
use super::table::Values;
use super::turns::Losses;
use super::workload::Workload;
use anyhow::Result;

/// How long each recorder takes to its first event.
type Starts = [(Recorder, Result<Values>)];

/// Compares what was measured with the bars.
pub fn bars(all: &[Results], losses: &Losses, starts: &Starts) -> Vec<Bar> {
    let measured = Measured { all };
    let mut bars = storm(&measured);
    bars.push(path(&measured));
    bars.extend(stacks(&measured));
    bars.extend(transactions(losses));
    bars.extend(bytes(&measured));
    bars.extend(memory(&measured));
    bars.extend(cpu(&measured));
    bars.push(start(starts));
    bars.extend(stop(&measured));
    bars
}

struct Measured<'a> {
    all: &'a [Results],
}

impl Measured<'_> {
    /// Its runs; none when it lost events in most of them: who drops work is cheap.
    fn of(&self, load: Workload, recorder: Recorder) -> Option<&Runs> {
        let runs = self.all.iter().find(|results| results.workload == load)?.of(recorder)?;
        let lost = runs.values(|run| Some(run.sample.contents.lost as f64)).median();
        (lost == Some(0.0)).then_some(runs)
    }

    /// The median slowdown.
    fn slowdown(&self, load: Workload, recorder: Recorder) -> Option<f64> {
        self.of(load, recorder)?.slowdown().median()
    }

    /// The largest median over all loads of the given recorders, and where it was.
    fn worst(
        &self,
        recorders: &[Recorder],
        value: impl Fn(&Runs) -> Values,
    ) -> Option<(f64, String)> {
        let medians = self.all.iter().flat_map(|results| {
            let value = &value;
            let runs = results.recorders.iter().filter(|runs| recorders.contains(&runs.recorder));
            runs.filter_map(move |runs| {
                let place = format!("{} on {}", runs.recorder.name(), results.workload.name());
                Some((value(runs).median()?, place))
            })
        });
        medians.max_by(|a, b| a.0.total_cmp(&b.0))
    }
}

fn needs(names: &[&str]) -> String {
    format!("needs {}, without losses", names.join(", "))
}

fn storm(measured: &Measured<'_>) -> Vec<Bar> {
    let at = |recorder| measured.slowdown(Workload::Storm, recorder);
    let mut bars = Vec::new();
    let half = "storm: without stacks at most half of what perf costs";
    bars.push(match (at(Recorder::KtapeCheap), at(Recorder::Perf)) {
        (Some(ours), Some(peer)) => cost(half, ours, "perf", peer, 0.5),
        _ => Bar::unmeasured(half, needs(&["storm", "ktape-cheap", "perf"])),
    });
    let below = "storm: without stacks below trace-cmd";
    bars.push(match (at(Recorder::KtapeCheap), at(Recorder::TraceCmd)) {
        (Some(ours), Some(peer)) => cost(below, ours, "trace-cmd", peer, 1.0),
        _ => Bar::unmeasured(below, needs(&["storm", "ktape-cheap", "trace-cmd"])),
    });
    for ours in [Recorder::KtapeSched, Recorder::KtapeDefault] {
        let fifth = format!("storm: {} at most a fifth of what perf -g costs", ours.name());
        bars.push(match (at(ours), at(Recorder::PerfG)) {
            (Some(ours), Some(peer)) => cost(&fifth, ours, "perf-g", peer, 0.2),
            _ => Bar::unmeasured(fifth, needs(&["storm", ours.name(), "perf-g"])),
        });
    }
    bars
}

/// What a fact costs on its way from the ring to the file.
fn path(measured: &Measured<'_>) -> Bar {
    let what = "storm: drain, encode and compress at most 150 ns of CPU a fact without stacks";
    let values = |of: fn(&Spent) -> f64| {
        let runs = measured.of(Workload::Storm, Recorder::KtapeCheap)?;
        let ns = runs
            .values(|run| Some(of(&run.sample.spent?) * 1e9 / run.sample.contents.facts as f64));
        ns.median()
    };
    let all = values(|spent| spent.draining + spent.writing);
    match (all, values(|spent| spent.draining), values(|spent| spent.writing)) {
        (Some(all), Some(draining), Some(writing)) => {
            let text = format!("{all:.0} ns (drain {draining:.0}, encode and write {writing:.0})");
            Bar::measured(what, text, all <= 150.0)
        }
        _ => Bar::unmeasured(what, needs(&["storm", "ktape-cheap"])),
    }
}

/// Compares what two recorders add to a load.
fn cost(what: &str, ours: f64, name: &str, peer: f64, limit: f64) -> Bar {
    let ratio = (ours - 1.0) / (peer - 1.0);
    Bar::measured(
        what,
        format!("{ours:.3} against {name} {peer:.3}: cost ratio {ratio:.2}, limit {limit}"),
        ours - 1.0 <= limit * (peer - 1.0),
    )
}

fn stacks(measured: &Measured<'_>) -> Vec<Bar> {
    let mut bars = Vec::new();
    for load in [Workload::PgbenchSelect, Workload::PgbenchTpcb] {
        let what = format!("{}: waits of 1 ms or more with both stacks", load.name());
        let both = measured.of(load, Recorder::KtapeSched).and_then(|runs| {
            let values = runs.both_stacks();
            Some((values.median()?, values.min()?))
        });
        bars.push(match both {
            Some((median, min)) => {
                let text = format!("{median:.2} % (worst run {min:.2} %), limit 98 %");
                Bar::measured(what, text, median >= 98.0)
            }
            None => Bar::unmeasured(what, needs(&[load.name(), "ktape-sched"])),
        });
    }
    bars
}

fn transactions(losses: &Losses) -> Vec<Bar> {
    let loss = |wanted| {
        let (_, values) = losses.iter().find(|(recorder, _)| *recorder == wanted)?;
        values.median()
    };
    let mut bars = Vec::new();
    for (recorder, limit) in [(Recorder::KtapeCheap, 4.0), (Recorder::KtapeSched, 6.0)] {
        let what = format!("pgbench-select: {} loses few transactions", recorder.name());
        bars.push(match loss(recorder) {
            Some(lost) => {
                let perf =
                    loss(Recorder::Perf).map_or("-".to_owned(), |lost| format!("{lost:.1} %"));
                let text = format!("{lost:.1} %, limit {limit} % (perf {perf})");
                Bar::measured(what, text, lost <= limit)
            }
            None => Bar::unmeasured(what, needs(&["pgbench-select", recorder.name()])),
        });
    }
    bars
}

/// The tiers that the bars are about; what every probe at once costs is told beside them.
const OURS: &[Recorder] = &[Recorder::KtapeCheap, Recorder::KtapeSched, Recorder::KtapeDefault];

/// One bar for each load.
fn bytes(measured: &Measured<'_>) -> Vec<Bar> {
    let each = measured.all.iter().map(|results| {
        let what = format!("{}: bytes of an off-CPU fact", results.workload.name());
        let one = Measured { all: std::slice::from_ref(results) };
        let per_event = |runs: &Runs| {
            runs.values(|run| {
                Some(run.sample.file as f64 / run.sample.contents.facts as f64)
                    .filter(|bytes| bytes.is_finite())
            })
        };
        let peer = |peer| {
            let found = one.of(results.workload, peer).and_then(|runs| per_event(runs).median());
            found.map_or("-".to_owned(), |bytes| format!("{bytes:.1}"))
        };
        match one.worst(OURS, Runs::off_cpu_bytes) {
            Some((bytes, place)) => {
                let text = format!(
                    "{bytes:.2} at most ({place}), limit 6 (an event of perf {}, of trace-cmd {})",
                    peer(Recorder::Perf),
                    peer(Recorder::TraceCmd)
                );
                Bar::measured(what, text, bytes <= 6.0)
            }
            None => Bar::unmeasured(what, needs(&["a recorder of ktape"])),
        }
    });
    each.collect()
}

fn memory(measured: &Measured<'_>) -> Vec<Bar> {
    let what = "peak memory below 50 MiB";
    let peer = |peer| {
        let found = measured.worst(&[peer], Runs::peak);
        found.map_or("-".to_owned(), |(mib, _)| format!("{mib:.1}"))
    };
    vec![match measured.worst(OURS, Runs::peak) {
        Some((mib, place)) => {
            let text = format!(
                "{mib:.1} MiB at most ({place}) (ktape-all {}, perf {}, perf-g {}, trace-cmd {})",
                peer(Recorder::KtapeAll),
                peer(Recorder::Perf),
                peer(Recorder::PerfG),
                peer(Recorder::TraceCmd)
            );
            Bar::measured(what, text, mib < 50.0)
        }
        None => Bar::unmeasured(what, needs(&["a recorder of ktape"])),
    }]
}

/// One bar for each load and tier.
fn cpu(measured: &Measured<'_>) -> Vec<Bar> {
    let mut bars = Vec::new();
    for results in measured.all {
        for ours in [Recorder::KtapeCheap, Recorder::KtapeSched] {
            let load = results.workload;
            let what = format!("{}: CPU of {} at most trace-cmd's", load.name(), ours.name());
            let cpu = |recorder| measured.of(load, recorder)?.cpu().median();
            bars.push(match (cpu(ours), cpu(Recorder::TraceCmd)) {
                (Some(ours), Some(peer)) => {
                    let text = format!("{ours:.3} s against {peer:.3} s: ratio {:.2}", ours / peer);
                    Bar::measured(what, text, ours <= peer)
                }
                _ => Bar::unmeasured(what, needs(&[ours.name(), "trace-cmd"])),
            });
        }
    }
    bars
}

fn start(starts: &Starts) -> Bar {
    let what = "first event within 100 ms of the start";
    let median = |wanted: Recorder| {
        let (_, values) = starts.iter().find(|(recorder, _)| *recorder == wanted)?;
        values.as_ref().ok()?.median()
    };
    let ours = OURS.iter().filter_map(|&each| Some((median(each)?, each.name())));
    match ours.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((ms, name)) => {
            let peer = |peer| median(peer).map_or("-".to_owned(), |ms| format!("{ms:.1}"));
            let text = format!(
                "{ms:.1} ms at most ({name}) (ktape-all {}, perf {}, trace-cmd {})",
                peer(Recorder::KtapeAll),
                peer(Recorder::Perf),
                peer(Recorder::TraceCmd)
            );
            Bar::measured(what, text, ms <= 100.0)
        }
        None => Bar::unmeasured(what, "no recorder of ktape told its first event"),
    }
}

fn stop(measured: &Measured<'_>) -> Vec<Bar> {
    let what = "0.3 s at most from Ctrl-C to a finished file";
    let peer = |peer| {
        let found = measured.worst(&[peer], Runs::stop);
        found.map_or("-".to_owned(), |(seconds, _)| format!("{seconds:.2}"))
    };
    vec![match measured.worst(OURS, Runs::stop) {
        Some((seconds, place)) => {
            let text = format!(
                "{seconds:.2} s at most ({place}) (ktape-all {}, perf {}, perf-g {}, trace-cmd {})",
                peer(Recorder::KtapeAll),
                peer(Recorder::Perf),
                peer(Recorder::PerfG),
                peer(Recorder::TraceCmd)
            );
            Bar::measured(what, text, seconds <= 0.3)
        }
        None => Bar::unmeasured(what, needs(&["a recorder of ktape"])),
    }]
}
