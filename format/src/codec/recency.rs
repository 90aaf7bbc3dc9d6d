//! Recency ranks: a code as how many other codes have been used since it last was.
//!
//! Who wakes others on a busy CPU is mostly one of the few that did a moment ago: of hundreds of
//! threads, the ranks take half the bits of the codes.

/// The codes in order of last use, the latest first; at the start as they are numbered.
fn unused(count: usize) -> Vec<u16> {
    (0..count as u16).collect()
}

/// Moves the code at a rank to the front.
#[inline(always)]
fn use_again(list: &mut [u16], rank: usize) -> u16 {
    let code = list[rank];
    list.copy_within(..rank, 1);
    list[0] = code;
    code
}

/// The ranks of codes below `count`.
pub(crate) fn ranks(codes: &[u16], count: usize, out: &mut Vec<u16>) {
    let mut list = unused(count);
    out.clear();
    out.extend(codes.iter().map(|&code| {
        let rank = list.iter().position(|&other| other == code).unwrap_or(0);
        use_again(&mut list, rank);
        rank as u16
    }));
}

/// Turns ranks below `count` into codes.
pub(crate) fn recall(ranks: &mut [u16], count: usize) {
    let mut list = unused(count);
    ranks.iter_mut().for_each(|rank| *rank = use_again(&mut list, usize::from(*rank)));
}
