//! `wharf events`.

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

async fn follow_on(client: &Client, kind: Option<String>, mut after: Option<i64>) -> Outcome {
    const PAUSE: Duration = Duration::from_secs(5);
    loop {
        let call = Call::new("events.list").with("kind", kind.as_ref()).with("after", after);
        let events = client.all(call, None).await?;
        print(&events)?;
        after = events.last().and_then(|event| event["id"].as_i64()).or(after);
        tokio::time::sleep(PAUSE).await;
    }
}
