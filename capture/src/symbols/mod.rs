//! Names for places in code, read from ELF files, Go's tables and the kernel.
//!
//! Only what is asked for is looked up: one pass over a symbol table finds the symbols of all
//! wanted addresses, and only their names are read. Files are read piece by piece, never whole and
//! never mapped: a container's file may be hostile and may shrink under us.

mod abi;
mod choice;
mod demangle;
mod elf;
mod error;
mod go;
mod gopclntab;
mod kallsyms;
mod layout;
mod moduledata;
mod open;
mod plt;
mod resolver;
mod source;
mod symtab;
mod vdso;

#[cfg(test)]
mod compiled_tests;
#[cfg(test)]
mod hostile_tests;

pub use demangle::{MAX_NAME, demangle};
pub use elf::{Elf, Place};
pub use error::{Error, Result};
pub use kallsyms::{KernelSymbol, resolve_kernel};
pub use layout::{KernelLayout, KernelModule, Origin};
pub use resolver::{Name, Query, Resolved, Resolver};
pub use source::{FileSource, Source};
pub use vdso::own_vdso;
