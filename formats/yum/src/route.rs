//! From a request's head to an operation.

mod peer;

use http::Method;
use http::request::Parts;
use wharf_types::{Digest, ProjectName, RepoName};
use wharf_wire::{decode_segment, query_pairs};

use crate::index::{REPOMD, REPOMD_ASC, REPOMD_ZSTD, REPOMD_ZSTD_ASC};
use crate::operation::Dialect;
use crate::package::place_of;
use crate::{Error, Extra, Op};

/// A second door to the same repository, whose metadata are compressed with Zstandard.
pub(crate) const ZSTD_DOOR: &str = "zstd";

/// A door to a repository as one repomd.xml has it, which is named by its SHA-256. A client that reads that, its signature and what it
/// names here is not disturbed by what is published meanwhile.
pub(crate) const FIXED_DOOR: &str = "at";

/// What a request asks for.
pub(crate) fn parse(head: &Parts) -> Result<Op, Error> {
    let segments: Option<Vec<_>> = head.uri.path().split('/').skip(1).map(decode_segment).collect();
    let segments = segments.ok_or(Error::BadPath)?;
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    let request = Head { method: &head.method, query: head.uri.query() };
    match segments.as_slice() {
        ["yum", project, name, rest @ ..] => own(&request, repository(project, name)?, rest),
        _ => peer::parse(&request, &segments),
    }
}

fn repository(project: &str, name: &str) -> Result<RepoName, Error> {
    let project: ProjectName = project.parse()?;
    Ok(RepoName::of(&project, name)?)
}

/// Our own addresses.
fn own(request: &Head<'_>, name: RepoName, rest: &[&str]) -> Result<Op, Error> {
    match rest {
        ["upload"] => request.add(name, Dialect::Own),
        ["settings"] => match *request.method {
            Method::GET | Method::HEAD => Ok(Op::ReadSettings { name }),
            Method::PUT => Ok(Op::WriteSettings { name, forget: false }),
            Method::DELETE => Ok(Op::WriteSettings { name, forget: true }),
            _ => Err(Error::MethodNotAllowed("GET, HEAD, PUT, DELETE")),
        },
        ["setup"] => request.reads(Op::ReadSetup { name }),
        [ZSTD_DOOR, "mirrorlist"] => request.reads(Op::ReadMirrorList { name, file: REPOMD_ZSTD }),
        ["mirrorlist"] => request.reads(Op::ReadMirrorList { name, file: REPOMD }),
        [FIXED_DOOR, hex, "repodata", "repomd.xml"] => request.reads(Op::ReadRepomdAt { name, digest: sha256(hex)? }),
        [FIXED_DOOR, hex, "repodata", "repomd.xml.asc"] => {
            request.reads(Op::ReadSignatureAt { name, digest: sha256(hex)? })
        }
        ["key.asc" | "repository.key" | "repomd.xml.key"] | [.., "repodata", "repomd.xml.key"] => {
            request.reads(Op::ReadKeys { name })
        }
        [ZSTD_DOOR, "repodata", "repomd.xml.asc"] => request.reads(Op::ReadIndex { name, file: REPOMD_ZSTD_ASC }),
        ["repodata", "repomd.xml.asc"] => request.reads(Op::ReadIndex { name, file: REPOMD_ASC }),
        [FIXED_DOOR, _, "repodata", file] => request.index(name, file),
        [ZSTD_DOOR, "repodata", "repomd.xml"] => request.reads(Op::ReadIndex { name, file: REPOMD_ZSTD }),
        ["repodata", "repomd.xml"] => request.reads(Op::ReadIndex { name, file: REPOMD }),
        [ZSTD_DOOR, "repodata", file] | ["repodata", file] => request.index(name, file),
        ["info", path @ ..] => request.reads(Op::DescribePackage { name, path: place(path)? }),
        ["advisories"] => match *request.method {
            Method::POST => Ok(Op::AddAdvisory { name, wait: request.waits() }),
            _ => Err(Error::MethodNotAllowed("POST")),
        },
        [file] | [_, file] if let Some(extra) = Extra::of_file(file) => request.extra(name, extra, rest),
        [part, id] if let Some(extra) = Extra::of_part(part) => match *request.method {
            Method::DELETE => Ok(Op::RemoveExtra { name, extra, id: (*id).to_owned(), wait: request.waits() }),
            _ => Err(Error::MethodNotAllowed("DELETE")),
        },
        [file] if file.ends_with(".repo") => request.reads(Op::ReadRepoFile { name }),
        [FIXED_DOOR, _, path @ ..] | [ZSTD_DOOR, path @ ..] | path => request.package(name, path, Dialect::Own),
    }
}

