//! Copies of accounts and projects in this process, each good for one state of identities.

use std::collections::{HashMap, HashSet};
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use moka::ops::compute::{CompResult, Op};
use moka::{future, sync};
use parking_lot::{Mutex, RwLock};
use wharf_db::catalog::projects;
use wharf_db::identity::{accounts as rows, epoch, subjects, tokens};
use wharf_db::{Db, Engine, Error, Mark, Subject as Watched};
use wharf_types::{ProjectName, SubjectName};

use crate::account::{Account, Grant, Token, Touched};
use crate::limit::Limit;
use crate::proof::Proven;
use crate::{Pattern, Role, ServerRole, Subject, secret};

/// What every request asks, so that asking costs no more than it must.
type Cache<K, V> = sync::Cache<K, V, DefaultHashBuilder>;

/// Reads accounts and projects, and keeps what it read until the epoch moves on.
pub(crate) struct Accounts {
    db: Db,
    epochs: Epochs,
    by_id: future::Cache<i64, Arc<Account>, DefaultHashBuilder>,
    by_login: Cache<Box<str>, Arc<Account>>,
    by_secret: Cache<[u8; 32], Known<(i64, i64)>>,
    projects: Cache<ProjectName, Known<Project>>,
    public: Mutex<Option<Known<Arc<HashSet<ProjectName>>>>>,
}

/// Something as it was in one state of identities.
#[derive(Debug, Clone, Copy)]
struct Known<T> {
    epoch: i64,
    value: T,
}

/// What authorization asks about a project.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Project {
    pub(crate) public: bool,
}

impl Accounts {
    pub(crate) fn new(db: Db) -> Self {
        const MOST: u64 = 20_000;
        const IDLE: Duration = Duration::from_secs(3600);
        fn cache<K: std::hash::Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static>() -> Cache<K, V> {
            sync::Cache::builder()
                .max_capacity(MOST)
                .time_to_idle(IDLE)
                .build_with_hasher(DefaultHashBuilder::default())
        }
        let by_id = future::Cache::builder().max_capacity(MOST).time_to_idle(IDLE);
        Self {
            epochs: Epochs::new(db.clone()),
            db,
            by_id: by_id.build_with_hasher(DefaultHashBuilder::default()),
            by_login: cache(),
            by_secret: cache(),
            projects: cache(),
            public: Mutex::default(),
        }
    }

    /// The present state of identities: no older than the last change that was acknowledged before this call.
    pub(crate) async fn epoch(&self) -> Result<i64, Error> {
        self.epochs.current().await
    }

    /// The user or robot of this id.
    pub(crate) async fn by_id(&self, id: i64, epoch: i64) -> Result<Option<Arc<Account>>, Error> {
        if let Some(account) = self.by_id.get(&id).await
            && account.epoch >= epoch
        {
            return Ok(Some(account));
        }
        Box::pin(self.load(id, epoch)).await
    }

    async fn load(&self, id: i64, epoch: i64) -> Result<Option<Arc<Account>>, Error> {
        // Requests that need the same account at the same time read it once.
        let loaded = self.by_id.entry(id).and_try_compute_with(|known| async move {
            if known.is_some_and(|known| known.value().epoch >= epoch) {
                return Ok(Op::Nop);
            }
            let loaded = self.db.snapshot(&id, |tx, id| {
                Box::pin(async move {
                    let epoch = epoch::current(tx).await?;
                    Ok::<_, Error>((epoch, rows::load(tx, *id).await?))
                })
            });
            Ok::<_, Error>(match loaded.await? {
                (epoch, Some(row)) => Op::Put(Arc::new(account(epoch, row))),
                (_, None) => Op::Remove,
            })
        });
        Ok(match loaded.await? {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry) => {
                Some(entry.into_value())
            }
            CompResult::Removed(_) | CompResult::StillNone(_) => None,
        })
    }

    /// As [`Accounts::by_login`], if there is a copy.
    pub(crate) fn known_login(&self, name: &str, epoch: i64) -> Option<Arc<Account>> {
        self.by_login.get(name).filter(|account| account.epoch >= epoch)
    }

    /// The user or robot who signs in with this name. Names that do not exist are not kept: anybody can invent them.
    pub(crate) async fn by_login(&self, name: &str, epoch: i64) -> Result<Option<Arc<Account>>, Error> {
        if let Some(account) = self.known_login(name, epoch) {
            return Ok(Some(account));
        }
        let Ok(subject) = SubjectName::from_str(name) else { return Ok(None) };
        let Some(id) = self.db.read(&subject, |tx, name| Box::pin(rows::by_login(tx, name))).await? else {
            return Ok(None);
        };
        let account = self.by_id(id, epoch).await?;
        // Between the two reads it may have got another name.
        if let Some(account) = account.as_ref().filter(|account| account.subject.name() == name) {
            self.by_login.insert(name.into(), Arc::clone(account));
        }
        Ok(account)
    }

    /// Whose secret this is, the id of its row, and whether it was not seen here of late.
    pub(crate) async fn by_secret(
        &self,
        hash: [u8; 32],
        epoch: i64,
    ) -> Result<Option<(Arc<Account>, i64, bool)>, Error> {
        let known = self.by_secret.get(&hash);
        let fresh = known.is_none();
        let known = known.filter(|known| known.epoch >= epoch).map(|known| known.value);
        let found = match known {
            Some(known) => Some(known),
            None => {
                let found = self.db.read(&hash, |tx, hash| Box::pin(tokens::by_hash(tx, hash))).await?;
                if let Some(value) = found {
                    self.by_secret.insert(hash, Known { epoch, value });
                }
                found
            }
        };
        let Some((id, token)) = found else { return Ok(None) };
        Ok(self.by_id(id, epoch).await?.map(|account| (account, token, fresh)))
    }

    /// The project, if it exists. Missing ones are not kept: they may be created without a new epoch.
    pub(crate) async fn project(&self, name: &ProjectName, epoch: i64) -> Result<Option<Project>, Error> {
        if let Some(known) = self.projects.get(name)
            && known.epoch >= epoch
        {
            return Ok(Some(known.value));
        }
        Box::pin(self.load_project(name, epoch)).await
    }

    async fn load_project(&self, name: &ProjectName, epoch: i64) -> Result<Option<Project>, Error> {
        let Some(row) = self.db.read(name, |tx, name| Box::pin(projects::find(tx, name))).await? else {
            return Ok(None);
        };
        let value = Project { public: row.public };
        self.projects.insert(name.clone(), Known { epoch, value });
        Ok(Some(value))
    }

    /// All public projects.
    pub(crate) async fn public_projects(&self, epoch: i64) -> Result<Arc<HashSet<ProjectName>>, Error> {
        let known =
            self.public.lock().as_ref().filter(|known| known.epoch >= epoch).map(|known| Arc::clone(&known.value));
        if let Some(known) = known {
            return Ok(known);
        }
        let names = self.db.read(&(), |tx, ()| Box::pin(rows::public_projects(tx))).await?;
        let value: Arc<HashSet<_>> = Arc::new(names.into_iter().collect());
        *self.public.lock() = Some(Known { epoch, value: Arc::clone(&value) });
        Ok(value)
    }
}

