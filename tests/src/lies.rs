//! Traces that are damaged, and valid ones that lie.

use ktape_format::schema::Class;
use ktape_format::{Batch, Column, Decoder, Options, TextColumn, Trace, Writer};

use crate::random::Random;

/// A copy with some bytes wrong, doubled, gone or cut off.
pub fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len());
        let len = 1 + random.below(64).min(bytes.len() - at - 1);
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at..at + len].fill(0),
            2 => bytes[at..at + len].fill(0xff),
            3 => bytes[at..at + len].iter_mut().for_each(|byte| *byte = random.below(256) as u8),
            4 => drop(bytes.drain(at..at + len)),
            _ if random.below(4) == 0 => bytes.truncate(at + 1),
            _ => {
                let part = bytes[at..at + len].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
        }
    }
    bytes
}

/// A valid trace in which some values are lies, and texts are attacks on terminals; `None` when the
/// trace is not sound.
pub fn lying(trace: &Trace, random: &mut Random) -> Option<Vec<u8>> {
    let attack = "\u{1b}]0;owned\u{7}\u{1b}[2J<script>alert(1)</script>;,\"\n\r\t\0\u{9b}31m\u{202e}\u{2066}\u{ffff}";
    let mut meta = trace.meta().clone();
    if random.below(2) == 0 {
        meta.host.hostname.push_str(attack);
        meta.host.kernel.push_str(attack);
        meta.command_line.push(attack.to_owned());
        meta.notes.push((attack.to_owned(), attack.to_owned()));
        for probe in &mut meta.probes {
            probe.name.push_str(attack);
            probe.reason.push_str(attack);
        }
        for (name, value) in [
            ("trimmed time", "start to 0.05s, 0.2s to end, 9s to 1s"),
            ("trimmed pid", "1, 99999999999, x"),
            ("merged host", "a: CPUs 7 to 9"),
            ("merged host", "b: CPUs 0 to 4294967295"),
        ] {
            if random.below(2) == 0 {
                meta.notes.push((name.to_owned(), value.to_owned()));
            }
        }
        meta.start.realtime = u64::MAX;
        meta.host.cpus = u32::MAX;
    }
    let huge = random.below(10) == 0;
    let mut writer = Writer::new(Vec::new(), meta, Options::default()).ok()?;
    let (mut decoder, mut batch) = (Decoder::new(), Batch::new());
    for (index, chunk) in trace.chunks().iter().enumerate() {
        let record = trace.record_by_id(chunk.record)?;
        let names: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
        decoder.read(trace, index, &names, &mut batch).ok()?;
        // A definition that is gone leaves its ids dangling.
        if random.below(20) == 0 {
            continue;
        }
        let huge = huge && record.class == Class::Fact as u8;
        let columns = batch.names().map(str::to_owned).collect::<Vec<_>>();
        let columns = columns
            .into_iter()
            .enumerate()
            .map(|(at, name)| {
                let mut column = batch.column(at).clone();
                if let (Column::U64(values), true) = (&mut column, huge) {
                    // Whatever is added up is more than a number holds.
                    values.fill(u64::MAX - at as u64);
                } else if random.below(4) == 0 {
                    lie(&mut column, attack.as_bytes(), random);
                }
                (name, column)
            })
            .collect();
        let batch = Batch::from_columns(chunk.record, chunk.ring, columns);
        writer.columns(record, chunk.ring, &batch).ok()?;
    }
    Some(writer.finish().ok()?.0)
}

fn lie(column: &mut Column, attack: &[u8], random: &mut Random) {
    let values = [0, 1, 2, 255, u64::from(u16::MAX), u64::from(u32::MAX), 1 << 63, u64::MAX];
    let (which, every) = (values[random.below(values.len())], 1 + random.below(9));
    let mut wrong = |at: usize| {
        at.is_multiple_of(every)
            .then(|| if random.below(2) == 0 { which } else { random.below(1 << 31) as u64 })
    };
    macro_rules! lie {
        ($values:expr, $ty:ty) => {
            for (at, value) in $values.iter_mut().enumerate() {
                if let Some(lie) = wrong(at) {
                    *value = lie as $ty;
                }
            }
        };
    }
    match column {
        Column::U8(values) => lie!(values, u8),
        Column::U16(values) => lie!(values, u16),
        Column::U32(values) => lie!(values, u32),
        Column::U64(values) => lie!(values, u64),
        Column::I32(values) => lie!(values, i32),
        Column::I64(values) => lie!(values, i64),
        Column::Text(texts) => {
            let mut lies = TextColumn::default();
            let old = texts.texts();
            for at in 0..old.len() {
                let text = [old.get(at), if wrong(at).is_some() { attack } else { b"" }].concat();
                lies.push(&text);
            }
            *texts = lies;
        }
    }
}
