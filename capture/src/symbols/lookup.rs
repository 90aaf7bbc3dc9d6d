//! Where functions are, by their names: the other way round than [`Elf::places`].

use crate::symbols::abi;
use crate::symbols::elf::Elf;
use crate::symbols::source::{Source, bytes};
use crate::symbols::{Result, go, symtab};

impl<S: Source> Elf<S> {
    /// Offsets in the file of the functions with these names, as .dynsym or .symtab have them; `None`
    /// for one that neither has.
    pub(crate) fn functions(&self, names: &[&str]) -> Vec<Option<u64>> {
        let mut found = vec![None; names.len()];
        for kind in [abi::SHT_DYNSYM, abi::SHT_SYMTAB] {
            if let Some(table) = self.sections.iter().find(|table| table.kind == kind) {
                symtab::addresses(self, table, names, &mut found);
            }
        }
        found.into_iter().map(|address| self.offset_of(address?)).collect()
    }

    /// Where in the file Go's functions with these names are, also of a vendored copy; `None` for one
    /// that there is not, and for the whole when this is no Go program.
    pub(crate) fn go_functions(&self, names: &[&str]) -> Option<Vec<Option<Code>>> {
        let found = go::addresses(self, names)?;
        let code = |(address, len)| Some(Code { offset: self.offset_of(address)?, len });
        Some(found.into_iter().map(|found| code(found?)).collect())
    }

    /// Bytes of code, at most so many.
    pub(crate) fn code(&self, at: Code, most: usize) -> Result<Vec<u8>> {
        bytes(&self.source, at.offset, at.len, most)
    }
}

/// A function's code in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) offset: u64,
    /// Up to the next function.
    pub(crate) len: u64,
}
