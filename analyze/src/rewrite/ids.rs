//! `Ids`: the entries of dictionaries that a new trace needs.

use ktape_format::{Batch, Column, RecordSchema};
use ktape_schema::Kind;
use rustc_hash::FxHashSet;

use crate::context::Context;

/// Ids per dictionary, only those that the trace defines: so they take no more memory than the
/// definitions.
#[derive(Debug, Default)]
pub(super) struct Ids {
    pub(super) strings: FxHashSet<u32>,
    pub(super) modules: FxHashSet<u32>,
    pub(super) frames: FxHashSet<u32>,
    pub(super) nodes: FxHashSet<u32>,
    pub(super) stacks: FxHashSet<u32>,
    pub(super) devices: FxHashSet<u32>,
}

impl Ids {
    /// Those of a kind; `None` for kinds that are no ids.
    pub(super) fn of(&self, kind: &str) -> Option<&FxHashSet<u32>> {
        let sets = [
            (Kind::StringId, &self.strings),
            (Kind::ModuleId, &self.modules),
            (Kind::FrameId, &self.frames),
            (Kind::NodeId, &self.nodes),
            (Kind::StackId, &self.stacks),
            (Kind::DeviceId, &self.devices),
        ];
        sets.into_iter().find(|(own, _)| own.name() == kind).map(|(_, set)| set)
    }

    /// Takes the ids that the rows of a batch name. Columns that it does not have say nothing.
    pub(super) fn take(&mut self, cx: &Context<'_>, schema: &RecordSchema, batch: &Batch) {
        for (at, name) in batch.names().enumerate() {
            let Some(field) = schema.fields.iter().find(|field| field.name == name) else {
                continue;
            };
            let Column::U32(ids) = batch.column(at) else { continue };
            let ids = ids.iter().copied().filter(|&id| id != 0);
            let (strings, code) = (cx.strings(), cx.code());
            match &*field.kind {
                kind if kind == Kind::StringId.name() => {
                    self.strings.extend(ids.filter(|&id| strings.defines(id)));
                }
                kind if kind == Kind::ModuleId.name() => {
                    self.modules.extend(ids.filter(|&id| code.module(id).is_some()));
                }
                kind if kind == Kind::FrameId.name() => {
                    self.frames.extend(ids.filter(|&id| code.frame(id).is_some()));
                }
                kind if kind == Kind::NodeId.name() => {
                    self.nodes.extend(ids.filter(|&id| code.defines_node(id)));
                }
                kind if kind == Kind::StackId.name() => {
                    self.stacks.extend(ids.filter(|&id| code.stack(id).is_some()));
                }
                kind if kind == Kind::DeviceId.name() => {
                    self.devices.extend(ids.filter(|&id| cx.devices().defines(id)));
                }
                _ => {}
            }
        }
    }

    /// Adds what these entries are made of: a stack its nodes, these their frames, and so on down to
    /// the texts.
    pub(super) fn close(&mut self, cx: &Context<'_>) {
        let code = cx.code();
        self.nodes.extend(self.stacks.iter().filter_map(|&id| code.stack(id)).map(|s| s.node));
        // A parent's id is lower than its own: one pass from above sees all of them.
        let nodes: Vec<(u32, u32, u32)> = code.nodes().collect();
        for (id, parent, frame) in nodes.into_iter().rev() {
            if self.nodes.contains(&id) {
                self.nodes.insert(parent);
                self.frames.insert(frame);
            }
        }
        self.modules.extend(self.frames.iter().filter_map(|&id| code.frame(id)).map(|f| f.module));
        for module in self.modules.iter().filter_map(|&id| code.module(id)) {
            self.strings.extend([module.path, module.build_id]);
        }
        for (frame, symbol) in code.all_symbols() {
            if self.frames.contains(frame) {
                self.strings.extend([symbol.name, symbol.file]);
            }
        }
        self.strings.extend(self.devices.iter().filter_map(|&id| cx.devices().name(id)));
    }
}
