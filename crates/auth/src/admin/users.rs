//! Users.

use std::collections::HashMap;

use serde::Serialize;
use wharf_db::Tx;
use wharf_db::catalog::audit;
use wharf_db::identity::subjects::{self, Kind, NewSubject};
use wharf_db::identity::users as rows;
use wharf_types::{SubjectName, Timestamp};

use super::{
    IdentityError, Page, Target, administrated, create, find, name_of, one_more, page_limit, record,
    still_administrated,
};
use crate::identity::Credential;
use crate::{Auth, Identity, Origin, ServerRole, Subject};

/// A user as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// The name.
    pub name: SubjectName,
    /// For people.
    pub description: String,
    /// Whether it can sign in by password.
    pub has_password: bool,
    /// Its own server roles.
    pub server_roles: Vec<String>,
    /// The groups it is in.
    pub groups: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it may not sign in.
    pub disabled_at: Option<Timestamp>,
    /// When it last signed in, to a few seconds.
    pub last_used_at: Option<Timestamp>,
}

/// A user to be made.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// The name. Without `+`, which marks robots.
    pub name: String,
    /// None for a user who signs in by other means.
    pub password: Option<String>,
    /// For people.
    pub description: String,
    /// What it may do on the server.
    pub server_roles: Vec<ServerRole>,
}

struct Create {
    name: SubjectName,
    password: Option<String>,
    description: String,
    server_roles: Vec<ServerRole>,
    generation: i64,
    entry: audit::Entry,
}

struct SetPassword {
    target: Target,
    hash: String,
    generation: i64,
}

impl Auth {
    /// Makes a user.
    ///
    /// # Errors
    /// [`IdentityError::Taken`], and [`IdentityError::Invalid`] for a name or password that will not do.
    pub async fn create_user(&self, by: &Identity, origin: &Origin, new: NewUser) -> Result<User, IdentityError> {
        let name = user_name(&new.name)?;
        let password = match &new.password {
            Some(password) => Some(self.hash(password).await?),
            None => None,
        };
        let mut entry = self.entry(by, origin, "user.create", &name);
        entry.detail = (!new.server_roles.is_empty())
            .then(|| new.server_roles.iter().map(|r| r.as_str()).collect::<Vec<_>>().join(","));
        let NewUser { description, server_roles, .. } = new;
        let args = Create { name, password, description, server_roles, generation: rand::random(), entry };
        self.change(args, |tx, args| {
            Box::pin(async move {
                create_user(tx, args).await?;
                user(tx, &args.name).await
            })
        })
        .await
    }