/// Where the file lies that a path asks for: packages lie where their own names say, whatever folder somebody has put them into.
fn place(path: &[&str]) -> Result<String, Error> {
    match path {
        ["Packages", _, _] | ["Packages", _, _, _] => Ok(path.join("/")),
        [.., file] => place_of(file).ok_or(Error::NoSuchPath),
        [] => Err(Error::NoSuchPath),
    }
}

fn sha256(hex: &str) -> Result<Digest, Error> {
    format!("sha256:{hex}").parse().map_err(|_| Error::NoSuchPath)
}

struct Head<'a> {
    method: &'a Method,
    query: Option<&'a str>,
}

impl Head<'_> {
    fn reads(&self, op: Op) -> Result<Op, Error> {
        if matches!(*self.method, Method::GET | Method::HEAD) {
            Ok(op)
        } else {
            Err(Error::MethodNotAllowed("GET, HEAD"))
        }
    }

    fn param(&self, wanted: &str) -> Option<String> {
        query_pairs(self.query).find(|(key, _)| key == wanted).map(|(_, value)| value.into_owned())
    }

    fn waits(&self) -> bool {
        self.param("wait").is_some_and(|value| value == "1")
    }

    fn add(&self, name: RepoName, dialect: Dialect) -> Result<Op, Error> {
        match *self.method {
            Method::PUT | Method::POST => Ok(Op::AddPackage { name, dialect, wait: self.waits() }),
            _ => Err(Error::MethodNotAllowed("PUT, POST")),
        }
    }

    /// `<SHA-256>-primary.xml.gz`.
    fn index(&self, name: RepoName, file: &str) -> Result<Op, Error> {
        let (hex, file) = file.split_once('-').ok_or(Error::NoSuchPath)?;
        self.reads(Op::ReadIndexByHash { name, digest: sha256(hex)?, file: file.to_owned() })
    }

    /// `updateinfo.xml`; or `mine/comps.xml`, which is kept beside those of other names.
    fn extra(&self, name: RepoName, extra: Extra, path: &[&str]) -> Result<Op, Error> {
        let called = match path {
            [called, _] => Some((*called).to_owned()),
            _ => None,
        };
        match *self.method {
            Method::PUT | Method::POST => Ok(Op::AddExtra { name, extra, called, wait: self.waits() }),
            Method::GET | Method::HEAD if called.is_none() => Ok(Op::ReadIndex { name, file: extra.file() }),
            _ if called.is_none() => Err(Error::MethodNotAllowed("GET, HEAD, PUT, POST")),
            _ => Err(Error::MethodNotAllowed("PUT, POST")),
        }
    }

    fn package(&self, name: RepoName, path: &[&str], dialect: Dialect) -> Result<Op, Error> {
        match *self.method {
            // Whatever folder and name: the package says itself where it belongs.
            Method::PUT if path.last().is_some_and(|file| file.ends_with(".rpm")) => self.add(name, dialect),
            Method::GET | Method::HEAD => Ok(Op::ReadPackage { name, path: place(path)? }),
            Method::DELETE => Ok(Op::RemovePackage { name, path: place(path)?, wait: self.waits() }),
            _ if path.is_empty() => Err(Error::NoSuchPath),
            _ => Err(Error::MethodNotAllowed("GET, HEAD, PUT, DELETE")),
        }
    }
}

#[cfg(test)]
mod tests;
