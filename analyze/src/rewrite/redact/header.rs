//! The header of a redacted trace.

use ktape_format::{LACKS, Meta, filter_name};

use super::class::Class;
use super::pseudonyms::Pseudonyms;
use super::secret::hex;
use crate::context::{Hosts, Part};
use crate::query::parse_duration;

/// What stands where something was taken out; and the note of a redacted trace that tells of its key.
pub(crate) const REDACTED: &str = "redacted";
/// Notes that hold numbers and words of ktape alone.
const PLAIN_NOTES: [&str; 7] = [
    "unfinished",
    LACKS,
    "recovered whole",
    "symbolized without",
    "imported clock",
    "imported off_cpu",
    "imported cpu_sample",
];
/// Words that settings of probes can have besides numbers.
const PLAIN_SETTINGS: [&str; 9] =
    ["all", "none", "long", "on", "off", "files", "learn", "names", "accept"];
/// Kinds of places in the kernel that a probe is attached to: their names are the kernel's.
const KERNEL_PLACES: [&str; 9] = [
    "tp_btf",
    "fentry",
    "fexit",
    "kprobe",
    "kretprobe",
    "tracepoint",
    "raw_tp",
    "perf_event",
    "iter",
];

/// Replaces all that a header says of the host and of who recorded it.
pub(super) fn redact(meta: &mut Meta, pseudonyms: &Pseudonyms<'_>) {
    let text = |class, text: &str| {
        String::from_utf8_lossy(&pseudonyms.of(class, text.as_bytes())).into_owned()
    };
    let name = |name: &str| format!("host-{}", pseudonyms.secret.word("host", name.as_bytes()));
    let hosts = Hosts::of(meta);
    let part = Part::of(meta);
    let host = &mut meta.host;
    host.hostname = match hosts.several() {
        true => hosts.list().iter().map(|host| name(&host.name)).collect::<Vec<_>>().join(", "),
        false => name(&host.hostname),
    };
    host.kernel = host.kernel.split(", ").map(release).collect::<Vec<_>>().join(", ");
    host.version = String::new();
    if !host.boot_id.is_empty() {
        let boot = hex(&pseudonyms.secret.hash("boot", host.boot_id.as_bytes())[..16]);
        host.boot_id =
            [&boot[..8], &boot[8..12], &boot[12..16], &boot[16..20], &boot[20..]].join("-");
    }
    for (at, argument) in meta.command_line.iter_mut().enumerate() {
        let own = ["ktape", "record", "merge"].contains(&argument.as_str());
        if at > 1 || !own {
            *argument = text(Class::Command, argument);
        }
    }
    for (kind, value) in &mut meta.filters {
        let class = match kind.as_str() {
            filter_name::COMM | filter_name::NOT_COMM => Class::Comm,
            filter_name::CGROUP => Class::Path,
            _ => Class::Command,
        };
        let numeric = [filter_name::PID, filter_name::TID, filter_name::CPU, filter_name::UID];
        if !(numeric.contains(&kind.as_str()) && is_numbers(value)) {
            *value = text(class, value);
        }
    }
    for probe in &mut meta.probes {
        probe.attached.iter_mut().for_each(|places| *places = attached(places));
        if !probe.reason.is_empty() {
            REDACTED.clone_into(&mut probe.reason);
        }
        for (_, value) in &mut probe.knobs {
            let plain = |word: &str| parse_duration(word).is_ok() || PLAIN_SETTINGS.contains(&word);
            if !plain(value) {
                *value = text(Class::Other, value);
            }
        }
    }
    let notes = std::mem::take(&mut meta.notes);
    meta.notes = notes
        .into_iter()
        .filter(|note| !Hosts::is_note(&note.0) && !Part::is_note(&note.0))
        .map(|(name, value)| match PLAIN_NOTES.contains(&name.as_str()) {
            true => (name, value),
            false => (name, REDACTED.to_owned()),
        })
        .collect();
    hosts.renamed(name).note(meta);
    if let Some(mut part) = part {
        part.comm.iter_mut().for_each(|glob| *glob = text(Class::Comm, glob));
        part.hosts.iter_mut().for_each(|glob| *glob = text(Class::Other, glob));
        part.note(meta);
    }
    let fingerprint = pseudonyms.secret.fingerprint();
    meta.notes.push((REDACTED.to_owned(), format!("key with fingerprint {fingerprint}")));
}

