//! What a guest sent: files by name.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// The files that came whole.
#[derive(Debug, Default)]
pub struct Results(BTreeMap<String, Vec<u8>>);

impl Results {
    /// Reads what came through the serial port.
    pub fn read(path: &Path) -> Result<Self> {
        Ok(Self::parse(&std::fs::read(path).context("cannot read what a machine sent")?))
    }

    /// `@ NAME LENGTH`, a line end, so many bytes, a line end; up to where it breaks off.
    pub fn parse(mut bytes: &[u8]) -> Self {
        let mut files = BTreeMap::new();
        let mut next = || -> Option<(String, Vec<u8>)> {
            let end = bytes.iter().position(|&byte| byte == b'\n')?;
            let head = std::str::from_utf8(&bytes[..end]).ok()?;
            let (name, length) = head.strip_prefix("@ ")?.rsplit_once(' ')?;
            let length: usize = length.parse().ok()?;
            let rest = &bytes[end + 1..];
            let contents = rest.get(..length)?.to_vec();
            bytes = rest[length..].strip_prefix(b"\n")?;
            Some((name.to_owned(), contents))
        };
        while let Some((name, contents)) = next() {
            files.insert(name, contents);
        }
        Self(files)
    }

    /// Forgets a run, which is made again.
    pub fn forget(&mut self, run: &str) {
        self.0.retain(|name, _| name.split_once('/').is_none_or(|(of, _)| of != run));
    }

    /// Adds what came of more runs.
    pub fn add(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Whether the guest came to its first process.
    pub fn begun(&self) -> bool {
        self.0.contains_key("begun")
    }

    /// Whether a run came to its end.
    pub fn has(&self, run: &str) -> bool {
        self.0.contains_key(&format!("{run}/status"))
    }

    /// A file's contents.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// A file's text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Whether the guest came to its end.
    pub fn ended(&self) -> bool {
        self.0.contains_key("end")
    }

    /// The run that was begun and whose status never came.
    pub fn unfinished(&self) -> Option<&str> {
        let begun = self.0.keys().filter_map(|name| name.strip_suffix("/begun"));
        begun.into_iter().find(|run| !self.has(run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_whole_or_not_at_all() {
        let sent = b"@ a/begun 0\n\n@ a/trace 3\n\n@\n\n@ a/status 8\nrecord 0\n@ b/begun 0\n\n@ b/trace 9\nxx";
        let results = Results::parse(sent);
        assert_eq!(results.bytes("a/trace"), Some(&b"\n@\n"[..]));
        assert_eq!(results.text("a/status").as_deref(), Some("record 0"));
        assert_eq!(results.bytes("b/trace"), None);
        assert_eq!(results.unfinished(), Some("b"));
        assert!(!results.ended());
        assert!(Results::parse(b"@ end 0\n\n").ended());
    }

    #[test]
    fn a_run_that_is_made_again_leaves_nothing_of_before() {
        let mut results = Results::parse(b"@ a/trace 1\nx\n@ a/status 1\n1\n@ b/status 1\n1\n");
        results.forget("a");
        results.add(Results::parse(b"@ a/status 1\n2\n"));
        assert_eq!(results.text("a/status").as_deref(), Some("2"));
        assert_eq!(results.bytes("a/trace"), None);
        assert!(results.has("b") && !results.has("c"));
    }
}
