//! Ranges of CPU numbers, as people write them.

/// Reads `3` or `0-3`: the first and the last CPU. `None` when it is neither.
pub fn cpu_range(text: &str) -> Option<(u32, u32)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (low <= high).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::cpu_range;

    #[test]
    fn numbers_and_ranges() {
        let check = |text, expected| assert_eq!(cpu_range(text), expected, "{text}");
        check("3", Some((3, 3)));
        check(" 0 - 12 ", Some((0, 12)));
        check("5-5", Some((5, 5)));
        for wrong in ["", "-", "3-", "-3", "3-1", "a", "1-2-3", "4294967296"] {
            check(wrong, None);
        }
    }
}
