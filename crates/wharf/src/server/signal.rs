//! Signals of the operating system.

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Outcome;

/// Completes when the process is told to stop: SIGTERM or SIGINT. Told twice, it ends at once.
pub(super) fn stop() -> Outcome<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests in flight may finish, a second signal ends them");
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            // What was acknowledged is durable, and what was not is cleaned up by the next start.
            std::process::exit(1);
        });
    })
}

/// SIGHUP is for the certificate, which the listener watches; without TLS it must not end the process all the same.
pub(super) fn survive_hangups() -> Outcome {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move { while hangup.recv().await.is_some() {} });
    Ok(())
}
