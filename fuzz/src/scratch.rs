//! `Scratch`: a file that each input is written to, for what takes a path.

use std::io::{Seek, Write};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use tempfile::NamedTempFile;

/// The file.
pub struct Scratch;

impl Scratch {
    /// Calls `look` with the path of a file of these bytes.
    pub fn with<T>(bytes: &[u8], look: impl FnOnce(&Path) -> T) -> T {
        static FILE: OnceLock<Mutex<NamedTempFile>> = OnceLock::new();
        let file = FILE.get_or_init(|| Mutex::new(NamedTempFile::new().expect("a file")));
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.as_file().set_len(0).expect("cut");
        file.rewind().expect("a beginning");
        file.write_all(bytes).expect("written");
        look(file.path())
    }
}
