//! Puts the programs of a probe into the kernel: by the first way of each point that works here.

use super::Kernel;
use crate::attach::{Link, attach, before, load, text};
use crate::probe::{Attach, AttachPoint, Knob, KnobKind, Probe, Walk};
use aya::Btf;
use aya::programs::Iter;
use aya::programs::perf_event::SamplePolicy;
use std::path::Path;

/// The source of kprobe events (CONFIG_KPROBES, and since 4.17 its perf events).
const KPROBES: &str = "/sys/bus/event_source/devices/kprobe";

/// How a probe came to be attached.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    /// The alternative of each attach point.
    pub(crate) points: Vec<String>,
    /// Why earlier alternatives were passed over; empty when none was.
    pub(crate) passed_over: String,
    /// What it does without, and why.
    pub(crate) missing: Vec<String>,
    /// Its programs that serve another probe, too.
    shared: Vec<&'static str>,
}

impl Attached {
    /// Notes why alternatives were passed over, at whichever attach point.
    fn pass_over(&mut self, reasons: &[String]) {
        for reason in reasons {
            if !self.passed_over.is_empty() {
                self.passed_over += "; ";
            }
            self.passed_over += reason;
        }
    }
}

impl Kernel {
    /// Has the kernel verify what will probably be attached, which takes longer than attaching it:
    /// of each point the first way that the kernel takes. Whatever fails here fails again in
    /// [`Kernel::attach`], which tells.
    pub(crate) fn prepare(&mut self, probe: &Probe, knob: &dyn Fn(&str) -> Option<u64>, btf: &Btf) {
        for point in probe.attach.iter().chain(wanted(probe, knob)) {
            let mut ways = point.alternatives.iter();
            ways.any(|way| way.is_for(&self.recorded) && self.verify(way, btf).is_ok());
        }
        for walk in probe.walks {
            self.verify_walk(walk, btf).ok();
        }
    }

    fn verify_walk(&mut self, walk: &Walk, btf: &Btf) -> std::result::Result<(), String> {
        let over = walk.over(self.recent);
        let program = self.program(walk.program)?;
        if program.fd().is_ok() {
            return Ok(());
        }
        let iter: &mut Iter = program.try_into().map_err(|error| text(&error))?;
        iter.load(over, btf).map_err(|error| text(&error))
    }

    /// Attaches a probe, all of it or nothing; the error is the reason.
    pub(crate) fn attach(
        &mut self,
        probe: &Probe,
        knob: &dyn Fn(&str) -> Option<u64>,
        btf: &Btf,
        cpus: &[u32],
        cycles: bool,
    ) -> std::result::Result<Attached, String> {
        let rate = match knob("period") {
            Some(period) if period > 0 => SamplePolicy::Period(period),
            _ => SamplePolicy::Frequency(knob("freq").unwrap_or(0)),
        };
        let mut links = Vec::new();
        let mut attached = Attached::default();
        for point in probe.attach {
            self.attach_point(point, btf, cpus, rate, cycles, &mut links, &mut attached)?;
        }
        for point in wanted(probe, knob) {
            let made = self.attach_point(point, btf, cpus, rate, cycles, &mut links, &mut attached);
            attached.missing.extend(made.err());
        }
        for walk in probe.walks {
            self.verify_walk(walk, btf)?;
        }
        self.links.append(&mut links);
        self.shared.append(&mut attached.shared);
        Ok(attached)
    }

    #[expect(clippy::too_many_arguments, reason = "one private step of attach, split for its loop")]
    fn attach_point(
        &mut self,
        point: &AttachPoint,
        btf: &Btf,
        cpus: &[u32],
        rate: SamplePolicy,
        cycles: bool,
        links: &mut Vec<Link>,
        attached: &mut Attached,
    ) -> std::result::Result<(), String> {
        let mut reasons = Vec::new();
        for alternative in point.alternatives {
            if !alternative.is_for(&self.recorded) {
                continue;
            }
            let made = self
                .verify(alternative, btf)
                .and_then(|()| self.attach_loaded(alternative, cpus, rate, cycles));
            match made {
                Ok(mut made) => {
                    links.append(&mut made);
                    if let Attach::Together { how, .. } = alternative {
                        attached.shared.append(&mut how.programs());
                    }
                    self.user.extend(alternative.parts().filter(|part| {
                        matches!(
                            part,
                            Attach::Uprobe { .. } | Attach::Go { .. } | Attach::GoCall { .. }
                        )
                    }));
                    attached.points.push(match alternative {
                        Attach::Sampling { .. } if cycles => "perf_event:cycles".into(),
                        Attach::Sampling { .. } => "perf_event:cpu-clock".into(),
                        _ => alternative.describe(),
                    });
                    attached.pass_over(&reasons);
                    return Ok(());
                }
                Err(reason) => reasons.push(format!("{}: {reason}", alternative.describe())),
            }
        }
        Err(format!("cannot hook where {}: {}", point.what, reasons.join("; ")))
    }

    /// Has the kernel verify the programs of an alternative.
    fn verify(&mut self, how: &Attach, btf: &Btf) -> std::result::Result<(), String> {
        match *how {
            Attach::All(parts) => parts.iter().try_for_each(|part| self.verify(part, btf)),
            Attach::Before { kernel, why, how } => {
                before(kernel, why)?;
                self.verify(how, btf)
            }
            Attach::Together { how, .. } => self.verify(how, btf),
            _ if self.without.iter().any(|way| how.describe().split(':').next() == Some(way)) => {
                Err("not to be used (--without)".into())
            }
            // Before a second of verification for nothing.
            Attach::Kprobe { .. } if !Path::new(KPROBES).exists() => {
                Err("this kernel has no kprobes".into())
            }
            _ => {
                how.programs().into_iter().try_for_each(|name| load(self.program(name)?, how, btf))
            }
        }
    }

    /// Attaches the programs of an alternative, all of them or none.
    fn attach_loaded(
        &mut self,
        how: &Attach,
        cpus: &[u32],
        rate: SamplePolicy,
        cycles: bool,
    ) -> std::result::Result<Vec<Link>, String> {
        let mut links = Vec::new();
        match *how {
            Attach::All(parts) => {
                for part in parts {
                    links.append(&mut self.attach_loaded(part, cpus, rate, cycles)?);
                }
            }
            Attach::Before { how, .. } => return self.attach_loaded(how, cpus, rate, cycles),
            Attach::Together { how, .. } => {
                if how.programs().iter().all(|program| self.shared.contains(program)) {
                    return Ok(links);
                }
                return self.attach_loaded(how, cpus, rate, cycles);
            }
            _ => {
                for name in how.programs() {
                    links.append(&mut attach(self.program(name)?, how, cpus, rate, cycles)?);
                }
            }
        }
        Ok(links)
    }
}

/// The points that a probe can do without and that its settings ask for.
fn wanted(
    probe: &Probe,
    knob: &dyn Fn(&str) -> Option<u64>,
) -> impl Iterator<Item = &'static AttachPoint> {
    let wanted = probe.optional.iter().filter(|optional| {
        let (name, values) = optional.knob;
        let is_set = |known: &Knob| known.name == name && matches!(known.kind, KnobKind::Set(_));
        let set = probe.knobs.iter().any(is_set);
        knob(name).is_some_and(|chosen| {
            values.iter().any(|&value| if set { chosen & value != 0 } else { chosen == value })
        })
    });
    wanted.map(|optional| &optional.point).collect::<Vec<_>>().into_iter()
}
