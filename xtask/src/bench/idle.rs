//! Waiting until nothing else keeps the machine busy.

use std::time::{Duration, Instant};

/// How long the CPUs are watched.
const WATCH: Duration = Duration::from_secs(1);

/// The share of their time that they have to be idle.
const IDLE: f64 = 0.93;

/// Waits until the CPUs were idle for a second, but no longer than `patience`.
pub fn wait(patience: Duration) {
    let began = Instant::now();
    while began.elapsed() < patience {
        let Some((idle, all)) = times() else { return };
        std::thread::sleep(WATCH);
        let Some((idle_then, all_then)) = times() else { return };
        if (idle_then - idle) as f64 >= IDLE * (all_then - all) as f64 {
            return;
        }
    }
}

/// The idle time of all CPUs, and all their time.
fn times() -> Option<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    // user nice system idle iowait irq softirq steal; guests are in user and nice already.
    let times: Vec<u64> =
        line.split_whitespace().take(8).filter_map(|number| number.parse().ok()).collect();
    Some((times.get(3)? + times.get(4)?, times.iter().sum()))
}
