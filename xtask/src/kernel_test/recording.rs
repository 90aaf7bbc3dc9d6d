//! What came of a run: its trace, its workload's words, and the checks of both.

use super::build::Built;
use super::checks::CHECKS;
use super::results::Results;
use super::run::Run;
use super::verdict::{Outcome, Verdict};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A probe as `ktape probes` tells of it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub name: String,
    /// Where it attaches on the host that was asked, or why it cannot.
    pub here: Result<String, String>,
}

/// The probes that a ktape has.
pub fn listed_probes(ktape: &Path) -> Result<Vec<Listed>> {
    let out = Command::new(ktape).arg("probes").output().context("cannot run ktape probes")?;
    ensure!(out.status.success(), "ktape probes failed: {}", String::from_utf8_lossy(&out.stderr));
    let probes = parse_probes(&String::from_utf8_lossy(&out.stdout));
    ensure!(!probes.is_empty(), "ktape probes names none");
    Ok(probes)
}

/// Reads what `ktape probes` prints: `name: about`, then indented lines of a word and a text.
fn parse_probes(text: &str) -> Vec<Listed> {
    let mut probes: Vec<Listed> = Vec::new();
    for line in text.lines() {
        if !line.starts_with(' ') {
            if let Some((name, _)) = line.split_once(": ") {
                let here = Err("ktape probes does not say".to_owned());
                probes.push(Listed { name: name.to_owned(), here });
            }
            continue;
        }
        let Some(probe) = probes.last_mut() else { continue };
        let answer = line.trim().strip_prefix("here ").map(str::trim);
        if let Some(how) = answer.and_then(|answer| answer.strip_prefix("yes: ")) {
            probe.here = Ok(how.to_owned());
        } else if let Some(why) = answer.and_then(|answer| answer.strip_prefix("no: ")) {
            probe.here = Err(why.to_owned());
        }
    }
    probes
}

/// A trace that a guest recorded, with what its workload said.
pub struct Recording<'a> {
    ktape: &'a Path,
    trace: PathBuf,
    said: String,
    info: Value,
}

