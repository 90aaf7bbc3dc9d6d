//! An archive that the kernel unpacks into its first file system (newc format).
//!
//! Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.

use std::io::{self, Write};

/// Files and folders, in the order in which they are made.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

/// File types of `st_mode`.
const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;

impl Archive {
    /// Makes a folder; the one that it lies in must have been made.
    pub fn folder(&mut self, path: &str) -> io::Result<()> {
        self.entry(path, FOLDER, &[])
    }

    /// Makes a file that may be executed.
    pub fn file(&mut self, path: &str, contents: &[u8]) -> io::Result<()> {
        self.entry(path, PROGRAM, contents)
    }

    /// The whole.
    pub fn finish(mut self) -> io::Result<Vec<u8>> {
        self.entry("TRAILER!!!", 0, &[])?;
        Ok(self.bytes)
    }

    fn entry(&mut self, path: &str, mode: u32, contents: &[u8]) -> io::Result<()> {
        self.inode += 1;
        let size = u32::try_from(contents.len()).map_err(io::Error::other)?;
        let name = u32::try_from(path.len() + 1).map_err(io::Error::other)?;
        // Inode, mode, user, group, links, time, size, four numbers of devices, name, checksum.
        let fields = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name, 0];
        write!(self.bytes, "070701")?;
        for field in fields {
            write!(self.bytes, "{field:08x}")?;
        }
        self.bytes.extend(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(contents);
        self.pad();
        Ok(())
    }

    /// Names and contents begin and end at multiples of four bytes.
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_as_the_kernel_wants_them() {
        let mut archive = Archive::default();
        archive.folder("bin").unwrap();
        archive.file("bin/x", b"12345").unwrap();
        let bytes = archive.finish().unwrap();
        let text = |range: std::ops::Range<usize>| std::str::from_utf8(&bytes[range]).unwrap();
        assert_eq!(text(0..22), "07070100000001000041ed");
        assert_eq!(text(110..114), "bin\0");
        // 110 bytes of head, the name with its zero byte, padding.
        assert_eq!(bytes.len() % 4, 0);
        let second = 116;
        assert_eq!(text(second..second + 6), "070701");
        assert_eq!(text(second + 110..second + 116), "bin/x\0");
        assert_eq!(text(second + 116..second + 121), "12345");
        assert!(bytes.windows(10).any(|part| part == b"TRAILER!!!"));
    }
}
