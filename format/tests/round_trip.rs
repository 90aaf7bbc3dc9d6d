//! A trace written and read back.

use ktape_format::schema::{OffCpu, StringText};
use ktape_format::{Batch, Decoder, Meta, Options, State, Trace, Writer};

#[test]
fn rows_and_texts_come_back() {
    let rows: Vec<OffCpu> = (0..100_000u64)
        .map(|row| OffCpu {
            end: 1_000_000 + row * 1000 + row % 7,
            duration: row * row % 100_003,
            tid: (row % 13) as u32,
            tgid: (row % 13) as u32 / 2,
            ..OffCpu::default()
        })
        .collect();
    let bytes: Vec<u8> = rows.iter().flat_map(OffCpu::encode).collect();
    let mut writer = Writer::new(Vec::new(), Meta::default(), Options::default()).unwrap();
    writer.texts(&[(1, b"one".to_vec()), (2, Vec::new()), (3, b"three".to_vec())]).unwrap();
    writer.rows(OffCpu::DESC, 3, &bytes).unwrap();
    let (file, summary) = writer.finish().unwrap();
    assert_eq!(summary.bytes, file.len() as u64);

    let trace = Trace::from_stream(&file[..]).unwrap();
    assert_eq!(*trace.state(), State::Complete);
    let mut decoder = Decoder::new();
    let mut batch = Batch::new();
    let mut read = Vec::new();
    for (place, chunk) in trace.chunks().iter().enumerate() {
        if chunk.record == StringText::DESC.id {
            decoder.read(&trace, place, &["id", "text"], &mut batch).unwrap();
            assert_eq!(batch.u32("id"), [1, 2, 3]);
            let texts: Vec<_> = batch.text("text").iter().collect();
            assert_eq!(texts, [&b"one"[..], b"", b"three"]);
            continue;
        }
        assert_eq!(chunk.ring, 3);
        decoder.read(&trace, place, &["end", "duration", "tid", "tgid"], &mut batch).unwrap();
        for row in 0..batch.rows() {
            read.push(OffCpu {
                end: batch.u64("end")[row],
                duration: batch.u64("duration")[row],
                tid: batch.u32("tid")[row],
                tgid: batch.u32("tgid")[row],
                ..OffCpu::default()
            });
        }
    }
    assert_eq!(read, rows);
    assert_eq!(ktape_format::verify(&trace), []);
}
