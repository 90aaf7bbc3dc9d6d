//! `ktape export`: a trace in the forms of other programs.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use ktape_analyze::export::{ParquetExport, StackExport, flamegraph, parquet};
use ktape_analyze::{render, run};
use ktape_format::Trace;

use super::input::{Input, Scan};
use super::output;
use super::usage::Usage;

/// Export a trace for other programs.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    scan: Scan,
    /// Write to this file, - is standard output; of Parquet: to this folder.
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
    /// One Parquet file per record in the folder -o, for DuckDB, Spark, Polars and their like.
    ///
    /// Fields have the names and numbers that EVENTS.md tells, and beside them what they stand for:
    /// host, comm, process, FIELD_utc, FIELD_name, FIELD_text, FIELD_folded (stacks).
    Parquet(ParquetExport),
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if !matches!(args.form, Form::Parquet(_)) {
        let input = (!args.input.is_stdin()).then(|| args.input.path());
        output::check_target(&args.output, input)?;
    }
    let trace = args.input.open()?;
    match &args.form {
        Form::Folded(of) => output::write_to(&args.output, &stacks(args, &trace, of)?)?,
        Form::Flamegraph(of) => {
            let folded = stacks(args, &trace, of)?;
            output::write_to(&args.output, &flamegraph(&folded, of.of)?)?;
        }
        Form::Parquet(options) => {
            if args.output.as_os_str() == "-" {
                let why = "export parquet writes files: name a folder with -o";
                return Err(Usage(why.to_owned()).into());
            }
            let filter = &args.scan.query().filter;
            let exported = parquet(&trace, filter, options, &args.output)?;
            output::warn(&exported.notes);
            for (path, rows) in exported.files {
                let path = render::escape_text(path.as_os_str().as_encoded_bytes());
                let _ = writeln!(std::io::stderr(), "{path}: {rows} rows");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The stacks as folded lines.
fn stacks(args: &Args, trace: &Trace, of: &StackExport) -> anyhow::Result<Vec<u8>> {
    let answer = run::run(of, trace, &args.scan.query())?;
    output::warn(&answer.notes);
    Ok(render::folded(&answer))
}
