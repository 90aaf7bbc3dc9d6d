//! Traces without names: every number stays, and nothing of the original is left. Over all samples and
//! all reports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ktape_analyze::reports::REPORTS;
use ktape_format::Trace;
use ktape_tests::facts::{report, texts};
use ktape_tests::made::{each_sample, made, text};
use ktape_tests::ran::Ran;
use ktape_tests::recorder::Folder;
use ktape_tests::samples;
use serde_json::Value as Json;

/// The key of these tests.
const KEY: &str = "0123456789abcdef0123456789abcdef\n";

fn key(folder: &Folder) -> PathBuf {
    let path = folder.file("key");
    std::fs::write(&path, KEY).expect("a file");
    path
}

/// All numbers of an answer by where they stand: members by name, rows of a table without their texts
/// and in order of their numbers, since names decide the order of rows that are alike.
fn numbers(answer: &Json) -> Json {
    let of = |one: &Json| Some(numbers(one)).filter(|one| !one.is_null());
    match answer {
        Json::Number(_) => answer.clone(),
        Json::Array(list) => {
            let mut rows: Vec<Json> = list.iter().filter_map(of).collect();
            rows.sort_by_cached_key(Json::to_string);
            Json::Array(rows)
        }
        Json::Object(members) => {
            let members = members.iter().filter(|(name, _)| *name != "size_bytes");
            let members = members.filter_map(|(name, one)| Some((name.clone(), of(one)?)));
            Json::Object(members.collect())
        }
        _ => Json::Null,
    }
}

#[test]
fn redaction_keeps_every_number() {
    each_sample(|name, folder| {
        let (whole, key) = (samples::path(name), key(folder));
        let args = ["--key-file", text(&key)];
        let redacted = made("redact", &whole, folder, "redacted.ktape", &args);
        for entry in REPORTS {
            let of = |trace: &Path| numbers(&report(trace, &[entry.name, "--top", "0"]));
            assert_eq!(of(&redacted), of(&whole), "{name}: report {}", entry.name);
        }
    });
}

