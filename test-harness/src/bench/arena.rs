//! A variant's Envoy, and what is measured on it.

use std::sync::Arc;
use std::time::Duration;

use super::error::Error;
use super::filters::{LISTENER, Modules};
use super::job;
use super::process;
use super::tokens::Tokens;
use super::variant::Variant;
use super::wrk::Wrk;
use crate::envoy::{Envoy, EnvoyBinary, EnvoyConfig, Listener, Stats};

/// A variant's Envoy.
#[derive(Debug)]
pub(super) struct Arena {
    pub(super) variant: &'static Variant,
    pub(super) envoy: Envoy,
    pub(super) tokens: Arc<Tokens>,
    /// Which token comes next.
    pub(super) next: usize,
    /// The memory that its process holds after the warm-up, in bytes.
    pub(super) resident: u64,
}

/// What a round has shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Requests that were answered.
    pub(super) requests: u64,
    /// Envoy's CPU time for each of them.
    pub(super) cpu_micros: f64,
    /// How many were answered in a second.
    pub(super) per_second: f64,
    /// The median of the times from request to answer.
    pub(super) p50_micros: f64,
    /// The time that 99 in 100 took at most.
    pub(super) p99_micros: f64,
    /// Envoy's part of its processor.
    pub(super) busy: f64,
}

impl Arena {
    /// Starts it, on `processor` alone if one is given.
    pub(super) fn start(
        variant: &'static Variant,
        binary: &EnvoyBinary,
        modules: &Modules,
        tokens: Arc<Tokens>,
        processor: Option<usize>,
    ) -> Result<Self, Error> {
        let issuer = job::issuer(variant.pool.algorithm());
        let nowhere = ([127, 0, 0, 1], 1).into();
        let config = EnvoyConfig {
            bootstrap: Some(variant.filters.bootstrap(modules, &issuer)),
            log_level: variant.filters.log_level().to_owned(),
            // Of all at once, and beside whatever else the machine does.
            start_timeout: Duration::from_secs(300),
            ..EnvoyConfig::new(nowhere, nowhere).listener(Listener::new(LISTENER))
        };
        let envoy = Envoy::start_with(binary, &config).map_err(|source| Error::Start {
            variant: variant.id,
            source,
        })?;
        if let Some(processor) = processor {
            process::pin(envoy.pid(), processor);
        }
        Ok(Self {
            variant,
            envoy,
            tokens,
            next: 0,
            resident: 0,
        })
    }

    /// Lets caches fill and V8 compile what is hot.
    pub(super) fn warm_up(&mut self, wrk: &Wrk, seconds: u64) -> Result<(), Error> {
        self.measure(wrk, seconds)?;
        self.resident = process::resident(self.envoy.pid()).map_err(Error::io("reading /proc"))?;
        Ok(())
    }

    /// A round.
    pub(super) fn measure(&mut self, wrk: &Wrk, seconds: u64) -> Result<Sample, Error> {
        let (id, pid) = (self.variant.id, self.envoy.pid());
        let cpu = || process::cpu_time(pid).map_err(Error::io("reading /proc"));
        let before = self.stats()?;
        let cpu_before = cpu()?;
        let load = wrk.run(
            id,
            self.envoy.addr(LISTENER),
            &self.tokens,
            self.next,
            seconds,
        )?;
        let used = cpu()?.saturating_sub(cpu_before);
        let after = self.stats()?;

        let counted = |name: &str| {
            let name = format!("http.{LISTENER}.{name}");
            after.get(&name).saturating_sub(before.get(&name))
        };
        let answered = counted("downstream_rq_completed");
        // Those that wrk did not wait for are none.
        let good = counted("downstream_rq_2xx").max(load.requests.saturating_sub(load.refused));
        let failed = answered.saturating_sub(good) + load.refused + load.broken;
        if failed > 0 || load.requests == 0 {
            return Err(Error::Failures {
                variant: id,
                requests: answered,
                failed,
            });
        }
        // Whatever was sent must not be what is sent first in the next round.
        let sent = usize::try_from(answered).unwrap_or(0) + wrk.connections as usize;
        self.next = (self.next + sent) % self.tokens.tokens.len();
        let seconds = Duration::from_micros(load.micros).as_secs_f64();
        Ok(Sample {
            requests: answered,
            cpu_micros: used.as_secs_f64() * 1e6 / answered as f64,
            per_second: load.requests as f64 / seconds,
            p50_micros: load.p50_micros as f64,
            p99_micros: load.p99_micros as f64,
            busy: used.as_secs_f64() / seconds,
        })
    }

    pub(super) fn stats(&self) -> Result<Stats, Error> {
        self.envoy.stats().map_err(|source| Error::Client {
            variant: self.variant.id,
            source,
        })
    }
}
