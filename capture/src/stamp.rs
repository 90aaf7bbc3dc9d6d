//! Names of files that a recording makes as it goes on: `NAME.TIME`, as perf has them.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The first free name from now on: year to second in local time, and hundredths.
pub(crate) fn stamped(path: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut hundredths = now.as_millis() / 10;
    loop {
        let stamped = with_time(path, (hundredths / 100) as libc::time_t, (hundredths % 100) as u8);
        if std::fs::symlink_metadata(&stamped).is_err() {
            return stamped;
        }
        hundredths += 1;
    }
}

fn with_time(path: &Path, seconds: libc::time_t, hundredths: u8) -> PathBuf {
    let time = local(seconds);
    let mut name = path.to_owned().into_os_string();
    name.push(format!(
        ".{:04}{:02}{:02}{:02}{:02}{:02}{hundredths:02}",
        time.tm_year + 1900,
        time.tm_mon + 1,
        time.tm_mday,
        time.tm_hour,
        time.tm_min,
        time.tm_sec,
    ));
    name.into()
}

#[expect(unsafe_code, reason = "localtime_r(3)")]
fn local(seconds: libc::time_t) -> libc::tm {
    // SAFETY: an all-zero tm is valid, and both pointers are to values of this frame.
    unsafe {
        let mut time: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const seconds, &raw mut time);
        time
    }
}

#[cfg(test)]
mod tests {
    use super::stamped;

    #[test]
    fn names_are_not_used_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.ktape");
        let first = stamped(&path);
        std::fs::write(&first, b"").expect("a file");
        let second = stamped(&path);
        assert!(second > first, "{second:?} after {first:?}");
        let name = first.file_name().and_then(|name| name.to_str()).expect("a name");
        assert_eq!(name.len(), "a.ktape.2026010212345678".len(), "{name}");
        assert!(name["a.ktape.".len()..].bytes().all(|byte| byte.is_ascii_digit()), "{name}");
    }
}
