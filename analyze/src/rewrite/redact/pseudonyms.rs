//! `Pseudonyms`: what texts become.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::class::Class;
use super::options::Redact;
use super::secret::{Secret, hex};
use crate::query::Glob;

/// Makes pseudonyms: the same for the same text of a class, and of the same form.
pub(super) struct Pseudonyms<'a> {
    pub(super) secret: &'a Secret,
    allowed: Vec<Glob>,
    keep_extensions: bool,
    keep_loopback: bool,
}

/// Texts that say nothing: what ktape writes where it knows no better, or the kernel's own.
const SAID_BY_US: [&[u8]; 8] =
    [b"", b"unix", b"[unknown]", b"[kernel]", b"[vdso]", b"[bpf]", b"[anon]", b"[heap]"];

/// Longest ending of a file name that counts as one.
const MAX_EXTENSION: usize = 8;

impl<'a> Pseudonyms<'a> {
    pub(super) fn new(secret: &'a Secret, options: &Redact, allowed: &[String]) -> Self {
        let allowed = options.allow.iter().chain(allowed).map(|text| Glob::new(text)).collect();
        let (keep_extensions, keep_loopback) = (options.keep_extensions, options.keep_loopback);
        Self { secret, allowed, keep_extensions, keep_loopback }
    }

    /// What a text of a class becomes; itself when it is allowed.
    pub(super) fn of(&self, class: Class, text: &[u8]) -> Vec<u8> {
        if class == Class::Public || SAID_BY_US.contains(&text) || self.allows(text) {
            return text.to_vec();
        }
        match class {
            Class::Public => text.to_vec(),
            Class::Comm => self.word("comm", "c-", text),
            Class::Command => joined(text, b' ', |argument| match argument.contains(&b'/') {
                true => self.path(argument),
                false => self.word("argument", "a-", argument),
            }),
            Class::Path => self.path(text),
            Class::Address => self.address(text),
            Class::Request => joined(text, b'/', |part| self.word("request", "r-", part)),
            Class::Message => self.word("message", "m-", text),
            Class::Lock => self.word("lock", "l-", text),
            Class::Device => self.word("device", "d-", text),
            Class::BuildId => {
                let hash = hex(&self.secret.hash("build-id", text)).repeat(2);
                hash.as_bytes()[..text.len().clamp(16, 64)].to_vec()
            }
            Class::Symbol => self.word("symbol", "f-", text),
            Class::Other => self.word("other", "x-", text),
        }
    }

    /// Whether a text may stay.
    fn allows(&self, text: &[u8]) -> bool {
        !self.allowed.is_empty() && Glob::pass(&self.allowed, text)
    }

    fn word(&self, kind: &str, mark: &str, text: &[u8]) -> Vec<u8> {
        if self.allows(text) {
            return text.to_vec();
        }
        format!("{mark}{}", self.secret.word(kind, text)).into_bytes()
    }

    /// Name by name, so that what lay in one directory still does.
    fn path(&self, text: &[u8]) -> Vec<u8> {
        joined(text, b'/', |name| {
            if name.iter().all(|&byte| byte == b'.') {
                return name.to_vec();
            }
            let mut word = self.word("name", "p-", name);
            if self.keep_extensions && word != name {
                word.extend_from_slice(extension(name));
            }
            word
        })
    }

    /// Address and port, each turned into another one.
    fn address(&self, text: &[u8]) -> Vec<u8> {
        let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        let Some(address): Option<SocketAddr> = parsed else {
            return self.word("address", "x-", text);
        };
        if self.keep_loopback && address.ip().is_loopback() {
            return text.to_vec();
        }
        let ip = match address.ip() {
            _ if self.allows(address.ip().to_string().as_bytes()) => address.ip(),
            // It says that none was chosen.
            ip if ip.is_unspecified() => ip,
            IpAddr::V4(ip) => Ipv4Addr::from(self.secret.permute("IPv4", 16, u32::from(ip))).into(),
            IpAddr::V6(ip) => {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&self.secret.hash("IPv6", &ip.octets())[..16]);
                // Of the range for private networks (RFC 4193).
                bytes[0] = 0xfd;
                Ipv6Addr::from(bytes).into()
            }
        };
        SocketAddr::new(ip, self.port(address.port())).to_string().into_bytes()
    }

    /// 0 is no port: it stays, and the port that would become it becomes what 0 would.
    fn port(&self, port: u16) -> u16 {
        let permuted = |port: u16| self.secret.permute("port", 8, port.into()) as u16;
        match (port, permuted(port)) {
            (0, _) => 0,
            (_, 0) => permuted(0),
            (_, other) => other,
        }
    }
}

