//! Answers as bytes: text for people, JSON and CSV for programs. Knows no report.

mod csv;
mod escape;
mod folded;
mod json;
mod text;
pub(crate) mod units;

pub use csv::csv;
pub use escape::{escape_folded, escape_text};
pub use folded::folded;
pub(crate) use folded::folded_frames;
pub(crate) use folded::suffix as frame_suffix;
pub(crate) use json::string as json_string;
pub use json::{Json, json};
pub use text::{Style, text};
