//! Writes a skeleton: all of its files or none.

use super::list;
use crate::generated::root;
use anyhow::{Context, Result, bail};
use std::process::Command;

/// What a skeleton consists of.
#[derive(Debug, Default)]
pub struct Skeleton {
    /// New files: path and text.
    pub files: Vec<(String, String)>,
    /// Lines for lists: path, how the list begins, entry.
    pub entries: Vec<(&'static str, &'static str, String)>,
}

impl Skeleton {
    /// Writes it, and says what it wrote.
    pub fn write(&self) -> Result<()> {
        let root = root();
        if let Some((path, _)) = self.files.iter().find(|(path, _)| root.join(path).exists()) {
            bail!("{path} exists already");
        }
        let mut lists = Vec::new();
        for (path, opening, entry) in &self.entries {
            let text = std::fs::read_to_string(root.join(path))
                .with_context(|| format!("cannot read {path}"))?;
            let text =
                list::with_entry(&text, opening, entry).with_context(|| (*path).to_owned())?;
            lists.push((*path, text));
        }
        for (path, text) in &self.files {
            std::fs::write(root.join(path), text)
                .with_context(|| format!("cannot write {path}"))?;
            println!("new      {path}");
        }
        for (path, text) in lists {
            std::fs::write(root.join(path), text)
                .with_context(|| format!("cannot write {path}"))?;
            println!("changed  {path}");
        }
        self.format()
    }

    /// How long a name is decides where lines break.
    fn format(&self) -> Result<()> {
        let rust = self.files.iter().map(|(path, _)| path).filter(|path| path.ends_with(".rs"));
        let status = Command::new("rustfmt")
            .args(["--edition", "2024"])
            .args(rust)
            .current_dir(root())
            .status()
            .context("cannot run rustfmt")?;
        if !status.success() {
            bail!("rustfmt failed on the new files ({status})");
        }
        Ok(())
    }
}
