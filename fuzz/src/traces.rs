//! Headers of traces.

/// The header of these bytes of metadata, with right checksums.
pub fn with_header(meta: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x89KTAPE\r\n\x01\0\x01\0".to_vec();
    bytes.extend((meta.len() as u32).to_le_bytes());
    bytes.extend([0; 8]);
    bytes.extend(meta);
    crate::repair::repair(&mut bytes);
    bytes
}

/// Bytes of the header that a trace begins with.
pub fn header_len(trace: &[u8]) -> Option<usize> {
    let len = u32::from_le_bytes(*trace.get(12..)?.first_chunk()?) as usize;
    len.checked_add(24).filter(|len| *len <= trace.len())
}
