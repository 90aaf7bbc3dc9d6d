//! The signals that end a recording.

use crate::error::{Error, Result};
use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

/// SIGINT, SIGTERM and SIGHUP of this process, as bytes to read; they do nothing else.
pub(crate) struct Signals(UnixStream);

/// Those that end a recording.
pub(crate) const SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

impl Signals {
    /// Catches them from now on.
    pub(crate) fn watch() -> Result<Signals> {
        let (reader, writer) = UnixStream::pair().map_err(Error::io("make", "a socket pair"))?;
        reader.set_nonblocking(true).map_err(Error::io("set up", "a socket"))?;
        for signal in SIGNALS {
            let writer = writer.try_clone().map_err(Error::io("set up", "a socket"))?;
            signal_hook::low_level::pipe::register(signal, writer)
                .map_err(Error::io("watch for", "signals"))?;
        }
        Ok(Signals(reader))
    }

    /// Whether one has come.
    pub(crate) fn pending(&self) -> bool {
        pending(&self.0)
    }

    /// The same ones once more, to be counted.
    pub(crate) fn again(&self) -> Result<Count> {
        self.0.try_clone().map(Count).map_err(Error::io("set up", "a socket"))
    }

    /// Forgets those that have come.
    pub(crate) fn forget(&mut self) {
        let mut bytes = [0; 64];
        while self.0.read(&mut bytes).is_ok_and(|read| read > 0) {}
    }
}

/// How many signals have come that nobody has forgotten.
pub(crate) struct Count(UnixStream);

impl Count {
    /// So many by now; at most 64.
    #[expect(unsafe_code, reason = "recv(2): std cannot peek at a socket of this kind")]
    pub(crate) fn get(&self) -> usize {
        let mut bytes = [0u8; 64];
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        // SAFETY: the buffer outlives the call and has the length that is given.
        let read = unsafe {
            libc::recv(self.0.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), flags)
        };
        usize::try_from(read).unwrap_or(0)
    }
}

/// SIGUSR2 of this process, as bytes to read.
pub(crate) struct Request(UnixStream);

impl Request {
    /// Catches it from now on.
    pub(crate) fn watch() -> Result<Request> {
        let (reader, writer) = UnixStream::pair().map_err(Error::io("make", "a socket pair"))?;
        reader.set_nonblocking(true).map_err(Error::io("set up", "a socket"))?;
        signal_hook::low_level::pipe::register(libc::SIGUSR2, writer)
            .map_err(Error::io("watch for", "SIGUSR2"))?;
        Ok(Request(reader))
    }

    /// Whether it has come since the last call.
    pub(crate) fn take(&mut self) -> bool {
        let mut bytes = [0; 64];
        let mut came = false;
        while self.0.read(&mut bytes).is_ok_and(|read| read > 0) {
            came = true;
        }
        came
    }
}

impl AsRawFd for Request {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Whether there is something to read, or the other end is closed.
#[expect(unsafe_code, reason = "poll(2)")]
pub(crate) fn pending(file: &impl AsRawFd) -> bool {
    let mut fd = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd, no waiting.
    unsafe { libc::poll(&raw mut fd, 1, 0) > 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn signals_are_counted_until_they_are_forgotten() {
        let (reader, mut writer) = UnixStream::pair().expect("a pair");
        reader.set_nonblocking(true).expect("set");
        let mut signals = Signals(reader);
        let count = signals.again().expect("a socket");
        assert_eq!(count.get(), 0);
        writer.write_all(b"x").expect("sent");
        assert_eq!(count.get(), 1);
        writer.write_all(b"x").expect("sent");
        assert_eq!((count.get(), signals.pending()), (2, true));
        signals.forget();
        assert_eq!(count.get(), 0);
    }
}
