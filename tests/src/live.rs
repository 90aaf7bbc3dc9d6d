//! A test harness for the live kernel: one test at a time, nothing skipped silently.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::ran::Ran;

/// Why a test cannot run on this host.
pub struct NotRun(pub String);

/// A live test: it panics when it fails.
pub type Test = (&'static str, fn() -> Result<(), NotRun>);

/// Says a figure that a test measured; they are part of its result.
pub fn say(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout(), "    {}", text.as_ref());
}

/// Refuses, unless this program is installed.
pub fn needs_program(name: &str, package: &str) -> Result<(), NotRun> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(name).is_file());
    match found {
        true => Ok(()),
        false => Err(NotRun(format!("{name} is not installed (Debian package {package})"))),
    }
}

/// Runs the tests whose names contain the first argument, lists those that could not run with the
/// reason, and fails when a test failed. They share the host with whatever else it does, so one that
/// fails is run a second time, which is told at the end: what fails twice has failed. With `KTAPE_LIVE=must` one that could not run is a failure.
/// A host that has BTF and root and yet cannot record is always one.
pub fn main(tests: &[Test]) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let out = |text: String| {
        let _ = writeln!(std::io::stdout(), "{text}");
    };
    if args.iter().any(|arg| arg == "--list") {
        tests.iter().for_each(|(name, _)| out(format!("{name}: test")));
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let chosen: Vec<&Test> = tests
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|part| name.contains(&**part)))
        .collect();
    out(format!("\nrunning {} live tests", chosen.len()));
    let host = match host() {
        Host::Records => Ok(()),
        Host::Cannot(reason) => Err(reason),
        Host::Fails(reason) => {
            let failed = chosen.len().max(1);
            out(format!("\nlive: 0 passed, {failed} failed, 0 not run"));
            out(format!("failed: ktape record, before all tests: {reason}"));
            return ExitCode::FAILURE;
        }
    };
    let (mut passed, mut failed, mut not_run, mut second) = (0, Vec::new(), Vec::new(), Vec::new());
    for (name, test) in chosen {
        let mut began = Instant::now();
        let run = || match &host {
            Ok(()) => catch_unwind(AssertUnwindSafe(test)),
            Err(reason) => Ok(Err(NotRun(reason.clone()))),
        };
        let mut outcome = run();
        if outcome.is_err() {
            out(format!("test {name} ... failed, and runs again"));
            second.push(name);
            began = Instant::now();
            // What it lacks now it did not lack the first time.
            outcome = run().and_then(|ran| match ran {
                Ok(()) => Ok(Ok(())),
                Err(NotRun(reason)) => Err(Box::new(reason)),
            });
        }
        let took = began.elapsed().as_secs_f64();
        match outcome {
            Ok(Ok(())) => {
                passed += 1;
                out(format!("test {name} ... ok ({took:.1} s)"));
            }
            Ok(Err(NotRun(reason))) => {
                out(format!("test {name} ... not run"));
                not_run.push((name, reason));
            }
            Err(_) => {
                out(format!("test {name} ... FAILED ({took:.1} s)"));
                failed.push(name);
            }
        }
    }
    out(format!("\nlive: {passed} passed, {} failed, {} not run", failed.len(), not_run.len()));
    failed.iter().for_each(|name| out(format!("failed twice: {name}")));
    let second = second.iter().filter(|name| !failed.contains(name));
    second.for_each(|name| out(format!("passed the second time only: {name}")));
    not_run.iter().for_each(|(name, reason)| out(format!("not run: {name}: {reason}")));
    let must = std::env::var_os("KTAPE_LIVE").is_some_and(|value| value == "must");
    match failed.is_empty() && (not_run.is_empty() || !must) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Whether this host can record at all.
enum Host {
    Records,
    /// It lacks something, and says what.
    Cannot(String),
    /// It has all that recording needs, and yet `ktape record` fails.
    Fails(String),
}

/// What a kernel must have that ktape can record.
const BTF: &str = "/sys/kernel/btf/vmlinux";

fn host() -> Host {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let root = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .is_some_and(|ids| ids.split_whitespace().nth(1) == Some("0"));
    if !root {
        let reason = "recording needs root: run the tests as root, or with sudo -E";
        return Host::Cannot(reason.to_owned());
    }
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    if Command::new(&compiler).arg("--version").output().is_err() {
        let reason = format!("the workloads need a C compiler ({})", compiler.display());
        return Host::Cannot(reason);
    }
    let trace = std::env::temp_dir().join(format!("ktape-live-{}.ktape", std::process::id()));
    let ran = Ran::ktape(&[
        "record",
        "-q",
        "-e",
        "sched",
        "-d",
        "10ms",
        "-o",
        trace.to_str().unwrap_or_default(),
    ]);
    let _ = std::fs::remove_file(&trace);
    let reason = ran.stderr.trim().replace('\n', "; ");
    match ran.code() {
        0 => Host::Records,
        _ if std::path::Path::new(BTF).exists() => Host::Fails(reason),
        // A container, or a kernel that lacks BPF.
        _ => Host::Cannot(reason),
    }
}
