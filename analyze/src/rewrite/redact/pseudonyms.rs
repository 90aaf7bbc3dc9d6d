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

/// Endings that tell what a file is; any other word behind a dot may be a name.
const EXTENSIONS: [&str; 102] = [
    "a", "bak", "bash", "bin", "bz2", "c", "cc", "cfg", "class", "conf", "config", "cpp", "cron",
    "crt", "css", "csv", "d", "dat", "data", "db", "deb", "desktop", "dll", "dylib", "el", "env",
    "exe", "gif", "go", "gz", "h", "hpp", "htm", "html", "idx", "img", "index", "ini", "iso",
    "jar", "java", "jpeg", "jpg", "js", "json", "ktape", "ko", "ldb", "lock", "log", "lua", "lz4",
    "map", "md", "mjs", "mo", "mount", "node", "o", "old", "orig", "parquet", "path", "pb", "pdf",
    "pem", "php", "pid", "pl", "png", "proto", "py", "pyc", "qcow2", "rb", "rpm", "rs", "scope",
    "service", "sh", "slice", "so", "sock", "socket", "sql", "sqlite", "sst", "svg", "swp", "tar",
    "target", "tgz", "timer", "tmp", "toml", "tsv", "txt", "wal", "xml", "xz", "yaml", "zst",
];

impl<'a> Pseudonyms<'a> {
    pub(super) fn new(secret: &'a Secret, options: &Redact, allowed: &[String]) -> Self {
        let allowed = options.allow.iter().chain(allowed).map(|text| Glob::new(text)).collect();
        let (keep_extensions, keep_loopback) = (options.keep_extensions, options.keep_loopback);
        Self { secret, allowed, keep_extensions, keep_loopback }
    }

    /// What a text of a class becomes; itself when it is allowed.
    pub(super) fn of(&self, class: Class, text: &[u8]) -> Vec<u8> {
        self.made(class, text, &mut Vec::new())
    }

