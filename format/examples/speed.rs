//! Encodes and decodes simulated rows, and says how fast and how small.
#![expect(clippy::print_stdout, reason = "an example program")]

use std::time::Instant;

#[path = "../tests/simulate/mod.rs"]
mod simulate;

use ktape_format::schema::OffCpu;
use ktape_format::{Batch, Decoder, Meta, Options, Trace, Writer};
use simulate::{LOADS, simulate};

/// How often everything is done; the best time counts, since other programs run meanwhile.
const ROUNDS: usize = 20;

/// The rows of a ring, as they lie in it.
type Ring = Vec<u8>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let count: usize = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let level = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(1);
    // Files with off_cpu rows as a kernel wrote them, one file per ring.
    let files: Vec<Ring> = args.map(std::fs::read).collect::<Result<_, _>>()?;
    if !files.is_empty() {
        return Ok(measure("files", &files, level)?);
    }
    for load in LOADS {
        let rings: Vec<Ring> = simulate(load, count, 1)
            .iter()
            .map(|rows| rows.iter().flat_map(OffCpu::encode).collect())
            .collect();
        measure(&format!("{load:?}"), &rings, level)?;
    }
    Ok(())
}

fn measure(load: &str, rings: &[Ring], level: i32) -> ktape_format::Result<()> {
    let rows = rings.iter().map(Vec::len).sum::<usize>() / OffCpu::SIZE;
    let mut file = Vec::new();
    let mut spent = u128::MAX;
    for _ in 0..ROUNDS {
        let mut writer = Writer::new(Vec::new(), Meta::default(), Options { level })?;
        let start = Instant::now();
        for (ring, bytes) in rings.iter().enumerate() {
            writer.rows(OffCpu::DESC, ring as u16, bytes)?;
        }
        spent = spent.min(start.elapsed().as_nanos());
        file = writer.finish()?.0;
    }
    let trace = Trace::from_stream(&file[..])?;
    let size: u64 = trace.chunks().iter().map(|chunk| u64::from(chunk.len)).sum();
    println!(
        "{load}: {rows} rows, {:.2} bytes/row, encode {:.1} ns/row, index {:.1} bytes/chunk",
        size as f64 / rows as f64,
        spent as f64 / rows as f64,
        (trace.size() - trace.header_len() - size) as f64 / trace.chunks().len() as f64,
    );
    let all: Vec<&str> = OffCpu::DESC.fields.iter().map(|field| field.name).collect();
    let report = ["end", "duration", "tid", "tgid", "state", "runq"];
    let decode = |columns: &[&str]| -> ktape_format::Result<f64> {
        let mut decoder = Decoder::new();
        let mut batch = Batch::new();
        let mut best = u128::MAX;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            for chunk in 0..trace.chunks().len() {
                decoder.read(&trace, chunk, columns, &mut batch)?;
            }
            best = best.min(start.elapsed().as_nanos());
        }
        Ok(best as f64 / rows as f64)
    };
    println!("  decode all {:.1} ns/row, report {:.1} ns/row", decode(&all)?, decode(&report)?);
    let columns = trace.columns(OffCpu::DESC.id);
    for (column, usage) in all.iter().zip(columns) {
        let codecs: Vec<_> =
            usage.codecs.iter().map(|(codec, count)| format!("{codec} {count}")).collect();
        println!(
            "  {column:12} {:.3} bytes/row, decode {:.2} ns  {}",
            usage.bytes as f64 / rows as f64,
            decode(&[column])?,
            codecs.join(", ")
        );
    }
    Ok(())
}
