//! What parts of one recording are together.

use crate::context::Part;
use crate::error::{Error, Result};

/// The parts of one recording, with the names of their files, as one part. They must have no fact in
/// common, and be cut in one way: by time, or by records.
pub(super) fn join(parts: &[(String, Part)]) -> Result<Part> {
    let Some(((first_name, first), others)) = parts.split_first() else {
        return Ok(Part::whole());
    };
    let mut joined = first.clone();
    for (name, part) in others {
        let refused = |why: &str| {
            Err(Error::Rewrite(format!("{first_name} and {name} are of one recording: {why}")))
        };
        let filters = |part: &Part| {
            let part = part.clone();
            (part.pids, part.tids, part.comm, part.cpus, part.hosts, part.min_duration)
        };
        if filters(part) != filters(first) {
            return refused("only parts that were cut by time or by records can be merged");
        }
        for ((other_name, other), (name, part)) in pairs(parts) {
            let records = other.records.is_empty()
                || part.records.is_empty()
                || other.records.iter().any(|record| part.records.contains(record));
            let apart = |a: &(u64, u64), b: &(u64, u64)| a.1 <= b.0 || b.1 <= a.0;
            let times = other.windows.iter().any(|a| part.windows.iter().any(|b| !apart(a, b)));
            if records && times {
                return Err(Error::Rewrite(format!(
                    "{other_name} and {name} have facts in common, which would count twice: trim one \
                     of them"
                )));
            }
        }
        if part.records == first.records {
            joined.windows.extend_from_slice(&part.windows);
        } else if part.windows == first.windows && joined.windows == first.windows {
            joined.records.extend_from_slice(&part.records);
        } else {
            return refused("merge those of one window first, or those of one set of records");
        }
        joined.end = joined.end.max(part.end);
        joined.facts.extend_from_slice(&part.facts);
    }
    joined.windows.sort_unstable();
    joined.windows.dedup_by(|next, before| {
        let touch = before.1 == next.0;
        if touch {
            before.1 = next.1;
        }
        touch
    });
    for names in [&mut joined.records, &mut joined.facts] {
        names.sort_unstable();
        names.dedup();
    }
    // All that there is.
    if joined.facts.iter().all(|name| joined.records.contains(name)) && !joined.facts.is_empty() {
        joined.records.clear();
    }
    Ok(joined)
}

/// Every two of a list.
fn pairs<T>(list: &[T]) -> impl Iterator<Item = (&T, &T)> {
    list.iter().enumerate().flat_map(|(at, one)| list[..at].iter().map(move |other| (other, one)))
}

#[cfg(test)]
mod tests {
    use super::join;
    use crate::context::Part;

    fn part(from: u64, to: u64, records: &[&str]) -> Part {
        Part {
            windows: vec![(from, to)],
            records: records.iter().map(|&name| name.to_owned()).collect(),
            facts: vec!["a".into(), "b".into()],
            ..Part::whole()
        }
    }

    fn check(parts: &[Part], expected: Result<Part, &str>) {
        let named: Vec<(String, Part)> =
            (1..).zip(parts).map(|(at, part)| (format!("{at}.ktape"), part.clone())).collect();
        match (join(&named).map_err(|error| error.to_string()), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn parts_become_whole() {
        let all = u64::MAX;
        check(&[part(0, 5, &[]), part(5, 9, &[]), part(9, all, &[])], Ok(part(0, all, &[])));
        check(&[part(5, all, &[]), part(0, 5, &[])], Ok(part(0, all, &[])));
        let gap = Part { windows: vec![(0, 5), (6, all)], ..part(0, 0, &[]) };
        check(&[part(0, 5, &[]), part(6, all, &[])], Ok(gap));
        check(&[part(0, 5, &["a"]), part(0, 5, &["b"])], Ok(part(0, 5, &[])));
        check(&[part(0, 5, &["a"]), part(5, 6, &["a"])], Ok(part(0, 6, &["a"])));
    }

    #[test]
    fn facts_never_count_twice() {
        let all = u64::MAX;
        check(&[part(0, all, &[]), part(0, all, &[])], Err("2.ktape have facts in common"));
        check(&[part(0, 5, &[]), part(4, all, &[])], Err("facts in common"));
        check(&[part(0, 5, &["a"]), part(4, 9, &["a", "b"])], Err("facts in common"));
        check(&[part(0, 5, &["a"]), part(5, 9, &["b"])], Err("merge those of one window first"));
        let of = Part { pids: vec![3], ..part(5, 9, &[]) };
        check(&[part(0, 5, &[]), of], Err("cut by time or by records"));
    }
}
