//! One line before it is written: what makes two of them the same.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use wharf_auth::{Access, Caller, Identity, Operation, Permit, Refused, Rejected};
use wharf_db::catalog::accesses;
use wharf_types::{Digest, FormatName, ProjectName, RepoName, Timestamp};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// It was done.
    Done,
    /// It was not allowed.
    Denied(Reason),
    /// It was allowed and did not happen, answered with this status.
    Failed(u16),
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    BadCredentials,
    Throttled,
    Expired,
    Disabled,
    SignIn,
    Scope,
    Hidden,
    Forbidden,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Source<'a> {
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The request.
    pub request_id: &'a str,
}

impl Outcome {
    pub(crate) fn rejected(rejected: &Rejected) -> Option<Self> {
        Some(Self::Denied(match rejected {
            Rejected::BadCredentials => Reason::BadCredentials,
            Rejected::Throttled { .. } => Reason::Throttled,
            Rejected::Expired => Reason::Expired,
            Rejected::Disabled => Reason::Disabled,
            Rejected::Unavailable(_) => return None,
        }))
    }

    pub(crate) fn refused(refused: &Refused) -> Option<Self> {
        Some(Self::Denied(match refused {
            Refused::SignIn { .. } => Reason::SignIn,
            Refused::Narrow { .. } => Reason::Scope,
            Refused::Hidden { .. } => Reason::Hidden,
            Refused::Forbidden { .. } => Reason::Forbidden,
            Refused::Unavailable(_) => return None,
        }))
    }

    /// As the audit log has it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Denied(_) => "denied",
            Self::Failed(_) => "failed",
        }
    }

    fn detail(self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::Done => return None,
            Self::Failed(status) => format!("answered {status}").into(),
            Self::Denied(reason) => match reason {
                Reason::BadCredentials => "unknown name or wrong secret",
                Reason::Throttled => "too many failed attempts",
                Reason::Expired => "the credential has expired",
                Reason::Disabled => "the account is disabled",
                Reason::SignIn => "not signed in",
                Reason::Scope => "the registry token does not cover it",
                Reason::Hidden => "hidden: answered as if it did not exist",
                Reason::Forbidden => "forbidden",
            }
            .into(),
        })
    }
}

/// Something that is to be noted, borrowed from the request.
pub(crate) struct Seen<'a> {
    pub(crate) identity: &'a Identity,
    /// For a credential that nobody has: what kind it is.
    pub(crate) presented: Option<&'a str>,
    pub(crate) action: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) format: Option<FormatName>,
    pub(crate) project: Option<&'a str>,
    pub(crate) repository: Option<&'a str>,
    pub(crate) subject: Option<&'a str>,
    pub(crate) digest: Option<Digest>,
    /// What the client was told, if that says more than the outcome. It tells no lines apart.
    pub(crate) why: &'a str,
    pub(crate) source: Source<'a>,
}

/// A line, with all that tells it from others. Every request compares itself with one: what it looks at lies together, and what
/// is only written down apart from it.
pub(super) struct Line {
    pub(super) hash: u64,
    caller: Caller,
    action: &'static str,
    outcome: Outcome,
    digest: Option<Digest>,
    address: Option<IpAddr>,
    presented: Option<Box<str>>,
    names: Names,
    last_at: Timestamp,
    times: u64,
    more: Box<More>,
}

/// The rest of a line.
struct More {
    number: u64,
    at: Timestamp,
    actor: String,
    credential: String,
    project: Option<Box<str>>,
    request_id: Box<str>,
    why: Box<str>,
}

/// What a line is about, in one piece: the repository, or the project where it is about none, and the subject behind it.
struct Names {
    format: Option<FormatName>,
    text: Box<str>,
    place: Option<usize>,
    has_subject: bool,
}

impl Names {
    fn of(seen: &Seen<'_>) -> Self {
        let (place, subject) = (seen.place(), seen.subject);
        let text = [place.unwrap_or_default(), subject.unwrap_or_default()].concat().into();
        Self { format: seen.format, text, place: place.map(str::len), has_subject: subject.is_some() }
    }

    fn split(&self) -> (Option<&str>, Option<&str>) {
        let (place, subject) = self.text.split_at(self.place.unwrap_or_default());
        (self.place.map(|_| place), self.has_subject.then_some(subject))
    }
}

/// Names and tags are short by their grammar; what has none is cut here.
const LONGEST: usize = 512;

