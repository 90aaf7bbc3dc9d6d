//! format/schema/ids.lock: every id, name and type that a trace may hold. Lines are only ever added.
//!
//! One line per record and field, `id record field type`. A record or field that the schema no
//! longer has keeps its line: nothing may take its place with another meaning.

use ktape_schema::{Desc, Type};

/// The file, below the top folder.
pub const PATH: &str = "format/schema/ids.lock";

const HEAD: &str = "\
# Written by `cargo xtask codegen`, which only adds lines; never change or remove one.
# id record field type
";

/// One field of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub id: u16,
    pub record: String,
    pub field: String,
    pub ty: String,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {} {}", self.id, self.record, self.field, self.ty)
    }
}

/// The name of a type, as `record!` has it.
pub fn type_name(ty: Type) -> &'static str {
    match ty {
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::I32 => "i32",
        Type::I64 => "i64",
        Type::Text => "text",
    }
}

/// The lines that a schema has.
pub fn lines_of(records: &[&Desc]) -> Vec<Line> {
    let of = |desc: &&Desc| {
        let (id, record) = (desc.id, desc.name.to_owned());
        desc.fields.iter().map(move |field| Line {
            id,
            record: record.clone(),
            field: field.name.to_owned(),
            ty: type_name(field.ty).to_owned(),
        })
    };
    records.iter().flat_map(of).collect()
}

/// Reads the file; the error is (line number, what is wrong).
pub fn parse(text: &str) -> Result<Vec<(usize, Line)>, (usize, String)> {
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(text.lines()) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let wrong = || (number, format!("`{text}` is not `id record field type`"));
        let words: Vec<&str> = text.split(' ').collect();
        let [id, record, field, ty] = words[..] else { return Err(wrong()) };
        let id = id.parse().map_err(|_| wrong())?;
        let (record, field, ty) = (record.to_owned(), field.to_owned(), ty.to_owned());
        lines.push((number, Line { id, record, field, ty }));
    }
    Ok(lines)
}

/// Where a schema takes an id, a name or a type for something else than the lock says: (line of the
/// lock, what is wrong).
pub fn contradictions(locked: &[(usize, Line)], schema: &[Line]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, lock) in locked {
        for line in schema {
            let (same_id, same_name) = (line.id == lock.id, line.record == lock.record);
            let what = match (same_id, same_name) {
                (true, false) => format!(
                    "id {} is record `{}`, the schema gives it to `{}`: take a free id",
                    lock.id, lock.record, line.record
                ),
                (false, true) => format!(
                    "record `{}` has id {}, the schema says {}: ids never change",
                    lock.record, lock.id, line.id
                ),
                (true, true) if line.field == lock.field && line.ty != lock.ty => format!(
                    "field `{}.{}` is {}, the schema says {}: name the new one differently",
                    lock.record, lock.field, lock.ty, line.ty
                ),
                _ => continue,
            };
            // One record has many lines, and is wrong once.
            if !found.iter().any(|(_, known)| *known == what) {
                found.push((*number, what));
            }
        }
    }
    found
}

/// The lines of a schema that the lock does not have.
pub fn missing(locked: &[(usize, Line)], schema: &[Line]) -> Vec<Line> {
    schema.iter().filter(|line| !locked.iter().any(|(_, lock)| lock == *line)).cloned().collect()
}

/// The file with a schema's new lines, by id. What it has stays, comments in its head too.
pub fn extended(text: &str, schema: &[Line]) -> Result<String, (usize, String)> {
    let locked = parse(text)?;
    if let Some((number, what)) = contradictions(&locked, schema).into_iter().next() {
        return Err((number, what));
    }
    let new = missing(&locked, schema);
    let mut lines: Vec<Line> = locked.into_iter().map(|(_, line)| line).chain(new).collect();
    lines.sort_by_key(|line| line.id);
    let lines = lines.iter().map(|line| format!("{line}\n"));
    Ok(std::iter::once(HEAD.to_owned()).chain(lines).collect())
}

/// The smallest id for a fact that no record has or had. Facts have ids below 16 and from 32 to 63,
/// definitions lie between, messages from 64 on.
pub fn next_free(locked: &[(usize, Line)], records: &[&Desc]) -> Option<u16> {
    (1..16).chain(32..64).find(|id| {
        !locked.iter().any(|(_, lock)| lock.id == *id) && !records.iter().any(|r| r.id == *id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "# head\n1 wait end u64\n1 wait tid u32\n2 gone time u64\n";

    fn schema(text: &str) -> Vec<Line> {
        parse(text).unwrap().into_iter().map(|(_, line)| line).collect()
    }

    fn check(text: &str, contradicted: &[&str], new: &[&str]) {
        let (locked, schema) = (parse(LOCK).unwrap(), schema(text));
        let found: Vec<String> =
            contradictions(&locked, &schema).into_iter().map(|(_, what)| what).collect();
        assert_eq!(found.len(), contradicted.len(), "{found:?}");
        for (found, wanted) in found.iter().zip(contradicted) {
            assert!(found.starts_with(wanted), "{found}");
        }
        let missing: Vec<String> = missing(&locked, &schema).iter().map(Line::to_string).collect();
        assert_eq!(missing, new);
    }

    #[test]
    fn a_schema_may_grow_and_shrink() {
        check("1 wait end u64\n1 wait tid u32\n", &[], &[]);
        check("1 wait end u64\n1 wait cpu u16\n", &[], &["1 wait cpu u16"]);
        check("3 read end u64\n", &[], &["3 read end u64"]);
    }

    #[test]
    fn ids_names_and_types_are_never_reused() {
        check("1 walk end u64\n", &["id 1 is record `wait`"], &["1 walk end u64"]);
        check("2 back end u64\n", &["id 2 is record `gone`"], &["2 back end u64"]);
        check("7 wait end u64\n", &["record `wait` has id 1"], &["7 wait end u64"]);
        check("1 wait tid u64\n", &["field `wait.tid` is u32"], &["1 wait tid u64"]);
    }

    #[test]
    fn extending_keeps_what_is_there() {
        let extended = extended(LOCK, &schema("1 wait cpu u16\n3 read end u64\n")).unwrap();
        let lines: Vec<&str> = extended.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "1 wait end u64",
            "1 wait tid u32",
            "1 wait cpu u16",
            "2 gone time u64",
            "3 read end u64",
        ];
        assert_eq!(lines, expected);
        assert!(super::extended(LOCK, &schema("1 walk end u64\n")).is_err());
        assert!(super::extended("1 wait end\n", &[]).is_err());
    }

    #[test]
    fn a_new_record_takes_an_id_that_nobody_had() {
        assert_eq!(next_free(&parse(LOCK).unwrap(), &[]), Some(3));
        assert_eq!(next_free(&parse(LOCK).unwrap(), &[ktape_schema::SyscallCount::DESC]), Some(4));
        let low: String = (1..16).map(|id| format!("{id} r{id} end u64\n")).collect();
        assert_eq!(next_free(&parse(&low).unwrap(), &[]), Some(32));
        let all: String = (1..64).map(|id| format!("{id} r{id} end u64\n")).collect();
        assert_eq!(next_free(&parse(&all).unwrap(), &[]), None);
    }
}
