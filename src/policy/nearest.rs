//! The name that was probably meant.

/// Longer texts are no misspelt names, and comparing takes time in proportion to their length.
const MAX_BYTES: usize = 64;

/// The one of `names` that is nearest to `text` without regard to ASCII case: by characters to add, drop or
/// change, at most one for each four of `text`, and none in a very short one, where any two are alike.
pub(super) fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let most = text.len() / 4;
    names
        .into_iter()
        .filter(|name| name.len().abs_diff(text.len()) <= most)
        .map(|name| (distance(text, name), name))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, name)| name)
}

/// The Levenshtein distance, in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (nth, byte) in (1..).zip(a.bytes()) {
        let mut row = vec![nth];
        let mut left = nth;
        for (other, pair) in b.bytes().zip(above.windows(2)) {
            let &[diagonal, up] = pair else { continue };
            let changed = usize::from(!byte.eq_ignore_ascii_case(&other));
            left = left
                .min(up)
                .saturating_add(1)
                .min(diagonal.saturating_add(changed));
            row.push(left);
        }
        above = row;
    }
    above.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_one_that_was_meant() {
        let names = ["build_branch", "build_commit", "step_key", "aud"];
        for (text, found) in [
            ("build_brnach", Some("build_branch")),
            ("Build_Commit", Some("build_commit")),
            ("build_commits", Some("build_commit")),
            ("stepkey", Some("step_key")),
            ("AUD", Some("aud")),
            ("sud", None),
            ("queue_key", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, names), found, "{text}");
        }
        assert_eq!(nearest(&"a".repeat(10_000), names), None);
    }
}
