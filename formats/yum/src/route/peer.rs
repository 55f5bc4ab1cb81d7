//! The addresses that clients of other servers know. What is read there is what is read at our own.

use http::Method;
use wharf_wire::peer_repository;

use super::{Head, own, repository};
use crate::operation::Dialect;
use crate::{Error, Op};

/// What a registry of Gitea begins with when it has no group.
const NO_GROUP: [&str; 8] =
    ["upload", "package", "repodata", "Packages", "repository.key", "mirrorlist", super::ZSTD_DOOR, super::FIXED_DOOR];

pub(super) fn parse(request: &Head<'_>, segments: &[&str]) -> Result<Op, Error> {
    match segments {
        ["api", "packages", owner, "rpm.repo"] => request.reads(Op::ReadRepoFile { name: repository(owner, "rpm")? }),
        ["api", "packages", owner, "rpm", group @ .., file]
            if file.ends_with(".repo") && !group.contains(&"package") =>
        {
            let last = file.trim_end_matches(".repo");
            let group: Vec<&str> = group.iter().copied().chain([last]).collect();
            request.reads(Op::ReadRepoFile { name: repository(owner, &group.join("-"))? })
        }
        ["api", "packages", owner, "rpm", rest @ ..] => gitea(request, owner, rest),
        // Asked to write its metadata anew: they are.
        ["artifactory", "api", "yum", name] if request.method == Method::POST => {
            Ok(Op::Reindex { name: peer_repository(name)? })
        }
        ["artifactory", name, path @ .., file] => {
            // Properties of Artifactory stand behind the name; there is nothing that they could say of a package.
            let file = file.split(';').next().unwrap_or_default();
            let path: Vec<&str> = path.iter().copied().chain([file]).collect();
            folder(request, name, &path, Dialect::Artifactory)
        }
        ["repository", name, path @ ..] => folder(request, name, path, Dialect::Nexus),
        ["service", "rest", "v1", "components"] => {
            let name = request.param("repository").ok_or(Error::NoSuchPath)?;
            match *request.method {
                Method::POST => {
                    Ok(Op::AddPackage { name: peer_repository(&name)?, dialect: Dialect::Form, wait: request.waits() })
                }
                _ => Err(Error::NoSuchPath),
            }
        }
        _ => Err(Error::NoSuchPath),
    }
}

/// `<owner>/rpm`, or `<owner>/<group>`: the segments of a group are joined, for ours are one.
fn gitea(request: &Head<'_>, owner: &str, rest: &[&str]) -> Result<Op, Error> {
    let begin = rest.iter().position(|segment| NO_GROUP.contains(segment)).ok_or(Error::NoSuchPath)?;
    let (group, rest) = rest.split_at(begin);
    let name = repository(owner, &if group.is_empty() { "rpm".to_owned() } else { group.join("-") })?;
    match rest {
        ["upload"] => request.add(name, Dialect::Gitea),
        ["package", package, version, arch] | ["package", package, version, arch, _] => {
            let path = crate::package::path_of(package, version, arch).ok_or(Error::NoSuchPath)?;
            match *request.method {
                Method::GET | Method::HEAD => Ok(Op::ReadPackage { name, path }),
                Method::DELETE => Ok(Op::RemovePackage { name, path, wait: request.waits() }),
                _ => Err(Error::MethodNotAllowed("GET, HEAD, DELETE")),
            }
        }
        _ => own(request, name, rest),
    }
}

/// A tree of folders, with metadata in one of them: at whatever depth, they are those of the whole repository.
fn folder(request: &Head<'_>, name: &str, path: &[&str], dialect: Dialect) -> Result<Op, Error> {
    let is_package = path.last().is_some_and(|file| file.ends_with(".rpm"));
    let metadata = path.iter().position(|segment| *segment == "repodata");
    match metadata {
        Some(begin) => own(request, peer_repository(name)?, &path[begin..]),
        None if is_package => request.package(peer_repository(name)?, path, dialect),
        None => Err(Error::NoSuchPath),
    }
}
