//! Where a function of a Go program has just begun, and a program costs little.
//!
//! A uprobe at the first instruction, a comparison, has the kernel single-step it: 9.6 us for each
//! call on a virtual machine. The branch and the push behind it are emulated (arch/x86/kernel/
//! uprobes.c): 0.6 us. All arguments are still in their registers there.

/// Whether the prologues of this architecture are known.
pub(crate) const KNOWN: bool = cfg!(target_arch = "x86_64");

/// Why not.
pub(crate) const UNKNOWN: &str = "the beginnings of Go's functions are known on x86-64 only";

/// Bytes that are looked at.
pub(crate) const PROLOGUE: usize = 32;

/// Bytes from the beginning of a function to its cheap instruction, in code of Go 1.17 and later;
/// `None` when it begins in any other way than its compiler does (`stacksplit()` of
/// src/cmd/internal/obj/x86/obj6.go) for functions that need a stack of some bytes:
/// ```text
///     cmp  0x10(%r14),%rsp        or      lea -N(%rsp),%r12; cmp 0x10(%r14),%r12
///     jbe  runtime.morestack's call
///     push %rbp                   since 1.21
/// ```
pub(crate) fn cheap_instruction(code: &[u8]) -> Option<u64> {
    let compared = match code {
        [0x49, 0x3b, 0x66, 0x10, ..] => 4,
        [0x4c, 0x8d, 0x64, 0x24, _, 0x4d, 0x3b, 0x66, 0x10, ..] => 9,
        [0x4c, 0x8d, 0xa4, 0x24, _, _, _, _, 0x4d, 0x3b, 0x66, 0x10, ..] => 12,
        _ => return None,
    };
    let branched = match code.get(compared..)? {
        [0x76, forward, ..] if *forward < 0x80 => compared + 2,
        [0x0f, 0x86, _, _, _, high, ..] if *high < 0x80 => compared + 6,
        _ => return None,
    };
    match code.get(branched)? {
        0x55 => Some(branched as u64),
        _ => Some(compared as u64),
    }
}

/// The longest function that is searched for a call.
pub(crate) const LONGEST: usize = 64 << 10;

/// Where in the code of a function, which begins at `offset`, the only call of the function at `callee`
/// is: also an instruction that the kernel emulates. `None` when there is none, or more.
///
/// Code is not decoded for that: in a function of 2 KiB four bytes that happen to lead to the callee,
/// behind one that happens to be the code of a call, stand in one of 100 million programs.
pub(crate) fn call_of(code: &[u8], offset: u64, callee: u64) -> Option<u64> {
    let mut calls = code.windows(5).zip(0_u64..).filter(|(call, at)| {
        let forward = i32::from_le_bytes([call[1], call[2], call[3], call[4]]);
        call[0] == 0xe8 && (offset + at + 5).checked_add_signed(forward.into()) == Some(callee)
    });
    let (_, at) = calls.next()?;
    calls.next().is_none().then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: Option<u64>) {
        let code: Vec<u8> =
            code.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        assert_eq!(cheap_instruction(&code), expected, "{code:x?}");
    }

    #[test]
    fn beginnings() {
        // Go 1.19: cmp; jbe; sub.
        check("49 3b 66 10 0f 86 be 03 00 00 48 83 ec 68", Some(4));
        check("49 3b 66 10 76 5c 48 83 ec 18", Some(4));
        check("4c 8d 64 24 98 4d 3b 66 10 0f 86 64 07 00 00 48 81 ec e8", Some(9));
        check("4c 8d a4 24 f8 fd ff ff 4d 3b 66 10 0f 86 e4 13 00 00 48 81", Some(12));
        // Go 1.21 to 1.27: cmp; jbe; push.
        check("49 3b 66 10 0f 86 51 03 00 00 55 48 89 e5", Some(10));
        check("49 3b 66 10 76 5c 55 48 89 e5", Some(6));
        check("4c 8d a4 24 60 fd ff ff 4d 3b 66 10 0f 86 d4 28 00 00 55 48 89 e5", Some(18));
    }

    #[test]
    fn calls() {
        let check = |code: &[u8], expected| assert_eq!(call_of(code, 0x1000, 0x900), expected);
        check(&[0x90, 0xe8, 0xfa, 0xf8, 0xff, 0xff, 0xc3], Some(1));
        check(&[0x90, 0xe8, 0xfb, 0xf8, 0xff, 0xff, 0xc3], None);
        check(&[0xe8, 0xfb, 0xf8, 0xff, 0xff, 0xe8, 0xf6, 0xf8, 0xff, 0xff], None);
        check(&[0xe8, 0xfb, 0xf8, 0xff], None);
    }

    #[test]
    fn anything_else_is_refused() {
        // Go 1.16: the stack's bound comes from thread-local storage.
        check("64 48 8b 0c 25 f8 ff ff ff 48 3b 61 10 76 5c", None);
        // A function without a frame; C; a branch backwards; a piece.
        check("48 8b 40 08 c3", None);
        check("f3 0f 1e fa 55 48 89 e5", None);
        check("49 3b 66 10 76 f0 55", None);
        check("49 3b 66 10 0f 86 be 03 00 ff 55", None);
        check("49 3b 66 10 0f 86 be", None);
        check("49 3b 66 10 76 5c", None);
        check("", None);
    }
}