    /// Users by name, after `after`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn users(&self, after: &str, limit: usize) -> Result<Page<User>, IdentityError> {
        let limit = page_limit(limit);
        let args = (after.to_owned(), one_more(limit));
        let items = self.0.db.snapshot(&args, |tx, (after, limit)| Box::pin(users(tx, after, *limit)));
        Ok(Page::of(items.await?, limit, |user| user.name.to_string()))
    }

    /// One user.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`].
    pub async fn user(&self, name: &SubjectName) -> Result<User, IdentityError> {
        self.0.db.snapshot(name, |tx, name| Box::pin(user(tx, name))).await
    }

    /// Since when the account behind an identity exists: what is older was done by somebody else of the same name.
    ///
    /// # Errors
    /// Those of the database; [`IdentityError::NoSuch`] if there is no account, or none any more.
    pub async fn known_since(&self, identity: &Identity) -> Result<Timestamp, IdentityError> {
        let (kind, name) = match identity.subject() {
            Subject::User { name, .. } => (Kind::User, name),
            Subject::Robot { name, .. } => (Kind::Robot, name),
            other => return Err(IdentityError::NoSuch { what: "account", name: other.name() }),
        };
        let args = (kind, name);
        let found = self.0.db.read(&args, |tx, (kind, name)| Box::pin(subjects::find(tx, *kind, name))).await?;
        let unknown = || IdentityError::NoSuch { what: "account", name: name.to_string() };
        Ok(found.ok_or_else(unknown)?.created_at)
    }

    /// Sets a password and ends the sessions of the old one. Their own password users change by showing the old one: a token
    /// that got lost must not lock its owner out.
    ///
    /// # Errors
    /// [`IdentityError::NotAllowed`] for one's own without the old one.
    pub async fn set_password(
        &self,
        by: &Identity,
        origin: &Origin,
        name: &SubjectName,
        password: &str,
    ) -> Result<(), IdentityError> {
        let own = matches!(by.subject(), Subject::User { name: own, .. } if own == name);
        if own && by.credential != Credential::Password {
            return Err(IdentityError::NotAllowed(
                "your own password is changed by signing in with the old one".into(),
            ));
        }
        let hash = self.hash(password).await?;
        let args = SetPassword {
            target: self.target(by, origin, "user.set-password", name),
            hash,
            generation: rand::random(),
        };
        self.change(args, |tx, args| {
            Box::pin(async move {
                let user = args.target.find(tx).await?;
                if rows::set_password(tx, user.id, &args.hash, args.generation).await? {
                    record(tx, &args.target.entry).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Ends every session of a user: registry and refresh tokens that were made with the password. Personal tokens stay.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`].
    pub async fn end_sessions(&self, by: &Identity, origin: &Origin, name: &SubjectName) -> Result<(), IdentityError> {
        let args = (self.target(by, origin, "user.end-sessions", name), rand::random::<i64>());
        self.change(args, |tx, (target, generation)| {
            Box::pin(async move {
                let user = target.find(tx).await?;
                if rows::end_sessions(tx, user.id, *generation).await? {
                    record(tx, &target.entry).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Locks a user out, or lets it in again. Grants and tokens stay, and are no good meanwhile.
    ///
    /// # Errors
    /// [`IdentityError::LastAdministrator`].
    pub async fn set_user_disabled(
        &self,
        by: &Identity,
        origin: &Origin,
        name: &SubjectName,
        disabled: bool,
    ) -> Result<(), IdentityError> {
        let action = if disabled { "user.disable" } else { "user.enable" };
        self.change((self.target(by, origin, action, name), disabled), |tx, (target, disabled)| {
            Box::pin(set_disabled(tx, target, *disabled))
        })
        .await
    }

    /// Deletes a user with its tokens, memberships and grants.
    ///
    /// # Errors
    /// [`IdentityError::LastAdministrator`].
    pub async fn delete_user(&self, by: &Identity, origin: &Origin, name: &SubjectName) -> Result<(), IdentityError> {
        self.change(self.target(by, origin, "user.delete", name), |tx, target| Box::pin(delete(tx, target))).await
    }

    pub(super) fn target(&self, by: &Identity, origin: &Origin, action: &str, name: &SubjectName) -> Target {
        Target { kind: Kind::User, name: name.clone(), entry: self.entry(by, origin, action, name) }
    }
}

/// A name that a user may have.
pub(super) fn user_name(text: &str) -> Result<SubjectName, IdentityError> {
    let name = name_of(text)?;
    if name.as_str().contains('+') {
        return Err(IdentityError::Invalid(format!("invalid name {text:?}: '+' stands in names of robots only")));
    }
    Ok(name)
}

async fn create_user(tx: &mut Tx<'_>, args: &Create) -> Result<i64, IdentityError> {
    let new = NewSubject {
        kind: Kind::User,
        name: &args.name,
        project_id: None,
        description: &args.description,
        password: args.password.as_deref(),
        generation: args.generation,
        at: args.entry.at,
    };
    let id = create(tx, &new).await?;
    for role in &args.server_roles {
        rows::give_server_role(tx, id, role.as_str()).await?;
    }
    record(tx, &args.entry).await?;
    Ok(id)
}

pub(super) async fn set_disabled(tx: &mut Tx<'_>, target: &Target, disabled: bool) -> Result<(), IdentityError> {
    let subject = target.find(tx).await?;
    if subject.disabled_at.is_some() == disabled {
        return Ok(());
    }
    let before = administrated(tx).await?;
    subjects::set_disabled(tx, subject.id, disabled.then_some(target.entry.at)).await?;
    still_administrated(tx, before).await?;
    record(tx, &target.entry).await
}

pub(super) async fn delete(tx: &mut Tx<'_>, target: &Target) -> Result<(), IdentityError> {
    let subject = target.find(tx).await?;
    let before = administrated(tx).await?;
    subjects::delete(tx, subject.id).await?;
    still_administrated(tx, before).await?;
    record(tx, &target.entry).await
}

async fn user(tx: &mut Tx<'_>, name: &SubjectName) -> Result<User, IdentityError> {
    let row = find(tx, Kind::User, name).await?;
    let server_roles = rows::server_roles(tx, row.id).await?;
    let groups = rows::groups(tx, row.id).await?;
    Ok(shown(row, server_roles, groups))
}

async fn users(tx: &mut Tx<'_>, after: &str, limit: i64) -> Result<Vec<User>, IdentityError> {
    let page = subjects::page(tx, Kind::User, after, limit).await?;
    let Some(last) = page.last().map(|row| row.name.clone()) else { return Ok(Vec::new()) };
    let mut roles = by_id(rows::server_roles_between(tx, after, &last).await?);
    let mut groups = by_id(rows::groups_between(tx, after, &last).await?);
    let show = |row: subjects::Subject| {
        let (roles, groups) = (roles.remove(&row.id), groups.remove(&row.id));
        shown(row, roles.unwrap_or_default(), groups.unwrap_or_default())
    };
    Ok(page.into_iter().map(show).collect())
}

fn by_id(pairs: Vec<(i64, String)>) -> HashMap<i64, Vec<String>> {
    let mut map: HashMap<i64, Vec<String>> = HashMap::new();
    for (id, name) in pairs {
        map.entry(id).or_default().push(name);
    }
    map
}

fn shown(row: subjects::Subject, server_roles: Vec<String>, groups: Vec<String>) -> User {
    User {
        name: row.name,
        description: row.description,
        has_password: row.has_password,
        server_roles,
        groups,
        created_at: row.created_at,
        disabled_at: row.disabled_at,
        last_used_at: row.last_used_at,
    }
}
