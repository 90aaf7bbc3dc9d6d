//! Filters: from what the user typed to what the kernel programs compare with.

use crate::error::{Error, Result};
use crate::kernel::Global;
use crate::options::Targets;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const MAX_GLOBS: usize = 8;
const COMM_LEN: usize = 16;
const MAX_CPUS: u32 = 1024;

/// The variables of filter.bpf.h.
pub(crate) fn globals(targets: &Targets, by_target: bool, children: bool) -> Result<Vec<Global>> {
    let mut globals = vec![flag("filter_targets", by_target), flag("filter_children", children)];
    if let Some(uid) = targets.uid {
        globals.push(flag("filter_uid", true));
        globals.push(Global { symbol: "wanted_uid", bytes: uid.to_ne_bytes().to_vec() });
    }
    if let Some(cgroup) = &targets.cgroup {
        let (id, level) = cgroup_of(cgroup)?;
        globals.push(Global { symbol: "wanted_cgroup", bytes: id.to_ne_bytes().to_vec() });
        globals.push(Global { symbol: "wanted_cgroup_level", bytes: level.to_ne_bytes().to_vec() });
    }
    if !targets.cpus.is_empty() {
        let mut bits = [0u64; (MAX_CPUS / 64) as usize];
        for &cpu in &targets.cpus {
            if cpu >= MAX_CPUS {
                return Err(Error::Target(format!("-C takes CPUs below {MAX_CPUS}, not {cpu}")));
            }
            bits[(cpu / 64) as usize] |= 1 << (cpu % 64);
        }
        globals.push(flag("filter_cpu", true));
        globals.push(Global {
            symbol: "wanted_cpus",
            bytes: bits.iter().flat_map(|word| word.to_ne_bytes()).collect(),
        });
    }
    for (patterns, count, symbol, option) in [
        (&targets.comm, "allow_count", "allow_comm", "--comm"),
        (&targets.not_comm, "deny_count", "deny_comm", "--not-comm"),
    ] {
        if !patterns.is_empty() {
            globals.push(Global {
                symbol: count,
                bytes: (patterns.len() as u32).to_ne_bytes().to_vec(),
            });
            globals.push(Global { symbol, bytes: globs(patterns, option)? });
        }
    }
    Ok(globals)
}

fn flag(symbol: &'static str, on: bool) -> Global {
    Global { symbol, bytes: vec![u8::from(on)] }
}

fn globs(patterns: &[String], option: &str) -> Result<Vec<u8>> {
    if patterns.len() > MAX_GLOBS {
        return Err(Error::Target(format!("{option} can be given {MAX_GLOBS} times at most")));
    }
    let mut bytes = vec![0; MAX_GLOBS * COMM_LEN];
    for (pattern, slot) in patterns.iter().zip(bytes.chunks_mut(COMM_LEN)) {
        // Two stars in a row are one; the kernel side counts on it.
        let mut pattern = pattern.clone();
        while pattern.contains("**") {
            pattern = pattern.replace("**", "*");
        }
        // The kernel keeps 15 bytes of a name; a pattern of 16 can use them all.
        if pattern.len() > COMM_LEN {
            return Err(Error::Target(format!(
                "{option} {pattern}: thread names have at most 15 bytes, and a pattern 16; use *"
            )));
        }
        slot[..pattern.len()].copy_from_slice(pattern.as_bytes());
    }
    Ok(bytes)
}

/// The id of a cgroup v2 directory (its inode) and how deep it lies below the root.
fn cgroup_of(path: &Path) -> Result<(u64, u32)> {
    let mounts = std::fs::read_to_string("/proc/self/mounts")
        .map_err(Error::io("read", "/proc/self/mounts"))?;
    let root = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let (_, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(at))
        })
        .next()
        .ok_or_else(|| Error::Target("-G needs cgroup v2, and none is mounted".into()))?;
    let full = if path.starts_with(&root) {
        path.to_owned()
    } else {
        root.join(path.strip_prefix("/").unwrap_or(path))
    };
    let metadata = std::fs::metadata(&full).map_err(Error::io("find the cgroup", full.clone()))?;
    let full = full.canonicalize().map_err(Error::io("find the cgroup", full.clone()))?;
    let Ok(below) = full.strip_prefix(&root) else {
        return Err(Error::Target(format!(
            "{} is no cgroup below {}",
            full.display(),
            root.display()
        )));
    };
    Ok((metadata.ino(), below.components().count() as u32))
}
