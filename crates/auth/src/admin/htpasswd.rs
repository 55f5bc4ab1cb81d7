//! Users out of a htpasswd file, with the passwords they have.

use serde::Serialize;
use wharf_db::Tx;
use wharf_db::catalog::audit;
use wharf_db::identity::subjects::{self, Kind, NewSubject};
use wharf_types::SubjectName;

use super::users::user_name;
use super::{IdentityError, record};
use crate::password::unfit_bcrypt;
use crate::{Auth, Identity, Origin};

/// How many users one transaction makes.
const BATCH: usize = 500;

/// What became of the lines of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Users that were made.
    pub created: Vec<SubjectName>,
    /// Users and robots that were there already; nothing about them was changed.
    pub existing: Vec<SubjectName>,
    /// Lines that could not be used.
    pub refused: Vec<RefusedLine>,
}

/// A line that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedLine {
    /// Its number, from 1.
    pub line: usize,
    /// The name on it.
    pub name: String,
    /// What is wrong.
    pub reason: String,
}

struct User {
    name: SubjectName,
    hash: String,
    generation: i64,
    entry: audit::Entry,
}

impl Auth {
    /// Makes users out of a htpasswd file. bcrypt hashes are kept as they are until their owners sign in; lines with other
    /// hashes are refused, each with its reason.
    ///
    /// # Errors
    /// Those of the database. Then some users may have been made; a second run makes the others.
    pub async fn import_htpasswd(&self, by: &Identity, origin: &Origin, text: &str) -> Result<Imported, IdentityError> {
        let mut imported = Imported::default();
        let mut users = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hash) = line.split_once(':').unwrap_or((line, ""));
            match fit(name, hash) {
                Ok(name) => {
                    let mut entry = self.entry(by, origin, "user.create", &name);
                    entry.detail = Some("htpasswd".to_owned());
                    users.push(User { name, hash: hash.to_owned(), generation: rand::random(), entry });
                }
                Err(reason) => {
                    let name = name.chars().take(128).collect();
                    imported.refused.push(RefusedLine { line: number, name, reason });
                }
            }
        }
        while !users.is_empty() {
            let batch: Vec<User> = users.drain(..users.len().min(BATCH)).collect();
            for (name, created) in self.change(batch, |tx, batch| Box::pin(import(tx, batch))).await? {
                if created { imported.created.push(name) } else { imported.existing.push(name) }
            }
        }
        Ok(imported)
    }
}

fn fit(name: &str, hash: &str) -> Result<SubjectName, String> {
    let name = user_name(name).map_err(|error| error.to_string())?;
    match unfit_bcrypt(hash) {
        None => Ok(name),
        Some(_) if !hash.starts_with("$2") => Err(format!("{}: only bcrypt is accepted (htpasswd -B)", scheme(hash))),
        Some(reason) => Err(reason.to_owned()),
    }
}

fn scheme(hash: &str) -> &'static str {
    let prefixes = [
        ("$apr1$", "MD5 (apr1)"),
        ("{SHA}", "SHA-1"),
        ("{SSHA}", "salted SHA-1"),
        ("$1$", "MD5 (crypt)"),
        ("$5$", "SHA-256 (crypt)"),
        ("$6$", "SHA-512 (crypt)"),
        ("$y$", "yescrypt"),
        ("$argon2", "Argon2"),
    ];
    let known = prefixes.into_iter().find(|(prefix, _)| hash.starts_with(prefix)).map(|(_, scheme)| scheme);
    match known {
        Some(scheme) => scheme,
        None if hash.is_empty() => "no password",
        None if hash.len() == 13 => "DES (crypt) or plain text",
        None => "plain text or an unknown scheme",
    }
}

async fn import(tx: &mut Tx<'_>, batch: &[User]) -> Result<Vec<(SubjectName, bool)>, IdentityError> {
    let mut done = Vec::with_capacity(batch.len());
    for user in batch {
        let new = NewSubject {
            kind: Kind::User,
            name: &user.name,
            project_id: None,
            description: "",
            password: Some(&user.hash),
            generation: user.generation,
            at: user.entry.at,
        };
        let created = subjects::create(tx, &new).await?.is_some();
        if created {
            record(tx, &user.entry).await?;
        }
        done.push((user.name.clone(), created));
    }
    Ok(done)
}
