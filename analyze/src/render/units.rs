//! Numbers with units, for people and for programs. Integer arithmetic only.

use super::escape::escape_text;
use crate::answer::Cell;
use crate::query::format_calendar;

/// A cell for people: `1.234 ms`, `12.3 MiB`, `4.20 %`.
pub(crate) fn human(cell: &Cell) -> String {
    match cell {
        Cell::None => "-".to_owned(),
        Cell::DurNs(ns) | Cell::Millis(ns) => duration(*ns),
        Cell::Longer(ns) => {
            let sign = if *ns < 0 { "-" } else { "+" };
            format!("{sign}{}", duration(ns.unsigned_abs()))
        }
        Cell::Bytes(bytes) => size(*bytes),
        Cell::Percent { part, whole } => format!("{} %", hundredths(*part, *whole, 100)),
        Cell::Rate { count, per_ns } => format!("{} /s", rate(*count, *per_ns)),
        Cell::Time(ns) => {
            let sign = if *ns <= -1000 { "-" } else { "" };
            let ns = ns.unsigned_abs();
            format!("{sign}{}.{:06} s", ns / 1_000_000_000, ns % 1_000_000_000 / 1000)
        }
        Cell::Calendar(ns) => format_calendar(*ns),
        Cell::Hex(value) => format!("{value:#x}"),
        Cell::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Cell::Text(text) | Cell::Symbol(text) => escape_text(text),
        Cell::List(cells) => cells.iter().map(human).collect::<Vec<_>>().join(", "),
        Cell::Count(_)
        | Cell::Int(_)
        | Cell::Tid(_)
        | Cell::Pid(_)
        | Cell::Cpu(_)
        | Cell::Quotient { .. } => number(cell),
    }
}

/// The number of a cell as JSON and CSV have it; empty for what is no number.
pub(super) fn number(cell: &Cell) -> String {
    match cell {
        Cell::Count(n) | Cell::DurNs(n) | Cell::Bytes(n) | Cell::Hex(n) | Cell::Calendar(n) => {
            n.to_string()
        }
        Cell::Millis(ns) => format!("{}.{:06}", ns / 1_000_000, ns % 1_000_000),
        Cell::Int(n) | Cell::Longer(n) | Cell::Time(n) => n.to_string(),
        Cell::Tid(n) | Cell::Pid(n) | Cell::Cpu(n) => n.to_string(),
        Cell::Percent { part, whole } => hundredths(*part, *whole, 100),
        Cell::Quotient { part, whole } => hundredths(*part, *whole, 1),
        Cell::Rate { count, per_ns } => rate(*count, *per_ns),
        Cell::Bool(yes) => yes.to_string(),
        Cell::None | Cell::Text(_) | Cell::Symbol(_) | Cell::List(_) => String::new(),
    }
}

/// The largest unit in which it is at least one, with three digits.
fn duration(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{}.{:03} us", ns / 1_000, ns % 1_000),
        1_000_000..1_000_000_000 => format!("{}.{:03} ms", ns / 1_000_000, ns / 1_000 % 1_000),
        _ => format!("{}.{:03} s", ns / 1_000_000_000, ns / 1_000_000 % 1_000),
    }
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let step = bytes.ilog2() / 10;
    let tenths = (u128::from(bytes) * 10) >> (step * 10);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[step as usize - 1])
}

/// `part * times / whole`, rounded to hundredths.
fn hundredths(part: u64, whole: u64, times: u128) -> String {
    let hundredths = match u128::from(whole) {
        0 => 0,
        whole => (u128::from(part) * times * 100 + whole / 2) / whole,
    };
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn rate(count: u64, per_ns: u64) -> String {
    let thousandths = match u128::from(per_ns) {
        0 => 0,
        per => (u128::from(count) * 1_000_000_000_000 + per / 2) / per,
    };
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

#[cfg(test)]
mod tests {
    use super::{human, number};
    use crate::answer::Cell;

    fn check(cell: Cell, for_people: &str, for_programs: &str) {
        assert_eq!((human(&cell).as_str(), number(&cell).as_str()), (for_people, for_programs));
    }

    #[test]
    fn units_for_people_and_programs() {
        check(Cell::DurNs(999), "999 ns", "999");
        check(Cell::DurNs(1_234_567), "1.234 ms", "1234567");
        check(Cell::DurNs(61_002_003_004), "61.002 s", "61002003004");
        check(Cell::Millis(1_234_567), "1.234 ms", "1.234567");
        check(Cell::Longer(1_234_567), "+1.234 ms", "1234567");
        check(Cell::Longer(-5), "-5 ns", "-5");
        check(Cell::Bytes(1023), "1023 B", "1023");
        check(Cell::Bytes(1536), "1.5 KiB", "1536");
        check(Cell::Bytes(u64::MAX), "15.9 EiB", "18446744073709551615");
        check(Cell::Percent { part: 2, whole: 3 }, "66.67 %", "66.67");
        check(Cell::Percent { part: 2, whole: 0 }, "0.00 %", "0.00");
        check(Cell::Rate { count: 5, per_ns: 2_000_000_000 }, "2.500 /s", "2.500");
        check(Cell::Time(-1_500_000_000), "-1.500000 s", "-1500000000");
        check(Cell::Time(-999), "0.000000 s", "-999");
        check(Cell::Hex(255), "0xff", "255");
        check(Cell::None, "-", "");
        check(Cell::text(b"\x1b"), "\\x1b", "");
    }
}
