//! The measurements of one contender, run by run.

/// One figure in several runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn add(&mut self, sample: f64) {
        self.0.push(sample);
    }

    /// `None` where nothing was measured.
    pub(crate) fn median(&self) -> Option<f64> {
        self.at(0.5)
    }

    /// The quarter and the three-quarter mark, where there are enough runs for them to mean something.
    pub(crate) fn spread(&self) -> Option<(f64, f64)> {
        if self.0.len() < 4 {
            return None;
        }
        Some((self.at(0.25)?, self.at(0.75)?))
    }

    /// Each run beside the other's of the same round, so that a machine that becomes slower affects both.
    pub(crate) fn beside(&self, other: &Self, compare: fn(f64, f64) -> f64) -> Self {
        let rounds = self.0.iter().zip(&other.0);
        rounds.map(|(&own, &other)| compare(own, other)).collect()
    }

    /// The quantile at `part`, interpolated between two samples where it falls between them.
    fn at(&self, part: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        #[allow(clippy::cast_precision_loss)] // no row has that many runs
        let place = part * (sorted.len().checked_sub(1)?) as f64;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // it is an index
        let (low, high) = (place.floor() as usize, place.ceil() as usize);
        // Infinite samples have no difference.
        if sorted[low].total_cmp(&sorted[high]).is_eq() {
            return Some(sorted[low]);
        }
        Some(sorted[low] + (sorted[high] - sorted[low]) * place.fract())
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(samples: I) -> Self {
        Self(samples.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn the_median_of_nothing_is_nothing() {
        assert_eq!(Samples::default().median(), None);
    }

    #[test]
    fn one_lucky_and_one_slow_run_do_not_move_the_median() {
        let samples: Samples = [500.0, 3.0, 4.0, 5.0, 0.0].into_iter().collect();
        assert_eq!(samples.median(), Some(4.0));
        assert_eq!(samples.spread(), Some((3.0, 5.0)));
    }

    #[test]
    fn what_takes_for_ever_has_a_median() {
        let samples: Samples = [f64::INFINITY; 2].into_iter().collect();
        assert_eq!(samples.median(), Some(f64::INFINITY));
    }

    #[test]
    fn a_machine_that_becomes_slower_does_not_move_a_ratio() {
        let slower: Samples = [1.0, 2.0, 20.0].into_iter().collect();
        let other: Samples = [2.0, 4.0, 40.0].into_iter().collect();
        let ratio = slower.beside(&other, |own, other| own / other);
        assert_eq!(ratio.median(), Some(0.5));
    }

    #[test]
    fn an_even_number_of_runs_has_its_median_between_two() {
        let samples: Samples = [2.0, 1.0].into_iter().collect();
        assert_eq!(samples.median(), Some(1.5));
    }
}
