//! The committed traces and what is known of them.

use std::path::{Path, PathBuf};

use crate::binary::workspace;

/// The names of all traces in `samples/`, sorted.
pub fn names() -> Vec<String> {
    let folder = workspace().join("samples");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder samples")
        .filter_map(|entry| {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            name.strip_suffix(".ktape").map(str::to_owned)
        })
        .collect();
    names.sort_unstable();
    names
}

/// The path of a sample.
pub fn path(name: &str) -> PathBuf {
    workspace().join("samples").join(name).with_extension("ktape")
}

/// What the workload itself printed while the sample was recorded.
pub fn counts(name: &str) -> String {
    let path = Path::new(&path(name)).with_extension("txt");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