    /// What a text of a class becomes, and adds to `kept` the parts of it that stay readable: the
    /// whole, or names, arguments, endings and addresses within it.
    pub(super) fn made(&self, class: Class, text: &[u8], kept: &mut Vec<Vec<u8>>) -> Vec<u8> {
        if class == Class::Public || SAID_BY_US.contains(&text) || self.allows(text) {
            kept.push(text.to_vec());
            return text.to_vec();
        }
        match class {
            Class::Public => text.to_vec(),
            Class::Comm => self.word("comm", "c-", text),
            Class::Command => joined(text, b' ', |argument| match argument.contains(&b'/') {
                true => self.path(argument, kept),
                false => self.part("argument", "a-", argument, kept),
            }),
            Class::Path => self.path(text, kept),
            Class::Address => self.address(text, kept),
            Class::Request => joined(text, b'/', |part| self.part("request", "r-", part, kept)),
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

    /// A word that is part of a text.
    fn part(&self, kind: &str, mark: &str, text: &[u8], kept: &mut Vec<Vec<u8>>) -> Vec<u8> {
        let word = self.word(kind, mark, text);
        if word == text {
            kept.push(word.clone());
        }
        word
    }

    /// Name by name, so that what lay in one directory still does.
    fn path(&self, text: &[u8], kept: &mut Vec<Vec<u8>>) -> Vec<u8> {
        let last = text.rsplit(|&byte| byte == b'/').next().unwrap_or(b"");
        let mut made = joined(text, b'/', |name| {
            if name.iter().all(|&byte| byte == b'.') {
                return name.to_vec();
            }
            self.part("name", "p-", name, kept)
        });
        if self.keep_extensions && !self.allows(last) {
            let ending = extension(last);
            made.extend_from_slice(ending);
            if !ending.is_empty() {
                kept.push(ending.to_vec());
            }
        }
        made
    }

    /// Address and port, each turned into another one.
    fn address(&self, text: &[u8], kept: &mut Vec<Vec<u8>>) -> Vec<u8> {
        let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        let Some(address): Option<SocketAddr> = parsed else {
            return self.word("address", "x-", text);
        };
        if self.keep_loopback && address.ip().is_loopback() {
            kept.push(text.to_vec());
            return text.to_vec();
        }
        let ip = match address.ip() {
            ip if self.stays(ip) => {
                kept.push(ip.to_string().into_bytes());
                ip
            }
            IpAddr::V4(ip) => self.ipv4(ip).into(),
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

    /// Whether an address is not replaced. The unspecified one says that none was chosen.
    fn stays(&self, ip: IpAddr) -> bool {
        ip.is_unspecified()
            || (self.keep_loopback && ip.is_loopback())
            || self.allows(ip.to_string().as_bytes())
    }

    /// Another address, and none of those that stay: what would become one of them goes on from there,
    /// so that no two become the same.
    fn ipv4(&self, ip: Ipv4Addr) -> Ipv4Addr {
        let mut ip = ip;
        loop {
            ip = Ipv4Addr::from(self.secret.permute("IPv4", 16, u32::from(ip)));
            if !self.stays(ip.into()) {
                return ip;
            }
        }
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
fn joined(text: &[u8], separator: u8, mut part: impl FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let parts = text.split(|&byte| byte == separator);
    let parts = parts.map(|text| if text.is_empty() { Vec::new() } else { part(text) });
    parts.collect::<Vec<_>>().join(&separator)
}

/// `.so` of `libc.so`, `.so.6` of `libc.so.6`; nothing when it is none that is known.
fn extension(name: &[u8]) -> &[u8] {
    let is_number = |text: &[u8]| text.len() <= 4 && text.iter().all(u8::is_ascii_digit);
    let mut from = name.len();
    while let Some(dot) = name[..from].iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0)
    {
        let word = &name[dot + 1..from];
        if EXTENSIONS.iter().any(|known| known.as_bytes() == word) {
            let numbered = from < name.len();
            return if numbered && word != b"so" { b"" } else { &name[dot..] };
        }
        // Only libraries have versions behind.
        if word.is_empty() || !is_number(word) {
            return b"";
        }
        from = dot;
    }
    b""
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

    /// With some thousands of addresses; a permutation alone would put a dozen of them there.
    #[test]
    fn no_address_becomes_one_that_stays() {
        let keep = Redact { keep_loopback: true, ..Redact::default() };
        let secret = Secret::new(b"0123456789abcdef").expect("a key");
        let pseudonyms = Pseudonyms::new(&secret, &keep, &[]);
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..3000u32 {
            let ip = pseudonyms.ipv4(Ipv4Addr::from(0x0a00_0000 + number));
            assert!(!ip.is_loopback() && !ip.is_unspecified() && seen.insert(ip), "{ip}");
        }
        let plain = |number: u32| secret.permute("IPv4", 16, 0x0a00_0000 + number);
        assert!((0..3000).any(|number| Ipv4Addr::from(plain(number)).is_loopback()));
    }

    #[test]
    fn what_stays_within_a_text_is_told() {
        let keep = Redact {
            keep_extensions: true,
            allow: vec!["lib".into(), "-x".into(), "10.*".into()],
            ..Redact::default()
        };
        let secret = Secret::new(b"0123456789abcdef").expect("a key");
        let pseudonyms = Pseudonyms::new(&secret, &keep, &[]);
        let check = |class, text: &str, expected: &[&str]| {
            let mut kept = Vec::new();
            pseudonyms.made(class, text.as_bytes(), &mut kept);
            let kept: Vec<_> = kept.iter().map(|text| String::from_utf8_lossy(text)).collect();
            assert_eq!(kept, expected, "{text}");
        };
        check(Class::Path, "/usr/lib/libc.so.6", &["lib", ".so.6"]);
        check(Class::Command, "cat -x /lib/a.conf", &["-x", "lib", ".conf"]);
        check(Class::Address, "10.0.0.1:80", &["10.0.0.1:80"]);
        check(Class::Comm, "lib", &["lib"]);
        check(Class::Comm, "bash", &[]);
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
        // Only what tells the kind of a file, and only of the file itself.
        for (path, ending) in [
            ("/usr/lib/libc.so.6", ".so.6"),
            ("/lib/libx.so.1.2.3", ".so.1.2.3"),
            ("/etc/x.conf.d/a.conf", ".conf"),
        ] {
            assert!(made(&keep, Class::Path, path).ends_with(ending), "{path}");
        }
        for path in [
            "/people/john.smith/x",
            "/people/john.smith",
            "/tmp/tmp.aB3xYz",
            "/x/a.log.7",
            "/x/a.12",
        ] {
            assert!(!made(&keep, Class::Path, path).contains('.'), "{path}");
        }
        assert_eq!(made(&keep, Class::Address, "127.0.0.1:80"), "127.0.0.1:80");
        assert_eq!(made(&keep, Class::Address, "[::1]:80"), "[::1]:80");
    }
}
