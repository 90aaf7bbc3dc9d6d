//! The `record!` macro: one definition gives the struct, `DESC`, `decode` and `encode`.

/// Defines a record.
///
/// Yields a `repr(C)` struct with a `DESC`, a checked `decode` from ring bytes, an `encode` into
/// them, and a constant assertion that the struct has no padding. A kind is an expression over
/// [`crate::Kind`] and the constants in scope. `Fact sums "UNITS" in "TABLE"` says that a row is a sum
/// (see [`crate::Sums`]).
#[macro_export]
macro_rules! record {
    (
        $(#[doc = $doc:literal])+
        $name:ident = $id:literal as $text:literal, $class:ident $(sums $unit:literal in $table:literal)? {
            $( $(#[doc = $field_doc:literal])+ $field:ident : $ty:ident [$kind:expr], )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[repr(C)]
        pub struct $name {
            $( $(#[doc = $field_doc])+ pub $field: $ty, )+
        }

        impl $name {
            /// Bytes of one row in a ring buffer.
            pub const SIZE: usize = ::core::mem::size_of::<$name>();

            /// What this record says of itself.
            pub const DESC: &'static $crate::Desc = {
                use $crate::Kind::*;
                &$crate::Desc {
                    id: $id,
                    name: $text,
                    doc: concat!($($doc, "\n"),+),
                    class: $crate::Class::$class,
                    sums: $crate::record!(@sums $($unit $table)?),
                    fields: &[$(
                        $crate::Field {
                            name: stringify!($field),
                            doc: concat!($($field_doc, "\n"),+),
                            ty: $crate::record!(@type $ty),
                            kind: $kind,
                            offset: ::core::mem::offset_of!($name, $field),
                        },
                    )+],
                    size: ::core::mem::size_of::<$name>(),
                }
            };

            /// Reads a row from the first [`Self::SIZE`] bytes of a ring item; `None` if it is shorter.
            pub fn decode(bytes: &[u8]) -> Option<$name> {
                Some($name {
                    $($field: {
                        const AT: usize = ::core::mem::offset_of!($name, $field);
                        const LEN: usize = ::core::mem::size_of::<$ty>();
                        $ty::from_ne_bytes(bytes.get(AT..AT + LEN)?.try_into().ok()?)
                    },)+
                })
            }

            /// The row as it would lie in a ring buffer of this machine.
            pub fn encode(&self) -> [u8; ::core::mem::size_of::<$name>()] {
                let mut bytes = [0; ::core::mem::size_of::<$name>()];
                $({
                    const AT: usize = ::core::mem::offset_of!($name, $field);
                    const LEN: usize = ::core::mem::size_of::<$ty>();
                    bytes[AT..AT + LEN].copy_from_slice(&self.$field.to_ne_bytes());
                })+
                bytes
            }
        }

        const _: () = assert!(
            ::core::mem::size_of::<$name>() == 0 $(+ ::core::mem::size_of::<$ty>())+,
            concat!("record ", $text, " has padding")
        );
    };
    (@sums) => { None };
    (@sums $unit:literal $table:literal) => {
        Some($crate::Sums { unit: $unit, table: $table })
    };
    (@type u8) => { $crate::Type::U8 };
    (@type u16) => { $crate::Type::U16 };
    (@type u32) => { $crate::Type::U32 };
    (@type u64) => { $crate::Type::U64 };
    (@type i32) => { $crate::Type::I32 };
    (@type i64) => { $crate::Type::I64 };
}

/// Declares the modules of the records and the one list of their descriptions.
#[macro_export]
macro_rules! records {
    ($($module:ident :: $name:ident,)+) => {
        $(
            mod $module;
            pub use $module::*;
        )+

        /// Every record, in the order of this list. The only list of records there is.
        pub const RECORDS: &[&Desc] = &[$($name::DESC,)+];
    };
}
