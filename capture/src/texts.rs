//! Texts of facts: from ids of the kernel programs to strings of the trace.

use crate::huffman::Huffman;
use crate::tape::Tape;
use ktape_format::schema::{WireText, text_form};
use rustc_hash::FxHashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

/// Ids in the trace by those of the kernel programs: those that came or were asked for since there
/// were last [`MAX_IDS`] of them, and those of the time before.
#[derive(Default)]
pub(crate) struct Texts {
    ids: FxHashMap<u32, Known>,
    old_ids: FxHashMap<u32, Known>,
    /// The texts themselves, where a later segment may need them; else empty.
    contents: FxHashMap<u32, Rc<[u8]>>,
    old_contents: FxHashMap<u32, Rc<[u8]>>,
    content_bytes: usize,
    keeps: bool,
    huffman: Huffman,
}

/// An id in the trace, and the segment in which it was told last.
#[derive(Clone, Copy)]
struct Known {
    id: u32,
    told: u32,
}

/// 12 MB at most, and 32 times as many as the programs' dictionary holds (`text_ids` of text.bpf.h),
/// because they keep some ids for longer: those of locks and HTTP/2 connections. One of these that
/// comes back after half a million other texts is unknown.
const MAX_IDS: usize = 1 << 18;

/// Bytes of texts that are kept for later segments, before those that were not asked for since then
/// are let go; there are twice as many at most.
const MAX_CONTENT_BYTES: usize = 8 << 20;

/// What keeping a text takes besides its bytes.
const CONTENT_OVERHEAD: usize = 48;

impl Texts {
    /// `keeps`: there will be segments, in which texts have to be told again.
    pub(crate) fn new(keeps: bool) -> Texts {
        Texts { keeps, ..Texts::default() }
    }

    /// The string in the trace of a text that the kernel programs call `id`; 0, the empty one, if it
    /// never came.
    pub(crate) fn translate(&mut self, id: u32, tape: &mut Tape) -> u32 {
        let (known, old) = match self.ids.get(&id) {
            Some(&known) => (known, false),
            None => match self.old_ids.get(&id) {
                Some(&known) => (known, true),
                None => return 0,
            },
        };
        if known.told == tape.segment() {
            if old {
                let content = self.content(id);
                self.remember(id, known, content);
            }
            return known.id;
        }
        let Some(content) = self.content(id) else { return 0 };
        let known = Known { id: tape.text(&content), told: tape.segment() };
        self.remember(id, known, Some(content));
        known.id
    }

    fn content(&self, id: u32) -> Option<Rc<[u8]>> {
        self.contents.get(&id).or_else(|| self.old_contents.get(&id)).cloned()
    }

    /// Takes a text that the kernel programs sent.
    pub(crate) fn add(&mut self, wire: &WireText, bytes: &[u8], tape: &mut Tape) {
        let path;
        let address_text;
        let decoded;
        let text = match wire.form {
            text_form::PATH => {
                path = self::path(bytes);
                &path
            }
            text_form::ADDRESS => {
                address_text = address(bytes);
                address_text.as_bytes()
            }
            text_form::REQUEST_PATH => request_path(bytes),
            text_form::REQUEST_PATH_HUFFMAN => {
                decoded = self.huffman.decode(bytes);
                request_path(&decoded)
            }
            _ => bytes,
        };
        let known = Known { id: tape.text(text), told: tape.segment() };
        let content = self.keeps.then(|| text.into());
        self.remember(wire.id, known, content);
    }

    fn remember(&mut self, id: u32, known: Known, content: Option<Rc<[u8]>>) {
        if self.ids.len() >= MAX_IDS || self.content_bytes >= MAX_CONTENT_BYTES {
            self.old_ids = std::mem::take(&mut self.ids);
            self.old_contents = std::mem::take(&mut self.contents);
            self.content_bytes = 0;
        }
        self.ids.insert(id, known);
        if let Some(content) = content {
            let bytes = content.len() + CONTENT_OVERHEAD;
            if self.contents.insert(id, content).is_none() {
                self.content_bytes += bytes;
            }
        }
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
