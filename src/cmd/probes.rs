//! `ktape probes`: what each probe records, what it costs, and whether this host can run it.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use super::output;

/// List the probes: what they record, what they cost, whether this host can run them.
#[derive(Debug, Parser)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    let mut text = String::new();
    for available in ktape_capture::check()? {
        let probe = available.probe;
        let when = if probe.always {
            "always"
        } else if probe.default {
            "by default"
        } else {
            "when asked for (-e)"
        };
        let _ = writeln!(text, "{}: {}", probe.name, probe.about);
        let _ = writeln!(text, "    recorded   {when}");
        let _ = writeln!(text, "    costs      {}", probe.cost);
        match &available.result {
            Ok(points) => {
                let _ = writeln!(text, "    here       yes: {}", points.join(", "));
                for missing in &available.missing {
                    let _ = writeln!(text, "    without    {missing}");
                }
            }
            Err(reason) => {
                let _ = writeln!(text, "    here       no: {reason}");
            }
        }
        for knob in probe.knobs {
            let _ = writeln!(
                text,
                "    /{}=../{:width$} {}",
                knob.name,
                "",
                knob.about,
                width = 5_usize.saturating_sub(knob.name.len())
            );
        }
    }
    output::write(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
