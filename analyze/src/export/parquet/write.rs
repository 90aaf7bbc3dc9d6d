//! `parquet`: writes one file per record.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use ktape_format::{Batch, Decoder, RecordSchema, Trace};
use parquet::file::metadata::KeyValue;

use super::column::columns;
use super::file::File;
use super::names::Names;
use super::options::ParquetExport;
use super::values::{Rows, Values};
use crate::answer::Note;
use crate::context::{Context, Damage, Needs, what};
use crate::error::{Error, Result};
use crate::query::{FilterArgs, RowFilter};
use crate::row_layout::Layout;
use crate::run::{definitions, gaps, loss};
use crate::script::wanted;

/// A row group ends after this many rows, which is what DuckDB gives one thread to read ...
const GROUP_ROWS: usize = 1 << 17;
/// ... or after about so many bytes in memory.
const GROUP_BYTES: usize = 64 << 20;
/// Rows after which that is looked at: they may have texts of 1 MiB.
const PART_ROWS: usize = 64;

/// First and last bytes of a Parquet file.
const MAGIC: &[u8] = b"PAR1";

/// What was written.
#[derive(Debug, Default)]
pub struct Exported {
    /// The files, with their rows.
    pub files: Vec<(PathBuf, u64)>,
    /// What the reader must know besides: losses, damage.
    pub notes: Vec<Note>,
}

/// Writes the rows that pass the filters into `folder`, one file per record that has any:
/// `RECORD.parquet`. Rows stand in the order of the trace, which is that of time on each CPU.
///
/// A file takes its name when it is whole; a Parquet file of that name is replaced, anything else is
/// an error.
///
/// # Errors
///
/// [`Error::Option`] for a filter or a record that does not exist, [`Error::Export`] when a file cannot
/// be written.
pub fn parquet(
    trace: &Trace,
    filter: &FilterArgs,
    options: &ParquetExport,
    folder: &Path,
) -> Result<Exported> {
    let cx = Context::load(trace, Needs::CODE);
    let filter = filter.resolve(&cx)?;
    let mut names = Names::new(&cx);
    let mut damages = Vec::new();
    let mut exported = Exported::default();
    fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    for schema in wanted(trace, &options.record)? {
        let rows = RowFilter::new(&cx, &filter, schema);
        let one = One { cx: &cx, schema, layout: Layout::of(schema), filter: rows };
        let path = folder.join(file_name(&schema.name));
        if let Some(count) = one.write(&path, options.level, &mut names, &mut damages)? {
            exported.files.push((path, count));
        }
        exported.notes.extend(loss(&cx, &filter, &schema.name));
    }
    damages.extend(cx.damages());
    damages.sort();
    damages.dedup();
    exported.notes.extend(definitions(&cx));
    exported.notes.extend(gaps(&cx, &damages));
    Ok(exported)
}

/// A record that is exported.
struct One<'a> {
    cx: &'a Context<'a>,
    schema: &'a RecordSchema,
    layout: Layout,
    filter: RowFilter<'a>,
}

