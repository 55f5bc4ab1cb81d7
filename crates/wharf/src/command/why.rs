//! `wharf why`.

use crate::client::table::{self, Columns};
use crate::client::{Call, Output, Remote};
use crate::failure::Outcome;
use crate::out;

const HOLDERS: Columns = &[("BY", "kind"), ("REPOSITORY", "repository"), ("WHAT", "what"), ("UNTIL", "until")];

/// Arguments of `wharf why`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// The digest.
    digest: String,
}

impl Args {
    /// Prints what holds on to it.
    pub(crate) fn run(self) -> Outcome {
        let call = Call::new("collection.why").at("digest", &self.digest);
        let found = self.remote.run(async |client| client.send(&call).await)?;
        if self.remote.output == Output::Json {
            return table::one(Output::Json, &found, HOLDERS);
        }
        table::many(Output::Table, found["holders"].as_array().map_or(&[], Vec::as_slice), HOLDERS)?;
        if found["more"] == true {
            out::note("there are more than these");
        }
        let said = match (found["size"].as_u64(), found["kept"] == true) {
            (None, false) => format!("{} is not here", self.digest),
            (None, true) => format!("{} is not here any more, but something still waits for it", self.digest),
            (Some(size), true) => format!("{} is kept: {size} bytes", self.digest),
            (Some(size), false) => format!("nothing keeps {}: {size} bytes that will be collected", self.digest),
        };
        out::note(said);
        Ok(())
    }
}
