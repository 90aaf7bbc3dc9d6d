//! `mapping`: executable memory of a process.

crate::record! {
    /// A process had a module mapped executable from this time on, until another mapping or an exec replaced it.
    Mapping = 23 as "mapping", Definition {
        /// When it was mapped; the start of the recording when it was there already.
        time: u64 [TimeNs],
        /// First address.
        start: u64 [Address],
        /// Length in bytes.
        len: u64 [Bytes],
        /// Offset of the first byte in the file.
        file_offset: u64 [Address],
        /// The process.
        tgid: u32 [Tgid],
        /// What is mapped.
        module: u32 [ModuleId],
    }
}