impl Recording<'_> {
    /// The JSON answer of a report.
    pub fn report(&self, args: &[&str]) -> Result<Value> {
        answer(self.ktape, &self.trace, &[&["report"], args].concat())
    }

    /// The facts of a record, as they are stored.
    pub fn facts(&self, record: &str) -> Result<Vec<Value>> {
        let args = ["script", "--record", record, "--format", "json"];
        let text = ask(self.ktape, &self.trace, &args)?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// The lines of the workload that begin with a word, split at blanks.
    pub fn said(&self, first: &str) -> Vec<Vec<&str>> {
        let words = self.said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        words.filter(|words| words.first() == Some(&first)).collect()
    }

    /// How often the kernel passed over programs of a probe, as the trace tells (`program_run`).
    pub fn missed(&self, probe: &str) -> Result<u64> {
        let programs = self.facts("program_run")?;
        let of_probe = programs.iter().filter(|row| row["probe_text"] == probe);
        Ok(of_probe.filter_map(|row| row["missed"].as_u64()).sum())
    }

    /// Where a probe was attached.
    fn attached(&self, probe: &str) -> Result<Vec<String>> {
        let probes = self.info["probes"].as_array().context("info names no probes")?;
        let of_probe = probes.iter().find(|row| row["probe"] == probe);
        let row = of_probe.with_context(|| format!("info does not name {probe}"))?;
        let reason = row["reason"].as_str().unwrap_or("");
        ensure!(row["state"] == "attached", "{probe} is not attached: {reason}");
        let points = row["attached"].as_array().context("info names no places")?;
        Ok(points.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// What is true of every trace of a small workload: nothing lost, all accounted for.
    fn is_accounted_for(&self) -> Result<()> {
        let records = self.info["records"].as_array().context("info names no records")?;
        for row in records.iter().filter(|row| row["class"] == "fact") {
            let (Some(produced), Some(lost)) = (row["produced"].as_u64(), row["lost"].as_u64())
            else {
                continue;
            };
            ensure!(lost == 0, "{} of {produced} {} were lost", lost, row["record"]);
            // Of these it is what they add up that is counted, not rows.
            const SUMS: [&str; 3] = ["syscall_count", "fault_total", "alloc_total"];
            if !SUMS.iter().any(|name| row["record"] == *name) {
                let rows = row["rows"].as_u64();
                ensure!(rows == Some(produced), "{produced} produced, but {row}");
            }
        }
        Ok(())
    }
}

fn ask(ktape: &Path, trace: &Path, args: &[&str]) -> Result<String> {
    let out = Command::new(ktape).args(args).arg("-i").arg(trace).output();
    let out = out.context("cannot run ktape")?;
    ensure!(
        out.status.success(),
        "ktape {} failed: {}",
        args.join(" "),
        String::from_utf8_lossy(&out.stderr).trim()
    );
    String::from_utf8(out.stdout).context("ktape writes UTF-8")
}

fn answer(ktape: &Path, trace: &Path, args: &[&str]) -> Result<Value> {
    let text = ask(ktape, trace, &[args, &["--format", "json"]].concat())?;
    serde_json::from_str(&text).with_context(|| format!("ktape {} gives no JSON", args.join(" ")))
}

/// Judges all that a guest sent: a verdict for each check of each probe.
pub fn judge(
    version: &str,
    built: &Built,
    results: &Results,
    probes: &[Listed],
    runs: &[Run],
    folder: &Path,
) -> Result<Vec<Verdict>> {
    let ktape = built.ktape.as_path();
    let opened: Vec<(&Run, Result<Recording<'_>>)> =
        runs.iter().map(|run| (run, open(ktape, results, run, folder))).collect();
    let here = parse_probes(&results.text("probes").unwrap_or_default());
    let mut verdicts = Vec::new();
    for probe in probes {
        let here = here.iter().find(|known| known.name == probe.name);
        let here =
            here.map_or(Err("ktape probes does not name it".to_owned()), |it| it.here.clone());
        let verdict = |outcome| Verdict::new(version, &probe.name, outcome);
        match here {
            Err(why) if is_lack(&why) => {
                verdicts.push(verdict(refused(&probe.name, why, results)));
            }
            Err(why) => {
                verdicts.push(verdict(Outcome::Failed(format!("ktape probes says no: {why}"))));
            }
            Ok(_) => {
                let all = checked(&probe.name, &opened).into_iter();
                verdicts.extend(all.map(|(run, outcome)| verdict(outcome).of_run(&run.name)));
            }
        }
    }
    Ok(verdicts)
}

/// A recording of what this kernel lacks must fail, and say why.
fn refused(probe: &str, why: String, results: &Results) -> Outcome {
    for run in CHECKS.iter().filter(|check| check.probe == probe).map(Run::of) {
        let text = |name: &str| results.text(&format!("{}/{name}", run.name)).unwrap_or_default();
        let (status, complaint) = (text("status"), text("complaint"));
        if status.trim() == "record 0" || !complaint.contains(&why) {
            return Outcome::Failed(format!(
                "{}: {} and not `{why}`: {}",
                run.name,
                status.trim(),
                complaint.trim()
            ));
        }
    }
    Outcome::Lacking(why)
}

/// Runs all checks of a probe.
fn checked(probe: &str, opened: &[(&Run, Result<Recording<'_>>)]) -> Vec<(Run, Outcome)> {
    let recording = |run: &Run| {
        let found = opened.iter().find(|(known, _)| *known == run);
        match found.map(|(_, recording)| recording) {
            Some(Ok(recording)) => Ok(recording),
            Some(Err(error)) => bail!("{error:#}"),
            None => bail!("was not run"),
        }
    };
    let checks = CHECKS.iter().filter(|check| check.probe == probe);
    let outcomes = checks.map(|check| {
        let run = Run::of(check);
        let found = recording(&run).and_then(|recording| {
            let how = recording.attached(probe)?;
            if let Some(way) = check.way {
                let is = how.iter().any(|place| place.starts_with(&format!("{way}:")));
                ensure!(is, "it is not attached by {way}, but to {}", how.join(", "));
            }
            Ok(((check.check)(recording, &recording.report(check.report)?)?, how))
        });
        let outcome = match found {
            Ok((found, how)) => Outcome::Right(found, how),
            Err(error) => Outcome::Failed(format!("{}: {error:#}", run.name)),
        };
        (run, outcome)
    });
    outcomes.collect()
}

/// Whether a reason is what a probe declares to need, and not that it ought to attach and does not:
/// `missing()` of capture/src/setup.rs.
fn is_lack(why: &str) -> bool {
    why.starts_with("needs kernel ") || why.starts_with("this kernel has no tracepoint ")
}

/// Takes the trace of a run out of what came, and checks what is true of every trace.
fn open<'a>(ktape: &'a Path, results: &Results, run: &Run, folder: &Path) -> Result<Recording<'a>> {
    let text = |name: &str| results.text(&format!("{}/{name}", run.name));
    let status = text("status").context("it never ended")?;
    let said = text("said").context("its output is missing")?;
    let complaint = text("complaint").unwrap_or_default();
    // The workload's words and ours, to look at with --keep.
    let about = format!("{status}\n{said}\n{complaint}\n{}", text("steps").unwrap_or_default());
    std::fs::write(folder.join(&run.name).with_extension("txt"), about)?;
    // The cut copy has no end, and most often a piece of a chunk: exit statuses tell.
    let expected = [0, 1].map(|code| {
        format!("record 0\nverify 0\nverify-cut 1\nrecover {code}\nverify-recovered 0\n")
    });
    if !expected.contains(&status) {
        let all = status.trim().replace('\n', ", ");
        bail!(
            "exit statuses {all}: {} {}",
            complaint.trim(),
            text("steps").unwrap_or_default().trim()
        );
    }
    let put = |name: &str, suffix: &str| -> Result<PathBuf> {
        let path = folder.join(format!("{}{suffix}", run.name));
        let bytes = results.bytes(&format!("{}/{name}", run.name)).context("a file is missing")?;
        std::fs::write(&path, bytes).context("cannot write a trace")?;
        Ok(path)
    };
    let trace = put("trace", ".ktape")?;
    let info = answer(ktape, &trace, &["info"])?;
    let recording = Recording { ktape, trace, said, info };
    recording.is_accounted_for()?;
    recovers(ktape, &recording.info, &put("recovered", ".recovered.ktape")?)?;
    Ok(recording)
}

/// What was recovered from the first seven eighths of a trace is a part of it, and can be asked.
fn recovers(ktape: &Path, whole: &Value, recovered: &Path) -> Result<()> {
    let part = answer(ktape, recovered, &["info"])?;
    let rows = |info: &Value| info["file"]["rows"].as_u64().context("info counts no rows");
    let (of_part, of_whole) = (rows(&part)?, rows(whole)?);
    // A small trace may have all its facts in its last eighth.
    ensure!(
        (of_part > 0 || of_whole < 1000) && of_part <= of_whole,
        "{of_part} rows were recovered of seven eighths of {of_whole}"
    );
    answer(ktape, recovered, &["report"]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_read_as_they_are_printed() {
        let text = "a: each a\n    recorded   always\n    here       yes: tp_btf:x, kprobe:y\n\
                    b: each b: c\n    recorded   when asked for (-e)\n    here       no: needs kernel 6.1\n\
                    \x20   /min=../   leave out\n";
        let probes = parse_probes(text);
        assert_eq!(probes.len(), 2);
        assert_eq!(probes[0].here, Ok("tp_btf:x, kprobe:y".to_owned()));
        assert_eq!(probes[1].name, "b");
        assert!(probes[1].here.as_ref().is_err_and(|why| is_lack(why)));
        assert!(!is_lack("cannot hook where a thread is woken: tp_btf:x: no such type"));
    }
}
