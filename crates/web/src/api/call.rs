//! A request that was understood: which row of the table, and what stood in the places of its path and in its query.

use std::str::FromStr;

use http::Method;
use http::request::Parts;
use wharf_auth::{Access, Operation};
use wharf_core::{Actor, Target};
use wharf_types::{Digest, FormatName, ProjectName, Reference, RepoName, SubjectName, Tag};
use wharf_wire::query_pairs;

use super::actions;
use super::endpoint::{Ask, Endpoint, Rule};
use super::path;
use super::problem::Problem;
use super::spelling::nearest;
use super::table::TABLE;

/// An understood request. Route, access check and metric label are the row it belongs to.
pub(super) struct Call {
    pub(super) endpoint: &'static Endpoint,
    places: Vec<(&'static str, Place)>,
    query: Vec<(String, String)>,
}

/// What stands in a place of a path, read by the place's name.
enum Place {
    Project(ProjectName),
    Format(FormatName),
    Repository(RepoName),
    Subject(SubjectName),
    Tag(Tag),
    Reference(Reference),
    Digest(Digest),
    Number(i64, String),
}

impl Call {
    /// Finds the row a request is for and reads the path and the query. Pure: no credentials, no state.
    pub(super) fn parse(head: &Parts, formats: &[FormatName]) -> Result<Self, Problem> {
        // What can be got can be asked for without its body (RFC 9110, 9.3.2).
        let method = if head.method == Method::HEAD { &Method::GET } else { &head.method };
        let mut allowed = Vec::new();
        for endpoint in TABLE.iter() {
            let Some(found) = path::fit(endpoint.path, head.uri.path()) else { continue };
            if endpoint.method != method {
                allowed.push(endpoint.method.as_str());
                continue;
            }
            let places = found.into_iter().map(|(name, text)| Ok((name, Place::read(name, &text, formats)?)));
            let places = places.collect::<Result<_, Problem>>()?;
            let query = read_query(endpoint, head.uri.query())?;
            return Ok(Self { endpoint, places, query });
        }
        if allowed.is_empty() {
            let problem = Problem::not_found("the API has no such path");
            return Err(problem.hint("/api/openapi.json lists all of them"));
        }
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        Err(Problem::method_not_allowed(&allowed))
    }

    fn place(&self, name: &str) -> Option<&Place> {
        self.places.iter().find(|(known, _)| *known == name).map(|(_, place)| place)
    }

    fn project(&self) -> Option<&ProjectName> {
        match self.place("project") {
            Some(Place::Project(project)) => Some(project),
            _ => None,
        }
    }

    fn repository(&self) -> Option<(FormatName, &RepoName)> {
        match (self.place("format"), self.place("repository")) {
            (Some(Place::Format(format)), Some(Place::Repository(name))) => Some((*format, name)),
            _ => None,
        }
    }
}

impl Operation for Call {
    fn name(&self) -> &'static str {
        self.endpoint.operation
    }

    fn action(&self) -> &'static str {
        actions::of(self.endpoint.operation)
    }

    fn access(&self) -> Access<'_> {
        // A row that asks for a project or repository its path does not name is refused to everybody but administrators; a
        // test of the table finds it.
        const NOBODY: Access<'_> = Access::Server(wharf_auth::ServerVerb::ManageServer);
        match self.endpoint.rule {
            Rule::Anyone => Access::Anyone,
            Rule::SignedIn => Access::SignedIn,
            Rule::OwnAccount => Access::OwnAccount,
            Rule::Catalog => Access::Catalog,
            Rule::Server(verb) => Access::Server(verb),
            Rule::Project(verb) => self.project().map_or(NOBODY, |project| Access::Project { project, verb }),
            Rule::Repository(verb) => {
                self.repository().map_or(NOBODY, |(format, name)| Access::Repository { format, name, verb })
            }
        }
    }

    fn about(&self) -> (Option<&str>, Option<Digest>) {
        let mut about = (None, None);
        for (_, place) in &self.places {
            match place {
                Place::Tag(tag) | Place::Reference(Reference::Tag(tag)) => about.0 = Some(tag.as_str()),
                Place::Reference(Reference::Digest(digest)) | Place::Digest(digest) => about.1 = Some(*digest),
                Place::Subject(name) => about.0 = Some(name.as_str()),
                Place::Number(_, text) => about.0 = Some(text.as_str()),
                Place::Project(_) | Place::Format(_) | Place::Repository(_) => {}
            }
        }
        about
    }
}

