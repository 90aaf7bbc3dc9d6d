//! `symbolize`: the whole step.

use std::collections::BTreeMap;
use std::io::Write;

use ktape_format::Trace;
use ktape_schema::{Symbol, module_kind};
use rustc_hash::FxHashSet;

use super::lookup::{Function, look_up};
use super::options::Symbolize;
use super::outcome::{Outcome, answer};
use super::rewrite::{Change, rewrite};
use super::search::{Place, Wanted, search};
use super::texts::Texts;
use crate::answer::Answer;
use crate::context::{Context, Module, Needs, UNKNOWN};
use crate::error::Result;
use crate::run::gaps;

/// Writes a trace with the same facts in which frames have names, inlined functions, source files and
/// lines, as far as files with the right build-id are found that have symbols or debug information. The answer says what was
/// found for each module, or why nothing was.
///
/// Names that the recorder found stay: debug information adds files, lines and what was inlined, and
/// names the frames that had no name. Frames of modules without files keep all that they have.
///
/// # Errors
///
/// When `out` cannot be written, or the trace has no room for symbols.
pub fn symbolize(trace: &Trace, options: &Symbolize, out: impl Write) -> Result<Answer> {
    let cx = Context::load(trace, Needs::CODE);
    let mut frames: BTreeMap<u32, Vec<(u32, u64)>> = BTreeMap::new();
    for (id, frame) in cx.code().frames() {
        frames.entry(frame.module).or_default().push((id, frame.offset));
    }
    let mut change = Change {
        frames: FxHashSet::default(),
        symbols: Vec::new(),
        texts: Vec::new(),
        notes: notes(trace),
    };
    let mut texts = Texts::of(trace);
    let mut outcomes = Vec::new();
    for (id, module) in cx.code().modules() {
        let frames = frames.remove(&id).unwrap_or_default();
        if frames.is_empty() {
            continue;
        }
        let mut outcome = Outcome {
            id,
            path: cx.strings().get(module.path).to_vec(),
            build_id: cx.strings().get(module.build_id).to_vec(),
            kind: module.kind,
            frames: frames.len() as u64,
            ..Outcome::default()
        };
        match functions(&cx, module, &frames, options, &mut outcome) {
            Ok(found) => {
                for ((frame, _), functions) in frames.iter().zip(found) {
                    replace(&cx, *frame, &functions, &mut texts, &mut change, &mut outcome)?;
                }
            }
            Err(why) => outcome.why = why,
        }
        outcomes.push(outcome);
    }
    change.texts = texts.into_added();
    let mut damages = rewrite(trace, &change, out)?;
    damages.extend(cx.damages());
    damages.sort();
    damages.dedup();
    Ok(answer(outcomes, gaps(&cx, &damages)))
}

/// What the new header tells of where it comes from.
fn notes(trace: &Trace) -> Vec<(String, String)> {
    let path = trace.path();
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut notes = vec![("symbolized from".to_owned(), name)];
    let damages = trace.state().damages();
    if !damages.is_empty() {
        let bytes = damages.iter().map(|damage| damage.len).fold(0, u64::saturating_add);
        notes.push(("symbolized without".to_owned(), format!("{bytes} unreadable bytes")));
    }
    notes.extend(trace.unfinished_note());
    notes
}

/// The functions at the frames of a module, or why they are not known.
fn functions(
    cx: &Context<'_>,
    module: &Module,
    frames: &[(u32, u64)],
    options: &Symbolize,
    outcome: &mut Outcome,
) -> std::result::Result<Vec<Vec<Function>>, String> {
    let kernel = match module.kind {
        module_kind::KERNEL => true,
        module_kind::FILE | module_kind::VDSO => false,
        module_kind::KERNEL_MODULE => {
            return Err("kernel modules are relocated when loaded: not looked up".to_owned());
        }
        _ => return Err("it is no file".to_owned()),
    };
    let text = |id| String::from_utf8_lossy(cx.strings().get(id)).into_owned();
    let wanted = Wanted { path: text(module.path), build_id: text(module.build_id), kernel };
    let found = search(&wanted, options)?;
    let offsets: Vec<u64> = frames.iter().map(|frame| frame.1).collect();
    let functions = look_up(&found, &offsets)?;
    if matches!(found.place, Place::Assumed(_)) {
        if disagree(cx, frames, &functions) {
            return Err(format!(
                "{}: without the module itself its layout is not known (names disagree)",
                found.file.display()
            ));
        }
        outcome.why = "the module itself was not found: laid out as GNU ld does".to_owned();
    }
    if !found.has_dwarf {
        outcome.why = "no debug information: names of its symbol table".to_owned();
    }
    outcome.file = found.file.display().to_string();
    Ok(functions)
}

/// Whether debug information names most of the places otherwise than the recorder did.
fn disagree(cx: &Context<'_>, frames: &[(u32, u64)], functions: &[Vec<Function>]) -> bool {
    let (mut same, mut other) = (0u64, 0u64);
    for ((frame, _), functions) in frames.iter().zip(functions) {
        let Some(known) = cx.code().symbols(*frame).next() else { continue };
        let known = String::from_utf8_lossy(cx.strings().get(known.name));
        match functions.first().and_then(|function| function.name.as_deref()) {
            // `outer.constprop.0` in the symbol table is `outer` in debug information.
            Some(name) if known.starts_with(name) || name.starts_with(&*known) => same += 1,
            _ => other += 1,
        }
    }
    other > same
}

/// Gives a frame new symbols when they say more than the old ones.
fn replace(
    cx: &Context<'_>,
    frame: u32,
    functions: &[Function],
    texts: &mut Texts,
    change: &mut Change,
    outcome: &mut Outcome,
) -> Result<()> {
    let Some(outer) = functions.first() else { return Ok(()) };
    let known = cx.code().symbols(frame).next();
    let has_line = functions.iter().any(|function| function.file.is_some());
    if !has_line && functions.len() == 1 && known.is_some() {
        return Ok(());
    }
    outcome.named += u64::from(known.is_none() && outer.name.is_some());
    outcome.lines += u64::from(has_line);
    outcome.inlined += functions.len() as u64 - 1;
    change.frames.insert(frame);
    for (depth, function) in (0..).zip(functions) {
        let name = match (depth, known) {
            (0, Some(known)) => known.name,
            _ => texts.id(function.name.as_deref().map_or(UNKNOWN, str::as_bytes))?,
        };
        let offset = match (depth, known) {
            (0, Some(known)) => known.offset,
            (0, None) => outer.offset.unwrap_or(0),
            _ => 0,
        };
        change.symbols.push(Symbol {
            offset,
            frame,
            depth,
            name,
            file: texts.id(function.file.as_deref().unwrap_or("").as_bytes())?,
            line: function.line,
            flags: 0,
        });
    }
    Ok(())
}
