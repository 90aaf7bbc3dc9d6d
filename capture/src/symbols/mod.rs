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
mod lookup;
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

pub(crate) use demangle::demangle;
pub(crate) use elf::Elf;
pub(crate) use error::{Error, Result};
pub(crate) use kallsyms::resolve_kernel;
pub(crate) use layout::KernelLayout;
pub(crate) use open::{Identity, Wish, identity, open_module};
pub(crate) use resolver::{Name, Query, Resolver};
pub(crate) use source::FileSource;
pub(crate) use vdso::own_vdso;