impl Place {
    fn read(name: &str, text: &str, formats: &[FormatName]) -> Result<Self, Problem> {
        fn parse<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Problem> {
            text.parse().map_err(Problem::invalid)
        }
        Ok(match name {
            "project" => Self::Project(parse(text)?),
            "format" => Self::Format(format_named(text, formats)?),
            "repository" => Self::Repository(parse(text)?),
            "tag" => Self::Tag(parse(text)?),
            "reference" => Self::Reference(parse(text)?),
            "digest" => Self::Digest(parse(text)?),
            "user" | "group" | "robot" | "member" | "rule" | "key" | "snapshot" => Self::Subject(parse(text)?),
            _ => match text.parse() {
                Ok(number) => Self::Number(number, text.to_owned()),
                Err(_) => return Err(Problem::invalid(format!("{text:?} is not the number of a {name}"))),
            },
        })
    }
}

/// The format of this name, if this server has it.
pub(super) fn format_named(text: &str, formats: &[FormatName]) -> Result<FormatName, Problem> {
    formats.iter().copied().find(|format| format.as_str() == text).ok_or_else(|| {
        let known: Vec<_> = formats.iter().map(|format| format.as_str()).collect();
        Problem::invalid(format!("there is no format {text:?} here, only {}", known.join(", ")))
    })
}

fn read_query(endpoint: &Endpoint, query: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
    let mut read: Vec<(String, String)> = Vec::new();
    for (name, value) in query_pairs(query) {
        if value.contains('\0') {
            return Err(Problem::invalid(format!("the parameter {name} holds a NUL character")));
        }
        let known = || endpoint.query.iter().map(|(name, _)| *name);
        if !known().any(|known| known == name) {
            let problem = Problem::invalid(format!("unknown parameter {name:?}"));
            return Err(match nearest(&name, known()) {
                Some(meant) => problem.hint(format!("did you mean {meant:?}?")),
                None => problem,
            });
        }
        if read.iter().any(|(known, _)| *known == name) {
            return Err(Problem::invalid(format!("the parameter {name:?} is given twice")));
        }
        read.push((name.into_owned(), value.into_owned()));
    }
    Ok(read)
}

/// What a handler reads out of the call. Asking for a place that the row does not have is a mistake of this program.
impl Ask<'_> {
    fn place(&self, name: &str) -> Option<&Place> {
        self.permit.op().place(name)
    }

    /// Who asks, for what is written down about it.
    pub(super) fn actor(&self) -> Actor {
        Actor::new(self.permit.identity(), self.context.origin())
    }

    /// `{project}`.
    pub(super) fn project(&self) -> Result<&ProjectName, Problem> {
        self.permit.op().project().ok_or_else(|| missing("project"))
    }

    /// `{format}/{repository+}`.
    pub(super) fn repository(&self) -> Result<Target, Problem> {
        let found = self.permit.op().repository().map(|(format, name)| Target::new(format, name.clone()));
        found.ok_or_else(|| missing("repository"))
    }

    /// `{user}`, `{group}`, `{robot}`, `{member}`, `{rule}`, `{key}` or `{snapshot}`.
    pub(super) fn subject(&self, name: &str) -> Result<&SubjectName, Problem> {
        match self.place(name) {
            Some(Place::Subject(subject)) => Ok(subject),
            _ => Err(missing(name)),
        }
    }

    /// `{tag}`.
    pub(super) fn tag(&self) -> Result<&Tag, Problem> {
        match self.place("tag") {
            Some(Place::Tag(tag)) => Ok(tag),
            _ => Err(missing("tag")),
        }
    }

    /// `{reference}`.
    pub(super) fn reference(&self) -> Result<&Reference, Problem> {
        match self.place("reference") {
            Some(Place::Reference(reference)) => Ok(reference),
            _ => Err(missing("reference")),
        }
    }

    /// `{digest}`.
    pub(super) fn digest(&self) -> Result<&Digest, Problem> {
        match self.place("digest") {
            Some(Place::Digest(digest)) => Ok(digest),
            _ => Err(missing("digest")),
        }
    }

    /// A place that holds a number.
    pub(super) fn number(&self, name: &str) -> Result<i64, Problem> {
        match self.place(name) {
            Some(Place::Number(number, _)) => Ok(*number),
            _ => Err(missing(name)),
        }
    }

    /// A parameter of the query, parsed.
    pub(super) fn parameter<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        let given = self.permit.op().query.iter().find(|(known, _)| known == name);
        given.map(|(_, value)| value.parse().map_err(|error| Problem::invalid(format!("{name}: {error}")))).transpose()
    }
}

fn missing(name: &str) -> Problem {
    Problem::internal(format!("a row of the API's table has no place {{{name}}}"))
}
