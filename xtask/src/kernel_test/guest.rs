//! What a machine boots into: an initramfs with busybox, ktape, the workloads and the runs.

use super::build::Built;
use super::cpio::Archive;
use super::kernel::Kernel;
use super::programs::Programs;
use super::run::Run;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// What a machine is made of.
pub struct Parts<'a> {
    pub programs: &'a Programs,
    pub built: &'a Built,
    pub kernel: &'a Kernel,
}

/// The file in the machine's folder.
pub const INITRAMFS: &str = "initramfs";

/// The first process.
const INIT: &str = include_str!("init.sh");

/// For the disk. Part of the image in some kernels.
const MODULES: &[&str] = &["virtio_pci", "virtio_blk"];

const FOLDERS: &[&str] = &["bin", "dev", "disk", "etc", "proc", "sys", "tmp", "modules", "runs"];

/// Writes the initramfs of a machine.
pub fn pack(parts: &Parts<'_>, runs: &[Run], folder: &Path) -> Result<()> {
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let mut archive = Archive::default();
    for folder in FOLDERS {
        archive.folder(folder)?;
    }
    archive.file("init", INIT.as_bytes())?;
    archive.file("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")?;
    archive.file("bin/busybox", &read(&parts.programs.busybox)?)?;
    archive.file("bin/ktape", &read(&parts.built.for_guest)?)?;
    let mut made: Vec<PathBuf> = Vec::new();
    for library in &parts.built.libraries {
        let folders = library.parent().map(|parent| parent.ancestors().collect::<Vec<_>>());
        for folder in folders.unwrap_or_default().into_iter().rev() {
            if folder.parent().is_some() && !made.iter().any(|known| known == folder) {
                archive.folder(in_archive(folder)?)?;
                made.push(folder.to_owned());
            }
        }
        archive.file(in_archive(library)?, &read(library)?)?;
    }
    for workload in &parts.built.workloads {
        archive.file(&format!("bin/{}", name_of(workload)?), &read(workload)?)?;
    }
    let mut order = String::new();
    for module in parts.kernel.modules(MODULES)? {
        let name = name_of(&module)?;
        if !name.ends_with(".ko") && !name.ends_with(".ko.xz") {
            bail!("{name} is compressed in a way that busybox cannot undo");
        }
        archive.file(&format!("modules/{name}"), &read(&module)?)?;
        order += &format!("{name}\n");
    }
    archive.file("modules/order", order.as_bytes())?;
    let mut order = String::new();
    for run in runs {
        archive.file(&format!("runs/{}", run.name), run.script().as_bytes())?;
        order += &format!("{}\n", run.name);
    }
    archive.file("runs/order", order.as_bytes())?;
    std::fs::write(folder.join(INITRAMFS), archive.finish()?).context("cannot write an initramfs")
}

/// A path of the guest as an archive has it.
fn in_archive(path: &Path) -> Result<&str> {
    let text = path.to_str().context("a path that is no UTF-8")?;
    Ok(text.trim_start_matches('/'))
}

fn name_of(path: &Path) -> Result<&str> {
    path.file_name().and_then(|name| name.to_str()).context("a file without a name")
}
