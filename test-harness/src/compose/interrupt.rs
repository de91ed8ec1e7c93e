//! Ctrl-C, and a polite request to end.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use super::Error;

/// The outcome of `work`, or [`Error::Interrupted`] as soon as somebody wants it to end. What `work` had started is
/// then dropped, and with it the commands that it waited for.
pub(super) async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        outcome = work => outcome,
        _ = interrupt.recv() => Err(Error::Interrupted),
        _ = terminate.recv() => Err(Error::Interrupted),
        _ = hang_up.recv() => Err(Error::Interrupted),
    }
}
