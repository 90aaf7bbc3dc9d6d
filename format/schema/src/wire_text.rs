//! `wire_text`: a text on its way to the recorder.

/// How the bytes of a text are to be read (`wire_text.form`).
pub mod text_form {
    /// As they are.
    pub const PLAIN: u32 = 0;
    /// Names of a path, innermost first, each ended by a zero byte.
    pub const PATH: u32 = 1;
    /// A socket address: family (2 bytes, AF_*), port (2 bytes, big endian), 4 or 16 bytes of address.
    pub const ADDRESS: u32 = 2;
    /// The path of an HTTP request: it is cut at a question mark.
    pub const REQUEST_PATH: u32 = 16;
    /// The same in the Huffman code of HPACK (RFC 7541, appendix B).
    pub const REQUEST_PATH_HUFFMAN: u32 = 17;
    /// The names of all of them.
    pub const NAMES: &[(u64, &str)] = &[
        (0, "plain"),
        (1, "path"),
        (2, "address"),
        (16, "request_path"),
        (17, "request_path_huffman"),
    ];
}

crate::record! {
    /// A text that the kernel program met for the first time. `len` bytes follow.
    WireText = 69 as "wire_text", Wire {
        /// When it was met.
        time: u64 [TimeNs],
        /// The id that facts of this recording use for it.
        id: u32 [StringId],
        /// Bytes that follow.
        len: u32 [Bytes],
        /// How they are to be read.
        form: u32 [Enum(text_form::NAMES)],
        /// Always 0.
        spare: u32 [Number],
    }
}
