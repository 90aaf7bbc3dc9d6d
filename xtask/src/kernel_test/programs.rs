//! The programs of this machine that the test needs, and the packages that have them.

use crate::bench::tools;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// Where they are.
pub struct Programs {
    pub qemu: PathBuf,
    pub busybox: PathBuf,
}

/// Program and Debian package.
const NEEDED: &[(&str, &str)] = &[
    (QEMU, "qemu-system-x86"),
    (BUSYBOX, "busybox-static"),
    ("depmod", "kmod"),
    ("cc", "gcc"),
    ("strip", "binutils"),
    ("ldd", "libc-bin"),
    ("apt-get", "apt"),
    ("apt-cache", "apt"),
    ("dpkg-deb", "dpkg"),
];
const QEMU: &str = "qemu-system-x86_64";
const BUSYBOX: &str = "busybox";

impl Programs {
    /// Finds all, or says which packages are missing.
    pub fn find() -> Result<Self> {
        let mut missing: Vec<String> = NEEDED
            .iter()
            .filter(|(program, _)| tools::find(program).is_none())
            .map(|(program, package)| format!("{program} (Debian package {package})"))
            .collect();
        let busybox = tools::find(BUSYBOX);
        if let Some(path) = &busybox
            && !is_static(path)?
        {
            missing.push(format!("a static {BUSYBOX} (Debian package busybox-static)"));
        }
        if !missing.is_empty() {
            bail!("this needs {}", missing.join(", "));
        }
        Ok(Self { qemu: tools::find(QEMU).context(QEMU)?, busybox: busybox.context(BUSYBOX)? })
    }
}

/// Whether a 64-bit ELF program asks for no interpreter (`PT_INTERP`), which a guest has not.
pub fn is_static(path: &Path) -> Result<bool> {
    const PT_INTERP: u32 = 3;
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let half = |at: usize| {
        bytes.get(at..at + 2).map(|two| usize::from(u16::from_le_bytes([two[0], two[1]])))
    };
    let headers = || -> Option<Vec<u32>> {
        let start =
            usize::try_from(u64::from_le_bytes(bytes.get(32..40)?.try_into().ok()?)).ok()?;
        let (size, count) = (half(54)?, half(56)?);
        let kind = |at: usize| {
            let at = start.checked_add(at.checked_mul(size)?)?;
            Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
        };
        (0..count).map(kind).collect()
    };
    let headers = headers().with_context(|| format!("{} is no program", path.display()))?;
    Ok(!headers.contains(&PT_INTERP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_at_run_time_is_not_static() {
        // A test program is linked as Rust links by default: with the C library at run time.
        assert!(!is_static(&std::env::current_exe().unwrap()).unwrap());
        assert!(is_static(Path::new(file!())).is_err());
    }
}
