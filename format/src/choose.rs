//! Lets the codecs compete for a column.

use crate::codec::estimate::{self, entropy};
use crate::codec::keyed::Misses;
use crate::codec::keys::{Key, Keys, Numbering, pair};
use crate::codec::{self, Codec, Parts, delta_tokens, recency};
use crate::limits::{MAX_KEYS, MAX_RANKED};
use crate::plan::{Plan, Role};
use std::ops::RangeInclusive;

/// A way to encode a column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    /// How.
    pub(crate) codec: Codec,
    /// The fields that it needs.
    pub(crate) needs: [Option<usize>; 2],
    /// Estimated bits.
    cost: u64,
    /// Whether the field's own values are numbered for it.
    numbered: bool,
    /// Whether its codes are ranked by recency.
    ranked: bool,
    /// Whether its codes are in patched blocks.
    pub(crate) patched: bool,
}

/// What the columns of a chunk offer each other while it is encoded.
#[derive(Default)]
pub(crate) struct Chooser {
    numbering: Numbering,
    /// Per field: its distinct values, when `numbered`.
    keys: Vec<Keys>,
    numbered: Vec<bool>,
    /// Fields that others may depend on by their keys.
    offered: Vec<bool>,
    /// The keys of the rows by the main key and the kind of row, once made.
    pair: Option<usize>,
    pair_codes: Vec<u16>,
    /// What the keyed codec found, with one key and with a pair.
    keyed: [Misses; 2],
    misses: Vec<(u32, u8, u64)>,
    /// The recency ranks of the field's codes, when they are the better dictionary.
    ranks: Vec<u16>,
    scratch: [Vec<u64>; 2],
    choices: Vec<Choice>,
    /// Whether the time that reading takes goes before size.
    fast: bool,
}

/// A field with an exception in at most one of so many rows is as good as determined.
const NEARLY: usize = 256;
/// How much larger an estimate may be for the sake of a codec that decodes faster: 1/32.
const FASTER: u64 = 32;

/// How much larger times may be for the sake of that: 1/8.
const TIMES: u64 = 8;

/// How many eighths of a bit a row of a key may be longer for that: others are decoded with it.
const KEYS: u64 = 14;

/// How many distinct values there must be for recency ranks to pay: of fewer, the codes are short,
/// of more, looking for a rank takes long.
const RANKED: RangeInclusive<usize> = 32..=MAX_RANKED;
/// So many rows tell whether ranks pay.
const RANK_SAMPLE: usize = 4096;

impl Chooser {
    /// One that makes columns that are read often larger for the sake of speed, if `fast`.
    pub(crate) fn new(fast: bool) -> Chooser {
        Chooser { fast, ..Chooser::default() }
    }

    /// Begins a chunk with so many fields.
    pub(crate) fn begin(&mut self, fields: usize) {
        self.keys.resize_with(fields, Keys::default);
        self.numbered.clear();
        self.numbered.resize(fields, false);
        self.offered.clear();
        self.offered.resize(fields, false);
        self.pair = None;
    }

