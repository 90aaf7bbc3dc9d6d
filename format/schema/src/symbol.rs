//! `symbol`: the name of a place in code.

crate::record! {
    /// The function (and, when known, the source line) at a frame. Inlined calls give one row per depth.
    Symbol = 27 as "symbol", Definition {
        /// Offset of the frame in the function.
        offset: u64 [Address],
        /// The frame.
        frame: u32 [FrameId],
        /// 0 is the function that the code lies in; 1 and up were inlined into it, the innermost last.
        depth: u32 [Number],
        /// Demangled name.
        name: u32 [StringId],
        /// Source file; 0 when unknown.
        file: u32 [StringId],
        /// Source line; 0 when unknown.
        line: u32 [Number],
        /// None is defined yet.
        flags: u32 [Flags(&[])],
    }
}
