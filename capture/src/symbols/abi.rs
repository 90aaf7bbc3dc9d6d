//! The numbers of the ELF format that are needed here, as in elf(5).
//!
//! Plain integers, as they are read: a hostile file can hold any other.

/// First bytes of a file.
pub(super) const MAGIC: [u8; 4] = *b"\x7fELF";
pub(super) const CLASS_32: u8 = 1;
pub(super) const CLASS_64: u8 = 2;
pub(super) const LITTLE_ENDIAN: u8 = 1;

pub(super) const EM_386: u16 = 3;
pub(super) const EM_X86_64: u16 = 62;
pub(super) const EM_AARCH64: u16 = 183;

/// Segments.
pub(super) const PT_LOAD: u32 = 1;
pub(super) const PT_NOTE: u32 = 4;
pub(super) const PF_X: u32 = 1;

/// Sections.
pub(super) const SHT_PROGBITS: u32 = 1;
pub(super) const SHT_SYMTAB: u32 = 2;
pub(super) const SHT_RELA: u32 = 4;
pub(super) const SHT_NOTE: u32 = 7;
pub(super) const SHT_DYNSYM: u32 = 11;
pub(super) const SHF_WRITE: u64 = 1;
pub(super) const SHF_ALLOC: u64 = 2;
pub(super) const SHF_EXECINSTR: u64 = 4;

/// Section numbers of symbols that stand for something else.
pub(super) const SHN_UNDEF: u16 = 0;
pub(super) const SHN_ABS: u16 = 0xfff1;
pub(super) const SHN_COMMON: u16 = 0xfff2;
pub(super) const SHN_XINDEX: u16 = 0xffff;

/// Symbols.
pub(super) const STT_NOTYPE: u8 = 0;
pub(super) const STT_FUNC: u8 = 2;
pub(super) const STT_GNU_IFUNC: u8 = 10;
pub(super) const STB_LOCAL: u8 = 0;
pub(super) const STB_GLOBAL: u8 = 1;
pub(super) const STB_WEAK: u8 = 2;
pub(super) const STB_GNU_UNIQUE: u8 = 10;

/// The GNU note that holds the build-id.
pub(super) const NT_GNU_BUILD_ID: u32 = 3;

/// Relocations of addresses in a file that can be loaded anywhere.
pub(super) const R_X86_64_RELATIVE: u64 = 8;
pub(super) const R_AARCH64_RELATIVE: u64 = 1027;
