//! The files that a recording has made, of which it keeps the newest.

use crate::identity::Identity;
use std::collections::VecDeque;
use std::path::PathBuf;

/// Files that are whole, the oldest first.
pub(crate) struct Made {
    /// How many are kept; `None`: all.
    keep: Option<usize>,
    files: VecDeque<(PathBuf, Option<Identity>)>,
}

impl Made {
    /// None so far.
    pub(crate) fn new(keep: Option<usize>) -> Made {
        Made { keep, files: VecDeque::new() }
    }

    /// Another one is whole: removes the oldest when there are more than are kept. One that is gone
    /// already is no error, and what has taken its name stays.
    pub(crate) fn add(&mut self, path: PathBuf, identity: Option<Identity>) {
        self.files.push_back((path, identity));
        while self.keep.is_some_and(|keep| self.files.len() > keep)
            && let Some((path, identity)) = self.files.pop_front()
        {
            if identity.is_some() && Identity::of_name(&path) == identity {
                std::fs::remove_file(path).ok();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut made = Made::new(Some(1));
        let mut add = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, name).expect("a file");
            made.add(path.clone(), Identity::of_name(&path));
        };
        add("a");
        add("b");
        // Somebody else's takes the name.
        std::fs::write(folder.path().join("other"), "x").expect("a file");
        std::fs::rename(folder.path().join("other"), folder.path().join("b")).expect("renamed");
        add("c");
        let files = folder.path().read_dir().expect("a folder");
        let mut names: Vec<_> = files.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        assert_eq!(names, ["b", "c"]);
    }
}
