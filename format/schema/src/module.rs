//! `module`: a file that code was loaded from.

/// What a module is (`module.kind`).
pub mod module_kind {
    /// An ELF file.
    pub const FILE: u32 = 1;
    /// The kernel image; offsets count from `_stext`.
    pub const KERNEL: u32 = 2;
    /// A kernel module; offsets count from its load address.
    pub const KERNEL_MODULE: u32 = 3;
    /// The vDSO.
    pub const VDSO: u32 = 4;
    /// Memory without a file (generated code); offsets are addresses in the process.
    pub const ANONYMOUS: u32 = 5;
    /// A program of the kernel's BPF machine, named bpf_prog_TAG_NAME; offsets count from its start.
    pub const BPF: u32 = 6;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (1, "file"),
        (2, "kernel"),
        (3, "kernel_module"),
        (4, "vdso"),
        (5, "anonymous"),
        (6, "bpf"),
    ];
}

crate::record! {
    /// A file (or other origin) that executable code came from.
    Module = 22 as "module", Definition {
        /// Its id, from 1.
        id: u32 [ModuleId],
        /// Path, or the kernel's name for it in brackets.
        path: u32 [StringId],
        /// GNU build-id in lower-case hexadecimal; 0 when it has none or it could not be read.
        build_id: u32 [StringId],
        /// What it is.
        kind: u32 [Enum(module_kind::NAMES)],
    }
}
