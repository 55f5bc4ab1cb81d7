//! A server's worth of identities, and short words for what happens to it.

use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use wharf_auth::{
    Access, Auth, Config, Grantee, Hashing, Identity, InstanceKey, NewRobot, NewUser, Operation, Origin, Pattern,
    Permit, Presented, Refused, Rejected, Role, Secret, ServerRole, ServerVerb, Throttling, Verb,
};
use wharf_db::catalog::projects;
use wharf_db::identity::epoch;
use wharf_db::{Db, Durability, Error};
use wharf_types::{Clock, FormatName, ProjectName, RepoName, SubjectName, Timestamp};

pub(crate) const OCI: FormatName = FormatName::new("oci");
pub(crate) const PASSWORD: &str = "correct horse";

/// An operation that is nothing but its access.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Anyone,
    SignedIn,
    OwnAccount,
    Catalog,
    Server(ServerVerb),
    Project(ProjectName, Verb),
    Repository(RepoName, Verb),
}

impl Operation for Ask {
    fn name(&self) -> &'static str {
        "ask"
    }

    fn access(&self) -> Access<'_> {
        match self {
            Self::Anyone => Access::Anyone,
            Self::SignedIn => Access::SignedIn,
            Self::OwnAccount => Access::OwnAccount,
            Self::Catalog => Access::Catalog,
            Self::Server(verb) => Access::Server(*verb),
            Self::Project(project, verb) => Access::Project { project, verb: *verb },
            Self::Repository(name, verb) => Access::Repository { format: OCI, name, verb: *verb },
        }
    }
}

pub(crate) fn repository(name: &str, verb: Verb) -> Ask {
    Ask::Repository(name.parse().unwrap(), verb)
}

pub(crate) fn project(name: &str, verb: Verb) -> Ask {
    Ask::Project(name.parse().unwrap(), verb)
}

pub(crate) fn name(text: &str) -> SubjectName {
    text.parse().unwrap()
}

pub(crate) fn project_name(text: &str) -> ProjectName {
    text.parse().unwrap()
}

pub(crate) fn pattern(text: &str) -> Pattern {
    text.parse().unwrap()
}

pub(crate) fn grantee(text: &str) -> Grantee {
    text.parse().unwrap()
}

/// The kind of an answer in one word.
pub(crate) fn word(answer: &Result<Permit<Ask>, Refused>) -> &'static str {
    match answer {
        Ok(permit) if permit.creates_project() => "creates",
        Ok(_) => "yes",
        Err(Refused::SignIn { .. }) => "sign in",
        Err(Refused::Narrow { .. }) => "narrow",
        Err(Refused::Hidden { .. }) => "hidden",
        Err(Refused::Forbidden { .. }) => "forbidden",
        Err(Refused::Unavailable(_)) => "unavailable",
    }
}

/// The kind of a rejection in one word.
pub(crate) fn why<T: Debug>(answer: Result<T, Rejected>) -> &'static str {
    match answer {
        Ok(_) => "accepted",
        Err(Rejected::BadCredentials) => "bad",
        Err(Rejected::Throttled { .. }) => "throttled",
        Err(Rejected::Expired) => "expired",
        Err(Rejected::Disabled) => "disabled",
        Err(Rejected::Unavailable(_)) => "unavailable",
    }
}

pub(crate) struct World {
    pub(crate) auth: Auth,
    pub(crate) db: Db,
    pub(crate) key: InstanceKey,
    pub(crate) config: Config,
    millis: Arc<AtomicI64>,
}

impl World {
    pub(crate) fn new(db: Db) -> Self {
        let config = Config {
            // Cheap, because nobody attacks it.
            hashing: Hashing { memory_kib: 64, passes: 1, at_once: 2 },
            throttle: Throttling { free_per_account: 3, free_per_address: 8, ..Throttling::default() },
            ..Config::default()
        };
        Self::with(db, config, InstanceKey::generate())
    }

    pub(crate) fn with(db: Db, config: Config, key: InstanceKey) -> Self {
        let millis = Arc::new(AtomicI64::new(1_800_000_000_000));
        let now = Arc::clone(&millis);
        let clock = Clock::new(move || Timestamp::from_millis(now.load(Ordering::Relaxed)));
        let auth = Auth::new(db.clone(), &key, clock, config.clone());
        Self { auth, db, key, config, millis }
    }

