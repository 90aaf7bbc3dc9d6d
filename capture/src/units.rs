//! Durations and sizes as people type them.

use std::time::Duration;

/// Reads `5s`, `10ms`, `250us`, `1.5m`, `2h`, `1d` or `40ns`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit.trim() {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "" | "s" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3600e9,
        "d" => 86_400e9,
        _ => return Err(format!("`{text}` is not a duration; write 5s, 10ms, 250us")),
    };
    let number: f64 =
        number.parse().map_err(|_| format!("`{text}` is not a duration; write 5s, 10ms, 250us"))?;
    let nanos = (number * scale).round();
    if !(0.0..1e18).contains(&nanos) {
        return Err(format!("`{text}` is out of range"));
    }
    Ok(Duration::from_nanos(nanos as u64))
}

/// The shortest exact form: 1ms, 1500us, 2s.
pub fn show_duration(nanos: u64) -> String {
    for (unit, scale) in [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)] {
        if nanos >= scale && nanos.is_multiple_of(scale) {
            return format!("{}{unit}", nanos / scale);
        }
    }
    format!("{nanos}ns")
}

/// Reads `64M`, `512K`, `1G` or a number of bytes.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let shift = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(format!("`{text}` is not a size; write 64M, 512K, 1G")),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| format!("`{text}` is not a size; write 64M, 512K, 1G"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, nanos: Option<u64>) {
        assert_eq!(parse_duration(text).ok().map(|d| d.as_nanos() as u64), nanos, "{text}");
    }

    #[test]
    fn durations() {
        check("5s", Some(5_000_000_000));
        check("1.5ms", Some(1_500_000));
        check("250us", Some(250_000));
        check("3", Some(3_000_000_000));
        check("0", Some(0));
        check("ms", None);
        check("5 parsecs", None);
        check("-1s", None);
        assert_eq!(show_duration(1_500_000), "1500us");
        assert_eq!(show_duration(2_000_000_000), "2s");
        assert_eq!(show_duration(7), "7ns");
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_bytes("64M"), Ok(64 << 20));
        assert_eq!(parse_bytes("512KiB"), Ok(512 << 10));
        assert_eq!(parse_bytes("17"), Ok(17));
        assert!(parse_bytes("64X").is_err());
        assert!(parse_bytes("64MBB").is_err());
        assert!(parse_bytes("99999999999G").is_err());
    }
}
