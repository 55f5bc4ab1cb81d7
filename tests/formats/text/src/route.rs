//! From a request's head to an operation.

use http::Method;
use http::request::Parts;
use wharf_types::{ProjectName, RepoName};
use wharf_wire::{decode_segment, peer_repository, query_pairs};

use crate::index::{IN_RELEASE, INDEX, INDEX_SIGNATURES, RELEASE, RELEASE_SIGNATURES};
use crate::{Channel, Error, KeyForm, Op};

/// Where packages go whose upload names no channel.
const DEFAULT_CHANNEL: &str = "main";

/// What a request asks for.
pub(crate) fn parse(head: &Parts) -> Result<Op, Error> {
    let segments: Option<Vec<_>> = head.uri.path().split('/').skip(1).map(decode_segment).collect();
    let segments = segments.ok_or(Error::BadPath)?;
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    let (name, rest) = match segments.as_slice() {
        ["text", project, name, rest @ ..] => (repository(project, name)?, rest),
        // Where clients of Gitea's package registry look.
        ["api", "packages", project, "text", name, rest @ ..] => (repository(project, name)?, rest),
        // Where clients of Nexus upload: what the file is called says that it is for this format.
        ["repository", name, channel, file] if file.ends_with(".txt") => {
            let request = Head { method: &head.method, query: head.uri.query() };
            return request.add(peer_repository(name)?, channel);
        }
        _ => return Err(Error::NoSuchPath),
    };
    let request = Head { method: &head.method, query: head.uri.query() };
    match rest {
        ["key"] => request.reads().map(|()| Op::ReadKeys { name, form: KeyForm::Lines }),
        ["key.asc"] => request.reads().map(|()| Op::ReadKeys { name, form: KeyForm::Armored }),
        ["key.gpg"] => request.reads().map(|()| Op::ReadKeys { name, form: KeyForm::Binary }),
        ["setup"] => request.reads().map(|()| Op::ReadSetup { name }),
        ["upload"] => request.add(name, &request.param("channel").unwrap_or_else(|| DEFAULT_CHANNEL.to_owned())),
        [channel, "upload"] => request.add(name, channel),
        [channel, "packages", file] => request.package(name, channel.parse()?, file),
        [channel, "by-hash", algorithm, hex] => {
            request.reads()?;
            let _: Channel = channel.parse()?;
            Ok(Op::ReadIndexByHash { name, digest: format!("{algorithm}:{hex}").parse()? })
        }
        [channel, file] => {
            let files = [INDEX, INDEX_SIGNATURES, RELEASE, RELEASE_SIGNATURES, IN_RELEASE];
            let file = files.into_iter().find(|known| known == file).ok_or(Error::NoSuchPath)?;
            request.reads()?;
            Ok(Op::ReadIndex { name, channel: channel.parse()?, file })
        }
        _ => Err(Error::NoSuchPath),
    }
}

fn repository(project: &str, name: &str) -> Result<RepoName, Error> {
    let project: ProjectName = project.parse()?;
    Ok(RepoName::of(&project, name)?)
}

struct Head<'a> {
    method: &'a Method,
    query: Option<&'a str>,
}

impl Head<'_> {
    fn reads(&self) -> Result<(), Error> {
        if matches!(*self.method, Method::GET | Method::HEAD) {
            Ok(())
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

    fn add(&self, name: RepoName, channel: &str) -> Result<Op, Error> {
        match *self.method {
            Method::PUT | Method::POST => Ok(Op::AddPackage { name, channel: channel.parse()?, wait: self.waits() }),
            _ => Err(Error::MethodNotAllowed("PUT, POST")),
        }
    }

    fn package(&self, name: RepoName, channel: Channel, file: &str) -> Result<Op, Error> {
        let path = format!("{channel}/packages/{file}");
        match *self.method {
            Method::GET | Method::HEAD => Ok(Op::ReadPackage { name, path }),
            Method::DELETE => Ok(Op::RemovePackage { name, channel, path, wait: self.waits() }),
            _ => Err(Error::MethodNotAllowed("GET, HEAD, DELETE")),
        }
    }
}

#[cfg(test)]
mod tests;
