//! What is done when a signal ends the program halfway.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::{emulate_default_handler, pipe};

/// Removes the file at this path, if there is one by then, before SIGINT, SIGTERM or SIGHUP end the
/// program. Those that are ignored (nohup, background jobs of scripts) stay so.
pub(crate) fn remove_when_interrupted(path: &Arc<Mutex<Option<PathBuf>>>) -> anyhow::Result<()> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = ignored(&status);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if ignored >> (signal - 1) & 1 != 0 {
            continue;
        }
        let path = Arc::clone(path);
        let (mut reader, writer) = UnixStream::pair().context("making a socket pair")?;
        pipe::register(signal, writer).context("watching for signals")?;
        std::thread::spawn(move || {
            if reader.read(&mut [0]).is_ok_and(|came| came > 0) {
                let mut path = path.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(path) = path.take() {
                    let _ = fs::remove_file(path);
                }
                let _ = emulate_default_handler(signal);
            }
        });
    }
    Ok(())
}

/// The signals that a process ignores, a bit each, as its /proc/PID/status says; none when it does not.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::ignored;

    #[test]
    fn ignored_signals_are_read() {
        assert_eq!(ignored("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001003\n"), 0x1003);
        assert_eq!(ignored("Name:\tktape\n"), 0);
    }
}
