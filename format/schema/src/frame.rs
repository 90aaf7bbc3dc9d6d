//! `frame`: one place in code.

crate::record! {
    /// A place in code that some stack passes through.
    Frame = 24 as "frame", Definition {
        /// Where: offset in the file of its module (for the kernel: from the module's first byte). An address in the process when the module is unknown.
        offset: u64 [Address],
        /// Its id, from 1.
        id: u32 [FrameId],
        /// The module; 0 when no mapping covered the address.
        module: u32 [ModuleId],
    }
}
