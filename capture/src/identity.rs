//! Which file something is, whatever it is called.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;

/// Device and inode of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// Of what this is the metadata of.
    pub(crate) fn of(metadata: &Metadata) -> Identity {
        Identity { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Of an open file; `None` when the kernel does not say.
    pub(crate) fn of_file(file: &File) -> Option<Identity> {
        file.metadata().ok().as_ref().map(Identity::of)
    }

    /// Of what has this name, which is not followed if it is a link; `None` when there is nothing.
    pub(crate) fn of_name(path: &std::path::Path) -> Option<Identity> {
        std::fs::symlink_metadata(path).ok().as_ref().map(Identity::of)
    }
}

/// What the descriptors of this process are open on.
pub(crate) fn of_descriptors() -> Vec<Identity> {
    let descriptors = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let metadata = descriptors.filter_map(|entry| std::fs::metadata(entry.path()).ok());
    metadata.map(|metadata| Identity::of(&metadata)).collect()
}
