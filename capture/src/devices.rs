//! Names of device numbers, written down when a fact first names one.

use crate::tape::Tape;
use ktape_format::schema::Device;
use rustc_hash::FxHashSet;

/// The numbers that have been looked up.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    known: FxHashSet<u32>,
}

impl Devices {
    /// A new segment knows none.
    pub(crate) fn retell(&mut self) {
        self.known.clear();
    }

    /// Sees to it that a device number that a fact names has a name in the trace, if the host has one.
    pub(crate) fn know(&mut self, id: u32, tape: &mut Tape) {
        if id == 0 || !self.known.insert(id) {
            return;
        }
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let name = disk(&read("/proc/partitions"), id)
            .or_else(|| disk(&read("/proc/diskstats"), id))
            .or_else(|| mount(&read("/proc/self/mountinfo"), id))
            .unwrap_or_else(|| format!("{}:{}", major(id), minor(id)));
        let name = tape.text(name.as_bytes());
        tape.define(Device::DESC, &Device { id, name }.encode());
    }
}

/// include/linux/kdev_t.h: MINORBITS.
const MINOR_BITS: u32 = 20;

fn major(id: u32) -> u32 {
    id >> MINOR_BITS
}

fn minor(id: u32) -> u32 {
    id & ((1 << MINOR_BITS) - 1)
}

/// The name in /proc/partitions (major, minor, blocks, name) or /proc/diskstats (major, minor, name).
fn disk(text: &str, id: u32) -> Option<String> {
    text.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [of_major, of_minor, third, ..] = words.as_slice() else { return None };
        let same = of_major.parse() == Ok(major(id)) && of_minor.parse() == Ok(minor(id));
        let name = if words.len() == 4 { words[3] } else { third };
        same.then(|| name.to_owned())
    })
}

/// Type and place of the first mount of a file system with this number, from /proc/self/mountinfo
/// (Documentation/filesystems/proc.rst, 3.5).
fn mount(text: &str, id: u32) -> Option<String> {
    let number = format!("{}:{}", major(id), minor(id));
    text.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut words = mount.split(' ');
        let same = words.nth(2) == Some(number.as_str());
        let place = words.nth(1)?;
        same.then(|| format!("{} {}", kind.split(' ').next().unwrap_or_default(), unescape(place)))
    })
}

/// Blanks and backslashes stand as `\040` and so on.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) if code.is_ascii() => {
                out.push(char::from(code));
                rest = &after[3..];
            }
            _ => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_disks_partitions_and_file_systems() {
        let partitions =
            "major minor  #blocks  name\n\n   7        0    1024 loop0\n 254        1   9 vda1\n";
        let stats = " 254       0 vda 1 0 8 0 0 0 0 0 0 0 0\n";
        let mounts = "22 1 254:1 / / rw shared:1 - ext4 /dev/vda1 rw\n\
                      30 22 0:25 / /run/my\\040dir rw,nosuid shared:2 - tmpfs tmpfs rw\n\
                      31 22 0:25 /x /other rw - tmpfs tmpfs rw\n";
        let id = |major: u32, minor: u32| major << MINOR_BITS | minor;
        assert_eq!(disk(partitions, id(254, 1)).as_deref(), Some("vda1"));
        assert_eq!(disk(partitions, id(7, 0)).as_deref(), Some("loop0"));
        assert_eq!(disk(partitions, id(7, 1)), None);
        assert_eq!(disk(stats, id(254, 0)).as_deref(), Some("vda"));
        assert_eq!(mount(mounts, id(0, 25)).as_deref(), Some("tmpfs /run/my dir"));
        assert_eq!(mount(mounts, id(0, 26)), None);
        assert_eq!(unescape("a\\134b\\"), "a\\b\\");
    }
}