impl One<'_> {
    /// Writes its file, if any row passes; how many do.
    fn write(
        &self,
        path: &Path,
        level: i32,
        names: &mut Names<'_>,
        damages: &mut Vec<Damage>,
    ) -> Result<Option<u64>> {
        let trace = self.cx.trace();
        let mut chunks: Vec<usize> = (0..trace.chunks().len())
            .filter(|&at| trace.chunks()[at].record == self.schema.id)
            .filter(|&at| self.filter.passes_chunk(&trace.chunks()[at]))
            .collect();
        chunks.sort_by_key(|&at| (trace.chunks()[at].first, at));
        if chunks.is_empty() {
            return Ok(None);
        }
        let columns = columns(self.schema, &self.layout);
        let fields: Vec<&str> = self.schema.fields.iter().map(|field| &*field.name).collect();
        let mut values: Vec<Values> =
            columns.iter().map(|column| Values::new(column.physical)).collect();
        let (mut decoder, mut batch, mut keep) = (Decoder::new(), Batch::new(), Vec::new());
        let mut out: Option<Unfinished> = None;
        let end_group = |out: &mut Option<Unfinished>, values: &mut [Values]| -> Result<()> {
            let out = match out {
                Some(out) => out,
                None => out.insert(self.begin(path, &columns, level)?),
            };
            out.file.group(values).map_err(|source| failed(path, source))?;
            values.iter_mut().for_each(Values::clear);
            Ok(())
        };
        let (mut rows, mut bytes, mut total) = (0, 0, 0);
        let mut left = chunks.iter().peekable();
        while let Some(&index) = left.next() {
            let info = &trace.chunks()[index];
            match decoder.read(trace, index, &fields, &mut batch) {
                Ok(()) => {
                    self.filter.apply(info, &mut batch, &mut keep);
                    let Self { cx, schema, layout, .. } = self;
                    let part = Rows { cx, schema, layout, batch: &batch };
                    for from in (0..batch.rows()).step_by(PART_ROWS) {
                        let to = batch.rows().min(from + PART_ROWS);
                        for (column, values) in columns.iter().zip(&mut values) {
                            bytes += part.append(from..to, column, names, values);
                        }
                        rows += to - from;
                        if bytes >= GROUP_BYTES {
                            end_group(&mut out, &mut values)?;
                            total += rows as u64;
                            (rows, bytes) = (0, 0);
                        }
                    }
                }
                Err(error) => damages.push(Damage { offset: info.offset, what: what(&error) }),
            }
            if rows > 0 && (rows >= GROUP_ROWS || left.peek().is_none()) {
                end_group(&mut out, &mut values)?;
                total += rows as u64;
                (rows, bytes) = (0, 0);
            }
        }
        out.map(|out| out.finish(path)).transpose()?;
        Ok((total > 0).then_some(total))
    }

    fn begin(
        &self,
        path: &Path,
        columns: &[super::column::Column],
        level: i32,
    ) -> Result<Unfinished> {
        check_replaceable(path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".ktape-")
            .suffix(".parquet")
            .tempfile_in(folder)
            .map_err(|source| failed(path, source))?;
        let file = File::new(BufWriter::new(file), &self.schema.name, columns, level, self.facts())
            .map_err(|source| failed(path, source))?;
        Ok(Unfinished { file })
    }

    /// What the file says of the recording.
    fn facts(&self) -> Vec<KeyValue> {
        let meta = self.cx.meta();
        let hosts: Vec<&str> =
            self.cx.hosts().list().iter().map(|host| host.name.as_str()).collect();
        let fact = |key: &str, value: String| KeyValue::new(format!("ktape.{key}"), value);
        vec![
            fact("record", self.schema.name.clone()),
            fact("host", hosts.join(",")),
            fact("boot_id", meta.host.boot_id.clone()),
            fact("kernel", meta.host.kernel.clone()),
            fact("command_line", meta.command_line.join(" ")),
            fact("start_mono_ns", meta.start.mono.to_string()),
            fact("start_realtime_ns", meta.start.realtime.to_string()),
        ]
    }
}

/// A file that has not got its name yet; gone if it never does.
struct Unfinished {
    file: File<BufWriter<tempfile::NamedTempFile>>,
}

impl Unfinished {
    fn finish(self, path: &Path) -> Result<()> {
        let out = self.file.finish().map_err(|source| failed(path, source))?;
        let mut file = out.into_inner().map_err(|error| failed(path, error.into_error()))?;
        file.flush().map_err(|source| failed(path, source))?;
        file.persist(path).map_err(|error| failed(path, error.error))?;
        Ok(())
    }
}

/// Refuses to replace what is no Parquet file.
fn check_replaceable(path: &Path) -> Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    let mut first = Vec::new();
    if metadata.is_file() {
        use std::io::Read;
        fs::File::open(path)
            .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut first))
            .map_err(|source| failed(path, source))?;
    }
    if first == MAGIC {
        return Ok(());
    }
    let what = "is there and is no Parquet file: give another -o";
    Err(Error::Export { path: path.to_owned(), source: what.into() })
}

/// The name of a record's file. A hostile trace may name a record as it likes.
fn file_name(record: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let name: String = record.chars().take(64).map(safe).collect();
    format!("{name}.parquet")
}

fn failed(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Export { path: path.to_owned(), source: source.into() }
}
