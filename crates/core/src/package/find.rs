//! Packages by what they are called.

use wharf_db::catalog::{packages, placements};

use super::{Package, Place};
use crate::repository::Target;
use crate::{Core, Error, Result};

/// Rows of one read.
const STEP: i64 = 500;

/// A package and the lists that name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The package.
    pub package: Package,
    /// In order; empty for a file that no list names.
    pub places: Vec<Place>,
}

impl Core {
    /// All packages of a repository by name, and by version if there is one, in the order of their paths.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn packages_named(&self, target: &Target, name: &str, version: Option<&str>) -> Result<Vec<Listed>> {
        let mut found: Vec<Listed> = Vec::new();
        loop {
            let after = found.last().map_or("", |last| last.package.path.as_str()).to_owned();
            let args = (target, name, version.map(str::to_owned), after);
            let page = self.inner.db.read(&args, |tx, (target, name, version, after)| {
                Box::pin(async move {
                    let repository = target.require(tx).await?.id;
                    let rows = packages::named(tx, repository, (name, version.as_deref()), after, STEP).await?;
                    let mut page = Vec::with_capacity(rows.len());
                    for packages::Package { id, package } in rows {
                        let places = placements::of_package(tx, id).await?.into_iter();
                        let places = places.map(|place| Place { channel: place.channel, part: place.part }).collect();
                        page.push(Listed { package: package.into(), places });
                    }
                    Ok::<_, Error>(page)
                })
            });
            let page = page.await?;
            let whole = i64::try_from(page.len()).is_ok_and(|length| length == STEP);
            found.extend(page);
            if !whole {
                return Ok(found);
            }
        }
    }
}