/// Turns a row into what authorization uses. What this version cannot read allows nothing: an unknown role is none, and an
/// unreadable limit is the narrowest.
fn account(epoch: i64, row: rows::Account) -> Account {
    let subject = match row.kind {
        subjects::Kind::Robot => Subject::Robot { id: row.id, name: row.name, project: row.project },
        subjects::Kind::User | subjects::Kind::Group => Subject::User { id: row.id, name: row.name },
    };
    let mut grants: HashMap<ProjectName, Vec<Grant>> = HashMap::new();
    for grant in row.grants {
        if let (Ok(pattern), Ok(role)) = (Pattern::from_str(&grant.pattern), Role::from_str(&grant.role)) {
            grants.entry(grant.project).or_default().push(Grant { pattern, role });
        }
    }
    let token = |row: rows::AccountToken| {
        let limits = row.limits.map(|json| serde_json::from_str::<Vec<Limit>>(&json).unwrap_or_default().into());
        let token = Token {
            generation: secret::generation(&row.hash),
            hint: row.hint.into(),
            expires_at: row.expires_at,
            limits,
            touched: Touched::default(),
        };
        (row.id, token)
    };
    Account {
        subject,
        generation: row.generation,
        disabled: row.disabled,
        password: row.password,
        proven: Proven::default(),
        server_roles: row.server_roles.iter().filter_map(|role| ServerRole::from_str(role).ok()).collect(),
        grants,
        tokens: row.tokens.into_iter().map(token).collect(),
        epoch,
        touched: Touched::default(),
    }
}

/// Reads the epoch. On SQLite only when it may have changed; on PostgreSQL one query answers every request that came before it
/// was sent. Reads are on the heap, so that they are no part of every request's task.
struct Epochs {
    db: Db,
    known: RwLock<Option<(Mark, i64)>>,
    started: AtomicU64,
    last: tokio::sync::Mutex<Read>,
}

/// The number of the last finished read, and what it found.
struct Read {
    number: u64,
    found: Result<i64, Error>,
}

impl Epochs {
    fn new(db: Db) -> Self {
        let last = tokio::sync::Mutex::new(Read { number: 0, found: Ok(0) });
        Self { db, known: RwLock::default(), started: AtomicU64::new(0), last }
    }

    async fn current(&self) -> Result<i64, Error> {
        if self.db.engine() == Engine::Sqlite {
            if let Some((mark, epoch)) = *self.known.read()
                && self.db.stands(&mark)
            {
                return Ok(epoch);
            }
            return Box::pin(self.of_this_process()).await;
        }
        Box::pin(self.of_all()).await
    }

    async fn of_all(&self) -> Result<i64, Error> {
        let arrived = self.started.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if last.number > arrived {
            // Somebody who waited here started it after this request had come.
            return last.found.clone();
        }
        let number = self.started.fetch_add(1, Ordering::SeqCst) + 1;
        let found = self.read().await;
        *last = Read { number, found: found.clone() };
        found
    }

    async fn of_this_process(&self) -> Result<i64, Error> {
        let mark = self.db.mark(&Watched::Identities);
        let epoch = self.read().await?;
        // One who is slow may put an older state in the place of a newer one, but that does not stand.
        *self.known.write() = mark.map(|mark| (mark, epoch));
        Ok(epoch)
    }

    async fn read(&self) -> Result<i64, Error> {
        self.db.read(&(), |tx, ()| Box::pin(epoch::current(tx))).await
    }
}
