//! Texts of facts: from ids of the kernel programs to strings of the trace.

use crate::huffman::Huffman;
use crate::tape::Tape;
use ktape_format::schema::{WireText, text_form};
use rustc_hash::FxHashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Ids in the trace by those of the kernel programs: those that came or were asked for since there
/// were last [`MAX_IDS`] of them, and those of the time before.
#[derive(Default)]
pub(crate) struct Texts {
    ids: FxHashMap<u32, u32>,
    old_ids: FxHashMap<u32, u32>,
    huffman: Huffman,
}

/// 8 MB at most, and 32 times as many as the programs' dictionary holds (`text_ids` of text.bpf.h),
/// because they keep some ids for longer: those of locks and HTTP/2 connections. One of these that
/// comes back after half a million other texts is unknown.
const MAX_IDS: usize = 1 << 18;

impl Texts {
    /// The string in the trace of a text that the kernel programs call `id`; 0, the empty one, if it
    /// never came.
    pub(crate) fn translate(&mut self, id: u32) -> u32 {
        if let Some(&known) = self.ids.get(&id) {
            return known;
        }
        let Some(&known) = self.old_ids.get(&id) else { return 0 };
        self.remember(id, known);
        known
    }

    /// Takes a text that the kernel programs sent.
    pub(crate) fn add(&mut self, wire: &WireText, bytes: &[u8], tape: &mut Tape) {
        let string = match wire.form {
            text_form::PATH => tape.text(&path(bytes)),
            text_form::ADDRESS => tape.text(address(bytes).as_bytes()),
            text_form::REQUEST_PATH => tape.text(request_path(bytes)),
            text_form::REQUEST_PATH_HUFFMAN => tape.text(request_path(&self.huffman.decode(bytes))),
            _ => tape.text(bytes),
        };
        self.remember(wire.id, string);
    }

    fn remember(&mut self, id: u32, string: u32) {
        if self.ids.len() >= MAX_IDS {
            self.old_ids = std::mem::take(&mut self.ids);
        }
        self.ids.insert(id, string);
    }
}

/// Names, innermost first and each ended by a zero byte, as a path. The outermost name is that of the
/// root, `/`, where the walk came that far; a path that was cut begins with `...`.
fn path(names: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> =
        names.split(|&byte| byte == 0).filter(|name| !name.is_empty()).collect();
    let rooted = names.last() == Some(&&b"/"[..]);
    if rooted {
        names.pop();
    }
    // Where a file system is mounted, its root stands between two names.
    names.retain(|name| *name != b"/");
    names.reverse();
    let joined = names.join(&b'/');
    [if rooted { &b"/"[..] } else { b"" }, &joined].concat()
}

/// What stands before the question mark: behind it may be what is nobody else's business.
fn request_path(path: &[u8]) -> &[u8] {
    path.split(|&byte| byte == b'?').next().unwrap_or_default()
}

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// A socket address as people write it: `10.0.0.1:443`, `[::1]:443`.
fn address(bytes: &[u8]) -> String {
    let word = |at: usize| bytes.get(at..at + 2).map(|two| [two[0], two[1]]);
    let (Some(family), Some(port)) = (word(0), word(2)) else { return String::new() };
    let port = u16::from_be_bytes(port);
    let rest = bytes.get(4..).unwrap_or_default();
    let ip: Option<IpAddr> = match u16::from_ne_bytes(family) {
        AF_INET => rest.first_chunk::<4>().map(|&four| Ipv4Addr::from(four).into()),
        // An IPv4 peer of an IPv6 socket is an IPv4 peer.
        AF_INET6 => rest.first_chunk::<16>().map(|&sixteen| Ipv6Addr::from(sixteen).to_canonical()),
        AF_UNIX => return "unix".to_owned(),
        _ => None,
    };
    ip.map_or_else(String::new, |ip| SocketAddr::new(ip, port).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_turned_round() {
        let check = |names: &[u8], expected: &str| {
            assert_eq!(String::from_utf8_lossy(&path(names)), expected);
        };
        check(b"passwd\0etc\0/\0", "/etc/passwd");
        check(b"0\0pts\0/\0dev\0/\0", "/dev/pts/0");
        check(b"/\0", "/");
        check(b"pipe:\0", "pipe:");
        check(b"deep\0er\0...\0", ".../er/deep");
        check(b"", "");
    }

    #[test]
    fn paths_of_requests_end_at_the_question_mark() {
        assert_eq!(request_path(b"/pkg.Service/Method"), b"/pkg.Service/Method");
        assert_eq!(request_path(b"/login?token=secret"), b"/login");
        assert_eq!(request_path(b"?"), b"");
    }

    #[test]
    fn addresses_are_written_as_people_do() {
        let check = |family: u16, rest: &[u8], expected: &str| {
            let bytes = [&family.to_ne_bytes()[..], &443_u16.to_be_bytes(), rest].concat();
            assert_eq!(address(&bytes), expected);
        };
        check(AF_INET, &[10, 0, 0, 1], "10.0.0.1:443");
        let mut v6 = [0; 16];
        v6[15] = 1;
        check(AF_INET6, &v6, "[::1]:443");
        v6[10..].copy_from_slice(&[0xff, 0xff, 192, 168, 0, 2]);
        check(AF_INET6, &v6, "192.168.0.2:443");
        check(AF_INET, &[10, 0], "");
        check(99, &[10, 0, 0, 1], "");
        assert_eq!(address(b"\x02"), "");
    }
}
