//! `ktape redact`: a trace without names.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use ktape_analyze::answer::Answer;
use ktape_analyze::rewrite::{Redact, Secret, redact};
use ktape_format::Trace;

use super::input::InputOrFile;
use super::new_trace::NewTrace;
use super::output::Output;

/// Write a trace with the same numbers and without names: threads, paths, command lines, addresses,
/// functions of programs and all else in words become pseudonyms; then tell what remains readable.
///
/// Functions of the kernel stay, as do file system types and what ktape itself says. The same name has
/// the same pseudonym, in all traces that are redacted with the same key: keep it to redact more, or to
/// find out what a pseudonym stands for by redacting the original again. Numbers stay as they are:
/// times, thread and process numbers, user ids, sizes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    trace: InputOrFile,
    /// Write the new trace to this file. A trace that is there is replaced when the new one is
    /// whole; anything else that is there is refused.
    #[arg(short, long, value_name = "FILE", required_unless_present = "dry_run")]
    output: Option<PathBuf>,
    /// Write nothing, only tell what would remain readable.
    #[arg(long)]
    dry_run: bool,
    /// The secret key: all that is in this file [default: a random one that nobody will know].
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Make a random key and keep it in this file, which must not exist yet.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key_file", "dry_run"])]
    write_key: Option<PathBuf>,
    /// Let texts stay that match one of the patterns in this file, one per line.
    #[arg(long, value_name = "FILE")]
    allow_file: Vec<PathBuf>,
    #[command(flatten)]
    redact: Redact,
    #[command(flatten)]
    answer: Output,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let input = args.trace.input();
    let mut allowed: Vec<String> = Vec::new();
    for path in &args.allow_file {
        let text =
            fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        allowed.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
    }
    let output = args.output.clone().filter(|_| !args.dry_run).map(NewTrace::at);
    if let Some(output) = &output {
        output.check((!input.is_stdin()).then(|| input.path()))?;
    }
    let trace = input.open()?;
    let secret = secret(args)?;
    let write = |trace: &Trace, out: Option<File>| -> anyhow::Result<Answer> {
        Ok(redact(trace, &args.redact, &allowed, &secret, out)?)
    };
    let answer = match output {
        Some(output) => output.write(|file| write(&trace, Some(file)))?,
        None => write(&trace, None)?,
    };
    args.answer.write(answer)?;
    Ok(ExitCode::SUCCESS)
}

/// The key that is there, or a new one.
fn secret(args: &Args) -> anyhow::Result<Secret> {
    if let Some(path) = &args.key_file {
        let key = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        return Secret::new(&key).with_context(|| path.display().to_string());
    }
    let mut random = [0; 32];
    let source = Path::new("/dev/urandom");
    File::open(source)
        .and_then(|mut file| file.read_exact(&mut random))
        .with_context(|| format!("reading {}", source.display()))?;
    let key: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(path) = &args.write_key {
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = match opened {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!(
                    "{} is there already: use it with --key-file, or name another",
                    path.display()
                )
            }
            opened => opened.with_context(|| format!("creating {}", path.display()))?,
        };
        writeln!(file, "{key}").with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(Secret::new(key.as_bytes())?)
}
