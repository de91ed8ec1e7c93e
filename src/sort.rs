//! Sorting in little code, for lists that are short or sorted once.
//!
//! The standard library's sorts are faster on long lists, and take 5 KB of the filter for each type of item.

/// Sorts by heap. The order of what is equal is not kept.
pub(crate) fn sort_by<T>(items: &mut [T], is_less: impl Fn(&T, &T) -> bool) {
    let len = items.len();
    for root in (0..len / 2).rev() {
        sift_down(items, root, &is_less);
    }
    for end in (1..len).rev() {
        items.swap(0, end);
        sift_down(items.get_mut(..end).unwrap_or_default(), 0, &is_less);
    }
}

/// Moves an item down until none below it is greater.
fn sift_down<T>(items: &mut [T], mut at: usize, is_less: &impl Fn(&T, &T) -> bool) {
    loop {
        let left = at.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        let (Some(item), Some(child)) = (items.get(at), items.get(left)) else {
            return;
        };
        let (below, child) = match items.get(right) {
            Some(other) if is_less(child, other) => (right, other),
            _ => (left, child),
        };
        if !is_less(item, child) {
            return;
        }
        items.swap(at, below);
        at = below;
    }
}

#[cfg(test)]
mod tests {
    use super::sort_by;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_order_is_the_standard_librarys(mut items: Vec<u8>) {
            let mut expected = items.clone();
            expected.sort_unstable();
            sort_by(&mut items, |a, b| a < b);
            prop_assert_eq!(items, expected);
        }
    }
}
