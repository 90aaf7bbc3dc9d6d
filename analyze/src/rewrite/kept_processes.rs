//! `KeptProcesses`: the processes whose definitions a trimmed trace needs.

use ktape_format::{Batch, Column, RecordSchema};
use ktape_schema::Kind;
use rustc_hash::FxHashSet;

use crate::context::{Context, ThreadKey};
use crate::query::Filter;

/// Processes with all their threads: those that are asked for and lived within the window, those that
/// facts name, and the ancestors of all of them.
#[derive(Debug, Default)]
pub(super) struct KeptProcesses {
    /// Numbers of threads and processes that facts name.
    named: FxHashSet<u32>,
    /// By index of the process.
    kept: Vec<bool>,
    window: (u64, u64),
}

impl KeptProcesses {
    /// Takes the threads and processes that the rows of a batch name.
    pub(super) fn take(&mut self, cx: &Context<'_>, schema: &RecordSchema, batch: &Batch) {
        let kinds = [Kind::Tid.name(), Kind::Tgid.name()];
        for (at, name) in batch.names().enumerate() {
            let field = schema.fields.iter().find(|field| field.name == name);
            if !field.is_some_and(|field| kinds.contains(&&*field.kind)) {
                continue;
            }
            let Column::U32(numbers) = batch.column(at) else { continue };
            let mut last = 0;
            for &number in numbers {
                // Rows of a thread stand in a row.
                if number != last && cx.tasks().thread_at(number, 0).is_some() {
                    self.named.insert(number);
                }
                last = number;
            }
        }
    }

    /// Decides, when all facts have been seen.
    pub(super) fn close(&mut self, cx: &Context<'_>, filter: &Filter) {
        self.window = filter.window(cx);
        let (from, to) = self.window;
        let processes = cx.tasks().processes();
        self.kept = processes
            .iter()
            .map(|process| {
                let threads = || process.threads.iter().map(|&index| ThreadKey(index.into()));
                let named = |key| self.named.contains(&cx.tasks().tid(key));
                let asked =
                    |key| filter.passes_tid(cx.tasks().tid(key)) && filter.passes_name(cx, key, to);
                let lived = process.start <= to && process.end.is_none_or(|end| end >= from);
                let is_asked_for = lived
                    && filter.passes_pid(process.pid)
                    && (filter.tids.is_empty() && filter.globs.is_empty() || threads().any(asked));
                is_asked_for || self.named.contains(&process.pid) || threads().any(named)
            })
            .collect();
        for index in 0..processes.len() {
            let mut at = index;
            while self.kept[at] {
                match processes[at].parent {
                    Some(parent) if !self.kept[parent as usize] => at = parent as usize,
                    _ => break,
                }
                self.kept[at] = true;
            }
        }
    }

    /// Whether the definitions of the process that had this number at this time are needed. What no
    /// process is known for is, when it is of the window.
    pub(super) fn keeps(&self, cx: &Context<'_>, tgid: u32, time: u64) -> bool {
        match cx.tasks().process_at(tgid, time) {
            Some(index) => self.kept[index as usize],
            None => (self.window.0..=self.window.1).contains(&time),
        }
    }
}
