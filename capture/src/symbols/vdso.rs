//! The vDSO: code that the kernel maps into every process, without a file.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::proc::{Backing, executable};
use crate::symbols::{Error, Result};

/// More than any kernel's vDSO: 8 KiB on x86-64.
const MAX_SIZE: u64 = 1 << 20;

/// The image of this process's own vDSO, an ELF file. 64-bit processes of one boot all have the
/// same one; offsets in mappings of it count from its first byte.
pub(crate) fn own_vdso() -> Result<Vec<u8>> {
    let failed = |name: &str| {
        let path = Path::new(name).to_owned();
        move |source| Error::Open { path, source }
    };
    let mut maps = Vec::new();
    File::open("/proc/self/maps")
        .and_then(|mut file| file.read_to_end(&mut maps))
        .map_err(failed("/proc/self/maps"))?;
    let vdso =
        executable(&maps).find(|mapping| mapping.backing == Backing::Vdso).ok_or(Error::NoVdso)?;
    let len = (vdso.end - vdso.start).min(MAX_SIZE);
    let mut image = vec![0; usize::try_from(len).unwrap_or(0)];
    File::open("/proc/self/mem")
        .and_then(|memory| memory.read_exact_at(&mut image, vdso.start))
        .map_err(failed("/proc/self/mem"))?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::Elf;
    use crate::symbols::compiled_tests::not_run;

    #[test]
    fn own_image_has_names() {
        let image = match own_vdso() {
            Err(error @ Error::NoVdso) => {
                return not_run("own_image_has_names", &error.to_string());
            }
            image => image.unwrap(),
        };
        let len = image.len() as u64;
        let elf = Elf::open(image).unwrap();
        assert!(elf.build_id().is_some());
        let offsets: Vec<u64> = (0..len).step_by(16).collect();
        let found = elf.places(&offsets);
        let has = |name: &[u8]| found.iter().flatten().any(|place| place.name.ends_with(name));
        assert!(has(b"clock_gettime"), "{found:?}");
    }
}