    /// The ways to encode a field, the most promising first.
    ///
    /// `columns` has the values of all fields; only fields that were [`Chooser::settle`]d before
    /// are depended on.
    pub(crate) fn choices(&mut self, plan: &Plan, columns: &[&[u64]], field: usize) -> &[Choice] {
        let values = columns[field];
        self.choices.clear();
        self.ranks.clear();
        let key = plan.key == Some(field);
        let flat = values.iter().all(|value| *value == values[0]);
        if flat && !key {
            self.add(Codec::Constant, [None; 2], 0);
            return &self.choices;
        }
        let role = plan.roles[field];
        let few = matches!(role, Role::Thread | Role::Process | Role::Symbol);
        if role == Role::Process
            && self.same_as_thread(plan, columns, field)
            && values.len() > crate::encode::TRY_ALL
        {
            return &self.choices;
        }
        // Threads and the kind of row are keys of other columns, and have to be numbered.
        let other_needs_it = role == Role::Thread || plan.kind == Some(field) || key;
        if few && !other_needs_it && self.determined(plan, columns, field) {
            return &self.choices;
        }
        // A key is worth a dictionary however many values it has: other columns live on it.
        let most = if few { MAX_KEYS } else { values.len() / 8 };
        self.numbered[field] = !matches!(role, Role::Time | Role::Duration)
            && self.numbering.number(values, most, &mut self.keys[field]);
        if self.numbered[field] {
            self.rank(field);
        }
        let patched = self.fast
            && (key || plan.kind == Some(field))
            && self.numbered[field]
            && values.len() > crate::encode::TRY_ALL;
        if key && self.numbered[field] {
            self.add(Codec::Dictionary, [None; 2], 0);
            self.choices[0].patched = patched && {
                let own = &self.keys[field];
                let codes = estimate::codes(&own.codes, own.values.len());
                codec::dictionary::patched_bits(own) < codes + values.len() as u64 * KEYS / 8
            };
            return &self.choices;
        }
        if self.numbered[field] {
            self.numbered_choices(plan, columns, field);
        }
        if patched {
            let bits = codec::dictionary::patched_bits(&self.keys[field]);
            self.add(
                Codec::Dictionary,
                [None; 2],
                bits.saturating_sub(values.len() as u64 * KEYS / 8),
            );
            if let Some(choice) = self.choices.last_mut() {
                choice.patched = true;
            }
        }
        if !(few && self.numbered[field]) {
            self.number_choices(plan, columns, field);
        }
        let runs = values.windows(2).filter(|pair| pair[0] != pair[1]).count() as u64 + 1;
        let most = values.iter().fold(0, |bits, value| bits | value);
        // A length of one byte, and a varint.
        let each = 8 + 8 * u64::from((64 - most.leading_zeros()).div_ceil(7));
        self.add(Codec::Runs, [None; 2], runs * each);
        self.choices.sort_by_key(|choice| choice.cost);
        &self.choices
    }

    /// Whether the process has the number of its thread in so many rows that this says it best: of a
    /// process with one thread it is so always. No column has such a process as its key.
    fn same_as_thread(&mut self, plan: &Plan, columns: &[&[u64]], field: usize) -> bool {
        let Some(thread) = plan.keys[field].filter(|&thread| self.offered[thread]) else {
            return false;
        };
        let (values, threads) = (columns[field], columns[thread]);
        if plan.roles[thread] != Role::Thread || values.contains(&u64::MAX) {
            return false;
        }
        let keys = self.keys[thread].key();
        let cost = estimate::equal(values, threads, Some(keys));
        // Else each thread names its process: some bits of a dictionary.
        let worth = keys.count as u64 * 8;
        if cost < worth {
            self.add(Codec::Equal, [Some(thread), Some(thread)], cost);
        }
        cost < worth
    }

    /// Whether a field follows from others nearly always; then nothing else need be looked at.
    fn determined(&mut self, plan: &Plan, columns: &[&[u64]], field: usize) -> bool {
        let values = columns[field];
        let most = values.len() / NEARLY;
        if values.len() <= crate::encode::TRY_ALL {
            return false;
        }
        for pair in [false, true] {
            if let Some((needs, _)) = self.keyed(plan, values, field, pair, most)
                && self.keyed[usize::from(pair)].number(&mut self.numbering)
            {
                self.add(Codec::Keyed, needs, 0);
                return true;
            }
        }
        false
    }

    /// Looks for the misses of a field by its key, or by that and the kind of row. Returns the
    /// fields that it needs and the number of keys, when there are at most `most` misses.
    fn keyed(
        &mut self,
        plan: &Plan,
        values: &[u64],
        field: usize,
        double: bool,
        most: usize,
    ) -> Option<([Option<usize>; 2], usize)> {
        let key = plan.keys[field].filter(|&key| self.offered[key])?;
        let single = self.keys[key].key();
        if !double {
            let found = self.keyed[0].find(values, single, most);
            return found.then_some(([Some(key), None], single.count));
        }
        let kind = plan.kind.filter(|&kind| self.offered[kind] && kind != field)?;
        if plan.key != Some(key) {
            return None;
        }
        if self.pair.is_none() {
            let made = pair(single, self.keys[kind].key(), &mut self.pair_codes);
            self.pair = Some(made.map_or(0, |key| key.count));
        }
        let count = self.pair.filter(|&count| count > 0)?;
        let other = Key { codes: &self.pair_codes, count };
        let found = self.keyed[1].find(values, other, most);
        found.then_some(([Some(key), Some(kind)], count))
    }

