//! The first administrator, and the way back in.

use wharf_db::Tx;
use wharf_db::catalog::audit;
use wharf_db::identity::subjects::{self, Kind, NewSubject};
use wharf_db::identity::users as rows;
use wharf_types::SubjectName;
use zeroize::Zeroizing;

use super::users::user_name;
use super::{IdentityError, administrated, create, record};
use crate::{Auth, Identity, Origin, Secret, ServerRole};

/// What the first start did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bootstrap {
    /// There is an administrator. A password that was given was not looked at.
    AlreadyThere,
    /// There is one now, with the password that was given.
    Created,
    /// There is one now, with this password, to be shown once.
    Generated(Zeroizing<String>),
}

struct Administrator {
    name: SubjectName,
    hash: String,
    generation: i64,
    entry: audit::Entry,
}

impl Auth {
    /// Makes an administrator if nobody is one, with this password or with a random one.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`] for a password that will not do, [`IdentityError::Taken`] if somebody else has the name.
    pub async fn bootstrap(&self, name: &str, password: Option<&str>) -> Result<Bootstrap, IdentityError> {
        if self.0.db.snapshot(&(), |tx, ()| Box::pin(administrated(tx))).await? {
            return Ok(Bootstrap::AlreadyThere);
        }
        let generated = password.is_none().then(random_password);
        let password = password.or(generated.as_ref().map(|password| password.as_str())).unwrap_or_default();
        let args = self.administrator("user.bootstrap", "start", name, password).await?;
        // Another replica may have been faster: then its password is the one.
        let created = self.change(args, |tx, args| Box::pin(bootstrap(tx, args))).await?;
        Ok(match (created, generated) {
            (false, _) => Bootstrap::AlreadyThere,
            (true, None) => Bootstrap::Created,
            (true, Some(password)) => Bootstrap::Generated(password),
        })
    }

    /// Lets somebody back in who has the server's own machine: sets the password of `name`, enables it, and makes it an
    /// administrator; makes the user if there is none.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`] for a password that will not do.
    pub async fn reset_administrator(&self, name: &str, password: &str) -> Result<(), IdentityError> {
        let args = self.administrator("user.reset-administrator", "reset-password", name, password).await?;
        self.change(args, |tx, args| Box::pin(reset(tx, args))).await
    }

    async fn administrator(
        &self,
        action: &str,
        job: &'static str,
        name: &str,
        password: &str,
    ) -> Result<Administrator, IdentityError> {
        let name = user_name(name)?;
        let hash = self.hash(password).await?;
        let entry = self.entry(&Identity::system(job), &Origin::default(), action, &name);
        Ok(Administrator { name, hash, generation: rand::random(), entry })
    }
}

/// 24 letters and digits: more than anybody will guess, and a double click selects it.
fn random_password() -> Zeroizing<String> {
    Zeroizing::new(Secret::personal().reveal().chars().rev().take(24).collect())
}

async fn bootstrap(tx: &mut Tx<'_>, args: &Administrator) -> Result<bool, IdentityError> {
    if administrated(tx).await? {
        let own = subjects::find(tx, Kind::User, &args.name).await?;
        return Ok(own.is_some_and(|own| own.generation == args.generation));
    }
    let id = make(tx, args).await?;
    rows::give_server_role(tx, id, ServerRole::Administrator.as_str()).await?;
    record(tx, &args.entry).await?;
    Ok(true)
}

async fn reset(tx: &mut Tx<'_>, args: &Administrator) -> Result<(), IdentityError> {
    let id = match subjects::find(tx, Kind::User, &args.name).await? {
        Some(user) => {
            rows::set_password(tx, user.id, &args.hash, args.generation).await?;
            subjects::set_disabled(tx, user.id, None).await?;
            user.id
        }
        None => make(tx, args).await?,
    };
    rows::give_server_role(tx, id, ServerRole::Administrator.as_str()).await?;
    record(tx, &args.entry).await
}

async fn make(tx: &mut Tx<'_>, args: &Administrator) -> Result<i64, IdentityError> {
    let new = NewSubject {
        kind: Kind::User,
        name: &args.name,
        project_id: None,
        description: "",
        password: Some(&args.hash),
        generation: args.generation,
        at: args.entry.at,
    };
    create(tx, &new).await
}
