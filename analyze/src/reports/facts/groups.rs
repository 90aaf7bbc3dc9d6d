//! `Groups`: counts and sums by group.
//!
//! A chunk is first added up in a dense table, whose index is made of the codes that the chunk's own
//! dictionaries give to values: one lookup per row without hashing. Only its groups go into the map of
//! all groups.

use ktape_format::{Batch, KeyColumn};
use ktape_schema::Type;
use rustc_hash::FxHashMap;

use crate::run::{Bounded, BoundedKey, Fold};

/// Most groups that are told apart.
const MOST: usize = 1 << 18;
/// Most groups of one chunk that are added up in a table.
const DENSE: usize = 1 << 16;
/// Most values of one field that a chunk without codes is searched for.
const VALUES: usize = 1 << 12;
/// Powers of two of a number, 0 counting as the first.
const BUCKETS: usize = 64;

/// Interval, host, first field, second field; 0 for what is not asked for.
pub(super) type Key = [u64; 4];

impl BoundedKey for Key {
    const OTHERS: Self = [u64::MAX; 4];
}

/// What is known of one group.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    pub(super) count: u64,
    pub(super) total: u64,
    pub(super) max: u64,
    /// Numbers by floor(log2), when asked for.
    pub(super) buckets: Vec<u64>,
}

impl Fold for Sum {
    fn fold(&mut self, from: Sum) {
        self.count += from.count;
        self.total = self.total.saturating_add(from.total);
        self.max = self.max.max(from.max);
        if self.buckets.is_empty() {
            self.buckets = from.buckets;
        } else {
            let counts = self.buckets.iter_mut().zip(from.buckets);
            counts.for_each(|(count, more)| *count += more);
        }
    }

    fn weight(&self) -> usize {
        self.buckets.capacity() * size_of::<u64>()
    }
}

impl Sum {
    #[inline(always)]
    fn add(&mut self, value: u64) {
        self.count += 1;
        self.total = self.total.saturating_add(value);
        self.max = self.max.max(value);
    }

    fn bucket(&mut self, value: u64) {
        self.buckets.resize(BUCKETS, 0);
        self.buckets[bucket(value)] += 1;
    }
}

#[inline(always)]
fn bucket(value: u64) -> usize {
    (63 - (value | 1).leading_zeros()) as usize
}

