//! `Side`: one of the two windows that are compared.

use ktape_format::Trace;

use crate::context::{Context, Needs};
use crate::error::Result;
use crate::query::{Filter, FilterArgs};

/// A window of a trace, with what gives its facts their meaning.
pub struct Side<'t> {
    pub(super) name: &'static str,
    pub(super) cx: Context<'t>,
    pub(super) filter: Filter,
}

impl<'t> Side<'t> {
    /// What came before: the base of the comparison.
    pub fn before(trace: &'t Trace, filter: &FilterArgs) -> Result<Self> {
        Self::of("before", trace, filter)
    }

    /// What came after.
    pub fn after(trace: &'t Trace, filter: &FilterArgs) -> Result<Self> {
        Self::of("after", trace, filter)
    }

    fn of(name: &'static str, trace: &'t Trace, filter: &FilterArgs) -> Result<Self> {
        let mut cx = Context::load(trace, Needs::CODE);
        let filter = filter.resolve(&cx)?;
        cx.narrow_to(&filter);
        Ok(Self { name, cx, filter })
    }

    /// Its window: (from, to), monotonic ns.
    pub(super) fn window(&self) -> (u64, u64) {
        self.filter.window(&self.cx)
    }
}
