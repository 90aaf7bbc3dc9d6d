//! Looks places up in debug information and symbol tables.

use addr2line::Loader;

use super::elf_file::address_of;
use super::functions::FunctionTable;
use super::search::{Found, Place};

/// One function at a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: Option<String>,
    /// Offset of the place in it; known of the outermost one, from the symbol table.
    pub(super) offset: Option<u64>,
    pub(super) file: Option<String>,
    pub(super) line: u32,
}

/// Longest name and path that are taken over, in bytes: a short mangled name can stand for megabytes.
const MAX_NAME: usize = 1024;

/// The functions at some offsets of a module: for each the function that the code lies in, then those
/// that were inlined into it, the innermost last. Empty where nothing is known.
pub(super) fn look_up(found: &Found, offsets: &[u64]) -> Result<Vec<Vec<Function>>, String> {
    let loader = Loader::new_with_sup(&found.file, found.supplement.as_ref())
        .map_err(|error| format!("{}: {error}", found.file.display()))?;
    let table = FunctionTable::read(&found.file)?;
    let address = |offset: u64| match &found.place {
        Place::Segments(segments) | Place::Assumed(segments) => address_of(segments, offset),
        Place::From(base) => base.checked_add(offset),
    };
    let functions = |&offset: &u64| {
        address(offset).map_or_else(Vec::new, |address| functions(&loader, &table, address))
    };
    Ok(offsets.iter().map(functions).collect())
}

/// What is broken in debug information is as if it were not there.
fn functions(loader: &Loader, table: &FunctionTable, address: u64) -> Vec<Function> {
    let mut functions = Vec::new();
    if let Ok(mut frames) = loader.find_frames(address) {
        while let Ok(Some(frame)) = frames.next() {
            let name =
                frame.function.as_ref().and_then(|name| Some(bounded(&name.demangle().ok()?)));
            let location = frame.location.as_ref();
            functions.push(Function {
                name,
                offset: None,
                file: location.and_then(|location| location.file).map(bounded),
                line: location.and_then(|location| location.line).unwrap_or(0),
            });
        }
    }
    // Innermost first, until here.
    functions.reverse();
    if let Some((name, offset)) = table.at(address) {
        if functions.is_empty() {
            functions.push(Function::default());
        }
        let outer = &mut functions[0];
        outer.offset = Some(offset);
        let name = || bounded(&addr2line::demangle_auto(name.into(), None));
        outer.name.get_or_insert_with(name);
    }
    functions
}

fn bounded(text: &str) -> String {
    const ELLIPSIS: char = '…';
    if text.len() <= MAX_NAME {
        return text.to_owned();
    }
    let mut text = text[..text.floor_char_boundary(MAX_NAME - ELLIPSIS.len_utf8())].to_owned();
    text.push(ELLIPSIS);
    text
}
