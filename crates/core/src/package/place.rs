//! The same package in other lists: put there without uploading it again, and taken out.

use wharf_db::catalog::{audit, packages, placements};
use wharf_db::{Durability, Tx};

use super::{Place, Take, position};
use crate::actor::about;
use crate::publish::ask_for_index;
use crate::repository::Target;
use crate::{Actor, Core, Error, Result};

struct Move {
    of: Take,
    place: Place,
}

impl Core {
    /// Lists a package in another place too. False if it is listed there already.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::FileUnknown`].
    pub async fn place_package(&self, target: &Target, path: &str, place: Place, actor: &Actor) -> Result<bool> {
        let placed = self
            .inner
            .db
            .write(Durability::Full, self.order_of(target, path, place, actor)?, |tx, m| Box::pin(put(tx, m)))
            .await?;
        self.inner.work.notify_one();
        Ok(placed)
    }

    /// Takes a package out of one list. Its file stays while another lists it; with the last it goes as if it was removed. False
    /// if it was not listed there.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::FileUnknown`].
    pub async fn displace_package(&self, target: &Target, path: &str, place: Place, actor: &Actor) -> Result<bool> {
        let args = self.order_of(target, path, place, actor)?;
        let displaced = self.inner.db.write(Durability::Full, args, |tx, m| Box::pin(take(tx, m))).await?;
        self.inner.work.notify_one();
        Ok(displaced)
    }

    fn order_of(&self, target: &Target, path: &str, place: Place, actor: &Actor) -> Result<Move> {
        Ok(Move { of: self.take_of(target, path, actor)?, place })
    }
}

async fn put(tx: &mut Tx<'_>, to: &Move) -> Result<bool> {
    let Move { of: Take { target, path, actor, at, publish_delay, .. }, place } = to;
    let repository = target.require(tx).await?.id;
    let found = packages::find(tx, repository, path).await?;
    let packages::Package { id, package } = found.ok_or_else(|| Error::FileUnknown(path.clone()))?;
    let position = position(package.sorts_as.as_deref(), &package.digest, *at);
    let row = placements::Place { channel: place.channel.clone(), part: place.part.clone(), position };
    if !placements::insert(tx, repository, id, &row).await? {
        return Ok(false);
    }
    let mut entry = about(actor.did("package.place", &target.name, *at), Some(path.clone()), Some(package.digest));
    entry.detail = Some(format!("{} {}", place.channel, place.part).trim().to_owned());
    audit::append(tx, &entry).await?;
    ask_for_index(tx, target, (repository, &place.channel), *publish_delay, *at).await?;
    Ok(true)
}

async fn take(tx: &mut Tx<'_>, from: &Move) -> Result<bool> {
    let Move { of: Take { target, path, actor, at, publish_delay, .. }, place } = from;
    let repository = target.require(tx).await?.id;
    let found = packages::find(tx, repository, path).await?;
    let packages::Package { id, package } = found.ok_or_else(|| Error::FileUnknown(path.clone()))?;
    let places = placements::of_package(tx, id).await?;
    let Some(there) = places.iter().find(|row| row.channel == place.channel && row.part == place.part) else {
        return Ok(false);
    };
    if places.len() == 1 {
        super::take(tx, &from.of).await?;
        return Ok(true);
    }
    placements::remove(tx, repository, there).await?;
    let mut entry = about(actor.did("package.displace", &target.name, *at), Some(path.clone()), Some(package.digest));
    entry.detail = Some(format!("{} {}", place.channel, place.part).trim().to_owned());
    audit::append(tx, &entry).await?;
    ask_for_index(tx, target, (repository, &place.channel), *publish_delay, *at).await?;
    Ok(true)
}