    /// The same server after a restart.
    pub(crate) fn restarted(&self) -> Self {
        let world = Self::with(self.db.clone(), self.config.clone(), self.key.clone());
        world.millis.store(self.millis.load(Ordering::Relaxed), Ordering::Relaxed);
        world
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::Relaxed))
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.millis.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) async fn user(&self, name: &str) {
        self.user_with(name, &[]).await;
    }

    pub(crate) async fn user_with(&self, name: &str, roles: &[ServerRole]) {
        let new = NewUser {
            name: name.into(),
            password: Some(PASSWORD.into()),
            server_roles: roles.to_vec(),
            ..NewUser::default()
        };
        self.auth.create_user(&system(), &Origin::default(), new).await.unwrap();
    }

    pub(crate) async fn project(&self, name: &str, public: bool) {
        let args = (project_name(name), public);
        let made = self.db.write(Durability::Full, args, |tx, (name, public)| {
            Box::pin(async move {
                projects::create(tx, name, *public, Timestamp::default()).await?;
                Ok::<_, Error>(())
            })
        });
        made.await.unwrap();
    }

    pub(crate) async fn set_public(&self, name: &str, public: bool) {
        let args = (project_name(name), public);
        let made = self.db.write(Durability::Full, args, |tx, (name, public)| {
            Box::pin(async move {
                projects::set_public(tx, name, *public).await?;
                epoch::bump(tx).await
            })
        });
        made.await.unwrap();
    }

    pub(crate) async fn grant(&self, to: &str, on: &str, path: &str, role: Role) {
        let place = (&project_name(on), &pattern(path), role);
        self.auth.grant(&system(), &Origin::default(), &grantee(to), place).await.unwrap();
    }

    pub(crate) async fn robot(&self, of: Option<&str>, short: &str, grants: &[(&str, &str, Role)]) -> Secret {
        let grants = grants.iter().map(|(on, path, role)| (project_name(on), pattern(path), *role)).collect();
        let new = NewRobot {
            project: of.map(project_name),
            name: short.into(),
            description: String::new(),
            grants,
            server_roles: vec![],
            expires_at: None,
        };
        self.auth.create_robot(&system(), &Origin::default(), new).await.unwrap().1
    }

    pub(crate) async fn basic(&self, user: &str, password: &str) -> Result<Identity, Rejected> {
        self.basic_from("192.0.2.1", user, password).await
    }

    pub(crate) async fn basic_from(&self, from: &str, user: &str, password: &str) -> Result<Identity, Rejected> {
        let from: IpAddr = from.parse().unwrap();
        self.auth.authenticate(Presented::Basic { user, password }, Some(from)).await
    }

    pub(crate) async fn bearer(&self, token: &str) -> Result<Identity, Rejected> {
        self.auth.authenticate(Presented::Bearer(token), None).await
    }

    pub(crate) async fn sign_in(&self, user: &str) -> Identity {
        self.basic(user, PASSWORD).await.unwrap()
    }

    pub(crate) async fn anonymous(&self) -> Identity {
        self.auth.authenticate(Presented::Nothing, None).await.unwrap()
    }

    pub(crate) async fn ask(&self, identity: &Identity, ask: Ask) -> &'static str {
        word(&self.auth.authorize(identity, ask).await)
    }

    /// What a user is answered who signs in for this one request.
    pub(crate) async fn user_asks(&self, user: &str, ask: Ask) -> &'static str {
        self.ask(&self.sign_in(user).await, ask).await
    }

    pub(crate) async fn verbs_on(&self, identity: &Identity, ask: impl Fn(Verb) -> Ask) -> String {
        let mut allowed = String::new();
        for verb in Verb::ALL {
            if matches!(self.ask(identity, ask(verb)).await, "yes" | "creates") {
                allowed.push(letter(verb));
            }
        }
        allowed
    }
}

/// View, pulL, puSh, Delete, Configure, Govern, read Audit.
fn letter(verb: Verb) -> char {
    match verb {
        Verb::View => 'V',
        Verb::Pull => 'L',
        Verb::Push => 'S',
        Verb::Delete => 'D',
        Verb::Configure => 'C',
        Verb::Govern => 'G',
        Verb::ReadAudit => 'A',
    }
}

pub(crate) fn system() -> Identity {
    Identity::system("test")
}
