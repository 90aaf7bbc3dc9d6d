//! `LoopDevice`: a disk of a test's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ran::Ran;

/// A loop device over a file; detached when dropped.
pub struct LoopDevice {
    path: PathBuf,
}

/// What /proc/diskstats says of a disk so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskStats {
    /// Reads completed, and 512-byte sectors read.
    pub reads: (u64, u64),
    /// Writes completed, and sectors written.
    pub writes: (u64, u64),
    /// Discards completed, and sectors discarded.
    pub discards: (u64, u64),
    /// Flushes of the device completed.
    pub flushes: u64,
}

impl LoopDevice {
    /// Over a file, that is made with this many bytes if there is none. `Err` tells why the host has
    /// no loop devices.
    pub fn over(file: &Path, bytes: u64) -> Result<Self, String> {
        if !file.exists() {
            let made = std::fs::File::create(file).and_then(|file| file.set_len(bytes));
            made.expect("room for a file");
        }
        let ran = Ran::of(Command::new("losetup").args(["--find", "--show"]).arg(file), &[]);
        match ran.code() {
            0 => Ok(Self { path: ran.text().trim().into() }),
            _ => Err(format!("no loop device can be made: {}", ran.stderr.trim())),
        }
    }

    /// Its path in /dev.
    pub fn path(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).expect("UTF-8")
    }

    /// What the kernel has counted (Documentation/admin-guide/iostats.rst).
    pub fn stats(&self) -> DiskStats {
        let text = std::fs::read_to_string("/proc/diskstats").expect("/proc");
        let words: Vec<&str> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .find(|words| words.get(2) == Some(&self.name()))
            .expect("the device");
        let field = |at: usize| words[at + 2].parse().expect("a number");
        DiskStats {
            reads: (field(1), field(3)),
            writes: (field(5), field(7)),
            discards: (field(12), field(14)),
            flushes: field(16),
        }
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.path).status();
    }
}

impl DiskStats {
    /// What was counted since.
    pub fn since(self, before: DiskStats) -> DiskStats {
        let pair = |now: (u64, u64), then: (u64, u64)| (now.0 - then.0, now.1 - then.1);
        DiskStats {
            reads: pair(self.reads, before.reads),
            writes: pair(self.writes, before.writes),
            discards: pair(self.discards, before.discards),
            flushes: self.flushes - before.flushes,
        }
    }
}
