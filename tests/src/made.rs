//! Traces that are made of samples.

use std::path::{Path, PathBuf};

use crate::ran::Ran;
use crate::recorder::Folder;
use crate::samples;

/// Runs a check on each sample, in threads of their own.
pub fn each_sample(check: impl Fn(&str, &Folder) + Sync) {
    let names = samples::names();
    std::thread::scope(|scope| {
        let checks: Vec<_> = names
            .iter()
            .map(|name| {
                let check = &check;
                scope.spawn(move || check(name, &Folder::new()))
            })
            .collect();
        checks.into_iter().for_each(|checked| checked.join().expect("a sample"));
    });
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Writes a trace made of another.
#[track_caller]
pub fn made(command: &str, of: &Path, folder: &Folder, name: &str, args: &[&str]) -> PathBuf {
    let path = folder.file(name);
    Ran::on(of, &[&[command, "-o", text(&path)], args].concat()).expect(0);
    Ran::on(&path, &["verify"]).expect(0);
    path
}
