//! `redact`: a trace without the names of what it was recorded from.

mod class;
mod header;
mod options;
mod pseudonyms;
mod secret;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use ktape_format::{Trace, Writer};
use ktape_schema::{Kind, StringText};

use super::chunks::{Chunks, check_schema, gap_notes};
use super::outcome;
use super::trim::Cut;
use crate::answer::{Answer, Block, Cell, Facts, Table};
use crate::context::{Context, Needs};
use crate::error::{Error, Result};
use crate::run::gaps;
use class::Class;
pub(crate) use header::REDACTED;
pub use options::Redact;
use pseudonyms::Pseudonyms;
pub use secret::Secret;
use texts::Texts;

/// Writes a trace with the same numbers in which every text is replaced by a pseudonym, but for what
/// `options` and the patterns in `allowed` let stay; and tells what stayed. Without `out` nothing is
/// written.
///
/// The same text of the same class has the same pseudonym under the same key. Texts of fields that this
/// program does not know are replaced, too.
///
/// # Errors
///
/// When the trace is of a newer ktape that keeps texts elsewhere, or `out` cannot be written.
pub fn redact(
    trace: &Trace,
    options: &Redact,
    allowed: &[String],
    secret: &Secret,
    out: Option<impl Write>,
) -> Result<Answer> {
    check_schema(trace)?;
    check_texts(trace)?;
    let cx = Context::load(trace, Needs::CODE);
    let pseudonyms = Pseudonyms::new(secret, options, allowed);
    let cut = Cut::all(&cx)?;
    let mut chunks = Chunks::new(trace);
    let needed = cut.needed(&mut chunks);
    let mut texts = Texts::new(&cx, options);
    let mut scratch = Vec::new();
    for (index, chunk, schema) in chunks.all() {
        // The dictionary of texts names none.
        if schema.name != StringText::DESC.name && chunks.read_all(index, schema) {
            cut.apply(chunk, schema, &needed, &mut chunks.batch, &mut scratch);
            texts.take(&cx, schema, &chunks.batch);
        }
    }
    texts.number();
    let mut meta = trace.meta().clone();
    meta.notes.extend(gap_notes(trace));
    header::redact(&mut meta, &pseudonyms);
    let header = header::remaining(trace.meta(), &meta, &pseudonyms);
    let mut told = tell(&cx, &texts, &pseudonyms, &header);
    if let Some(out) = out {
        let mut writer = Writer::new(out, meta, ktape_format::Options::default())?;
        writer.texts(&texts.rows(&cx, &pseudonyms))?;
        for (index, chunk, schema) in chunks.all() {
            let is_dictionary = schema.name == StringText::DESC.name;
            if is_dictionary || !chunks.read_all(index, schema) {
                continue;
            }
            cut.apply(chunk, schema, &needed, &mut chunks.batch, &mut scratch);
            texts.apply(&cx, schema, &mut chunks.batch);
            writer.columns(schema, chunk.ring, &chunks.batch)?;
        }
        let (_, written) = writer.finish()?;
        let sizes = outcome::answer("redact", "Redacted trace", &[trace], &written, Vec::new());
        told.blocks.extend(sizes.blocks);
    }
    let damages = chunks.into_damages(&cx.damages());
    told.notes = gaps(&cx, &damages);
    Ok(told)
}

/// Texts lie in one dictionary; a newer program that keeps them elsewhere, too, is not to be trusted.
fn check_texts(trace: &Trace) -> Result<()> {
    for record in &trace.meta().schema {
        let own = record.name == StringText::DESC.name && record.id == StringText::DESC.id;
        let text = record.fields.iter().find(|field| {
            let is_text =
                field.ty == ktape_schema::Type::Text as u8 && !(own && field.name == "text");
            let is_wide =
                field.kind == Kind::StringId.name() && field.ty != ktape_schema::Type::U32 as u8;
            is_text || is_wide
        });
        if let Some(field) = text {
            return Err(Error::Rewrite(format!(
                "{}.{} holds texts in a way that this ktape does not know: use a newer one",
                record.name, field.name
            )));
        }
    }
    Ok(())
}

/// Per class how many texts are replaced, and what stays: texts, parts of them, and the header.
fn tell(cx: &Context<'_>, texts: &Texts, pseudonyms: &Pseudonyms<'_>, header: &[String]) -> Answer {
    let mut counts: BTreeMap<Class, (u64, u64)> = BTreeMap::new();
    let mut kept: BTreeSet<(Class, Vec<u8>)> = BTreeSet::new();
    let mut parts = Vec::new();
    for (class, text, _) in texts.all(cx) {
        let count = counts.entry(class).or_default();
        parts.clear();
        if pseudonyms.made(class, text, &mut parts) == text {
            count.1 += 1;
            kept.insert((class, text.to_vec()));
        } else {
            count.0 += 1;
            kept.extend(parts.drain(..).map(|part| (class, part)));
        }
    }
    let mut classes =
        Table::plain("classes", &[("class", "class"), ("replaced", "replaced"), ("kept", "kept")]);
    classes.rows = Class::ALL
        .iter()
        .filter_map(|class| Some((class, counts.get(class)?)))
        .map(|(class, count)| {
            vec![Cell::text(class.name()), Cell::Count(count.0), Cell::Count(count.1)]
        })
        .collect();
    let mut remaining = Table::main("remaining", &[("class", "class"), ("text", "remains")]);
    remaining.title = "What remains readable".to_owned();
    let header = header.iter().map(|text| vec![Cell::text("header"), Cell::text(text)]);
    let kept =
        kept.into_iter().map(|(class, text)| vec![Cell::text(class.name()), Cell::Text(text)]);
    remaining.rows = kept.chain(header).collect();
    let fingerprint = pseudonyms.secret.fingerprint();
    let facts = Facts {
        rows: vec![("key_fingerprint", "fingerprint of the key", Cell::text(fingerprint))],
        ..Facts::default()
    };
    let blocks = vec![
        Block::Heading("Texts".to_owned()),
        Block::Facts(facts),
        Block::Table(classes),
        Block::Table(remaining),
    ];
    Answer { report: "redact", window: None, blocks, notes: Vec::new() }
}
