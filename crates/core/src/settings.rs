//! What a format is told about a repository or a channel of it, as JSON that the format reads and checks.

use std::time::Duration;

use wharf_db::catalog::{audit, generations, settings};
use wharf_db::{Durability, Tx};
use wharf_types::Timestamp;

use crate::actor::about;
use crate::publish::ask_for_index;
use crate::repository::Target;
use crate::{Actor, Core, Error, Result};

struct Change {
    target: Target,
    repository: i64,
    channel: String,
    content: Option<String>,
    actor: Actor,
    at: Timestamp,
    publish_delay: Duration,
}

impl Core {
    /// The settings of a channel, or of the repository where it is empty. `None` where nothing was said, or where there is no such
    /// repository.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settings(&self, target: &Target, channel: &str) -> Result<Option<String>> {
        let args = (target, channel);
        let found = self.inner.db.read(&args, |tx, (target, channel)| {
            Box::pin(async move {
                let Some(repository) = target.find(tx).await? else { return Ok::<_, Error>(None) };
                Ok(settings::get(tx, repository.id, channel).await?)
            })
        });
        found.await
    }

    /// Writes the settings of a channel, or of the repository where it is empty, and asks for the indexes that they concern. `None`
    /// forgets them. The repository is made if it is not there, and so is the index of a channel that is spoken of.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`].
    pub async fn set_settings(
        &self,
        target: &Target,
        channel: &str,
        content: Option<String>,
        actor: &Actor,
    ) -> Result<()> {
        let repository = self.ensure_repository(target, actor).await?;
        let change = Change {
            target: target.clone(),
            repository,
            channel: channel.to_owned(),
            content,
            actor: actor.clone(),
            at: self.inner.clock.now(),
            publish_delay: self.inner.config.publish_delay,
        };
        self.inner.db.write(Durability::Full, change, |tx, change| Box::pin(write(tx, change))).await?;
        self.inner.work.notify_one();
        Ok(())
    }
}

async fn write(tx: &mut Tx<'_>, change: &Change) -> Result<()> {
    let Change { target, repository, channel, content, actor, at, publish_delay } = change;
    match content {
        Some(content) => settings::put(tx, *repository, channel, content).await?,
        None if settings::remove(tx, *repository, channel).await? => {}
        None => return Ok(()),
    }
    let subject = Some(channel.clone()).filter(|channel| !channel.is_empty());
    let mut entry = about(actor.did("settings.set", &target.name, *at), subject, None);
    entry.detail.clone_from(content);
    audit::append(tx, &entry).await?;
    let concerned = match channel.as_str() {
        "" => generations::channels(tx, *repository).await?,
        one => vec![one.to_owned()],
    };
    for channel in concerned {
        ask_for_index(tx, target, (*repository, &channel), *publish_delay, *at).await?;
    }
    Ok(())
}
