//! Filters: from what the user typed to what the kernel programs compare with.

use crate::error::{Error, Result};
use crate::kernel::Global;
use crate::options::Targets;
use crate::{proc, tasks};
use ktape_format::schema::TaskRun;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const MAX_GLOBS: usize = 8;
const COMM_LEN: usize = 16;
const MAX_CPUS: u32 = 1024;

/// A process or thread that was asked for by number.
pub(crate) struct Numbered {
    pub(crate) id: u32,
    pub(crate) thread: bool,
    /// Its process.
    tgid: u32,
    /// In clock ticks since boot.
    start: u64,
}

/// Finds those that were asked for by number.
pub(crate) fn numbered(targets: &Targets) -> Result<Vec<Numbered>> {
    let ids = targets.pids.iter().map(|&id| (id, false));
    ids.chain(targets.tids.iter().map(|&id| (id, true)))
        .map(|(id, thread)| Numbered::find(id, thread))
        .collect()
}

impl Numbered {
    fn find(id: u32, thread: bool) -> Result<Numbered> {
        let found = proc::process_of(id).zip(start_of(id, thread));
        let (tgid, start) = found.ok_or_else(|| {
            Error::Target(format!("there is no process or thread {id}, or it has ended"))
        })?;
        if !thread && tgid != id {
            return Err(Error::Target(format!("{id} is a thread of process {tgid}: give -t {id}")));
        }
        Ok(Numbered { id, thread, tgid, start })
    }

    /// Whether it still is what it was when it was found.
    pub(crate) fn is_alive(&self) -> bool {
        start_of(self.id, self.thread) == Some(self.start)
    }

    /// The CPU time that its threads have had by now.
    pub(crate) fn run_times(&self) -> Vec<TaskRun> {
        let threads = if self.thread { vec![self.id] } else { proc::threads(self.tgid) };
        threads.into_iter().filter_map(|tid| tasks::run_time(tid, self.tgid)).collect()
    }
}

fn start_of(id: u32, thread: bool) -> Option<u64> {
    if thread { proc::thread_start(id) } else { proc::process_start(id) }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_target_lives_until_it_ends() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let id = child.id();
        let find = |pids: &[u32], tids: &[u32]| {
            numbered(&Targets { pids: pids.to_vec(), tids: tids.to_vec(), ..Targets::default() })
        };
        let found = find(&[id], &[id]).unwrap();
        assert!(found.iter().all(Numbered::is_alive));
        assert!(found.iter().all(|target| target.run_times()[0].tid == id));
        drop(child.stdin.take());
        while found.iter().any(Numbered::is_alive) {
            std::thread::yield_now();
        }
        // It is a zombie.
        assert!(find(&[id], &[]).is_err() && find(&[], &[id]).is_err());
        child.wait().unwrap();
        let text = find(&[id], &[]).map(|_| ()).unwrap_err().to_string();
        assert!(text.contains("there is no process"), "{text}");
    }

    #[test]
    fn a_thread_is_no_process() {
        let own = std::process::id();
        let tid = proc::threads(own).into_iter().find(|&tid| tid != own).expect("the harness's");
        let targets = Targets { pids: vec![tid], ..Targets::default() };
        let text = numbered(&targets).map(|_| ()).unwrap_err().to_string();
        assert!(text.contains(&format!("give -t {tid}")), "{text}");
    }
}
