//! `cargo xtask new-probe`: a record, a kernel program and its attachment that work as they are.

use super::name::Name;
use super::write::Skeleton;
use crate::generated::root;
use crate::ids;
use anyhow::{Context, Result, anyhow, bail};
use ktape_schema::RECORDS;

/// Write the skeleton of a probe: its record, its kernel program, its attachments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the probe and of its record, in snake case, as in `page_fault`.
    name: String,
    /// The tracepoint whose passes it records, by its kernel name without the group.
    #[arg(long, default_value = "sched_process_wait", value_name = "NAME")]
    tracepoint: String,
}

pub fn run(args: &Args) -> Result<()> {
    let name = Name::new(&args.name)?;
    let snake = name.snake();
    let locked = ids::parse(&std::fs::read_to_string(root().join(ids::PATH)).unwrap_or_default())
        .map_err(|(line, what)| anyhow!("{}:{line}: {what}", ids::PATH))?;
    let had = locked.iter().any(|(_, line)| line.record == snake);
    if had || RECORDS.iter().any(|record| record.name == snake) {
        bail!("a record named `{snake}` exists or existed: names are never reused");
    }
    let id = ids::next_free(&locked, RECORDS).context("no record id below 64 is free")?;
    skeleton(&name, id, &args.tracepoint)?.write()?;
    println!(
        "\nRecord {id}. It counts passes of the tracepoint {}. Next:\n\
         \x20 cargo xtask codegen && cargo xtask bpf && cargo test\n\
         \x20 sudo target/release/ktape record -e {snake} -a --duration 5s\n\
         Then give the record its fields, the program its facts, and the probe its needs and cost.",
        args.tracepoint
    );
    Ok(())
}

fn skeleton(name: &Name, id: u16, tracepoint: &str) -> Result<Skeleton> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if tracepoint.is_empty() || tracepoint.len() > 60 || !tracepoint.chars().all(word) {
        bail!("`{tracepoint}` is no tracepoint: see `ls /sys/kernel/tracing/events/*`");
    }
    let fill = |text: &str| {
        text.replace("@NAME@", &name.upper())
            .replace("@name@", name.snake())
            .replace("@Name@", &name.camel())
            .replace("@id@", &id.to_string())
            .replace("@tracepoint@", tracepoint)
    };
    let snake = name.snake();
    Ok(Skeleton {
        files: vec![
            (format!("format/schema/src/{snake}.rs"), fill(include_str!("skeleton/record.rs.in"))),
            (format!("ebpf/probes/{snake}.bpf.c"), fill(include_str!("skeleton/probe.bpf.c.in"))),
            (format!("capture/src/probes/{snake}.rs"), fill(include_str!("skeleton/probe.rs.in"))),
        ],
        entries: vec![
            ("format/schema/src/lib.rs", "records! {", format!("{snake}::{}", name.camel())),
            ("capture/src/probes/mod.rs", "probes! {", snake.to_owned()),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_files_and_two_lines() {
        let name = Name::new("page_fault").unwrap();
        let skeleton = skeleton(&name, 9, "page_fault_user").unwrap();
        assert_eq!((skeleton.files.len(), skeleton.entries.len()), (3, 2));
        assert!(skeleton.files.iter().all(|(_, text)| !text.contains('@')));
        assert!(skeleton.files[0].1.contains("PageFault = 9 as \"page_fault\", Fact {"));
        assert!(skeleton.files[1].1.contains("SEC(\"tp_btf/page_fault_user\")"));
    }

    #[test]
    fn the_longest_names_fit_into_80_columns() {
        let name = Name::new(&"m".repeat(20)).unwrap();
        let skeleton = skeleton(&name, 63, &"t".repeat(60)).unwrap();
        for line in skeleton.files[1].1.lines() {
            assert!(line.replace('\t', "        ").len() <= 80, "{line}");
        }
    }

    #[test]
    fn what_is_no_tracepoint_is_refused() {
        let name = Name::new("page_fault").unwrap();
        for wrong in ["", "sched:sched_switch", "a\")"] {
            assert!(skeleton(&name, 9, wrong).is_err(), "{wrong}");
        }
    }
}
