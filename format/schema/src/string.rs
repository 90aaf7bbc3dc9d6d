//! `string`: the dictionary of texts.

use crate::{Class, Desc, Field, Kind, Type};

/// A text and its id. Written by hand, since a text has no fixed size and never lies in a ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StringText;

impl StringText {
    /// What this record says of itself.
    pub const DESC: &'static Desc = &Desc {
        id: 16,
        name: "string",
        doc: " A text that other records name by id: comm, path, command line, symbol.\n",
        sums: None,
        class: Class::Definition,
        fields: &[
            Field {
                name: "id",
                doc: " Its id, from 1.\n",
                ty: Type::U32,
                kind: Kind::StringId,
                offset: 0,
            },
            Field {
                name: "text",
                doc: " Its bytes, as the kernel gave them: no promise of UTF-8.\n",
                ty: Type::Text,
                kind: Kind::Text,
                offset: 4,
            },
        ],
        size: 0,
    };
}
