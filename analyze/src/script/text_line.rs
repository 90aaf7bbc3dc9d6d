//! A row as a line of text.

use std::fmt::Write;

use ktape_format::{Batch, FieldSchema, Value};

use super::frames::{Frames, Place};
use super::merge::Job;
use crate::answer::FrameKind;
use crate::context::Context;
use crate::render::escape_text;
use crate::row_layout::{bits_of, name_of, number};

/// Appends `thread pid/tid [cpu] seconds: record: field=value ..` (`host:pid/tid` in a trace of several
/// hosts) and, when asked for, the stacks below
/// it, innermost frame first. Every text of the trace is escaped, and quoted where it is a value.
pub(super) fn text_line(
    cx: &Context<'_>,
    job: &Job<'_>,
    batch: &Batch,
    row: usize,
    frames: Option<&mut Frames<'_>>,
    out: &mut String,
) {
    head(cx, job, batch, row, out);
    for (at, field) in job.schema.fields.iter().enumerate() {
        if !job.layout.is_head(at) {
            value(cx, job, field, batch, at, row, out);
        }
    }
    out.push('\n');
    let Some(frames) = frames else { return };
    // Kernel frames are inside of user frames.
    let mut sides: Vec<(bool, Vec<Place>)> = Vec::new();
    for (at, field) in job.schema.fields.iter().enumerate() {
        if field.kind == "stack_id" {
            let places = frames.of(number(batch, at, row) as u32);
            let kernel = places.iter().any(|place| place.kind == FrameKind::Kernel);
            sides.push((!kernel, places));
        }
    }
    sides.sort_by_key(|side| side.0);
    for (_, places) in &sides {
        places.iter().rev().for_each(|place| frame(place, out));
    }
    if sides.iter().any(|side| !side.1.is_empty()) {
        out.push('\n');
    }
}

fn head(cx: &Context<'_>, job: &Job<'_>, batch: &Batch, row: usize, out: &mut String) {
    let layout = &job.layout;
    let time = layout.time(batch, row);
    let comm = match layout.thread(cx, batch, row) {
        Some(thread) => escape_text(cx.thread_comm_at(thread, time)),
        None => "-".to_owned(),
    };
    let _ = write!(out, "{comm:>16} ");
    let hosts = cx.hosts();
    let [tid, pid, cpu] = [(layout.tid, "tid"), (layout.tgid, "tgid"), (layout.cpu, "cpu")]
        .map(|(field, kind)| field.map(|field| hosts.local(kind, number(batch, field, row))));
    if hosts.several() {
        let host = &hosts.list()[hosts.of_ring(batch.ring())];
        let _ = write!(out, "{}:", escape_text(host.name.as_bytes()));
    }
    let _ = match (pid, tid) {
        (Some(pid), Some(tid)) => write!(out, "{pid}/{tid}"),
        (Some(one), None) | (None, Some(one)) => write!(out, "{one}"),
        (None, None) => write!(out, "-"),
    };
    let _ = match cpu {
        Some(cpu) => write!(out, " [{cpu:03}] "),
        None => write!(out, " [---] "),
    };
    if layout.time.is_some() {
        seconds(cx.offset(time), out);
    } else {
        out.push('-');
    }
    let _ = write!(out, ": {}:", escape_text(job.schema.name.as_bytes()));
}

/// A time since the start of the recording, to the nanosecond.
fn seconds(offset: i64, out: &mut String) {
    let sign = if offset < 0 { "-" } else { "" };
    let ns = offset.unsigned_abs();
    let _ = write!(out, "{sign}{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
}

fn quoted(bytes: &[u8], out: &mut String) {
    out.push('"');
    out.push_str(&escape_text(bytes).replace('"', "\\x22"));
    out.push('"');
}

fn value(
    cx: &Context<'_>,
    job: &Job<'_>,
    field: &FieldSchema,
    batch: &Batch,
    at: usize,
    row: usize,
    out: &mut String,
) {
    let raw = number(batch, at, row);
    let kind = field.kind.as_str();
    // Nothing to say: no stack ids without their stacks, no thread, no bit.
    let silent = match kind {
        "stack_id" => true,
        "flags" | "tid" | "tgid" | "string_id" | "module_id" | "device_id" => raw == 0,
        _ => false,
    };
    if silent {
        return;
    }
    let name = escape_text(field.name.as_bytes());
    let _ = write!(out, " {name}=");
    let _ = match kind {
        "dur_ns" => write!(out, "{raw}ns"),
        "time_ns" => {
            seconds(cx.offset(raw), out);
            Ok(())
        }
        "address" => write!(out, "{raw:#x}"),
        "bytes" => write!(out, "{raw}B"),
        "syscall" => write!(out, "{}", cx.syscalls().name(raw.min(u64::from(u32::MAX)) as u32)),
        "enum" => match name_of(&field.names, raw) {
            Some(name) => write!(out, "{}", escape_text(name.as_bytes())),
            None => write!(out, "{raw}"),
        },
        "flags" => {
            let (names, rest) = bits_of(&field.names, raw);
            let mut names: Vec<String> =
                names.iter().map(|name| escape_text(name.as_bytes())).collect();
            if rest != 0 {
                names.push(format!("{rest:#x}"));
            }
            write!(out, "{}", names.join("|"))
        }
        // Its own id is what others name it by.
        _ if field.name == "id" => write!(out, "{raw}"),
        "string_id" => {
            quoted(cx.strings().get(raw as u32), out);
            Ok(())
        }
        "module_id" => {
            let path = cx.code().module(raw as u32).map_or(0, |module| module.path);
            quoted(cx.strings().get(path), out);
            Ok(())
        }
        "device_id" => {
            quoted(&cx.device_name(raw as u32), out);
            Ok(())
        }
        "tid" => {
            let time = job.layout.time(batch, row);
            let thread = cx.tasks().thread_key(raw as u32, 0, time);
            let _ = write!(out, "{} {name}_comm=", cx.hosts().local(kind, raw));
            quoted(cx.thread_comm_at(thread, time), out);
            Ok(())
        }
        _ => match batch.value(at, row) {
            Value::U64(number) => write!(out, "{}", cx.hosts().local(kind, number)),
            Value::I64(number) => write!(out, "{number}"),
            Value::Text(text) => {
                quoted(text, out);
                Ok(())
            }
        },
    };
}

/// As perf has it: offset, function, module; then the source line where it is known.
fn frame(place: &Place, out: &mut String) {
    if place.kind == FrameKind::Mark {
        let _ = writeln!(out, "\t{:>16} {}", "", escape_text(&place.name));
        return;
    }
    let _ = write!(out, "\t{:>16x} {}", place.offset, escape_text(&place.name));
    if let Some(offset) = place.in_function {
        let _ = write!(out, "+{offset:#x}");
    }
    let module = match place.kind {
        FrameKind::Inlined => "inlined".to_owned(),
        _ if place.module.is_empty() => "[unknown]".to_owned(),
        _ => escape_text(&place.module),
    };
    let _ = write!(out, " ({module})");
    if !place.file.is_empty() {
        let _ = write!(out, " {}:{}", escape_text(&place.file), place.line);
    }
    out.push('\n');
}
