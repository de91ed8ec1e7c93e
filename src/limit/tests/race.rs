//! Several workers at once.

use super::{SECOND, at, policy, token};
use crate::limit::take;
use crate::policy::{Facts, Policy, Ruling};
use crate::request::NormalPath;
use crate::shared_data::memory::Memory;
use crate::shared_data::{Failed, SetError, SharedData};
use crate::time::UnixTime;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;

/// Whether a request passes the limits.
fn passes(policy: &Policy, data: &dyn SharedData, claims: &Value, now: UnixTime) -> bool {
    let token = token(0, claims);
    let path = NormalPath::parse(b"/deploy").unwrap();
    let Ruling::Allow(permit) = policy.decide(&token, &Facts::new("GET", &path, now)) else {
        panic!("no rule lets it through");
    };
    let (limits, issuer) = (&policy.limits, &policy.issuers[0]);
    let claims = token.claims();
    take(data, limits, &permit, issuer, claims, now, &mut Vec::new()).is_ok()
}

fn job() -> Value {
    json!({ "org": "acme", "job": 1 })
}

/// Between a worker's step and the next others do all of theirs, as the plan says: how many, and how far their
/// clocks are ahead.
struct Interrupted<'a> {
    inner: &'a Memory,
    policy: &'a Policy,
    plan: &'a RefCell<Vec<(u8, u64)>>,
    passed: &'a Cell<u64>,
    depth: u8,
}

impl Interrupted<'_> {
    fn interrupt(&self) {
        if self.depth > 2 {
            return;
        }
        let next = self.plan.borrow_mut().pop();
        let (others, ahead) = next.unwrap_or_default();
        for _ in 0..others {
            let other = Self {
                depth: self.depth + 1,
                ..*self
            };
            let passed = passes(self.policy, &other, &job(), at(ahead));
            self.passed.set(self.passed.get() + u64::from(passed));
        }
    }
}

impl SharedData for Interrupted<'_> {
    fn get(&self, key: &str) -> Result<(Option<Vec<u8>>, Option<u32>), Failed> {
        self.interrupt();
        self.inner.get(key)
    }

    fn set(&self, key: &str, value: &[u8], cas: Option<u32>) -> Result<(), SetError> {
        self.interrupt();
        self.inner.set(key, value, cas)
    }
}

proptest! {
    /// Whoever comes between whose steps, and though their clocks differ by some seconds: never more than one worker
    /// alone would let through in the time from the earliest clock to the latest.
    #[test]
    fn workers_together_let_no_more_through_than_one_would(
        plan in proptest::collection::vec((0..3_u8, 0..10 * SECOND), 0..60),
        skewed in any::<bool>(),
        two in any::<bool>(),
    ) {
        let mut limits = vec![json!({ "id": "a", "key": ["org"], "rate": "1/s", "burst": 3 })];
        if two {
            limits.push(json!({ "id": "b", "key": ["job"], "rate": "1/s", "burst": 2 }));
        }
        let burst = if two { 2 } else { 3 };
        let policy = policy(json!(limits));
        let (inner, passed) = (&Memory::default(), &Cell::new(0));
        let plan: Vec<_> = plan.into_iter().map(|(others, ahead)| (others, if skewed { ahead } else { 0 })).collect();
        let latest = plan.iter().map(|(_, ahead)| *ahead).max().unwrap_or_default();
        let plan = &RefCell::new(plan);
        let data = Interrupted { inner, policy: &policy, plan, passed, depth: 0 };
        for _ in 0..20 {
            data.interrupt();
            let passed_too = passes(&policy, &data, &job(), at(0));
            passed.set(passed.get() + u64::from(passed_too));
        }
        prop_assert!(passed.get() <= burst + latest / SECOND, "{} in {latest} ns", passed.get());
        prop_assert!(skewed || passed.get() == burst, "{} at one moment", passed.get());
    }
}

/// Shared data as real threads see it.
#[derive(Default)]
struct Locked(Mutex<HashMap<String, (Vec<u8>, u32)>>);

impl SharedData for Locked {
    fn get(&self, key: &str) -> Result<(Option<Vec<u8>>, Option<u32>), Failed> {
        let value = self.0.lock().unwrap().get(key).cloned().unzip();
        thread::yield_now();
        Ok(value)
    }

    fn set(&self, key: &str, value: &[u8], cas: Option<u32>) -> Result<(), SetError> {
        let mut values = self.0.lock().unwrap();
        let current = values.get(key).map(|(_, cas)| *cas);
        if current != cas {
            return Err(SetError::Conflict);
        }
        let next = current.unwrap_or_default() + 1;
        values.insert(key.to_owned(), (value.to_vec(), next));
        Ok(())
    }
}

#[test]
fn threads_at_the_same_moment_take_exactly_what_is_there() {
    let policy = policy(json!([
        { "id": "a", "key": ["org"], "rate": "40/h" },
        { "id": "b", "key": ["job"], "rate": "15/h" },
    ]));
    let take_all = |data: &Locked, job: u32| {
        let claims = json!({ "org": "acme", "job": job });
        let passed = (0..50).filter(|_| passes(&policy, data, &claims, at(0)));
        passed.count()
    };
    for _ in 0..10 {
        let (data, take_all) = (&Locked::default(), &take_all);
        let passed: usize = thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|worker| scope.spawn(move || take_all(data, worker % 2)))
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap())
                .sum()
        });
        // Two jobs with 15 each. What b refused, a has again: the rest of its 40 is there for a third job.
        assert_eq!(passed, 30);
        assert_eq!(take_all(data, 2), 10);
    }
}
