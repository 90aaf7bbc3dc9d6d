//! An unpacked kernel: its image, and the modules that a machine needs.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lies in a folder as Debian's packages unpack it.
pub struct Kernel {
    /// As `uname -r` has it.
    pub version: String,
    pub image: PathBuf,
    /// What else is to be said of it.
    pub note: String,
    modules: PathBuf,
}

impl Kernel {
    /// Finds its way in the folder.
    pub fn in_folder(folder: &Path, version: String, note: String) -> Result<Self> {
        // Kernels from 6.19 on know the merged /usr, depmod of this machine may not.
        let lib = folder.join("lib");
        if !lib.exists() {
            std::os::unix::fs::symlink("usr/lib", &lib).context("cannot make a link")?;
        }
        let modules = lib.join("modules").join(&version);
        let images = [folder.join(format!("boot/vmlinuz-{version}")), modules.join("vmlinuz")];
        let image = images.into_iter().find(|image| image.exists()).context("it has no image")?;
        if !modules.join("modules.dep").exists() {
            let made = Command::new("depmod").arg("-b").arg(folder).arg(&version).output();
            let made = made.context("cannot run depmod")?;
            if !made.status.success() {
                bail!("depmod failed: {}", String::from_utf8_lossy(&made.stderr).trim());
            }
        }
        Ok(Self { version, image, note, modules })
    }

    /// The files of these modules and of those that they need, in the order in which to load them.
    /// What is part of the image itself has none.
    pub fn modules(&self, names: &[&str]) -> Result<Vec<PathBuf>> {
        let list = self.modules.join("modules.dep");
        let text = std::fs::read_to_string(&list).context("cannot read modules.dep")?;
        Ok(in_order(&text, names).into_iter().map(|path| self.modules.join(path)).collect())
    }
}

/// Lines of modules.dep are `path: what it needs..`, the first to be loaded last.
fn in_order<'a>(modules_dep: &'a str, names: &[&str]) -> Vec<&'a str> {
    let mut order: Vec<&str> = Vec::new();
    for name in names {
        let line = modules_dep.lines().filter_map(|line| line.split_once(':')).find(|(path, _)| {
            let file = path.rsplit('/').next().unwrap_or(path);
            file.split('.').next() == Some(*name)
        });
        let Some((path, needs)) = line else { continue };
        for path in needs.split_whitespace().rev().chain([path]) {
            if !order.contains(&path) {
                order.push(path);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_needs_comes_before_it() {
        let text = "k/virtio_blk.ko.xz: k/virtio.ko.xz k/ring.ko.xz\n\
                    k/virtio_pci.ko.xz: k/ring.ko.xz\nk/ring.ko.xz:\nk/virtio.ko.xz: k/ring.ko.xz\n";
        assert_eq!(
            in_order(text, &["virtio_pci", "virtio_blk", "built_in"]),
            ["k/ring.ko.xz", "k/virtio_pci.ko.xz", "k/virtio.ko.xz", "k/virtio_blk.ko.xz"]
        );
    }
}
