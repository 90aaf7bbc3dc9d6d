//! `FunctionTable`: functions by address, from the symbol tables of a file.

use std::cmp::Reverse;
use std::fs::File;
use std::path::Path;

use object::{Object, ObjectSymbol, ReadCache, SymbolKind};

/// The functions of a file, those of `.symtab` before those of `.dynsym`.
///
/// A symbol covers its own size and no more: beyond the last exported function of a stripped library
/// lies code that nobody names.
#[derive(Debug, Default)]
pub(super) struct FunctionTable {
    /// By address, one for each.
    functions: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    address: u64,
    size: u64,
    name: String,
}

impl FunctionTable {
    /// Reads the symbol tables; empty when there are none.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let data = ReadCache::new(file);
        let object = object::File::parse(&data).map_err(|error| error.to_string())?;
        let mut functions: Vec<(Reverse<bool>, Entry)> = object
            .symbols()
            .chain(object.dynamic_symbols())
            .filter(|symbol| symbol.is_definition() && symbol.size() > 0)
            .filter(|symbol| matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown))
            .filter_map(|symbol| {
                let name = symbol.name().ok()?.to_owned();
                let entry = Entry { address: symbol.address(), size: symbol.size(), name };
                Some((Reverse(symbol.is_global()), entry))
            })
            .collect();
        // Of several names the one that others may call, then the one with the fewest underscores in
        // front: `clock_nanosleep`, not `__clock_nanosleep`.
        let plain = |name: &str| name.len() - name.trim_start_matches('_').len();
        functions.sort_by(|(a_local, a), (b_local, b)| {
            let key = |local: &Reverse<bool>, entry: &Entry| {
                (entry.address, *local, plain(&entry.name), Reverse(entry.size))
            };
            key(a_local, a).cmp(&key(b_local, b)).then_with(|| a.name.cmp(&b.name))
        });
        let mut functions: Vec<Entry> = functions.into_iter().map(|(_, entry)| entry).collect();
        functions.dedup_by_key(|entry| entry.address);
        Ok(Self { functions })
    }

    /// The function that an address lies in: its name as the linker knows it, and the offset in it.
    pub(super) fn at(&self, address: u64) -> Option<(&str, u64)> {
        let after = self.functions.partition_point(|entry| entry.address <= address);
        let entry = self.functions.get(after.checked_sub(1)?)?;
        let offset = address - entry.address;
        (offset < entry.size).then_some((&*entry.name, offset))
    }
}