/// What is asked of a batch.
pub(super) struct Part {
    /// At most two fields.
    pub(super) by: Vec<(&'static str, Type)>,
    pub(super) of: Option<(&'static str, Type)>,
    /// Length of an interval, and the field that tells the time.
    pub(super) every: Option<(u64, &'static str)>,
    pub(super) start: u64,
    pub(super) histogram: bool,
    /// The number of the host that the batch is of, when hosts are told apart.
    pub(super) host: u64,
}

impl Part {
    /// The fields that groups are told apart by, as numbers; without rows what is not asked for.
    fn fields(&self, batch: &Batch) -> [Vec<u64>; 2] {
        let mut fields: [Vec<u64>; 2] = Default::default();
        for (field, &(name, ty)) in fields.iter_mut().zip(&self.by) {
            take_numbers(batch, name, ty, field);
        }
        fields
    }

    /// Calls with the group and the number of each row of a batch.
    pub(super) fn each(&self, batch: &Batch, mut call: impl FnMut(Key, u64)) {
        let rows = batch.rows();
        let fields = self.fields(batch);
        let mut values = Vec::new();
        if let Some((name, ty)) = self.of {
            take_numbers(batch, name, ty, &mut values);
        }
        let at = |numbers: &[u64], row: usize| numbers.get(row).copied().unwrap_or(0);
        let mut times = Intervals::of(self, batch);
        let mut row = 0;
        while row < rows {
            let (interval, end) = times.next(row, rows);
            for row in row..end {
                let key = [interval, self.host, at(&fields[0], row), at(&fields[1], row)];
                call(key, at(&values, row));
            }
            row = end;
        }
    }
}

/// Sums by group; keeps buffers.
#[derive(Default)]
pub(super) struct Groups {
    sums: Bounded<Key, Sum, MOST>,
    codes: [Codes; 2],
    pairs: Vec<u16>,
    numbers: Vec<u64>,
    /// Count, total, largest; four numbers are found by a shift.
    dense: Vec<[u64; 4]>,
    short: Vec<[Short; 2]>,
    buckets: Vec<[u32; BUCKETS]>,
}

/// What stands for a field that is not asked for: one value for all.
const NO_FIELD: KeyColumn<'static> = KeyColumn { codes: &[], values: &[0] };

/// A field as positions in a list of its values.
#[derive(Default)]
struct Codes {
    codes: Vec<u16>,
    values: Vec<u64>,
}

impl Groups {
    /// Counts rows of an interval and a host, without more.
    pub(super) fn count(&mut self, interval: u64, host: u64, rows: u64) {
        self.sums.at([interval, host, 0, 0]).count += rows;
    }

    pub(super) fn merge(&mut self, from: Groups) {
        self.sums.merge(from.sums);
    }

    /// All groups, by key.
    pub(super) fn into_sorted(self) -> Vec<(Key, Sum)> {
        self.sums.into_sorted()
    }

    /// Adds the rows of a batch.
    pub(super) fn add(&mut self, part: &Part, batch: &Batch) {
        let rows = batch.rows();
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.clear();
        let values: &[u64] = match part.of {
            Some((name, Type::U64)) => &batch.u64(name)[..rows],
            Some((name, ty)) => {
                take_numbers(batch, name, ty, &mut numbers);
                &numbers
            }
            None => &[],
        };
        let mut codes = std::mem::take(&mut self.codes);
        let mut coded = true;
        for (codes, &(name, ty)) in codes.iter_mut().zip(&part.by) {
            coded = coded && (batch.keys(name).is_some() || codes.number(batch, name, ty));
        }
        let mut fields = [NO_FIELD; 2];
        for ((field, codes), &(name, _)) in fields.iter_mut().zip(&codes).zip(&part.by) {
            let own = KeyColumn { codes: &codes.codes, values: &codes.values };
            *field = batch.keys(name).unwrap_or(own);
        }
        let groups = fields.iter().map(|field| field.values.len()).product::<usize>();
        let mut row = 0;
        let mut times = Intervals::of(part, batch);
        let mut plain = None;
        while row < rows {
            let (interval, end) = times.next(row, rows);
            // Clearing the table must not take longer than looking its rows up would.
            let worth = if part.histogram { end - row } else { 8 * (end - row) + 64 };
            if coded && groups <= DENSE.min(worth) {
                self.dense(part, interval, row..end, values, fields, groups);
            } else {
                let fields = plain.get_or_insert_with(|| part.fields(batch));
                self.one_by_one(part, interval, row..end, fields, values);
            }
            row = end;
        }
        self.codes = codes;
        self.numbers = numbers;
    }

    fn dense(
        &mut self,
        part: &Part,
        interval: u64,
        rows: std::ops::Range<usize>,
        values: &[u64],
        [first, second]: [KeyColumn<'_>; 2],
        groups: usize,
    ) {
        let Groups { sums, pairs, dense, short, buckets, .. } = self;
        dense.clear();
        dense.resize(groups, [0; 4]);
        let seconds = second.values.len();
        let codes: &[u16] = match part.by.len() {
            0 => &[],
            1 => &first.codes[rows.clone()],
            _ => {
                pairs.clear();
                let codes = first.codes[rows.clone()].iter().zip(&second.codes[rows.clone()]);
                pairs.extend(codes.map(|(&one, &two)| one * seconds as u16 + two));
                pairs
            }
        };
        let values = if part.of.is_some() { &values[rows.clone()] } else { &[] };
        match (codes, values) {
            ([], []) => dense[0][0] = rows.len() as u64,
            ([], values) => {
                for &value in values {
                    add(&mut dense[0], value);
                }
            }
            (codes, []) => codes.iter().for_each(|&code| dense[usize::from(code)][0] += 1),
            (codes, values) => match short_one(values) {
                Some(one) => add_short(codes, values, one, short, dense),
                None => {
                    for (&code, &value) in codes.iter().zip(values) {
                        add(&mut dense[usize::from(code)], value);
                    }
                }
            },
        }
        if part.histogram {
            buckets.clear();
            buckets.resize(groups, [0; BUCKETS]);
            match codes {
                [] => values.iter().for_each(|&value| buckets[0][bucket(value)] += 1),
                codes => {
                    for (&code, &value) in codes.iter().zip(values) {
                        buckets[usize::from(code)][bucket(value)] += 1;
                    }
                }
            }
        }
        for (group, &[count, total, max, _]) in dense.iter().enumerate() {
            if count == 0 {
                continue;
            }
            let key = match part.by.len() {
                0 => [0, 0],
                1 => [first.values[group], 0],
                _ => [first.values[group / seconds], second.values[group % seconds]],
            };
            let key = [interval, part.host, key[0], key[1]];
            let counts = buckets.get(group).filter(|_| part.histogram);
            let buckets = counts.map_or(Vec::new(), |counts| {
                counts.iter().map(|&count| count.into()).collect()
            });
            sums.at(key).fold(Sum { count, total, max, buckets });
        }
    }

    /// For groups that are too many for a table.
    fn one_by_one(
        &mut self,
        part: &Part,
        interval: u64,
        rows: std::ops::Range<usize>,
        fields: &[Vec<u64>; 2],
        values: &[u64],
    ) {
        for row in rows {
            let [first, second] =
                [0, 1].map(|field| fields[field].get(row).copied().unwrap_or(0));
            let sum = self.sums.at([interval, part.host, first, second]);
            let value = values.get(row).copied().unwrap_or(0);
            sum.add(value);
            if part.histogram {
                sum.bucket(value);
            }
        }
    }
}

#[inline(always)]
fn add(sum: &mut [u64; 4], value: u64) {
    *sum = [sum[0] + 1, sum[1].saturating_add(value), sum[2].max(value), 0];
}

/// Total and count in one number, and the largest value.
#[derive(Clone, Copy, Default)]
struct Short {
    /// The total, plus [`short_one`] per value.
    sum: u64,
    max: u64,
}

impl Short {
    #[inline(always)]
    fn add(&mut self, value: u64, one: u64) {
        self.sum += one + value;
        self.max = self.max.max(value);
    }
}

/// What counts a value above the total of all; none when both do not fit one number.
fn short_one(values: &[u64]) -> Option<u64> {
    let bits = values.iter().fold(0, |bits, value| bits | value);
    let total = u128::from(bits) * values.len() as u128;
    let one = total.checked_add(1)?.checked_next_power_of_two()?;
    let most = one.checked_mul(values.len() as u128)?.checked_add(total)?;
    u64::try_from(most).ok()?;
    u64::try_from(one).ok()
}

/// As [`add`] of every value, a quarter faster: with two numbers to change instead of three, and
/// neighbouring rows, which often are of one group, do not wait for each other.
fn add_short(
    codes: &[u16],
    values: &[u64],
    one: u64,
    short: &mut Vec<[Short; 2]>,
    dense: &mut [[u64; 4]],
) {
    short.clear();
    short.resize(dense.len(), Default::default());
    let (code_pairs, last_code) = codes.as_chunks::<2>();
    let (value_pairs, last_value) = values.as_chunks::<2>();
    for (codes, values) in code_pairs.iter().zip(value_pairs) {
        short[usize::from(codes[0])][0].add(values[0], one);
        short[usize::from(codes[1])][1].add(values[1], one);
    }
    for (&code, &value) in last_code.iter().zip(last_value) {
        short[usize::from(code)][0].add(value, one);
    }
    for (sum, [even, odd]) in dense.iter_mut().zip(short) {
        let all = even.sum + odd.sum;
        *sum = [all / one, all % one, even.max.max(odd.max), 0];
    }
}

/// Which rows are of which interval.
struct Intervals<'a> {
    times: &'a [u64],
    every: u64,
    start: u64,
    ascending: bool,
}

impl<'a> Intervals<'a> {
    fn of(part: &Part, batch: &'a Batch) -> Self {
        let (every, times) = match part.every {
            Some((every, time)) => (every.max(1), batch.u64(time)),
            None => (1, &[][..]),
        };
        Self { times, every, start: part.start, ascending: times.is_sorted() }
    }

    /// The interval of a row, and the row after its last neighbour of the same one.
    fn next(&mut self, row: usize, rows: usize) -> (u64, usize) {
        let Some(&time) = self.times.get(row) else { return (0, rows) };
        let interval = time.saturating_sub(self.start) / self.every;
        let end = interval.saturating_add(1).saturating_mul(self.every);
        let end = self.start.saturating_add(end);
        let inside = |time: &u64| *time < end && (interval == 0 || *time >= end - self.every);
        let rest = &self.times[row..rows];
        let same = match self.ascending {
            true => rest.partition_point(|time| *time < end),
            false => rest.iter().take_while(|time| inside(time)).count(),
        };
        (interval, row + same.max(1))
    }
}

impl Codes {
    /// Numbers a field that the chunk does not; false when it has too many values.
    fn number(&mut self, batch: &Batch, name: &str, ty: Type) -> bool {
        self.codes.clear();
        self.values.clear();
        let mut numbers = Vec::new();
        take_numbers(batch, name, ty, &mut numbers);
        let mut known: FxHashMap<u64, u16> = FxHashMap::default();
        let mut last = (u64::MAX, None);
        for value in numbers {
            let code = match last {
                (before, Some(code)) if before == value => code,
                _ => {
                    let next = self.values.len() as u16;
                    let code = *known.entry(value).or_insert(next);
                    if code == next {
                        if self.values.len() == VALUES {
                            return false;
                        }
                        self.values.push(value);
                    }
                    code
                }
            };
            last = (value, Some(code));
            self.codes.push(code);
        }
        true
    }
}

/// Appends the numbers of a column; signed ones keep their bits.
fn take_numbers(batch: &Batch, name: &str, ty: Type, out: &mut Vec<u64>) {
    if let Some(keys) = batch.keys(name) {
        return out.extend(keys.codes.iter().map(|&code| keys.values[usize::from(code)]));
    }
    match ty {
        Type::U8 => out.extend(batch.u8(name).iter().map(|&value| u64::from(value))),
        Type::U16 => out.extend(batch.u16(name).iter().map(|&value| u64::from(value))),
        Type::U32 => out.extend(batch.u32(name).iter().map(|&value| u64::from(value))),
        Type::U64 => out.extend_from_slice(batch.u64(name)),
        Type::I32 => out.extend(batch.i32(name).iter().map(|&value| i64::from(value) as u64)),
        Type::I64 => out.extend(batch.i64(name).iter().map(|&value| value as u64)),
        Type::Text => {}
    }
}
