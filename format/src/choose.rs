//! Lets the codecs compete for a column.

use crate::codec::estimate::{self, entropy};
use crate::codec::keys::{Key, Keys, MAX_KEYS, Numbering, pair};
use crate::codec::{self, Codec, Parts, delta_tokens};
use crate::plan::{Plan, Role};

/// A way to encode a column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    /// How.
    pub(crate) codec: Codec,
    /// The fields that it needs.
    pub(crate) needs: [Option<usize>; 2],
    /// Estimated bits.
    cost: u64,
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
    keyed: [Exceptions; 2],
    misses: Vec<(u32, u8, u64)>,
    scratch: [Vec<u64>; 2],
    choices: Vec<Choice>,
}

/// What the keyed codec found.
#[derive(Default)]
struct Exceptions {
    first: Vec<u16>,
    rows: Vec<u32>,
}

/// How much larger an estimate may be for the sake of a codec that decodes faster: 1/32.
const FASTER: u64 = 32;

impl Chooser {
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
        let key = plan.key == Some(field);
        let flat = values.iter().all(|value| *value == values[0]);
        if flat && !key {
            self.add(Codec::Constant, [None; 2], 0);
            return &self.choices;
        }
        let role = plan.roles[field];
        let few = matches!(role, Role::Thread | Role::Process | Role::Symbol);
        // A key is worth a dictionary however many values it has: other columns live on it.
        let most = if few { MAX_KEYS } else { values.len() / 8 };
        if matches!(role, Role::Time | Role::Duration) {
            self.numbered[field] = false;
        } else {
            let keys = &mut self.keys[field];
            self.numbered[field] = self.numbering.number(values, most, keys);
        }
        if key && self.numbered[field] {
            self.add(Codec::Dictionary, [None; 2], 0);
            return &self.choices;
        }
        if self.numbered[field] {
            self.numbered_choices(plan, field);
        }
        if !(few && self.numbered[field]) {
            self.number_choices(plan, columns, field);
        }
        let runs = values.windows(2).filter(|pair| pair[0] != pair[1]).count() as u64 + 1;
        self.add(Codec::Runs, [None; 2], runs * 24);
        self.choices.sort_by_key(|choice| choice.cost);
        &self.choices
    }

    fn numbered_choices(&mut self, plan: &Plan, field: usize) {
        let own = &self.keys[field];
        let rows = own.codes.len();
        let mut counts = vec![0; own.values.len()];
        own.codes.iter().for_each(|&code| counts[usize::from(code)] += 1);
        let bits = entropy(counts.into_iter());
        let values = own.values.len() as u64 * 20;
        self.add(Codec::Dictionary, [None; 2], bits + values);
        let Some(key) = plan.keys[field].filter(|&key| self.offered[key]) else { return };
        let each = bits / rows as u64 + 1;
        let cost = |few: usize, count: usize| {
            estimate::choose(few, rows) + few as u64 * each + count as u64 * 6 + values + 64
        };
        let [single, double] = &mut self.keyed;
        let own = &self.keys[field].codes;
        let other = self.keys[key].key();
        let most = rows / 4;
        let found = codec::keyed::misses(own, other, most, &mut single.first, &mut single.rows);
        let few = if found { single.rows.len() } else { rows };
        let count = other.count;
        if found {
            self.choices.push(Choice {
                codec: Codec::Keyed,
                needs: [Some(key), None],
                cost: cost(few, count),
            });
        }
        // A pair of keys is only worth a try when one is not nearly right already.
        let Some(kind) = plan.kind.filter(|&kind| self.offered[kind] && kind != field) else {
            return;
        };
        if few < rows / 256 || plan.key != Some(key) {
            return;
        }
        if self.pair.is_none() {
            let made = pair(other, self.keys[kind].key(), &mut self.pair_codes);
            self.pair = Some(made.map_or(0, |key| key.count));
        }
        let count = self.pair.unwrap_or(0);
        let other = Key { codes: &self.pair_codes, count };
        if count > 0 && codec::keyed::misses(own, other, most, &mut double.first, &mut double.rows)
        {
            self.choices.push(Choice {
                codec: Codec::Keyed,
                needs: [Some(key), Some(kind)],
                cost: cost(double.rows.len(), count),
            });
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
                    let cost = estimate::exceptions(numbers, values.len());
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
        self.add(Codec::Planes, [None; 2], costs.planes);
    }

    fn add(&mut self, codec: Codec, needs: [Option<usize>; 2], cost: u64) {
        self.choices.push(Choice { codec, needs, cost });
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
            Codec::Dictionary => codec::dictionary::encode(keys, out),
            Codec::Tokens => codec::tokens::encode(values.iter().copied(), out),
            Codec::DeltaTokens => codec::delta_tokens::encode(values, &mut self.scratch[0], out),
            Codec::Keyed => {
                let found = &self.keyed[usize::from(choice.needs[1].is_some())];
                codec::keyed::encode(keys, &found.first, &found.rows, out);
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
