//! `Beside`: a file that is written beside its place, then moved there.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};

use super::interrupted::remove_when_interrupted;

/// Names that are tried: a program of the same number, or one that was killed, may have had some.
const ATTEMPTS: u32 = 16;

/// A file that is not yet in its place. What is there stays until [`Beside::place`]; when it does not
/// come to that, nothing is left of the new one.
#[derive(Debug)]
pub(crate) struct Beside {
    file: File,
    to: PathBuf,
    /// Where it is until then; nothing when it is there no more.
    partial: Arc<Mutex<Option<PathBuf>>>,
}

impl Beside {
    /// A new file that is to be `to`, with these permissions (the umask takes its share).
    pub(crate) fn create(to: &Path, mode: u32) -> anyhow::Result<Self> {
        if to.file_name().is_none() {
            bail!("{} is no name of a file", to.display());
        }
        let place = Arc::new(Mutex::new(None));
        remove_when_interrupted(&place)?;
        // Held until it is known: a signal that comes meanwhile finds it.
        let mut there = place.lock().unwrap_or_else(PoisonError::into_inner);
        // Not made of its own name, which may be as long as a name can be.
        let partial = |at: u32| format!(".ktape.{}.{at}.partial", std::process::id());
        let mut names = (0..ATTEMPTS).map(|at| to.with_file_name(partial(at)));
        let (partial, file) = loop {
            let Some(path) = names.next() else {
                bail!("{} is there already: remove it", to.with_file_name(partial(0)).display());
            };
            match OpenOptions::new().write(true).create_new(true).mode(mode).open(&path) {
                Ok(file) => break (path, file),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).context(format!("creating {}", path.display())),
            }
        };
        *there = Some(partial);
        drop(there);
        Ok(Self { file, to: to.to_owned(), partial: place })
    }

    /// What to write to.
    pub(crate) fn file(&self) -> anyhow::Result<File> {
        self.file.try_clone().with_context(|| format!("writing {}", self.to.display()))
    }

    /// Moves it to its place when all of it is on the disk: after a power cut there is the old file or
    /// the new one.
    pub(crate) fn place(self) -> anyhow::Result<()> {
        self.file.sync_all().with_context(|| format!("writing {}", self.to.display()))?;
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(from) = partial.as_ref() else { return Ok(()) };
        fs::rename(from, &self.to)
            .with_context(|| format!("renaming {} to {}", from.display(), self.to.display()))?;
        *partial = None;
        let folder = self.to.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Some file systems cannot do that; the file is in its place all the same.
        let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Half a file would pass for a whole one.
        if let Some(path) = self.partial.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether both are one file, by whatever names.
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
    let id = |path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    id(a).is_some_and(|found| Some(found) == id(b))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::Beside;

    fn names(folder: &std::path::Path) -> Vec<String> {
        let names = fs::read_dir(folder).expect("a folder");
        names.map(|entry| entry.expect("it").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_is_not_placed_leaves_nothing() {
        let folder = std::env::temp_dir().join(format!("ktape-beside-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let name = "x".repeat(255);
        let to = folder.join(&name);
        fs::write(&to, "old").expect("a file");
        let given_up = Beside::create(&to, 0o600).expect("a file beside it");
        given_up.file().and_then(|mut file| Ok(file.write_all(b"half")?)).expect("written");
        drop(given_up);
        assert_eq!(
            (names(&folder), fs::read(&to).expect("it")),
            (vec![name.clone()], b"old".into())
        );
        let whole = Beside::create(&to, 0o600).expect("a file beside it");
        whole.file().and_then(|mut file| Ok(file.write_all(b"new")?)).expect("written");
        whole.place().expect("placed");
        assert_eq!((names(&folder), fs::read(&to).expect("it")), (vec![name], b"new".into()));
        fs::remove_dir_all(&folder).expect("removed");
    }
}
