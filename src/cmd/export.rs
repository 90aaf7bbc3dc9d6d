//! `ktape export`: a trace in the forms of other programs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use ktape_analyze::answer::{Answer, NoteKind};
use ktape_analyze::export::{StackExport, flamegraph};
use ktape_analyze::{render, run};

use super::input::{Input, Scan};
use super::output;

/// Export stacks for other programs.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    scan: Scan,
    /// Write to this file; - is standard output.
    #[arg(short, long, global = true, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    #[command(subcommand)]
    form: Form,
}

#[derive(Subcommand, Clone, Debug)]
enum Form {
    /// One line per stack: comm;root;..;leaf weight. Kernel frames end in `_[k]`, inlined ones in `_[i]`.
    Folded(StackExport),
    /// A flame graph as SVG.
    Flamegraph(StackExport),
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let trace = args.input.open()?;
    let (Form::Folded(stacks) | Form::Flamegraph(stacks)) = &args.form;
    let answer = run::run(stacks, &trace, &args.scan.query())?;
    warn(&answer);
    let folded = render::folded(&answer);
    let bytes = match args.form {
        Form::Folded(_) => folded,
        Form::Flamegraph(_) => flamegraph(&folded, stacks.of)?,
    };
    if args.output.as_os_str() == "-" {
        output::write(&bytes)?;
    } else {
        std::fs::write(&args.output, &bytes)
            .with_context(|| format!("writing {}", args.output.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The forms have no place for notes; what the reader must know goes to standard error.
fn warn(answer: &Answer) {
    use std::io::Write;
    for note in answer.notes.iter().filter(|note| note.kind != NoteKind::About) {
        let text = render::escape_text(note.text.as_bytes());
        let _ = writeln!(std::io::stderr(), "ktape: warning: {text}");
    }
}
