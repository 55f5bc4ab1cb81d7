//! May you.

use std::sync::Arc;
use std::time::Duration;

use wharf_types::{FormatName, ProjectName, RepoName};

use crate::account::Account;
use crate::identity::{Identity, Who};
use crate::scope::Scope;
use crate::{Access, Auth, Operation, Permit, Refused, Role, ServerRole, ServerVerb, Subject, Verb};

/// What was decided: yes, and whether the project has to be made first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Yes {
    creates_project: bool,
}

const YES: Yes = Yes { creates_project: false };

/// An identity is looked up again when it is older than this. Within a request it is not: then it was read at its beginning.
const FRESH: Duration = Duration::from_secs(2);

/// Who is asking for something in a project, with what is known about them now.
struct Asker<'a> {
    identity: &'a Identity,
    account: Option<Arc<Account>>,
    epoch: i64,
}

impl Auth {
    /// Whether `identity` may do `op`, and the proof of it.
    ///
    /// # Errors
    /// [`Refused`], which says how to answer.
    pub async fn authorize<O: Operation>(&self, identity: &Identity, op: O) -> Result<Permit<O>, Refused> {
        self.judge(identity, op).await.map_err(|refusal| refusal.1)
    }

    /// As [`Auth::authorize`], for who wants to write down what was refused.
    ///
    /// # Errors
    /// The operation, and [`Refused`], which says how to answer.
    pub async fn judge<O: Operation>(&self, identity: &Identity, op: O) -> Result<Permit<O>, Box<(O, Refused)>> {
        match self.decide(identity, op.access(), true).await {
            Ok(yes) => Ok(Permit::new(op, identity.clone(), yes.creates_project)),
            Err(refused) => Err(Box::new((op, refused))),
        }
    }

    /// Whether the grants of `identity` allow `access`, for what is no operation of its own: the source of a mount, a link on a
    /// page. The scopes of a registry token do not count here, because its holder could have asked for others; the limits of
    /// a personal token do.
    ///
    /// # Errors
    /// [`Refused::Unavailable`] only.
    pub async fn may(&self, identity: &Identity, access: &Access<'_>) -> Result<bool, Refused> {
        match self.decide(identity, *access, false).await {
            Ok(yes) => Ok(!yes.creates_project),
            Err(unavailable @ Refused::Unavailable(_)) => Err(unavailable),
            Err(_) => Ok(false),
        }
    }

    async fn decide(&self, identity: &Identity, access: Access<'_>, scopes_count: bool) -> Result<Yes, Refused> {
        if matches!(identity.who, Who::System(_)) || access == Access::Anyone {
            return Ok(YES);
        }
        let scopes = identity.cap.scopes.as_deref().filter(|_| scopes_count);
        if let Some(scopes) = scopes {
            within_scopes(scopes, access)?;
        }
        let anonymous = identity.is_anonymous();
        match access {
            Access::Anyone => Ok(YES),
            Access::SignedIn if anonymous => Err(Refused::SignIn { scope: None }),
            Access::SignedIn => Ok(YES),
            // The token that covers this was checked above; without one, whoever has a password should show it.
            Access::Catalog if anonymous && scopes.is_none() => {
                Err(Refused::SignIn { scope: Some(Scope::catalog().to_string()) })
            }
            Access::Catalog => Ok(YES),
            Access::OwnAccount if anonymous => Err(Refused::SignIn { scope: None }),
            Access::OwnAccount if identity.cap.limits.is_some() => Err(limited("the account it belongs to")),
            Access::OwnAccount => Ok(YES),
            Access::Server(verb) => on_server(&self.asker(identity).await?, verb),
            Access::Project { project, verb } => self.on_project(&self.asker(identity).await?, project, verb).await,
            Access::Repository { format, name, verb } => {
                self.on_repository(&self.asker(identity).await?, format, name, verb).await
            }
        }
    }

