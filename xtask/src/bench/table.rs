//! Medians, and tables of them.

/// The values of several runs.
#[derive(Clone, Debug, Default)]
pub struct Values(Vec<f64>);

impl FromIterator<f64> for Values {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

impl Values {
    /// The middle one, or the mean of the middle two.
    pub fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// The value that the given part of them do not exceed, between two of them if need be.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let place = part * self.0.len().checked_sub(1)? as f64;
        let (below, above) = (self.0[place.floor() as usize], self.0[place.ceil() as usize]);
        Some(below + (above - below) * place.fract())
    }

    pub fn min(&self) -> Option<f64> {
        self.0.first().copied()
    }

    pub fn max(&self) -> Option<f64> {
        self.0.last().copied()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// `median min..max`, or `-`.
    pub fn show(&self, decimals: usize) -> String {
        match (self.median(), self.min(), self.max()) {
            (Some(median), Some(min), Some(max)) => {
                format!("{median:.decimals$} {min:.decimals$}..{max:.decimals$}")
            }
            _ => "-".to_owned(),
        }
    }

    /// The median, or `-`.
    pub fn show_median(&self, decimals: usize) -> String {
        self.median().map_or("-".to_owned(), |median| format!("{median:.decimals$}"))
    }
}

/// Prints rows under their heads: the first column to the left, the others to the right.
pub fn print(heads: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heads[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (column, (cell, width)) in cells.zip(&widths).enumerate() {
            match column {
                0 => text += &format!("{cell:<width$}"),
                _ => text += &format!("  {cell:>width$}"),
            }
        }
        println!("{}", text.trim_end());
    };
    line(&mut heads.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
}

#[cfg(test)]
mod tests {
    use super::Values;

    #[track_caller]
    fn check(values: &[f64], shown: &str) {
        assert_eq!(Values::from_iter(values.iter().copied()).show(1), shown);
    }

    #[test]
    fn medians() {
        check(&[], "-");
        check(&[3.0], "3.0 3.0..3.0");
        check(&[4.0, 1.0], "2.5 1.0..4.0");
        check(&[9.0, 1.0, 4.0], "4.0 1.0..9.0");
        check(&[9.0, 1.0, 4.0, 5.0], "4.5 1.0..9.0");
    }

    #[test]
    fn quartiles() {
        let values = Values::from_iter([5.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!((values.quantile(0.25), values.quantile(0.75)), (Some(2.0), Some(4.0)));
        assert_eq!(Values::from_iter([1.0, 3.0]).quantile(0.25), Some(1.5));
    }
}
