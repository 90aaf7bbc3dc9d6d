//! `ktape recover`: saves what can be read of a damaged trace.

use std::fmt::Write;
use std::fs::OpenOptions;
use std::io::{BufWriter, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use ktape_analyze::render::escape_text;
use ktape_format::recover;

use super::input::InputOrFile;
use super::output;

/// Write a valid trace of all that can be read of a damaged or unfinished one, and say what was lost;
/// exit 1 when something was.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    trace: InputOrFile,
    /// Write the new trace to this file, which must not exist yet.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let input = args.trace.input();
    if input.is_stdin() {
        bail!("recover reads files only: save standard input to a file first");
    }
    let path = &args.output;
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file = match opened {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is there already: name another file, or remove it", path.display())
        }
        opened => opened.with_context(|| format!("creating {}", path.display()))?,
    };
    let saved = match recover(input.path(), BufWriter::new(file)) {
        Ok(saved) => saved,
        Err(error) => {
            // Half a file would pass for a recovered one.
            let _ = std::fs::remove_file(path);
            return Err(error.into());
        }
    };
    let mut out = String::new();
    for damage in &saved.damages {
        let what = escape_text(damage.what.as_bytes());
        let _ = writeln!(out, "offset {}: {what} ({} bytes)", damage.offset, damage.len);
    }
    for problem in &saved.problems {
        let _ = writeln!(out, "{}", escape_text(problem.to_string().as_bytes()));
    }
    if !saved.finished {
        let _ = writeln!(
            out,
            "the recording was not finished: its end is missing, and with it the names of \
             functions outside the kernel (ktape symbolize finds those of files that it can find)"
        );
    }
    if saved.header_lost {
        let _ = writeln!(out, "the header could not be read: host, probes and start time are lost");
    }
    let _ =
        writeln!(out, "saved {} chunks, {} rows, {} bytes", saved.chunks, saved.rows, saved.bytes);
    let _ = writeln!(
        out,
        "lost {} bytes; in them {} chunks, {} rows that could be counted",
        saved.lost_bytes, saved.lost_chunks, saved.lost_rows
    );
    output::write(out.as_bytes())?;
    Ok(if saved.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
