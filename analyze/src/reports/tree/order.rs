//! The order of a tree's lines.

/// A line of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Index of the process.
    pub(super) process: u32,
    /// Its shown ancestors.
    pub(super) depth: usize,
}

/// Parents before their children, siblings by `rank`. `parents` has for each process its parent, without
/// circles; a process that is not `shown` leaves its place to its children. Needs no stack of calls, so
/// that a hostile chain of a million processes is no harm.
pub(super) fn lines<R: Ord>(
    parents: &[Option<u32>],
    shown: &[bool],
    rank: impl Fn(u32) -> R,
) -> Vec<Line> {
    let count = parents.len() as u32;
    let mut children: Vec<Vec<u32>> = vec![Vec::new(); parents.len()];
    let mut roots = Vec::new();
    // The next shown ancestor; looked up from the roots down, so each is found from its parent's.
    let above = shown_ancestors(parents, shown);
    for process in (0..count).filter(|&process| shown[process as usize]) {
        match above[process as usize] {
            Some(parent) => children[parent as usize].push(process),
            None => roots.push(process),
        }
    }
    let mut out = Vec::new();
    let mut stack: Vec<Line> = Vec::new();
    let push = |siblings: &mut Vec<u32>, depth, stack: &mut Vec<Line>| {
        siblings.sort_by_key(|&process| rank(process));
        stack.extend(siblings.iter().rev().map(|&process| Line { process, depth }));
    };
    push(&mut roots, 0, &mut stack);
    while let Some(line) = stack.pop() {
        out.push(line);
        push(&mut children[line.process as usize], line.depth + 1, &mut stack);
    }
    out
}

/// For each process its nearest ancestor that is shown.
fn shown_ancestors(parents: &[Option<u32>], shown: &[bool]) -> Vec<Option<u32>> {
    let mut above: Vec<Option<Option<u32>>> = vec![None; parents.len()];
    let mut path = Vec::new();
    for first in 0..parents.len() {
        let mut at = first;
        let found = loop {
            if let Some(known) = above[at] {
                break known;
            }
            path.push(at);
            match parents[at] {
                None => break None,
                Some(parent) if shown[parent as usize] => break Some(parent),
                Some(parent) => at = parent as usize,
            }
        };
        path.drain(..).for_each(|process| above[process] = Some(found));
    }
    above.into_iter().map(Option::flatten).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    fn check(parents: &[Option<u32>], hidden: &[u32], expected: &[(u32, usize)]) {
        let shown: Vec<bool> =
            (0..parents.len() as u32).map(|process| !hidden.contains(&process)).collect();
        let found: Vec<(u32, usize)> = lines(parents, &shown, |process| process)
            .iter()
            .map(|line| (line.process, line.depth))
            .collect();
        assert_eq!(found, expected, "{parents:?} without {hidden:?}");
    }

    #[test]
    fn parents_stand_before_their_children() {
        let parents = [None, Some(4), Some(0), Some(2), None, Some(0)];
        check(&parents, &[], &[(0, 0), (2, 1), (3, 2), (5, 1), (4, 0), (1, 1)]);
        check(&parents, &[2], &[(0, 0), (3, 1), (5, 1), (4, 0), (1, 1)]);
        check(&parents, &[0], &[(2, 0), (3, 1), (4, 0), (1, 1), (5, 0)]);
        check(&parents, &[0, 2], &[(3, 0), (4, 0), (1, 1), (5, 0)]);
        check(&[], &[], &[]);
        // Each other one hidden, in a chain.
        check(&[None, Some(0), Some(1), Some(2)], &[0, 2], &[(1, 0), (3, 1)]);
    }

    #[test]
    fn a_long_chain_is_no_harm() {
        let parents: Vec<Option<u32>> = (0..200_000u32).map(|at| at.checked_sub(1)).collect();
        let found = lines(&parents, &vec![true; parents.len()], |process| process);
        assert_eq!(found.last().map(|line| line.depth), Some(199_999));
    }
}
