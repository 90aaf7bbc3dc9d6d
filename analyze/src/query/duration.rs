//! Lengths of time as people write them.

/// Nanoseconds of a length of time: a decimal number and one of ns, us, ms, s, m, h; seconds when
/// there is none. Digits beyond the nanosecond are cut off.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "`{text}` is no length of time: write a number and ns, us, ms, s, m or h, like 250ms or 1.5s"
        )
    };
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim() {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" | "" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(wrong()),
    };
    parse_decimal(number, unit).ok_or_else(wrong)
}

/// A decimal number times `unit`, rounded down.
pub(super) fn parse_decimal(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()?.checked_mul(unit)? };
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = &fraction[..fraction.len().min(15)];
    let part = if digits.is_empty() { 0 } else { digits.parse::<u128>().ok()? };
    let part = u128::from(unit) * part / 10u128.pow(digits.len() as u32);
    whole.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::parse_duration;

    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(parse_duration(text).ok(), expected, "{text}");
    }

    #[test]
    fn reads_lengths_of_time() {
        check("250ms", Some(250_000_000));
        check("1.5s", Some(1_500_000_000));
        check("3", Some(3_000_000_000));
        check(".5us", Some(500));
        check("0.25", Some(250_000_000));
        check("2m", Some(120_000_000_000));
        check("1.0000000019", Some(1_000_000_001));
        check("0", Some(0));
        check("", None);
        check(".", None);
        check("ms", None);
        check("5 parsecs", None);
        check("-1s", None);
        check("1.2.3", None);
        check("99999999999999999999", None);
        check("18446744073s", Some(18_446_744_073_000_000_000));
        check("18446744074s", None);
    }
}
