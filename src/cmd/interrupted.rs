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
/// program.
pub(crate) fn remove_when_interrupted(path: &Arc<Mutex<Option<PathBuf>>>) -> anyhow::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
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