/// The parts of a text between separators, each as `part` makes it; empty ones stay.
fn joined(text: &[u8], separator: u8, part: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let parts = text.split(|&byte| byte == separator);
    let parts = parts.map(|text| if text.is_empty() { Vec::new() } else { part(text) });
    parts.collect::<Vec<_>>().join(&separator)
}

/// `.so` of `libc.so`; nothing when there is none.
fn extension(name: &[u8]) -> &[u8] {
    let Some(dot) = name.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0) else {
        return b"";
    };
    let plain = name[dot + 1..].iter().all(u8::is_ascii_alphanumeric);
    if plain && (1..=MAX_EXTENSION).contains(&(name.len() - dot - 1)) { &name[dot..] } else { b"" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(options: &Redact, class: Class, text: &str) -> String {
        let secret = Secret::new(b"0123456789abcdef").expect("a key");
        let pseudonyms = Pseudonyms::new(&secret, options, &[]);
        String::from_utf8(pseudonyms.of(class, text.as_bytes())).expect("UTF-8")
    }

    #[test]
    fn forms_are_kept() {
        let plain = Redact::default();
        let check = |class, text: &str, pattern: &str| {
            let made = made(&plain, class, text);
            assert!(Glob::pass(&[Glob::new(pattern)], made.as_bytes()), "{text}: {made}");
        };
        let word = "????????????????";
        check(Class::Comm, "bash", &format!("c-{word}"));
        check(Class::Path, "/usr/lib/libc.so", &format!("/p-{word}/p-{word}/p-{word}"));
        check(Class::Path, ".../lib", &format!(".../p-{word}"));
        check(Class::Command, "ls -l /tmp", &format!("a-{word} a-{word} /p-{word}"));
        check(Class::Request, "/pkg.Service/Do", &format!("/r-{word}/r-{word}"));
        check(Class::BuildId, "0123456789abcdef0123", "????????????????????");
        check(Class::Symbol, "main", &format!("f-{word}"));
        check(Class::Address, "10.0.0.1:443", "*.*.*.*:*");
        check(Class::Address, "[2001:db8::1]:443", "\\[fd*:*\\]:*");
        check(Class::Address, "0.0.0.0:0", "0.0.0.0:0");
        check(Class::Public, "ext4", "ext4");
        check(Class::Path, "[vdso]", "\\[vdso]");
    }

    #[test]
    fn the_same_is_the_same_and_classes_are_apart() {
        let plain = Redact::default();
        let path = |text| made(&plain, Class::Path, text);
        assert_eq!(path("/a/b").split('/').nth(1), path("/a/c").split('/').nth(1));
        assert_eq!(made(&plain, Class::Command, "/a/b -x").split(' ').next(), Some(&*path("/a/b")));
        assert_ne!(made(&plain, Class::Comm, "a")[2..], path("a")[2..]);
    }

    #[test]
    fn what_is_allowed_stays() {
        let allow = |globs: &[&str]| Redact {
            allow: globs.iter().map(|&glob| glob.to_owned()).collect(),
            ..Redact::default()
        };
        assert_eq!(made(&allow(&["ba*"]), Class::Comm, "bash"), "bash");
        assert_eq!(made(&allow(&["/usr/*"]), Class::Path, "/usr/lib/x"), "/usr/lib/x");
        assert!(made(&allow(&["lib"]), Class::Path, "/usr/lib/x").contains("/lib/p-"));
        assert!(made(&allow(&["10.*"]), Class::Address, "10.0.0.1:99").starts_with("10.0.0.1:99"));
        let keep = Redact { keep_extensions: true, keep_loopback: true, ..Redact::default() };
        assert!(made(&keep, Class::Path, "/a/libc.so").ends_with(".so"));
        assert!(!made(&keep, Class::Path, "/a/.profile").ends_with("profile"));
        assert_eq!(made(&keep, Class::Address, "127.0.0.1:80"), "127.0.0.1:80");
        assert_eq!(made(&keep, Class::Address, "[::1]:80"), "[::1]:80");
    }
}
