//! `wharf events`.

use std::io::ErrorKind;
use std::time::Duration;

use serde_json::Value;

use crate::client::table::Columns;
use crate::client::{Call, Client, Remote};
use crate::failure::Outcome;
use crate::out;

const LIST: Columns = &[("ID", "id"), ("WHEN", "at"), ("WHAT", "kind"), ("DETAIL", "payload")];

/// Arguments of `wharf events`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Only events of this kind, such as blob.damaged or backup.finished.
    #[arg(long)]
    kind: Option<String>,
    /// Goes on after the event with this id.
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
    /// How many, the oldest first [default: all].
    #[arg(long, conflicts_with = "follow")]
    limit: Option<usize>,
    /// Prints events as JSON, one a line.
    #[arg(long)]
    lines: bool,
    /// Prints events as JSON, one a line, and goes on with those to come. Each is told 30 seconds after it happened.
    #[arg(long)]
    follow: bool,
}

impl Args {
    /// Prints the events.
    pub(crate) fn run(self) -> Outcome {
        let Self { remote, kind, after, limit, lines, follow } = self;
        if follow {
            return remote.run(async |client| follow_on(client, kind, after).await);
        }
        let call = Call::new("events.list").with("kind", kind).with("after", after);
        if !lines {
            return remote.list(call, limit, LIST);
        }
        remote.run(async |client| print(&client.all(call, limit).await?))
    }
}

fn print(events: &[Value]) -> Outcome {
    for event in events {
        out::line(serde_json::to_string(event)?);
    }
    Ok(())
}

/// Prints events until nobody reads them. A server that is away for a while, once it was there, is waited for.
async fn follow_on(client: &Client, kind: Option<String>, mut after: Option<i64>) -> Outcome {
    const PAUSE: Duration = Duration::from_secs(5);
    const PAGE: usize = 1000;
    let (mut there, mut told) = (false, false);
    loop {
        let call = Call::new("events.list").with("kind", kind.as_ref()).with("after", after);
        let events = match client.all(call, Some(PAGE)).await {
            Ok(events) => events,
            Err(failure) if there && failure.may_pass() => {
                if !std::mem::replace(&mut told, true) {
                    out::note(format!("{}; it is asked again", failure.message()));
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        (there, told) = (true, false);
        for event in &events {
            let line = serde_json::to_string(event)? + "\n";
            match out::result(line.as_bytes()) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                written => written?,
            }
        }
        after = events.last().and_then(|event| event["id"].as_i64()).or(after);
        if events.len() < PAGE {
            tokio::time::sleep(PAUSE).await;
        }
    }
}