    /// Ranks the codes of a field by recency, if that is worth the time that reading them takes.
    fn rank(&mut self, field: usize) {
        let own = &self.keys[field];
        let count = own.values.len();
        if !RANKED.contains(&count) {
            return;
        }
        let sample = &own.codes[..own.codes.len().min(RANK_SAMPLE)];
        recency::ranks(sample, count, &mut self.ranks);
        let [plain, ranked] = [sample, &self.ranks].map(|codes| estimate::codes(codes, count));
        if ranked > plain - plain / 16 {
            self.ranks.clear();
        } else if sample.len() < own.codes.len() {
            recency::ranks(&own.codes, count, &mut self.ranks);
        }
    }

    fn numbered_choices(&mut self, plan: &Plan, columns: &[&[u64]], field: usize) {
        let own = &self.keys[field];
        let rows = own.codes.len();
        let codes = if self.ranks.is_empty() { &own.codes } else { &self.ranks };
        let bits = estimate::codes(codes, own.values.len());
        let values = own.values.len() as u64 * 12;
        self.add(Codec::Dictionary, [None; 2], bits + values);
        let each = bits / rows as u64 + 1;
        for double in [false, true] {
            let found = self.keyed(plan, columns[field], field, double, rows / 4);
            let Some((needs, count)) = found else { continue };
            let few = self.keyed[usize::from(double)].len();
            let cost = estimate::choose(few, rows) + few as u64 * each + count as u64 * 6;
            self.add(Codec::Keyed, needs, cost + values + 64);
            if few < rows / NEARLY {
                break;
            }
        }
    }

    fn number_choices(&mut self, plan: &Plan, columns: &[&[u64]], field: usize) {
        let values = columns[field];
        let role = plan.roles[field];
        if role == Role::Duration {
            if let (Some(time), Some(key)) = (plan.time, plan.key)
                && self.offered[key]
                && plan.duration == Some(field)
                && !columns[time].is_empty()
            {
                let (times, keys) = (columns[time], self.keys[key].key());
                let most = values.len();
                if codec::since::misses(values, times, keys, most, &mut self.misses) {
                    let numbers = self.misses.iter().map(|miss| miss.2);
                    let kinds = codec::since::kinds(&self.misses);
                    let cost = estimate::exceptions(numbers, values.len())
                        + entropy(kinds.into_iter())
                        + self.misses.len() as u64 / 2;
                    self.add(Codec::Since, [Some(time), Some(key)], cost);
                }
            }
            if let Some(other) = plan.duration.filter(|&other| other < field)
                && !columns[other].is_empty()
                && !values.contains(&u64::MAX)
            {
                let kind = plan.kind.filter(|&kind| self.offered[kind]);
                let key = kind.map(|kind| self.keys[kind].key());
                let cost = estimate::equal(values, columns[other], key);
                self.add(Codec::Equal, [Some(other), kind], cost);
            }
        }
        let ascending = delta_tokens::ascending(values);
        let costs = estimate::general(values, ascending, role == Role::Number);
        self.add(Codec::Packed, [None; 2], costs.packed - costs.packed / FASTER);
        self.add(Codec::Delta, [None; 2], costs.delta - costs.delta / FASTER);
        self.add(Codec::Delta2, [None; 2], costs.delta2 - costs.delta2 / FASTER);
        self.add(Codec::Tokens, [None; 2], costs.tokens);
        self.add(Codec::DeltaTokens, [None; 2], costs.delta_tokens);
        // Nearly every question needs the times.
        let worth = if role == Role::Time && self.fast { costs.delta_patched / TIMES } else { 0 };
        self.add(Codec::DeltaPatched, [None; 2], costs.delta_patched - worth);
        self.add(Codec::Planes, [None; 2], costs.planes);
    }

    fn add(&mut self, codec: Codec, needs: [Option<usize>; 2], cost: u64) {
        self.choices.push(Choice {
            codec,
            needs,
            cost,
            numbered: false,
            ranked: false,
            patched: false,
        });
    }

    /// The choice with what it was made on, to be made again without looking at others.
    pub(crate) fn remembered(&self, choice: Choice, field: usize) -> Choice {
        let ranked = choice.codec == Codec::Dictionary && !choice.patched && !self.ranks.is_empty();
        Choice { numbered: self.numbered[field], ranked, ..choice }
    }

