//! Names of the values of enumerations, as EVENTS.md lists them.

use std::borrow::Cow;

/// The name of a value; its number when it has none, as those of later versions of ktape.
pub(crate) fn enum_name(names: &[(u64, &'static str)], value: impl Into<u64>) -> Cow<'static, str> {
    let value = value.into();
    match names.iter().find(|known| known.0 == value) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::enum_name;

    #[test]
    fn values_of_later_versions_are_numbers() {
        let names = &[(0, "none"), (7, "seven")];
        assert_eq!(enum_name(names, 7u8), "seven");
        assert_eq!(enum_name(names, 8u32), "8");
    }
}
