//! Comparing interleaved rounds.

/// The median of the per-round ratios; `None` without a round to compare.
pub(super) fn of_rounds(of: &[f64], to: &[f64]) -> Option<f64> {
    median(of.iter().zip(to).filter(|(_, to)| **to > 0.0).map(|(of, to)| of / to).collect())
}

/// The median; of an even number the mean of the middle two.
pub(super) fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_unstable_by(f64::total_cmp);
    let upper = *figures.get(figures.len() / 2)?;
    if figures.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *figures.get(figures.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_ratios_of_each_round() {
        assert_eq!(of_rounds(&[50.0, 50.0, 400.0], &[100.0, 200.0, 400.0]), Some(0.5));
        assert_eq!(of_rounds(&[1.0], &[0.0]), None);
        assert_eq!(of_rounds(&[1.0], &[]), None);
    }

    #[test]
    fn a_median_of_an_even_number_is_between() {
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}
