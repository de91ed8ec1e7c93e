//! The table against a model that forgets nothing.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

fn rate(count: u64, burst: u64) -> Rate {
    Rate::new(count, Duration::from_secs(60), burst).unwrap()
}

fn source(nth: u32) -> SourceAddress {
    SourceAddress::V4(nth.to_be_bytes())
}

fn waits(table: &FailingSources, rate: &Rate, nth: u32, at: u64) -> Option<Duration> {
    table.wait(rate, || Some(source(nth)), UnixTime::from_secs(at))
}

#[test]
fn a_source_that_owes_much_is_not_forgotten_for_many_that_owe_little() {
    let (rate, mut table) = (rate(60, 5), FailingSources::default());
    let now = UnixTime::from_secs(1_000);
    for _ in 0..5 {
        table.count(&rate, source(0), now);
    }
    for nth in 1..100_000 {
        table.count(&rate, source(nth), now);
        // A source that was never seen is never refused.
        assert_eq!(waits(&table, &rate, nth + 1, 1_000), None);
    }
    assert!(waits(&table, &rate, 0, 1_000).is_some());
    assert_eq!(table.buckets.iter().flatten().count(), BUCKETS);
    assert!(size_of::<Option<Bucket>>() * BUCKETS <= 72 * 1024);
}

#[test]
fn whoever_floods_from_everywhere_locks_nobody_out() {
    let (rate, mut table) = (rate(60, 1), FailingSources::default());
    let now = UnixTime::from_secs(1_000);
    // Each of them has to wait, and they fill the table many times over.
    for nth in 1..20_000 {
        table.count(&rate, source(nth), now);
    }
    assert_eq!(waits(&table, &rate, 0, 1_000), None);
    // And who fails then waits all the same.
    table.count(&rate, source(0), now);
    assert!(waits(&table, &rate, 0, 1_000).is_some());
    assert_eq!(waits(&table, &rate, 0, 1_001), None);
}

proptest! {
    /// With no more buckets than a set has room for, the table says what a bucket for each says, whatever the clock
    /// does; with many it refuses none that these would not.
    #[test]
    fn the_table_is_a_bucket_for_each_source(
        steps in proptest::collection::vec((0..3_u8, 0..4_u32, 0..2_usize, -90..120_i64), 1..300),
        many in any::<bool>(),
    ) {
        let rates = [rate(6, 3), rate(600, 20)];
        let mut table = FailingSources::default();
        let mut model: HashMap<(u32, usize), u64> = HashMap::new();
        let mut at = 1_000_000_u64;
        for (nth, (what, who, which, by)) in (0..).zip(steps) {
            let rate = &rates[which];
            let now = UnixTime::from_secs(at);
            let said = table.wait(rate, || Some(source(who)), now);
            let level = model.get(&(who, which)).map(|stands| rate.level(Some(*stands), now));
            let expected = level.map(|level| level.retry).filter(|retry| !retry.is_zero());
            if many {
                prop_assert!(said.is_none() || expected.is_some());
            } else {
                prop_assert_eq!(said, expected);
            }
            match what {
                0 => at = at.saturating_add_signed(by),
                _ if said.is_none() => {
                    table.count(rate, source(who), now);
                    // The model counts what the table forgot, too. One that would have had to wait failed all the
                    // same, so its bucket is empty from now on.
                    let stood = model.get(&(who, which)).copied();
                    let stands = match rate.attempt(stood, now) {
                        Attempt::Passes(stands) | Attempt::Waits(_, Some(stands)) => stands,
                        Attempt::Waits(..) => (nanos_at(now) + rate.capacity()).max(stood.unwrap_or_default()),
                    };
                    model.insert((who, which), stands);
                }
                _ => {}
            }
            if many {
                for other in 0..50 {
                    table.count(rate, source(1_000 + 50 * nth + other), now);
                }
            }
        }
    }
}
