//! `ktape redact`: a trace without names.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use ktape_analyze::answer::Answer;
use ktape_analyze::rewrite::{Redact, Secret, redact};
use ktape_format::Trace;

use super::beside::is_same;
use super::input::InputOrFile;
use super::new_trace::NewTrace;
use super::output::Output;

/// Write a trace with the same numbers and without names: threads, paths, command lines, addresses,
/// functions of programs and all else in words become pseudonyms; then tell what remains readable.
///
/// Names of functions of the kernel stay, as do file system types and what ktape itself says. The same name has
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
    if let Some(path) = &args.write_key {
        if let Some(output) = args.output.as_deref().filter(|output| is_one_place(path, output)) {
            let output = output.display();
            bail!("{output} cannot be both the trace and its key: name another --write-key");
        }
        if fs::symlink_metadata(path).is_ok() {
            bail!("{} is there already: use it with --key-file, or name another", path.display());
        }
    }
    let trace = input.open()?;
    let (secret, key) = secret(args)?;
    let write = |trace: &Trace, out: Option<File>| -> anyhow::Result<Answer> {
        Ok(redact(trace, &args.redact, &allowed, &secret, out)?)
    };
    let mut kept = None;
    let answer = match output {
        Some(output) => output.write(|file| {
            let told = write(&trace, Some(file))?;
            // No trace is in its place without its key.
            kept = args.write_key.as_deref().map(|path| keep(path, &key)).transpose()?;
            Ok(told)
        }),
        None => write(&trace, None),
    };
    if answer.is_err()
        && let Some(path) = kept
    {
        let _ = fs::remove_file(path);
    }
    let answer = answer?;
    args.answer.write(answer)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether two paths, which need not exist, are of one file.
fn is_one_place(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        path.file_name().map(|name| folder.join(name))
    };
    a == b || is_same(a, b) || place(a).is_some_and(|place_of_a| Some(place_of_a) == place(b))
}

/// The key that is there, or a new one; and its text.
fn secret(args: &Args) -> anyhow::Result<(Secret, String)> {
    if let Some(path) = &args.key_file {
        let key = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let secret = Secret::new(&key).with_context(|| path.display().to_string())?;
        return Ok((secret, String::new()));
    }
    let mut random = [0; 32];
    let source = Path::new("/dev/urandom");
    File::open(source)
        .and_then(|mut file| file.read_exact(&mut random))
        .with_context(|| format!("reading {}", source.display()))?;
    let key: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((Secret::new(key.as_bytes())?, key))
}

/// Writes a key to a new file that nobody else can read; nothing is left of it when that fails.
fn keep<'p>(path: &'p Path, key: &str) -> anyhow::Result<&'p Path> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.with_context(|| format!("creating {}", path.display()))?;
    writeln!(file, "{key}").and_then(|()| file.sync_all()).map_err(|error| {
        let _ = fs::remove_file(path);
        anyhow::Error::new(error).context(format!("writing {}", path.display()))
    })?;
    Ok(path)
}