fn cut(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl<'a> Seen<'a> {
    /// Something about the server as a whole.
    pub(crate) fn new(identity: &'a Identity, action: &'static str, outcome: Outcome, source: Source<'a>) -> Self {
        Self {
            identity,
            presented: None,
            action,
            outcome,
            format: None,
            project: None,
            repository: None,
            subject: None,
            digest: None,
            why: "",
            source,
        }
    }

    /// About what `access` is about.
    pub(crate) fn at(mut self, access: &Access<'a>) -> Self {
        match access {
            Access::Project { project, .. } => self.project = Some(project.as_str()),
            Access::Repository { format, name, .. } => self = self.repository(*format, name),
            _ => {}
        }
        self
    }

    /// About this repository.
    pub(crate) fn repository(self, format: FormatName, name: &'a RepoName) -> Self {
        let (project, repository) = (Some(name.project().as_str()), Some(name.canonical()));
        Self { format: Some(format), project, repository, ..self }
    }

    /// About this inside it.
    pub(crate) fn about(self, subject: Option<&'a str>, digest: Option<Digest>) -> Self {
        Self { subject: subject.map(cut), digest, ..self }
    }

    /// Whether a credential was good.
    pub(crate) fn is_somebody(&self) -> bool {
        !self.identity.is_anonymous()
    }

    /// The repository, which says what the project is, or the project.
    fn place(&self) -> Option<&'a str> {
        self.repository.or(self.project)
    }

    pub(super) fn is(&self, line: &Line) -> bool {
        self.identity.caller() == line.caller
            && self.action == line.action
            && self.outcome == line.outcome
            && self.digest == line.digest
            && self.source.address == line.address
            // Who is about a repository has a format, and who is about a project has none.
            && self.format == line.names.format
            && (self.place(), self.subject) == line.names.split()
            && self.presented == line.presented.as_deref()
    }

    pub(super) fn begin(&self, hash: u64, number: u64, now: Timestamp) -> Line {
        Line {
            hash,
            caller: self.identity.caller(),
            action: self.action,
            outcome: self.outcome,
            digest: self.digest,
            address: self.source.address,
            presented: self.presented.map(Into::into),
            names: Names::of(self),
            last_at: now,
            times: 1,
            more: Box::new(More {
                number,
                at: now,
                actor: self.identity.subject().name(),
                credential: self.presented.map_or_else(|| self.identity.credential(), str::to_owned),
                project: self.project.map(Into::into),
                request_id: cut(self.source.request_id).into(),
                why: cut(self.why).into(),
            }),
        }
    }
}

impl Hash for Seen<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity.caller().hash(state);
        // Names of operations are constants, and few.
        self.action.as_ptr().hash(state);
        self.outcome.hash(state);
        self.place().hash(state);
        self.subject.hash(state);
        self.digest.hash(state);
        self.source.address.hash(state);
        self.presented.hash(state);
    }
}

impl Line {
    pub(super) fn again(&mut self, now: Timestamp) {
        self.times += 1;
        self.last_at = self.last_at.max(now);
    }

    /// Where it comes among others.
    pub(super) fn place(&self) -> (Timestamp, u64) {
        (self.more.at, self.more.number)
    }

    /// As the database has it.
    pub(super) fn row(self) -> accesses::Access {
        let (place, subject) = self.names.split();
        let detail = self.outcome.detail().map(|detail| match &*self.more.why {
            "" => detail.into_owned(),
            why => format!("{detail}: {why}"),
        });
        accesses::Access {
            at: self.more.at,
            last_at: self.last_at,
            times: self.times,
            repository: place.filter(|_| self.names.format.is_some()).map(str::to_owned),
            subject: subject.map(str::to_owned),
            actor: self.more.actor,
            credential: self.more.credential,
            action: self.action.to_owned(),
            outcome: self.outcome.as_str().to_owned(),
            project: self.more.project.map(str::into_string),
            digest: self.digest,
            address: self.address.map(|address| address.to_string()),
            request_id: Some(self.more.request_id.into_string()).filter(|id| !id.is_empty()),
            detail,
        }
    }
}

/// A change that is tried, kept for the case that it comes to nothing: what succeeds writes its own line.
pub struct Attempt {
    identity: Identity,
    action: &'static str,
    place: Option<Place>,
    subject: Option<String>,
    digest: Option<Digest>,
}

enum Place {
    Project(ProjectName),
    Repository(FormatName, RepoName),
}

impl Attempt {
    /// What is about to be tried; none for what only reads.
    pub fn of<O: Operation>(permit: &Permit<O>) -> Option<Self> {
        use wharf_auth::{ServerVerb, Verb};
        let op = permit.op();
        let place = match op.access() {
            Access::Project { verb: Verb::View | Verb::Pull | Verb::ReadAudit, .. }
            | Access::Repository { verb: Verb::View | Verb::Pull | Verb::ReadAudit, .. }
            | Access::Server(ServerVerb::ReadAudit | ServerVerb::ListIdentities | ServerVerb::InspectServer)
            | Access::Anyone
            | Access::SignedIn
            | Access::Catalog => return None,
            Access::Project { project, .. } => Some(Place::Project(project.clone())),
            Access::Repository { format, name, .. } => Some(Place::Repository(format, name.clone())),
            Access::Server(_) | Access::OwnAccount => None,
        };
        let (subject, digest) = op.about();
        let (identity, action, subject) = (permit.identity().clone(), op.action(), subject.map(str::to_owned));
        Some(Self { identity, action, place, subject, digest })
    }

    pub(super) fn failed<'a>(&'a self, status: u16, why: &'a str, source: Source<'a>) -> Seen<'a> {
        // Some things need a further right that is known only when they are looked at.
        let outcome = if status == 403 { Outcome::Denied(Reason::Forbidden) } else { Outcome::Failed(status) };
        let seen = Seen { why, ..Seen::new(&self.identity, self.action, outcome, source) };
        let seen = match &self.place {
            Some(Place::Project(project)) => Seen { project: Some(project.as_str()), ..seen },
            Some(Place::Repository(format, name)) => seen.repository(*format, name),
            None => seen,
        };
        seen.about(self.subject.as_deref(), self.digest)
    }
}
