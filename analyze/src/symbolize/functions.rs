//! `FunctionTable`: functions by address, from the symbol tables of a file.

use std::cmp::Reverse;
use std::fs::File;
use std::path::Path;

use object::{Object, ObjectSymbol, ReadCache, SymbolKind};

/// Most bytes of all names together: those of the largest browsers have a quarter. A symbol of 24 bytes
/// can name 4096.
const MAX_NAMES: usize = 256 << 20;
/// Most symbols that are looked at.
const MAX_SYMBOLS: usize = 8 << 20;

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
    /// Reads the symbol tables; empty when there are none. Of tables that no linker makes, which are
    /// larger than any, it has the beginning.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        Self::read_within(path, MAX_NAMES)
    }

    fn read_within(path: &Path, mut room: usize) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let data = ReadCache::new(file);
        let object = object::File::parse(&data).map_err(|error| error.to_string())?;
        let symbols = object
            .symbols()
            .chain(object.dynamic_symbols())
            .take(MAX_SYMBOLS)
            .filter(|symbol| symbol.is_definition() && symbol.size() > 0)
            .filter(|symbol| matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown));
        let mut functions: Vec<(Reverse<bool>, Entry)> = Vec::new();
        for symbol in symbols {
            let Ok(name) = symbol.name() else { continue };
            let Some(left) = room.checked_sub(name.len()) else { break };
            room = left;
            let (address, size) = (symbol.address(), symbol.size());
            let entry = Entry { address, size, name: name.to_owned() };
            functions.push((Reverse(symbol.is_global()), entry));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded() {
        let own = std::env::current_exe().unwrap();
        let bytes = |most: usize| -> usize {
            let table = FunctionTable::read_within(&own, most).unwrap();
            table.functions.iter().map(|entry| entry.name.len()).sum()
        };
        assert!((1..=1000).contains(&bytes(1000)));
        assert!(bytes(MAX_NAMES) > 100_000);
    }
}
