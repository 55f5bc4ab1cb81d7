//! From a request's head to an operation.
//!
//! A repository's name has two segments or more, so what follows it is found from its end: `index.yaml`, a file of `charts/`, and
//! ChartMuseum's API, which begins at the first `api` behind the second segment.

use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use wharf_types::RepoName;
use wharf_wire::{decode_segment, peer_repository, query_pairs};

use crate::index::INDEX;
use crate::operation::{Dialect, Kind};
use crate::{Error, Op};

/// What a request asks for.
pub(crate) fn parse(head: &Parts) -> Result<Op, Error> {
    let raw: Vec<&str> = head.uri.path().split('/').skip(1).collect();
    // GitLab's projects have a slash in their one segment; everywhere else it is none.
    if let ["api", "v4", "projects", project, "packages", "helm", rest @ ..] = raw.as_slice() {
        let project = percent_decode_str(project).decode_utf8().map_err(|_| Error::BadPath)?;
        return gitlab(head, &project, &decoded(rest)?);
    }
    let segments = decoded(&raw)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        // ChartMuseum with several repositories, under our mount.
        ["helm", "api", project, rest @ .., "charts" | "prov"] if !rest.is_empty() => {
            let [.., last] = segments[..] else { return Err(Error::NoSuchPath) };
            let name = named(&[&[*project][..], rest].concat())?;
            museum(head, name, &["api", last])
        }
        ["helm", rest @ ..] => own(head, rest),
        ["api", "packages", owner, "helm", rest @ ..] => {
            let name = named(&[*owner, "helm"])?;
            match rest {
                // Gitea has its charts beside the index.
                [file] if *file != INDEX => self::file(head, name, file, Dialect::Museum),
                _ => museum(head, name, rest),
            }
        }
        ["service", "rest", "v1", "components"] => {
            let name = param(head.uri.query(), "repository").ok_or(Error::NoSuchPath)?;
            peer(head, &name, &[], Dialect::Nexus)
        }
        ["repository", name, rest @ ..] => peer(head, name, rest, Dialect::Nexus),
        ["artifactory", "api", "helm", name, rest @ ..] => peer(head, name, rest, Dialect::Artifactory),
        ["artifactory", name, rest @ ..] => peer(head, name, rest, Dialect::Artifactory),
        _ => Err(Error::NoSuchPath),
    }
}

fn decoded(segments: &[&str]) -> Result<Vec<String>, Error> {
    let decoded: Option<Vec<_>> = segments.iter().map(|segment| decode_segment(segment)).collect();
    Ok(decoded.ok_or(Error::BadPath)?.into_iter().map(Into::into).collect())
}

fn named(segments: &[&str]) -> Result<RepoName, Error> {
    Ok(segments.join("/").parse()?)
}

/// `/helm/<project>/<repository…>/…`.
fn own(head: &Parts, segments: &[&str]) -> Result<Op, Error> {
    let api = segments.iter().skip(2).position(|segment| *segment == "api").map(|at| at + 2);
    let end = match segments {
        [.., INDEX] => segments.len() - 1,
        _ if api.is_some() => api.unwrap_or_default(),
        [_, _, .., "charts", _] => segments.len() - 2,
        [.., _] => segments.len() - 1,
        [] => 0,
    };
    if end < 2 {
        return Err(Error::NoSuchPath);
    }
    let (name, rest) = segments.split_at(end);
    let name = named(name)?;
    match rest {
        [file] if *file != INDEX && is_chart(file) => self::file(head, name, file, Dialect::Museum),
        _ => museum(head, name, rest),
    }
}

/// GitLab: a channel is a repository of the project.
fn gitlab(head: &Parts, project: &str, rest: &[String]) -> Result<Op, Error> {
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match rest.as_slice() {
        ["api", channel, "charts"] => museum(head, named(&[project, channel])?, &["api", "charts"]),
        [channel, rest @ ..] => museum(head, named(&[project, channel])?, rest),
        [] => Err(Error::NoSuchPath),
    }
}

