//! `--switch-output` and `--overwrite`: how many files become of a recording.

use super::usage::Usage;
use anyhow::Result;
use ktape_capture::{
    DEFAULT_OVERWRITE_BYTES, DEFAULT_OVERWRITE_TIME, Files, Overwrite, Switch, units,
};
use std::path::Path;
use std::time::Duration;

/// Whether files can be made beside it: it is neither a pipe nor a device.
pub(super) fn is_file(output: &Path) -> bool {
    output.as_os_str() != "-"
        && output.metadata().map_or(true, |there| there.is_file() || there.is_dir())
}

/// One file, or several.
pub(super) fn files(
    switch: &Option<String>,
    keep: Option<u32>,
    overwrite: Option<Overwrite>,
) -> Result<Files> {
    let keep = keep.map(|keep| keep as usize);
    match (switch, overwrite) {
        (None, None) if keep.is_some() => Err(Usage(
            "--switch-max-files says how many files are kept: give --switch-output, too".into(),
        )
        .into()),
        (None, None) => Ok(Files::One),
        (_, Some(overwrite)) => Ok(Files::Overwritten(Overwrite { keep, ..overwrite })),
        (Some(when), None) => {
            let at = match when.as_str() {
                "signal" => None,
                when => Some(match amount(when, "--switch-output takes 100M, 10m or signal")? {
                    Amount::Bytes(bytes) if bytes < LEAST_BYTES => {
                        return Err(Usage("--switch-output takes a size from 1M on".into()).into());
                    }
                    Amount::Time(time) if time < LEAST_SWITCH => {
                        return Err(
                            Usage("--switch-output takes a time from 100ms on".into()).into()
                        );
                    }
                    Amount::Bytes(bytes) => Switch::Size(bytes),
                    Amount::Time(time) => Switch::Time(time),
                }),
            };
            Ok(Files::Switched { at, keep })
        }
    }
}

/// Reads `30s`, `32M` or both with a comma between.
pub(super) fn overwrite(text: &str) -> Result<Overwrite> {
    let mut overwrite = Overwrite {
        time: DEFAULT_OVERWRITE_TIME,
        bytes: DEFAULT_OVERWRITE_BYTES,
        on_stall: None,
        at_end: false,
        keep: None,
    };
    for part in text.split(',').filter(|part| !part.is_empty()) {
        match amount(part, "--overwrite takes 30s, 32M or 30s,32M")? {
            Amount::Bytes(bytes) if bytes < LEAST_BYTES => {
                return Err(Usage("--overwrite takes a size from 1M on".into()).into());
            }
            Amount::Time(time) if time < LEAST_KEPT => {
                return Err(Usage("--overwrite takes a time from 1s on".into()).into());
            }
            Amount::Bytes(bytes) => overwrite.bytes = bytes,
            Amount::Time(time) => overwrite.time = time,
        }
    }
    Ok(overwrite)
}

/// Each file or segment defines the host's tasks anew: in less than that there is little else.
const LEAST_BYTES: u64 = 1 << 20;
const LEAST_SWITCH: Duration = Duration::from_millis(100);
const LEAST_KEPT: Duration = Duration::from_secs(1);

/// A size or a time, above 0.
enum Amount {
    Bytes(u64),
    Time(Duration),
}

/// As perf tells them apart: a size ends in B, K, M or G, a time in s, m, h or d.
fn amount(text: &str, takes: &str) -> Result<Amount> {
    let wrong = || Usage(format!("{takes}, not {text}"));
    let amount = if text.ends_with(['B', 'K', 'M', 'G', 'T']) {
        Amount::Bytes(units::parse_bytes(text).map_err(|_| wrong())?)
    } else if text.ends_with(['s', 'm', 'h', 'd']) {
        Amount::Time(units::parse_duration(text).map_err(|_| wrong())?)
    } else {
        return Err(wrong().into());
    };
    match amount {
        Amount::Bytes(0) | Amount::Time(Duration::ZERO) => Err(wrong().into()),
        amount => Ok(amount),
    }
}

#[cfg(test)]
mod tests {
    use super::{files, overwrite};
    use ktape_capture::{Files, Switch};
    use std::time::Duration;

    #[track_caller]
    fn check(when: &str, expected: Option<Option<Switch>>) {
        let found = files(&Some(when.to_owned()), None, None).ok();
        assert_eq!(found, expected.map(|at| Files::Switched { at, keep: None }), "{when}");
    }

    #[test]
    fn sizes_and_times_are_told_apart_as_by_perf() {
        check("signal", Some(None));
        check("100M", Some(Some(Switch::Size(100 << 20))));
        check("10m", Some(Some(Switch::Time(Duration::from_secs(600)))));
        check("1d", Some(Some(Switch::Time(Duration::from_secs(86_400)))));
        check("100", None);
        check("0s", None);
        check("0K", None);
        check("1K", None);
        check("10ms", None);
    }

    #[test]
    fn a_flight_recorder_has_a_time_and_a_size() {
        let of = |text| overwrite(text).map(|of| (of.time.as_secs(), of.bytes >> 20)).ok();
        assert_eq!(of(""), Some((30, 32)));
        assert_eq!(of("5m"), Some((300, 32)));
        assert_eq!(of("8M"), Some((30, 8)));
        assert_eq!(of("2m,256M"), Some((120, 256)));
        assert_eq!(of("4K"), None);
        assert_eq!(of("10ms"), None);
        assert_eq!(of("some"), None);
    }
}
