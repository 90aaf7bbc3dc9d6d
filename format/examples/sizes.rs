//! Prints the bytes of every record and column of a trace.
#![expect(clippy::print_stdout, reason = "an example program")]

use std::path::Path;

use ktape_format::Trace;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: sizes TRACE")?;
    let trace = Trace::open(Path::new(&path))?;
    println!("{} bytes, header {}", trace.size(), trace.header_len());
    for record in &trace.meta().schema {
        let chunks = trace.chunks().iter().filter(|chunk| chunk.record == record.id);
        let rows: u64 = chunks.clone().map(|chunk| u64::from(chunk.rows)).sum();
        let bytes: u64 = chunks.clone().map(|chunk| u64::from(chunk.len)).sum();
        if rows == 0 {
            continue;
        }
        println!(
            "{}: {rows} rows, {} chunks, {bytes} bytes, {:.3} per row",
            record.name,
            chunks.count(),
            bytes as f64 / rows as f64
        );
        for (field, usage) in record.fields.iter().zip(trace.columns(record.id)) {
            let codecs: Vec<_> =
                usage.codecs.iter().map(|(codec, count)| format!("{codec} {count}")).collect();
            println!(
                "  {:16} {:9} bytes, {:.3} per row  {}",
                field.name,
                usage.bytes,
                usage.bytes as f64 / rows as f64,
                codecs.join(", ")
            );
        }
    }
    Ok(())
}
