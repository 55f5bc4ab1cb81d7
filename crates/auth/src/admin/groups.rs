//! Groups of users.

use serde::Serialize;
use wharf_db::Tx;
use wharf_db::catalog::audit;
use wharf_db::identity::groups as rows;
use wharf_db::identity::subjects::{self, Kind, NewSubject};
use wharf_types::{SubjectName, Timestamp};

use super::users::delete;
use super::{
    IdentityError, Page, Target, administrated, create, find, name_of, one_more, page_limit, record,
    still_administrated,
};
use crate::{Auth, Identity, Origin};

/// A group as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The name. Groups and users may have the same.
    pub name: SubjectName,
    /// For people.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
}

struct Create {
    target: Target,
    description: String,
    generation: i64,
}

impl Auth {
    /// Makes a group.
    ///
    /// # Errors
    /// [`IdentityError::Taken`].
    pub async fn create_group(
        &self,
        by: &Identity,
        origin: &Origin,
        name: &str,
        description: &str,
    ) -> Result<Group, IdentityError> {
        let target = self.group_target(by, origin, "group.create", &name_of(name)?);
        let args = Create { target, description: description.to_owned(), generation: rand::random() };
        self.change(args, |tx, args| {
            Box::pin(async move {
                create_group(tx, args).await?;
                args.target.find(tx).await.map(shown)
            })
        })
        .await
    }

    /// Groups by name, after `after`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn groups(&self, after: &str, limit: usize) -> Result<Page<Group>, IdentityError> {
        let limit = page_limit(limit);
        let args = (after.to_owned(), one_more(limit));
        let found =
            self.0.db.read(&args, |tx, (after, limit)| Box::pin(subjects::page(tx, Kind::Group, after, *limit)));
        Ok(Page::of(found.await?, limit, |group| group.name.to_string()).map(shown))
    }

    /// One group.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`].
    pub async fn group(&self, name: &SubjectName) -> Result<Group, IdentityError> {
        let found = self.0.db.read(name, |tx, name| Box::pin(find(tx, Kind::Group, name)));
        found.await.map(shown)
    }

    /// Names of a group's users, after `after`.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`].
    pub async fn group_members(
        &self,
        group: &SubjectName,
        after: &str,
        limit: usize,
    ) -> Result<Page<String>, IdentityError> {
        let limit = page_limit(limit);
        let args = (group.clone(), after.to_owned(), one_more(limit));
        let found = self.0.db.snapshot(&args, |tx, (group, after, limit)| {
            Box::pin(async move {
                let group = find(tx, Kind::Group, group).await?;
                Ok::<_, IdentityError>(rows::members(tx, group.id, after, *limit).await?)
            })
        });
        Ok(Page::of(found.await?, limit, String::clone))
    }

    /// Puts a user into a group, or takes it out.
    ///
    /// # Errors
    /// [`IdentityError::LastAdministrator`] if that was what made it an administrator.
    pub async fn set_member(
        &self,
        by: &Identity,
        origin: &Origin,
        group: &SubjectName,
        user: &SubjectName,
        member: bool,
    ) -> Result<(), IdentityError> {
        let action = if member { "group.add" } else { "group.remove" };
        let mut target = self.group_target(by, origin, action, group);
        target.entry.detail = Some(user.to_string());
        self.change((target, user.clone(), member), |tx, (target, user, member)| {
            Box::pin(set_member(tx, target, user, *member))
        })
        .await
    }

    /// Deletes a group with its grants. Its users stay.
    ///
    /// # Errors
    /// [`IdentityError::LastAdministrator`].
    pub async fn delete_group(&self, by: &Identity, origin: &Origin, name: &SubjectName) -> Result<(), IdentityError> {
        self.change(self.group_target(by, origin, "group.delete", name), |tx, target| Box::pin(delete(tx, target)))
            .await
    }

    fn group_target(&self, by: &Identity, origin: &Origin, action: &str, name: &SubjectName) -> Target {
        Target { kind: Kind::Group, name: name.clone(), entry: self.entry(by, origin, action, name) }
    }
}

async fn create_group(tx: &mut Tx<'_>, args: &Create) -> Result<(), IdentityError> {
    let new = NewSubject {
        kind: Kind::Group,
        name: &args.target.name,
        project_id: None,
        description: &args.description,
        password: None,
        generation: args.generation,
        at: args.target.entry.at,
    };
    create(tx, &new).await?;
    // Nobody's rights change by a group that is empty.
    Ok(audit::append(tx, &args.target.entry).await?)
}

async fn set_member(tx: &mut Tx<'_>, target: &Target, user: &SubjectName, member: bool) -> Result<(), IdentityError> {
    let group = target.find(tx).await?;
    let user = find(tx, Kind::User, user).await?;
    let before = administrated(tx).await?;
    let changed = match member {
        true => rows::add(tx, group.id, user.id).await?,
        false => rows::remove(tx, group.id, user.id).await?,
    };
    if !changed {
        return Ok(());
    }
    still_administrated(tx, before).await?;
    record(tx, &target.entry).await
}

fn shown(row: subjects::Subject) -> Group {
    Group { name: row.name, description: row.description, created_at: row.created_at }
}