/// What a header says of the host and its user, in pieces.
fn said_by_header(trace: &Trace) -> Vec<Vec<u8>> {
    let meta = trace.meta();
    let mut all = vec![
        meta.host.hostname.clone(),
        meta.host.version.clone(),
        meta.host.boot_id.clone(),
        meta.host.kernel.clone(),
    ];
    all.extend_from_slice(&meta.command_line[2..]);
    all.extend(meta.filters.iter().chain(&meta.notes).map(|pair| pair.1.clone()));
    for probe in &meta.probes {
        all.push(probe.reason.clone());
        all.extend(probe.attached.iter().filter(|place| place.contains("uprobe")).cloned());
        all.extend(probe.knobs.iter().map(|knob| knob.1.clone()));
    }
    all.into_iter().map(String::into_bytes).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn nothing_of_the_original_is_left() {
    nothing_is_left_with(&[]);
}

#[test]
fn nothing_is_left_but_what_was_told_to_stay() {
    nothing_is_left_with(&["--keep-extensions", "--keep-loopback"]);
    nothing_is_left_with(&["--allow", "usr", "--allow=-*", "--allow", "127.*"]);
    nothing_is_left_with(&["--symbols", "\\[kernel],*"]);
}

/// Looks for all that is not told to remain.
fn nothing_is_left_with(options: &[&str]) {
    each_sample(|name, folder| {
        let (whole, key) = (samples::path(name), key(folder));
        let args = [&["--key-file", text(&key)], options].concat();
        let args = &args[..];
        let redacted = made("redact", &whole, folder, "redacted.ktape", args);
        let again = made("redact", &whole, folder, "again.ktape", args);
        let bytes = std::fs::read(&redacted).expect("a file");
        assert!(bytes == std::fs::read(&again).expect("a file"), "{name}: the same key");
        let dry = [&["redact", "--dry-run", "--format", "json"], options].concat();
        let told = Ran::on(&whole, &dry).expect(0).json();
        let kept: BTreeSet<Vec<u8>> = told["remaining"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| row["text"].as_str().expect("a text").as_bytes().to_vec())
            .collect();
        let (old, new) = (Trace::open(&whole), Trace::open(&redacted));
        let (old, new) = (old.expect("a trace"), new.expect("a trace"));
        // Whole texts, and the names within paths and command lines.
        let split = |text: &Vec<u8>| -> Vec<Vec<u8>> {
            let names = text.split(|byte| b"/ ,:".contains(byte)).map(<[u8]>::to_vec);
            names.chain([text.clone()]).collect()
        };
        let mut secrets: BTreeSet<Vec<u8>> = texts(&old)
            .iter()
            .filter(|text| !kept.contains(*text))
            .chain(&said_by_header(&old))
            .flat_map(split)
            .filter(|text| text.len() >= 4)
            .collect();
        // What stays, what ktape says of its records, and hexadecimal digits may hold a short one.
        let meta = new.meta();
        let mut probes = meta.probes.clone();
        probes
            .iter_mut()
            .for_each(|probe| probe.attached.retain(|place| !place.contains("uprobe")));
        let schema = format!("{:?} {probes:?} {}", meta.schema, meta.host.arch);
        let public = [kept.iter().cloned().collect::<Vec<_>>().join(&b'\n'), schema.into_bytes()];
        let hex = |text: &[u8]| text.len() < 8 && text.iter().all(u8::is_ascii_hexdigit);
        // Places and settings of probes that stay are among what may be read.
        let ours = |text: &[u8]| [&b"ktape"[..], b"record", b"uprobe"].contains(&text);
        secrets.retain(|secret| {
            !hex(secret) && !ours(secret) && !public.iter().any(|public| contains(public, secret))
        });
        assert!(secrets.len() > 4, "{name}: {} texts to look for", secrets.len());
        let header = said_by_header(&new).join(&b'\n');
        let readable: Vec<Vec<u8>> =
            texts(&new).into_iter().filter(|text| !kept.contains(text)).collect();
        let readable = readable.join(&b'\n');
        for secret in &secrets {
            let shown = String::from_utf8_lossy(secret);
            assert!(!contains(&readable, secret), "{name}: {shown} is a text");
            assert!(!contains(&header, secret), "{name}: {shown} is in the header");
            // Packed bytes have any four after one another.
            let found = secret.len() >= 6 && contains(&bytes, secret);
            assert!(!found, "{name}: {shown} is in the file");
        }
    });
}

#[test]
fn what_is_allowed_stays_and_keys_make_the_difference() {
    let (folder, whole) = (Folder::new(), samples::path("waits"));
    let key = key(&folder);
    let of = |name: &str, args: &[&str]| {
        let path = made("redact", &whole, &folder, name, args);
        texts(&Trace::open(&path).expect("a trace"))
    };
    let has = |texts: &[Vec<u8>], text: &str| texts.iter().any(|found| found == text.as_bytes());
    let keyed = ["--key-file", text(&key)];
    let plain = of("plain.ktape", &keyed);
    assert!(!has(&plain, "waits"));
    assert!(has(&of("allowed.ktape", &[&keyed[..], &["--allow", "wait?"]].concat()), "waits"));
    let list = folder.file("allowed");
    std::fs::write(&list, "nobody\nwaits\n").expect("a file");
    let listed = of("listed.ktape", &[&keyed[..], &["--allow-file", text(&list)]].concat());
    assert!(has(&listed, "waits"));
    let new = folder.file("new-key");
    let other = of("other.ktape", &["--write-key", text(&new)]);
    assert_ne!(other, plain, "another key, other pseudonyms");
    assert_eq!(of("same.ktape", &["--key-file", text(&new)]), other);
    let symbols = |args: &[&str]| has(&of("symbols.ktape", args), "do_syscall_64");
    assert!(symbols(&keyed));
    assert!(!symbols(&[&keyed[..], &["--symbols", "\\[kernel],*"]].concat()));
    // A dry run tells and writes nothing.
    let before =
        std::fs::read_dir(folder.file("x").parent().expect("a folder")).expect("it").count();
    let told = Ran::on(&whole, &["redact", "--dry-run"]).expect(0).text();
    assert!(told.contains("What remains readable") && told.contains("do_syscall_64"), "{told}");
    // What tells who built the kernel goes as the end of its release does, and the header is listed.
    let rows = Ran::on(&whole, &["redact", "--dry-run", "--format", "json"]).expect(0).json();
    let rows = rows["remaining"].as_array().expect("rows").clone();
    let is_id = |text: &str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(!rows.iter().any(|row| row["text"].as_str().is_some_and(is_id)), "no build-ids");
    assert!(
        texts(&Trace::open(&whole).expect("the sample"))
            .iter()
            .any(|text| { std::str::from_utf8(text).is_ok_and(is_id) })
    );
    let header = rows.iter().filter(|row| row["class"] == "header");
    let header: Vec<&str> = header.filter_map(|row| row["text"].as_str()).collect();
    for word in ["kernel ", "bytes of memory", "probe sched at "] {
        assert!(header.iter().any(|text| text.contains(word)), "{word} in {header:?}");
    }
    let after =
        std::fs::read_dir(folder.file("x").parent().expect("a folder")).expect("it").count();
    assert_eq!(before, after);
}
