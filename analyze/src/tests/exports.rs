use ktape_schema::{CpuSample, OffCpu, stack_end, stack_side};

use crate::export::{Of, ParquetExport, StackExport, flamegraph, parquet};
use crate::query::FilterArgs;
use crate::render::folded;
use crate::run::{Query, run};
use crate::testing::{START, Tape};

fn tape() -> Tape {
    let mut tape = Tape::new();
    tape.thread(10, 10, "my;app\x1b");
    tape.thread(20, 20, "other");
    let whole = tape.user_stack(&["_start", "main", "outer|inlined", "<T as U>::go"]);
    let cut = tape.stack(stack_side::USER, stack_end::TRUNCATED, &["read"]);
    let unnamed = tape.user_stack(&["main", ""]);
    let kernel = tape.kernel_stack(&["entry", "schedule"]);
    for (tid, ustack, kstack, duration) in [
        (10, whole, kernel, 1_000_000),
        (10, whole, kernel, 500_999),
        (20, cut, kernel, 7_000),
        (20, unnamed, 0, 3_000),
        (20, 4444, 0, 2_000),
        (20, 0, 0, 1_000),
        (20, 0, kernel, 999),
    ] {
        let row =
            OffCpu { end: START, duration, tid, tgid: tid, kstack, ustack, ..Default::default() };
        tape.off_cpu(row);
    }
    for (ustack, weight) in [(whole, 10), (whole, 20), (cut, 3)] {
        let (time, tid) = (START, 20);
        tape.sample(CpuSample {
            time,
            weight,
            tid,
            tgid: tid,
            ustack,
            event: 1,
            ..Default::default()
        });
    }
    tape
}

fn lines(of: Of) -> Vec<u8> {
    folded(&run(&StackExport { of }, &tape().trace(), &Query::default()).expect("an answer"))
}

fn check(of: Of, expected: &[&str]) {
    let found = String::from_utf8(lines(of)).expect("UTF-8");
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn folded_stacks_read_from_root_to_leaf() {
    check(
        Of::Offcpu,
        &[
            "my:app\\x1b;_start;main;outer;inlined_[i];<T as U>::go;entry_[k];schedule_[k] 1500",
            "other;[no stack] 1",
            "other;[truncated];read;entry_[k];schedule_[k] 7",
            "other;[unknown] 2",
            "other;main;app+0x70 3",
        ],
    );
    check(
        Of::Cpu,
        &["other;[truncated];read 3", "other;_start;main;outer;inlined_[i];<T as U>::go 30"],
    );
}

#[test]
fn flame_graphs_are_escaped_and_the_same_every_time() {
    let draw = || flamegraph(&lines(Of::Offcpu), Of::Offcpu).expect("an SVG");
    let svg = String::from_utf8(draw()).expect("UTF-8");
    assert!(svg.starts_with("<?xml"));
    assert!(svg.contains("&lt;T as U&gt;::go"));
    assert!(!svg.contains("<T as U>"));
    assert!(!svg.contains('\u{1b}'));
    assert_eq!(draw(), svg.into_bytes());
    assert!(flamegraph(b"", Of::Cpu).is_err());
}

/// A Parquet file as its rows, each a JSON object.
fn rows(path: &std::path::Path) -> Vec<serde_json::Value> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    use serde_json::Value;
    let json = |field: &Field| match field {
        Field::Int(value) => Value::from(*value),
        Field::Long(value) | Field::TimestampMicros(value) => Value::from(*value),
        Field::Str(text) => Value::from(text.as_str()),
        Field::Null => Value::Null,
        other => panic!("{other:?}"),
    };
    let file = std::fs::File::open(path).expect("a file");
    let reader = SerializedFileReader::new(file).expect("a Parquet file");
    let rows = reader.get_row_iter(None).expect("rows");
    rows.map(|row| {
        let row = row.expect("a row");
        row.get_column_iter().map(|(name, field)| (name.clone(), json(field))).collect()
    })
    .collect()
}

#[test]
fn parquet_has_numbers_and_what_they_stand_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = tape().trace();
    let export = |options: &ParquetExport| {
        parquet(&trace, &FilterArgs::default(), options, folder.path()).map(|exported| {
            let name = |path: &std::path::PathBuf| {
                path.file_name().expect("a name").to_string_lossy().into_owned()
            };
            exported.files.iter().map(|(path, rows)| (name(path), *rows)).collect::<Vec<_>>()
        })
    };
    let mut options = ParquetExport { record: Vec::new(), level: 3 };
    let expected = [("off_cpu.parquet".to_owned(), 7), ("cpu_sample.parquet".to_owned(), 3)];
    assert_eq!(export(&options).expect("files"), expected);
    let waits = rows(&folder.path().join("off_cpu.parquet"));
    assert_eq!(waits.len(), 7);
    let first = &waits[0];
    assert_eq!(first["duration"], 1_000_000);
    assert_eq!(first["start"].as_u64(), Some(START - 1_000_000));
    assert_eq!(first["tid"], 10);
    assert_eq!(first["comm"], "my;app\x1b");
    assert_eq!(first["kstack_folded"], "entry_[k];schedule_[k]");
    assert_eq!(first["ustack_folded"], "_start;main;outer;inlined_[i];<T as U>::go");
    assert_eq!(first["waker_comm"], serde_json::Value::Null);
    assert_eq!(first["state_name"], "preempted");
    // Again: Parquet files are replaced, others are not.
    options.record = vec!["off_cpu".to_owned()];
    assert_eq!(export(&options).expect("files"), expected[..1]);
    std::fs::write(folder.path().join("off_cpu.parquet"), "my notes").expect("a file");
    let refused = export(&options).expect_err("an error");
    assert!(refused.to_string().contains("off_cpu.parquet"), "{refused}");
    options.record = vec!["nonsense".to_owned()];
    assert!(export(&options).expect_err("an error").is_usage());
}