    /// Gets ready to encode a field as the chunk before was; `None` when it cannot be, or is so simple
    /// that something else is better.
    pub(crate) fn again(
        &mut self,
        plan: &Plan,
        columns: &[&[u64]],
        field: usize,
        last: Choice,
    ) -> Option<Choice> {
        let values = columns[field];
        self.ranks.clear();
        if values.iter().all(|value| *value == values[0]) {
            return None;
        }
        let role = plan.roles[field];
        if last.numbered {
            let few = matches!(role, Role::Thread | Role::Process | Role::Symbol);
            let most = if few { MAX_KEYS } else { values.len() / 8 };
            self.numbered[field] = self.numbering.number(values, most, &mut self.keys[field]);
            if !self.numbered[field] {
                return None;
            }
        }
        let offered = |need: Option<usize>| need.is_none_or(|need| self.offered[need]);
        let can = match last.codec {
            Codec::Constant => false,
            Codec::Dictionary if last.patched => last.numbered,
            Codec::Dictionary if last.ranked => {
                let keys = &self.keys[field];
                let can = RANKED.contains(&keys.values.len());
                if can {
                    recency::ranks(&keys.codes, keys.values.len(), &mut self.ranks);
                }
                can
            }
            Codec::Dictionary => last.numbered,
            Codec::Keyed => {
                let double = last.needs[1].is_some();
                let found = self.keyed(plan, values, field, double, values.len() / 4);
                found.is_some_and(|(needs, _)| needs == last.needs)
                    && (last.numbered
                        || self.keyed[usize::from(double)].number(&mut self.numbering))
            }
            Codec::Since => match (last.needs, offered(last.needs[1])) {
                ([Some(time), Some(key)], true) => {
                    let (times, keys) = (columns[time], self.keys[key].key());
                    let most = values.len();
                    codec::since::misses(values, times, keys, most, &mut self.misses)
                }
                _ => false,
            },
            Codec::Equal => offered(last.needs[1]) && !values.contains(&u64::MAX),
            _ => true,
        };
        can.then_some(last)
    }

    /// Encodes a field; the choice is one of those last given for it.
    pub(crate) fn encode(
        &mut self,
        choice: Choice,
        columns: &[&[u64]],
        field: usize,
        out: &mut Parts,
    ) {
        let values = columns[field];
        let keys = &self.keys[field];
        match choice.codec {
            Codec::Constant => codec::constant::encode(values[0], out),
            Codec::Runs => codec::runs::encode(values, out),
            Codec::Packed => codec::packed::encode(values, out),
            Codec::Delta => codec::delta::encode(values, &mut self.scratch[0], out),
            Codec::Delta2 => codec::delta2::encode(values, &mut self.scratch, out),
            Codec::Dictionary if choice.patched => {
                codec::dictionary::encode_patched(keys, &mut self.scratch[0], out);
            }
            Codec::Dictionary if self.ranks.is_empty() => codec::dictionary::encode(keys, out),
            Codec::Dictionary => codec::dictionary::encode_recent(keys, &self.ranks, out),
            Codec::Tokens => codec::tokens::encode(values.iter().copied(), out),
            Codec::DeltaTokens => codec::delta_tokens::encode(values, &mut self.scratch[0], out),
            Codec::DeltaPatched => codec::delta_patched::encode(values, &mut self.scratch[0], out),
            Codec::Keyed => {
                let misses = &self.keyed[usize::from(choice.needs[1].is_some())];
                codec::keyed::encode(misses, self.numbered[field].then_some(keys), out);
            }
            Codec::Since => codec::since::encode(&self.misses, out),
            Codec::Equal => match choice.needs[0] {
                Some(other) => {
                    let key = choice.needs[1].map(|kind| self.keys[kind].key());
                    let scratch = &mut self.scratch[0];
                    codec::equal::encode(values, columns[other], key, scratch, out);
                }
                None => codec::planes::encode(values, out),
            },
            Codec::Planes | Codec::Text => codec::planes::encode(values, out),
        }
    }

    /// Says that a field has been encoded so: others may now depend on it.
    pub(crate) fn settle(&mut self, field: usize, codec: Codec) {
        self.offered[field] =
            matches!(codec, Codec::Dictionary | Codec::Keyed) && self.numbered[field];
    }

    /// The distinct values of a field that was encoded as a dictionary.
    pub(crate) fn keys(&self, field: usize) -> &Keys {
        &self.keys[field]
    }
}
