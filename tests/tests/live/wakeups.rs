//! Who woke whom.

use ktape_format::Trace;
use ktape_format::schema::off_cpu_state as state;
use ktape_tests::facts::{report, rows};
use ktape_tests::live::{NotRun, say};
use ktape_tests::recorder::{Folder, record};
use ktape_tests::workload::{lines, number as parse, workload};

/// A timer that interrupts a busy thread is not its doing; a write to a pipe is the writer's.
pub(crate) fn timer() -> Result<(), NotRun> {
    let folder = Folder::new();
    let trace = folder.file("timer.ktape");
    let program = workload("timer");
    let ran = record(&trace, &["-e", "sched"], &[program.to_str().expect("UTF-8")]).expect(0);
    let said = |what: &str| lines(&ran.text(), what).remove(0);
    let (sleeper, reader) = (said("sleeper"), said("reader"));
    let facts = rows(&Trace::open(&trace).expect("a trace"), "off_cpu", ["tid", "state", "waker"]);
    for (who, expected) in [(sleeper, 0), (reader.clone(), parse(&reader[3]))] {
        let waits: Vec<_> = facts
            .iter()
            .filter(|fact| fact[0] == parse(&who[1]) && fact[1] == u64::from(state::SLEEPING))
            .collect();
        let right = waits.iter().filter(|fact| fact[2] == expected).count() as u64;
        say(format!("{}: {right} of {} waits ended by {expected}", who[0], waits.len()));
        assert!(right >= parse(&who[2]), "{waits:?}");
        // One more, of either: at the start, for the C library.
        assert!(waits.len() as u64 <= right + 1, "{waits:?}");
    }
    let answer = report(&trace, &["wakeups", "--by", "thread", "--thread", &reader[1]]);
    // On a busy host its longest wait may have been one for a CPU.
    let mut paths = answer["paths"].as_array().expect("rows").iter();
    let sleeps = paths.any(|step| {
        step["what"] == "waited for sleep (sleeping)" && step["tid"] == parse(&reader[3])
    });
    assert!(sleeps, "{answer}");
    Ok(())
}
