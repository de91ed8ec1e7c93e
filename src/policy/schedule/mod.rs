//! When a rule counts: windows of time, as freezes of deployments and working hours are written.
//!
//! Windows go by the clock on the wall ([`window`]), whose hands a [`zone`] knows.

mod posix;
mod raw;
#[cfg(test)]
mod tests;
mod window;
mod zone;

pub(super) use raw::RawWindow;

use super::check::{At, ConfigError};
use super::raw::OneOrMany;
use crate::time::UnixTime;
use std::fmt;
use window::Window;

/// One or more windows of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    windows: Vec<Window>,
}

impl Schedule {
    /// Checks what is written at `path` (`rules[0].schedule`).
    ///
    /// # Errors
    /// All that is wrong with it; never empty.
    #[inline(never)] // Inlined into the check of rules it is larger by 3 KB.
    pub(super) fn check(path: At<'_>, raw: OneOrMany<RawWindow>) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let mut windows = Vec::new();
        if raw.items.is_empty() {
            errors.push(ConfigError {
                path: path.into(),
                message:
                    "is empty, which matches nothing; name a window, or leave schedule out for any time"
                        .into(),
            });
        }
        for (nth, window) in raw.items.into_iter().enumerate() {
            let path = if raw.is_list { path.item(nth) } else { path };
            windows.extend(Window::check(path, window.0, &mut errors));
        }
        if errors.is_empty() {
            Ok(Self { windows })
        } else {
            Err(errors)
        }
    }

    /// Whether a moment lies in one of the windows.
    #[must_use]
    pub fn covers(&self, now: UnixTime) -> bool {
        self.windows.iter().any(|window| window.covers(now))
    }

    /// What the clocks of the windows' zones show at a moment, each zone once, with commas between:
    /// `Fri 2026-11-20 17:03 Europe/Berlin`.
    #[must_use]
    pub fn local_time(&self, now: UnixTime) -> String {
        let mut times: Vec<String> = Vec::new();
        for window in &self.windows {
            let time = window.local_time(now);
            if !times.contains(&time) {
                times.push(time);
            }
        }
        times.join(", ")
    }
}

/// `fri 16:00-24:00 Europe/Berlin`, with ` or ` between windows.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, window) in self.windows.iter().enumerate() {
            let between = if nth == 0 { "" } else { " or " };
            write!(f, "{between}{window}")?;
        }
        Ok(())
    }
}
