//! Mutations of traces: bytes, lengths and values, with right checksums more often than not.

use ktape_format::Trace;
use ktape_tests::lies::lying;
use ktape_tests::random::Random;
use libfuzzer_sys::fuzzer_mutate;

use crate::repair::repair;
use crate::traces::header_len;

/// Changes a trace anywhere; now and then the values in it and not its bytes.
pub fn mutate_trace(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random::new(seed.into());
    if random.below(4) == 0
        && let Some(lies) = lie(&data[..size], &mut random)
        && lies.len() <= max_size
    {
        data[..lies.len()].copy_from_slice(&lies);
        return lies.len();
    }
    let size = fuzzer_mutate(data, size, max_size);
    if random.below(8) != 0 {
        repair(&mut data[..size]);
    }
    size
}

/// Changes what stands behind the header of a trace.
pub fn mutate_chunks(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random::new(seed.into());
    let Some(start) = header_len(&data[..size]).filter(|start| *start < size) else {
        return mutate_trace(data, size, max_size, seed);
    };
    let max = max_size.saturating_sub(start).max(1);
    let size = start + fuzzer_mutate(&mut data[start..], size - start, max).min(max);
    if random.below(16) != 0 {
        repair(&mut data[..size]);
    }
    size
}

fn lie(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let trace = Trace::from_stream(bytes).ok()?;
    lying(&trace, random)
}