    /// The identity's account as it is now, or as it was when the request began.
    async fn asker<'a>(&self, identity: &'a Identity) -> Result<Asker<'a>, Refused> {
        let account = identity.account();
        if self.0.clock.now().since(identity.at) <= FRESH {
            return Ok(Asker { identity, account: account.cloned(), epoch: identity.epoch });
        }
        let epoch = self.0.accounts.epoch().await?;
        let Some(account) = account else { return Ok(Asker { identity, account: None, epoch }) };
        if epoch == account.epoch {
            return Ok(Asker { identity, account: Some(Arc::clone(account)), epoch });
        }
        let id = account.subject.id().unwrap_or_default();
        let now = Box::pin(self.0.accounts.by_id(id, epoch)).await?.filter(|now| !now.disabled);
        let now = now.filter(|now| now.honours(&identity.credential, account.generation, self.0.clock.now()));
        Ok(Asker { identity, account: Some(now.ok_or(Refused::SignIn { scope: None })?), epoch })
    }

    async fn on_project(&self, asker: &Asker<'_>, project: &ProjectName, verb: Verb) -> Result<Yes, Refused> {
        if let Some(limits) = &asker.identity.cap.limits
            && !limits.iter().any(|limit| limit.covers_project(project, verb))
        {
            return Err(limited(&format!("{verb} on the project {project}")));
        }
        let granted = |verb| asker.granted(|account| account.may_on_project(project, verb), verb);
        if granted(verb) {
            return Ok(YES);
        }
        let found = self.0.accounts.project(project, asker.epoch).await?;
        let public = found.is_some_and(|found| found.public);
        if public && verb_for_all(verb) {
            return Ok(YES);
        }
        let place = Place { project, path: None, name: project.to_string(), kind: "project" };
        Err(asker.refusal(&place, verb, public || granted(Verb::View), None))
    }

    async fn on_repository(
        &self,
        asker: &Asker<'_>,
        format: FormatName,
        name: &RepoName,
        verb: Verb,
    ) -> Result<Yes, Refused> {
        if let Some(limits) = &asker.identity.cap.limits
            && !limits.iter().any(|limit| limit.covers_repository(name, verb))
        {
            return Err(limited(&format!("{verb} on {name}")));
        }
        let (project, path) = (name.project(), name.path());
        // A grant is on a project that exists.
        if asker.account.as_ref().is_some_and(|account| account.may_on_path(project, path, verb)) {
            return Ok(YES);
        }
        let everywhere = |verb| asker.granted(|_| false, verb);
        // Whoever may read everywhere may read there, whether the project exists or not.
        if verb_for_all(verb) && everywhere(verb) {
            return Ok(YES);
        }
        let found = self.0.accounts.project(project, asker.epoch).await?;
        if found.is_none() && asker.may_create_projects() {
            match verb {
                Verb::Push => return Ok(Yes { creates_project: true }),
                // Before they push, clients ask what is there: nothing, but nothing that is kept from them.
                Verb::View | Verb::Pull => return Ok(YES),
                _ => {}
            }
        }
        let public = found.is_some_and(|found| found.public);
        if everywhere(verb) || public && verb_for_all(verb) {
            return Ok(YES);
        }
        let sees = public || asker.granted(|account| account.may_on_path(project, path, Verb::View), Verb::View);
        let scope = Scope::needed(format, name, verb).map(|scope| scope.to_string());
        let place = Place { project, path: Some(path), name: name.to_string(), kind: "repository" };
        Err(asker.refusal(&place, verb, sees, scope))
    }
}

/// What a refusal is about.
struct Place<'a> {
    project: &'a ProjectName,
    path: Option<&'a str>,
    name: String,
    kind: &'static str,
}

impl Asker<'_> {
    fn granted(&self, grant: impl Fn(&Account) -> bool, verb: Verb) -> bool {
        self.account.as_ref().is_some_and(|account| account.may_everywhere(verb) || grant(account))
    }

    fn may_create_projects(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.may_on_server(ServerVerb::CreateProject))
    }

    /// Nobody in particular is asked to sign in, whatever is there. Who may not see it learns nothing; who may, learns what is
    /// missing and whom to ask.
    fn refusal(&self, place: &Place<'_>, verb: Verb, sees: bool, scope: Option<String>) -> Refused {
        let Place { project, path, name, kind } = place;
        let Some(account) = &self.account else { return Refused::SignIn { scope } };
        if !sees {
            let hint = format!(
                "no {kind} {name} that {} may see; if there should be one, ask an owner of the project {project} or an administrator",
                account.subject
            );
            return Refused::Hidden { hint };
        }
        let needed = Role::needed_for(verb);
        let is = match account.role_on(project, *path) {
            Some(role) => format!("is {role} there"),
            None => "has no role of its own there".to_owned(),
        };
        let reason = format!(
            "{verb} on {name} needs the role {needed}, {} {is}; ask an owner of the project {project} or an administrator",
            account.subject
        );
        Refused::Forbidden { reason }
    }
}

/// What everyone may do in a public project.
fn verb_for_all(verb: Verb) -> bool {
    matches!(verb, Verb::View | Verb::Pull)
}

/// Registry tokens are for repositories and the catalog, within their scopes. What exists plays no part here.
fn within_scopes(scopes: &[Scope], access: Access<'_>) -> Result<(), Refused> {
    match access {
        Access::Anyone | Access::SignedIn => Ok(()),
        Access::Catalog if scopes.iter().any(Scope::covers_catalog) => Ok(()),
        Access::Catalog => Err(Refused::Narrow { scope: Scope::catalog().to_string() }),
        Access::Repository { format, name, verb } => {
            if scopes.iter().any(|scope| scope.covers(format, name, verb)) {
                return Ok(());
            }
            match Scope::needed(format, name, verb) {
                Some(scope) => Err(Refused::Narrow { scope: scope.to_string() }),
                None => Err(not_for_registry_tokens()),
            }
        }
        Access::OwnAccount | Access::Server(_) | Access::Project { .. } => Err(not_for_registry_tokens()),
    }
}

fn not_for_registry_tokens() -> Refused {
    let reason = "a registry token is good for repositories and the catalog only: use a password or a personal token";
    Refused::Forbidden { reason: reason.to_owned() }
}

fn limited(what: &str) -> Refused {
    Refused::Forbidden { reason: format!("the token is limited and does not cover {what}") }
}

fn on_server(asker: &Asker<'_>, verb: ServerVerb) -> Result<Yes, Refused> {
    let Some(account) = &asker.account else { return Err(Refused::SignIn { scope: None }) };
    if asker.identity.cap.limits.is_some() {
        return Err(limited("the server"));
    }
    if account.may_on_server(verb) {
        return Ok(YES);
    }
    let roles = ServerRole::ALL.into_iter().filter(|role| role.verbs().contains(&verb)).map(ServerRole::as_str);
    let roles = roles.collect::<Vec<_>>().join(" or ");
    let who = match &account.subject {
        Subject::Robot { .. } => "the robot ",
        _ => "",
    };
    let reason = format!("{who}{} may not {verb}: that needs the role {roles}; ask an administrator", account.subject);
    Err(Refused::Forbidden { reason })
}
