//! `Glob`: shell patterns over names.

/// A pattern as the shell has it: `*`, `?`, `[a-z]`, `[!a-z]`; `\` takes the next byte as it is. A `!`
/// in front turns it around. Works on bytes, since names need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    pattern: Vec<u8>,
    deny: bool,
}

impl Glob {
    /// Takes a pattern as written. Every text is a pattern.
    pub fn new(text: &str) -> Self {
        match text.strip_prefix('!') {
            Some(rest) => Self { pattern: rest.as_bytes().to_vec(), deny: true },
            None => Self { pattern: text.as_bytes().to_vec(), deny: false },
        }
    }

    /// Whether any of `globs` lets this name pass: it matches one that allows (or there is none
    /// that allows), and none that denies.
    pub fn pass(globs: &[Glob], name: &[u8]) -> bool {
        let (mut allowed, mut allows) = (false, false);
        for glob in globs {
            let hit = matches(&glob.pattern, name);
            if glob.deny {
                if hit {
                    return false;
                }
            } else {
                allows = true;
                allowed |= hit;
            }
        }
        allowed || !allows
    }
}

/// Backtracks to the last `*` only: time is at most pattern x name.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some(_) => one(&pattern[p..], name[n]),
            None => None,
        };
        match (step, star) {
            (Some(len), _) => (p, n) = (p + len, n + 1),
            (None, Some((after, from))) => {
                star = Some((after, from + 1));
                (p, n) = (after, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Length of the pattern's first element when it accepts the byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern[0] {
        b'?' => Some(1),
        b'\\' if pattern.len() > 1 => (pattern[1] == byte).then_some(2),
        b'[' => match set(pattern, byte) {
            Some((len, hit)) => hit.then_some(len),
            None => (byte == b'[').then_some(1),
        },
        literal => (literal == byte).then_some(1),
    }
}

/// Reads a `[...]`; `None` when it has no end and the bracket is a plain one.
fn set(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let mut at = 1;
    let negated = matches!(pattern.get(at), Some(b'!' | b'^'));
    at += usize::from(negated);
    let first = at;
    let mut hit = false;
    loop {
        let low = *pattern.get(at)?;
        if low == b']' && at > first {
            return Some((at + 1, hit != negated));
        }
        match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some(b'-'), Some(&high)) if high != b']' => {
                hit |= (low..=high).contains(&byte);
                at += 3;
            }
            _ => {
                hit |= low == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    fn check(globs: &[&str], name: &str, expected: bool) {
        let parsed: Vec<Glob> = globs.iter().map(|glob| Glob::new(glob)).collect();
        assert_eq!(Glob::pass(&parsed, name.as_bytes()), expected, "{globs:?} on {name:?}");
    }

    #[test]
    fn matches_as_the_shell_does() {
        check(&["postgres"], "postgres", true);
        check(&["postgres"], "postgresql", false);
        check(&["post*"], "postgresql", true);
        check(&["*a*b*"], "xxaxxbxx", true);
        check(&["*a*b*"], "xxbxxaxx", false);
        check(&["kworker/?:*"], "kworker/1:2-events", true);
        check(&["[a-c]x"], "bx", true);
        check(&["[!a-c]x"], "bx", false);
        check(&["[]]"], "]", true);
        check(&["[ab"], "[ab", true);
        check(&["\\*"], "*", true);
        check(&["\\*"], "a", false);
        check(&["*"], "", true);
        check(&[""], "", true);
        check(&["?"], "", false);
    }

    #[test]
    fn allows_and_denies() {
        check(&[], "any", true);
        check(&["!sh"], "bash", true);
        check(&["!sh"], "sh", false);
        check(&["*sh", "!bash"], "zsh", true);
        check(&["*sh", "!bash"], "bash", false);
        check(&["a", "b"], "b", true);
    }
}
