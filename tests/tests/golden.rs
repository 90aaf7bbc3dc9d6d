//! Samples x reports x formats: each answer as it was blessed, with any number of threads and
//! through a pipe.
//!
//! Expected answers lie in `golden/<sample>/`; `cargo xtask bless` writes them anew. The reports come
//! from the program's own list, so a new one is covered as soon as it is blessed.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use ktape_analyze::reports::REPORTS;
use ktape_analyze::run::Entry;
use ktape_tests::binary::ktape;
use ktape_tests::ran::Ran;
use ktape_tests::samples;

/// A question and the file with its answer.
struct Golden {
    file: String,
    args: Vec<String>,
    /// Lines that the file keeps; all when 0.
    lines: usize,
    /// Whether `-j` means something to it.
    threads: bool,
}

impl Golden {
    fn new(file: impl Into<String>, args: &[&str]) -> Self {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        Self { file: file.into(), args, lines: 0, threads: true }
    }
}

/// The values of a report's `--by`.
fn ways(entry: &Entry) -> Vec<String> {
    let command = entry.command();
    let by = command.get_arguments().find(|arg| arg.get_long() == Some("by"));
    let values = by.map(|arg| arg.get_possible_values()).unwrap_or_default();
    values.iter().map(|value| value.get_name().to_owned()).collect()
}

fn goldens() -> Vec<Golden> {
    let mut all = Vec::new();
    for entry in REPORTS {
        for (format, ext) in [("text", "txt"), ("json", "json"), ("csv", "csv")] {
            // Twenty rows in text by default; in the others, too, or nobody would review them.
            let args = ["report", entry.name, "--format", format, "--top", "20"];
            all.push(Golden::new(format!("{}.{ext}", entry.name), &args));
        }
        for way in ways(entry) {
            let args = ["report", entry.name, "--by", &way];
            all.push(Golden::new(format!("{}-by-{way}.txt", entry.name), &args));
        }
    }
    // `ktape report` alone is the overview.
    all.push(Golden::new("report.txt", &["report"]));
    for of in ["cpu", "offcpu"] {
        all.push(Golden::new(format!("{of}.folded"), &["export", "folded", "--of", of]));
        all.push(Golden::new(format!("{of}.svg"), &["export", "flamegraph", "--of", of]));
    }
    for (format, ext) in [("text", "txt"), ("json", "json")] {
        let info = Golden::new(format!("info.{ext}"), &["info", "--format", format]);
        all.push(Golden { threads: false, ..info });
        let args = ["script", "--format", format];
        let script = Golden::new(format!("script.{ext}"), &args);
        all.push(Golden { threads: false, lines: 40, ..script });
    }
    let stacks = Golden::new("script-stacks.txt", &["script", "--stacks"]);
    all.push(Golden { threads: false, lines: 200, ..stacks });
    all
}

fn folder(sample: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(sample)
}

/// The first lines of an answer.
fn head(bytes: &[u8], lines: usize) -> &[u8] {
    if lines == 0 {
        return bytes;
    }
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    &bytes[..ends.take(lines).last().unwrap_or(bytes.len())]
}

/// Where two answers part.
fn difference(found: &[u8], expected: &[u8]) -> String {
    let (found, expected) = (String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
    let (mut ours, mut theirs) = (found.lines(), expected.lines());
    for line in 1.. {
        match (ours.next(), theirs.next()) {
            (None, None) => break,
            (ours, theirs) if ours != theirs => {
                let cut = |text: Option<&str>| {
                    text.map(|text| text.chars().take(300).collect::<String>())
                };
                return format!("line {line}: {:?}, expected {:?}", cut(ours), cut(theirs));
            }
            _ => {}
        }
    }
    "only the line ends differ".to_owned()
}

/// Compares the answers on one sample with the expected ones, or writes those; tells what is wrong.
fn check(sample: &str, bless: bool) -> String {
    let (trace, folder) = (samples::path(sample), folder(sample));
    let bytes = std::fs::read(&trace).expect("the sample");
    let mut wrong = String::new();
    let goldens = goldens();
    if bless {
        std::fs::create_dir_all(&folder).expect("the folder of the goldens is writable");
    }
    for golden in &goldens {
        let args: Vec<&str> = golden.args.iter().map(String::as_str).collect();
        let asked = format!("ktape {} -i samples/{sample}.ktape", args.join(" "));
        let ran = Ran::on(&trace, &args);
        // A flame graph of no stacks is refused; any other refusal is wrong.
        if ran.code() != 0 && !(golden.file.ends_with(".svg") && ran.code() == 1) {
            let _ = writeln!(wrong, "{asked}: exit code {}: {}", ran.code(), ran.stderr);
            continue;
        }
        for threads in if golden.threads { &["1", "2"][..] } else { &[] } {
            let again = Ran::on(&trace, &[&args[..], &["-j", threads]].concat());
            if again.stdout != ran.stdout {
                let _ = writeln!(
                    wrong,
                    "{asked} -j {threads}: {}",
                    difference(&again.stdout, &ran.stdout)
                );
            }
        }
        let piped = Ran::of(Command::new(ktape()).args(&args).args(["-i", "-"]), &bytes);
        if piped.stdout != ran.stdout {
            let _ = writeln!(
                wrong,
                "{asked} through a pipe: {}",
                difference(&piped.stdout, &ran.stdout)
            );
        }
        let said = if ran.code() == 0 { &ran.stdout[..] } else { ran.stderr.as_bytes() };
        let (path, found) = (folder.join(&golden.file), head(said, golden.lines));
        if bless {
            std::fs::write(&path, found).expect("the folder of the goldens is writable");
            continue;
        }
        match std::fs::read(&path) {
            Ok(expected) if expected == found => {}
            Ok(expected) => {
                let _ = writeln!(
                    wrong,
                    "{asked} differs from golden/{sample}/{}: {}",
                    golden.file,
                    difference(found, &expected)
                );
            }
            Err(error) => {
                let _ = writeln!(wrong, "golden/{sample}/{}: {error}", golden.file);
            }
        }
    }
    // A file that no question leads to would rot.
    let known: BTreeSet<&str> = goldens.iter().map(|golden| golden.file.as_str()).collect();
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().expect("UTF-8");
        if known.contains(name.as_str()) {
            continue;
        }
        match bless {
            true => std::fs::remove_file(entry.path()).expect("the folder is writable"),
            false => {
                let _ = writeln!(wrong, "golden/{sample}/{name} answers no question");
            }
        }
    }
    wrong
}

#[test]
fn answers_are_as_blessed() {
    let bless = std::env::var_os("KTAPE_BLESS").is_some_and(|value| value == "1");
    let names = samples::names();
    assert!(names.len() >= 4, "samples: {names:?}");
    let wrong: String = std::thread::scope(|scope| {
        let checks: Vec<_> =
            names.iter().map(|name| scope.spawn(move || check(name, bless))).collect();
        checks.into_iter().map(|check| check.join().expect("a check")).collect()
    });
    assert!(
        wrong.is_empty(),
        "{wrong}\nif that is as it should be: cargo xtask bless, and look at git diff"
    );
}
