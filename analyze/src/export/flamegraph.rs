//! Flame graphs as SVG, drawn by inferno.

use inferno::flamegraph::{Options, TextTruncateDirection, from_lines};

use super::Of;
use crate::error::{Error, Result};

/// Draws folded stacks (see [`crate::render::folded`]) as one self-contained SVG. The same lines give
/// the same bytes: colours follow names. Names reach it escaped, and inferno escapes them for XML.
///
/// # Errors
///
/// [`Error::FlameGraph`] when there is no stack to draw.
pub fn flamegraph(folded: &[u8], of: Of) -> Result<Vec<u8>> {
    let text = String::from_utf8_lossy(folded);
    if text.is_empty() {
        return Err(Error::FlameGraph("the trace has no stacks in this window".to_owned()));
    }
    // inferno adds the weights up without looking.
    let weights = text.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    let sum = weights.map(u128::from).sum::<u128>();
    if sum > u128::from(u64::MAX >> 1) {
        return Err(Error::FlameGraph("the weights of the stacks add up to more than 2^63".into()));
    }
    let (title, count) = match of {
        Of::Cpu => ("CPU", "ns or cycles"),
        Of::Offcpu => ("Off-CPU", "us"),
    };
    draw(&text, title.to_owned(), count)
}

/// Draws folded lines, whose weights add up to what inferno can hold.
pub(crate) fn draw(text: &str, title: String, count: &str) -> Result<Vec<u8>> {
    let mut options = Options::default();
    options.title = title;
    options.count_name = count.to_owned();
    options.deterministic = true;
    options.text_truncate_direction = TextTruncateDirection::Right;
    let mut out = Vec::new();
    from_lines(&mut options, text.lines(), &mut out)
        .map_err(|error| Error::FlameGraph(error.to_string()))?;
    Ok(out)
}