/// What a redacted header still says, in words: of the host, how it was recorded, and what stayed by
/// `--allow`. `before` is the header that it was made of.
pub(super) fn remaining(before: &Meta, after: &Meta, pseudonyms: &Pseudonyms<'_>) -> Vec<String> {
    let host = &after.host;
    let mut all = vec![
        format!("kernel {} on {}", host.kernel, host.arch),
        format!("{} of {} CPUs, pages of {} bytes", host.cpus, host.possible_cpus, host.page_size),
        format!("{} bytes of memory", host.mem_bytes),
        format!(
            "start {} ns since 1970, {} ns after boot",
            after.start.realtime, after.start.boottime
        ),
        format!("ktape {}", after.ktape_version),
    ];
    for (argument, made) in before.command_line.iter().zip(&after.command_line) {
        let mut kept = Vec::new();
        match argument == made {
            true => kept.push(made.clone().into_bytes()),
            false => _ = pseudonyms.made(Class::Command, argument.as_bytes(), &mut kept),
        }
        let kept = kept.iter().map(|part| String::from_utf8_lossy(part));
        all.extend(kept.map(|part| format!("argument {part}")));
    }
    let same = before.filters.iter().zip(&after.filters).filter(|(a, b)| a == b);
    all.extend(same.map(|(_, (kind, value))| format!("filter {kind} {value}")));
    for (old, new) in before.probes.iter().zip(&after.probes) {
        let name = &new.name;
        all.extend(new.attached.iter().map(|places| format!("probe {name} at {places}")));
        let knobs = old.knobs.iter().zip(&new.knobs).filter(|(a, b)| a == b);
        all.extend(knobs.map(|(_, (knob, value))| format!("probe {name} with {knob}={value}")));
    }
    let said = after.notes.iter().filter(|note| note.1 != REDACTED);
    all.extend(said.map(|(name, value)| format!("note {name}: {value}")));
    all
}

/// The numbers of a kernel release: what follows says who built it.
fn release(kernel: &str) -> String {
    let plain = |c: char| !(c.is_ascii_digit() || c == '.');
    kernel[..kernel.find(plain).unwrap_or(kernel.len())].trim_end_matches('.').to_owned()
}

fn is_numbers(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || b" ,-".contains(&byte))
}

/// Names of places in the kernel; only the kind of others, which are files and their functions.
fn attached(places: &str) -> String {
    let one = |place: &str| {
        let kind = place.split(':').next().unwrap_or("");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_:-./".contains(&byte);
        match KERNEL_PLACES.contains(&kind) && place.bytes().all(plain) {
            true => place.to_owned(),
            false if kind.bytes().all(|byte| byte.is_ascii_lowercase()) && place.contains(':') => {
                format!("{kind}:{REDACTED}")
            }
            false => REDACTED.to_owned(),
        }
    };
    let mut list: Vec<String> = places.split(", ").map(one).collect();
    list.dedup();
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use ktape_format::Meta;

    use super::{Pseudonyms, attached, redact, release, remaining};
    use crate::rewrite::{Redact, Secret};

    #[test]
    fn only_filters_of_numbers_stay() {
        let pair = |kind: &str, value: &str| (kind.to_owned(), value.to_owned());
        let mut meta = Meta {
            filters: vec![
                pair("pid", "1, 20-30"),
                pair("comm", "2024-11"),
                pair("cgroup", "17"),
                pair("tid", "a"),
            ],
            command_line: ["ktape", "record", "-p", "secret"].map(str::to_owned).to_vec(),
            ..Meta::default()
        };
        let before = meta.clone();
        let options = Redact { allow: vec!["-p".to_owned()], ..Redact::default() };
        let secret = Secret::new(b"0123456789abcdef").expect("a key");
        let pseudonyms = Pseudonyms::new(&secret, &options, &[]);
        redact(&mut meta, &pseudonyms);
        let same: Vec<bool> =
            before.filters.iter().zip(&meta.filters).map(|(a, b)| a == b).collect();
        assert_eq!(same, [true, false, false, false]);
        let told = remaining(&before, &meta, &pseudonyms);
        for row in ["filter pid 1, 20-30", "argument record", "argument -p"] {
            assert!(told.iter().any(|told| told == row), "{row} in {told:?}");
        }
        assert!(!told.iter().any(|told| told.contains("secret")), "{told:?}");
    }

    #[test]
    fn releases_and_places_are_cut_down() {
        assert_eq!(release("6.18.44-corp-build7"), "6.18.44");
        assert_eq!(release("5.10.0-"), "5.10.0");
        let check = |places, expected: &str| assert_eq!(attached(places), expected);
        check("tp_btf:sched_switch, kprobe:do_x", "tp_btf:sched_switch, kprobe:do_x");
        check("uprobe:/opt/secret/lib.so:f, uprobe:go:x.Y", "uprobe:redacted");
        check("/opt/secret", "redacted");
    }
}
