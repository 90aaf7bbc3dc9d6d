//! The kernel programs of ktape, as committed objects.
//!
//! The sources are probes/*.bpf.c; `cargo xtask bpf` compiles them into one object per
//! architecture, so that they share their maps, and a second one for kernels without task storage
//! (before 5.11). Users need no clang; `cargo xtask bpf --check` proves that objects and sources
//! agree.
#![forbid(unsafe_code)]

/// Bytes aligned as ELF readers want them.
#[repr(C, align(16))]
struct Aligned<T: ?Sized>(T);

macro_rules! object {
    ($path:literal) => {{
        static OBJECT: &Aligned<[u8]> = &Aligned(*include_bytes!($path));
        &OBJECT.0
    }};
}

/// All programs, for kernels with task storage (5.11 and later).
#[cfg(target_arch = "x86_64")]
pub fn object() -> &'static [u8] {
    object!("../prebuilt/ktape.x86_64.o")
}

/// All programs, with a hash map in place of task storage.
#[cfg(target_arch = "x86_64")]
pub fn object_without_task_storage() -> &'static [u8] {
    object!("../prebuilt/ktape-hash.x86_64.o")
}

/// All programs, for kernels with task storage (5.11 and later).
#[cfg(target_arch = "aarch64")]
pub fn object() -> &'static [u8] {
    object!("../prebuilt/ktape.aarch64.o")
}

/// All programs, with a hash map in place of task storage.
#[cfg(target_arch = "aarch64")]
pub fn object_without_task_storage() -> &'static [u8] {
    object!("../prebuilt/ktape-hash.aarch64.o")
}
