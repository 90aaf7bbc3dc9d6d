//! A virtual machine: booted, watched, and ended when nothing happens any more.
//!
//! The processor is emulated (TCG): KVM is not everywhere, and where it is half there it hangs.

use super::guest::{INITRAMFS, Parts};
use super::results::Results;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What the guest sends, in the machine's folder.
pub const RESULTS: &str = "results";
/// The kernel's log.
const LOG: &str = "kernel.log";
/// What qemu complains of.
const COMPLAINTS: &str = "qemu.log";
/// Disks of zeroes, and what else is to be said of them: `/dev/vda` for what wants one as it is, slow
/// enough that one waits for it, and `/dev/vdb` for a file system.
const DISKS: [(&str, &str); 2] = [("disk", ",throttling.iops-total=300"), ("file-system", "")];
const DISK_BYTES: u64 = 64 << 20;

/// So long may a machine send nothing: the guest ends its runs after 60 s by itself. What its kernel
/// logs does not count, which goes on where a processor is stuck.
const SILENCE: Duration = Duration::from_secs(120);
/// So long may it take in all.
const LIMIT: Duration = Duration::from_secs(600);

/// The processor: all that can be emulated.
///
/// QEMU 7.2 (Debian 12) leaves rubbish in the flags after `cmpxchg16b`, and every third boot of 6.12 ends
/// in a double fault in `kmem_cache_alloc()`, so kernels that can do without do without. From 6.18 on,
/// `kmalloc_nolock()` gives nothing to a processor that has it not, and task storage (6.19) lives on that.
fn processor(version: &str) -> &'static str {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) < (6, 18) => "max,-cx16",
        _ => "max",
    }
}

/// Mitigations cost an emulated machine a third of its time; the rest is about clocks and self-tests.
const COMMAND_LINE: &str = "console=ttyS0 loglevel=5 panic=-1 mitigations=off tsc=reliable \
                            no_timer_check cryptomgr.notests";

/// How a machine ended.
pub struct Ended {
    pub elapsed: Duration,
    /// Ended by us, and why.
    hung: Option<String>,
}

impl Ended {
    /// Whether it was ended by us.
    pub fn hung(&self) -> bool {
        self.hung.is_some()
    }

    /// Why it did not come to the end of its runs, when it did not.
    pub fn broken(&self, results: &Results) -> Option<String> {
        if results.ended() {
            return None;
        }
        let what = match &self.hung {
            Some(why) => why.clone(),
            None => "it stopped (a panic, or qemu failed)".to_owned(),
        };
        let during = match results.unfinished() {
            Some(run) => format!("during {run}"),
            None => "outside of runs".to_owned(),
        };
        Some(format!("{what}, {during}"))
    }
}

/// Its processors take turns in one thread. With one each, QEMU 7.2 may go on to run the translation of
/// an instruction that another processor has changed meanwhile, and when a kernel switches a tracepoint
/// or a jump label, that is a breakpoint: 6.12 dies of it (`Oops: int3`), those before 6.11 try again for
/// ever. Every fifth machine met it, and taking turns is no slower.
const ACCELERATOR: &str = "tcg,thread=single";

/// Boots a kernel with the initramfs of the folder, until it powers off.
pub fn boot(parts: &Parts<'_>, folder: &Path) -> Result<Ended> {
    let (results, log) = (folder.join(RESULTS), folder.join(LOG));
    for file in [&results, &log] {
        std::fs::write(file, []).context("cannot write a file for a machine")?;
    }
    let mut drives = Vec::new();
    for (name, more) in DISKS {
        let disk = std::fs::File::create(folder.join(name)).context("cannot make a disk")?;
        disk.set_len(DISK_BYTES).context("cannot make a disk")?;
        drives.push("-drive".to_owned());
        drives.push(format!("file={name},format=raw,if=virtio,cache=writeback{more}"));
    }
    let complaints = std::fs::File::create(folder.join(COMPLAINTS))?;
    let begun = Instant::now();
    let mut qemu = Command::new(&parts.programs.qemu)
        .args([
            "-accel",
            ACCELERATOR,
            "-cpu",
            processor(&parts.kernel.version),
            "-smp",
            "2",
            "-m",
            "1G",
        ])
        .args(["-nodefaults", "-nographic", "-no-reboot", "-monitor", "none"])
        .args(["-serial", &format!("file:{LOG}"), "-serial", &format!("file:{RESULTS}")])
        .args(drives)
        .args(["-initrd", INITRAMFS, "-append", COMMAND_LINE, "-kernel"])
        .arg(&parts.kernel.image)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(complaints)
        .spawn()
        .context("cannot start qemu")?;
    let size = || results.metadata().map_or(0, |file| file.len());
    let (mut last, mut changed) = (0, begun);
    let hung = loop {
        if qemu.try_wait().context("cannot wait for qemu")?.is_some() {
            break None;
        }
        let now = size();
        if now != last {
            (last, changed) = (now, Instant::now());
        }
        let why = if changed.elapsed() > SILENCE {
            format!("it sent nothing for {} s", SILENCE.as_secs())
        } else if begun.elapsed() > LIMIT {
            format!("it ran for {} s", LIMIT.as_secs())
        } else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        qemu.kill().context("cannot end qemu")?;
        qemu.wait().context("cannot wait for qemu")?;
        break Some(why);
    };
    Ok(Ended { elapsed: begun.elapsed(), hung })
}

/// What qemu said, and the kernel's log: from where something went wrong, else its last lines.
pub fn log_end(folder: &Path) -> String {
    const LINES: usize = 40;
    let log = read(folder, LOG);
    let lines: Vec<&str> = log.lines().collect();
    let last = lines.len().saturating_sub(LINES);
    let from = lines.iter().position(|line| is_wrong(line)).map_or(last, |wrong| wrong.min(last));
    let shown = &lines[from..lines.len().min(from + LINES)];
    read(folder, COMPLAINTS) + &shown.join("\n")
}

/// What the kernel says of itself being wrong. That it was held up for long (`soft lockup`, stalls) is
/// no fault of its own on a machine that is busy with other things.
pub fn complaints(folder: &Path) -> Vec<String> {
    let log = read(folder, LOG);
    log.lines().filter(|line| is_wrong(line)).map(|line| line.trim().to_owned()).collect()
}

fn is_wrong(line: &str) -> bool {
    let wrong = [
        "BUG:",
        "kernel BUG",
        "Oops",
        "WARNING:",
        "Kernel panic",
        "general protection fault",
        "double fault",
    ];
    wrong.iter().any(|wrong| line.contains(wrong)) && !line.contains("soft lockup")
}

fn read(folder: &Path, name: &str) -> String {
    let bytes = std::fs::read(folder.join(name)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
