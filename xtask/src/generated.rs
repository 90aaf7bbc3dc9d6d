//! Files that xtask writes: bring them up to date, or say which are not.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// The top folder of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the project").to_owned()
}

/// Writes `contents` to `path` (below the top folder), or with `check` fails when it differs.
pub fn put(path: &str, contents: &[u8], check: bool, how: &str) -> Result<()> {
    let full = root().join(path);
    if std::fs::read(&full).is_ok_and(|old| old == contents) {
        return Ok(());
    }
    if check {
        bail!("{path} is out of date: run `{how}` and commit the result");
    }
    if let Some(dir) = full.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    std::fs::write(&full, contents).with_context(|| format!("cannot write {path}"))?;
    eprintln!("wrote {path}");
    Ok(())
}
