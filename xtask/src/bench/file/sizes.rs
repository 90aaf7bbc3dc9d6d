//! How large the same ten columns are.

use super::super::acceptance::Bar;
use super::super::recorder::Programs;
use super::super::table;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The columns that are compared.
const COLUMNS: [&str; 10] =
    ["end", "duration", "runq", "tid", "tgid", "cpu", "state", "waker", "kstack", "ustack"];

/// Prints the sizes; what of the bars is reached.
pub(super) fn bars(
    programs: &Programs,
    trace: &Path,
    prepared: &Value,
    facts: u64,
) -> Result<Vec<Bar>> {
    let (ten, heads, all) = ours(programs, trace)?;
    let per_fact = |bytes: f64| bytes / facts as f64;
    let peer = |name: &str| {
        let bytes = prepared["sizes"][name]["bytes"].as_f64();
        bytes.map(per_fact).with_context(|| format!("the peers do not tell the size of {name}"))
    };
    let zstd3 = peer("parquet zstd-3")?;
    let zstd19 = peer("parquet zstd-19")?;
    let pcodec = peer("pcodec 12")?;
    let ours = per_fact(ten + heads);
    let row = |name: &str, bytes: f64| {
        vec![name.to_owned(), format!("{bytes:.3}"), format!("{:.3}", bytes / ours)]
    };
    println!("\n## Bytes per off-CPU fact: {}", COLUMNS.join(", "));
    let rows = [
        row("ktape, chunk heads included", ours),
        row("ktape, all columns of the record", per_fact(all)),
        row("Parquet, zstd 3, best encodings", zstd3),
        row("Parquet, zstd 19, best encodings", zstd19),
        row("pcodec level 12", pcodec),
    ];
    table::print(&["", "bytes", "of ktape's"], &rows);
    for name in ["parquet zstd-3", "parquet zstd-19"] {
        println!("{name}: {}", prepared["sizes"][name]["encodings"]);
    }
    let at_most = |name: &str, factor: f64, bytes: f64| {
        Bar::measured(
            format!("bytes per fact at most {factor} of {name}"),
            format!("{ours:.3} against {bytes:.3}: {:.3}", ours / bytes),
            ours <= factor * bytes,
        )
    };
    Ok(vec![
        at_most("Parquet with zstd 3", 0.75, zstd3),
        at_most("Parquet with zstd 19", 1.0, zstd19),
        at_most("pcodec level 12", 1.0, pcodec),
    ])
}

/// Bytes of the ten columns, of the heads of chunks, and of all columns with the heads.
fn ours(programs: &Programs, trace: &Path) -> Result<(f64, f64, f64)> {
    let out = Command::new(&programs.ktape)
        .args(["info", "--sizes", "--format", "json", "-i"])
        .arg(trace)
        .output()
        .context("cannot run ktape info")?;
    let info: Value = serde_json::from_slice(&out.stdout).context("ktape info writes JSON")?;
    let rows = info["sizes"].as_array().context("ktape info --sizes lists columns")?;
    let (mut ten, mut heads, mut all, mut found) = (0.0, 0.0, 0.0, 0);
    for row in rows.iter().filter(|row| row["record"] == "off_cpu") {
        let bytes = row["size_bytes"].as_f64().context("a column has no size")?;
        let name = row["column"].as_str().unwrap_or_default();
        all += bytes;
        if name == "(heads)" {
            heads = bytes;
        } else if COLUMNS.contains(&name) {
            ten += bytes;
            found += 1;
        }
    }
    if found != COLUMNS.len() {
        bail!("the trace has {found} of {} columns", COLUMNS.len());
    }
    Ok((ten, heads, all))
}
