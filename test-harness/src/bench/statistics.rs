//! Medians and quartiles of a few rounds.

/// The middle value, or the mean of the two in the middle. NaN of nothing.
pub(super) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// What a quarter of the values lie below: what the machine does when little disturbs it.
pub(super) fn best_quartile(values: &[f64]) -> f64 {
    quantile(values, 0.25)
}

/// By linear interpolation between the neighbours, as NumPy and spreadsheets have it.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = share * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// The median over the rounds of one variant's value over another's within the same round. None without rounds.
pub(super) fn median_ratio(of: &[f64], over: &[f64]) -> Option<f64> {
    let ratios: Vec<_> = of.iter().zip(over).map(|(of, over)| of / over).collect();
    (!ratios.is_empty()).then(|| median(&ratios))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(best_quartile(&[5.0, 4.0, 3.0, 2.0, 1.0]), 2.0);
        assert_eq!(best_quartile(&[1.0, 2.0]), 1.25);
        assert_eq!(best_quartile(&[7.0]), 7.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // The third round was slow for both. The ratio of the medians would be 1.5.
        let (of, over) = ([2.0, 3.0, 20.0], [1.0, 2.0, 10.0]);
        assert_eq!(median_ratio(&of, &over), Some(2.0));
        assert_eq!(median_ratio(&[], &[]), None);
    }
}