/// Nexus and Artifactory: repositories of one segment, in which a colon parts project and name; files in any folder.
fn peer(head: &Parts, name: &str, rest: &[&str], dialect: Dialect) -> Result<Op, Error> {
    let name = peer_repository(name)?;
    match rest {
        [] | [""] if dialect == Dialect::Nexus && head.method == Method::POST => {
            add(head, name, Kind::Chart, None, dialect)
        }
        [INDEX] => museum(head, name, rest),
        // Properties behind the name are for Artifactory itself.
        [.., file] => self::file(head, name, file.split(';').next().unwrap_or(file), dialect),
        [] => Err(Error::NoSuchPath),
    }
}

fn museum(head: &Parts, name: RepoName, rest: &[&str]) -> Result<Op, Error> {
    let reads = || if is_read(&head.method) { Ok(()) } else { Err(Error::MethodNotAllowed("GET, HEAD")) };
    let owned = |chart: &str, version: &str| (chart.to_owned(), version.to_owned());
    match rest {
        [INDEX] => reads().map(|()| Op::ReadIndex { name }),
        ["setup"] => reads().map(|()| Op::ReadSetup { name }),
        ["health"] => reads().map(|()| Op::Health { name }),
        ["charts", file] => self::file(head, name, file, Dialect::Museum),
        ["api", "charts"] => match head.method {
            Method::GET | Method::HEAD => list(head, name),
            Method::POST => add(head, name, Kind::Chart, None, Dialect::Museum),
            _ => Err(Error::MethodNotAllowed("GET, HEAD, POST")),
        },
        ["api", "prov"] => match head.method {
            Method::POST => add(head, name, Kind::Provenance, None, Dialect::Museum),
            _ => Err(Error::MethodNotAllowed("POST")),
        },
        ["api", "charts", chart] => reads().map(|()| Op::ReadChart { name, chart: (*chart).to_owned() }),
        ["api", "charts", chart, version] => {
            let (chart, version) = owned(chart, version);
            match head.method {
                Method::GET | Method::HEAD => Ok(Op::ReadVersion { name, chart, version }),
                Method::DELETE => Ok(Op::RemoveVersion { name, chart, version }),
                _ => Err(Error::MethodNotAllowed("GET, HEAD, DELETE")),
            }
        }
        ["api", "charts", chart, version, "templates"] => {
            let (chart, version) = owned(chart, version);
            reads().map(|()| Op::ReadTemplates { name, chart, version })
        }
        ["api", "charts", chart, version, "values"] => {
            let (chart, version) = owned(chart, version);
            reads().map(|()| Op::ReadValues { name, chart, version })
        }
        _ => Err(Error::NoSuchPath),
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn is_chart(file: &str) -> bool {
    file.ends_with(".tgz") || file.ends_with(".tgz.prov")
}

/// A file by its name, which lies in `charts/` whatever URL leads to it.
fn file(head: &Parts, name: RepoName, file: &str, dialect: Dialect) -> Result<Op, Error> {
    if !is_chart(file) {
        return Err(Error::NoSuchPath);
    }
    let path = format!("charts/{file}");
    let kind = if file.ends_with(".prov") { Kind::Provenance } else { Kind::Chart };
    match head.method {
        Method::GET | Method::HEAD => Ok(Op::ReadFile { name, path }),
        Method::PUT => add(head, name, kind, Some(file.to_owned()), dialect),
        Method::DELETE => Ok(Op::RemoveFile { name, path }),
        _ => Err(Error::MethodNotAllowed("GET, HEAD, PUT, DELETE")),
    }
}

fn add(head: &Parts, name: RepoName, kind: Kind, file: Option<String>, dialect: Dialect) -> Result<Op, Error> {
    let query = head.uri.query();
    // ChartMuseum's clients send `?force` without a value.
    let force = param(query, "force").is_some_and(|value| !matches!(value.as_str(), "0" | "false"));
    let wait = param(query, "wait").is_some_and(|value| value == "1");
    Ok(Op::Add { name, kind, file, force, wait, dialect })
}

fn list(head: &Parts, name: RepoName) -> Result<Op, Error> {
    let number = |key: &'static str| {
        let value = param(head.uri.query(), key).filter(|value| !value.is_empty());
        value.map(|value| value.parse().map_err(|_| Error::BadNumber(key))).transpose()
    };
    Ok(Op::ListCharts { name, offset: number("offset")?.unwrap_or_default(), limit: number("limit")? })
}

fn param(query: Option<&str>, wanted: &str) -> Option<String> {
    query_pairs(query).find(|(key, _)| key == wanted).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests;
