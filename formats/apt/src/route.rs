//! From a request's head to an operation.

mod matrix;

use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use wharf_types::{Algorithm, Digest, ProjectName, RepoName};
use wharf_wire::{decode_segment, peer_repository, query_pairs};

use crate::name::{self, Component, Distribution};
use crate::operation::{Called, Dialect, Spot, Upload};
use crate::{Error, Op};
use matrix::Parameters;

/// What Artifactory's clients say of the file they send.
const X_CHECKSUM_SHA256: &str = "x-checksum-sha256";
/// What they ask first: to make a file of content that is here already.
const X_CHECKSUM_DEPLOY: &str = "x-checksum-deploy";

/// What a request asks for.
pub(crate) fn parse(head: &Parts) -> Result<Op, Error> {
    // Parameters belong to segments before these are decoded: an encoded semicolon is part of a name.
    let (path, parameters) = Parameters::split(head.uri.path())?;
    let request = |name, dialect| Head { head, name, dialect, parameters: &parameters };
    let raw: Vec<&str> = path.split('/').skip(1).collect();
    // GitLab's projects have a slash in their one segment; everywhere else it is none.
    if let ["api", "v4", "projects", project, "packages", "debian", rest @ ..] = raw.as_slice() {
        let project = percent_decode_str(project).decode_utf8().map_err(|_| Error::BadPath)?;
        let rest: Option<Vec<_>> = rest.iter().copied().map(decode_segment).collect();
        let rest = rest.ok_or(Error::BadPath)?;
        let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
        return request(gitlabs_repository(&project)?, Dialect::GitLab).gitlab(&rest);
    }
    let segments: Option<Vec<_>> = raw.into_iter().map(decode_segment).collect();
    let segments = segments.ok_or(Error::BadPath)?;
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    match segments.as_slice() {
        ["apt", project, name, rest @ ..] => request(repository(project, name)?, Dialect::Own).own(rest),
        ["api", "packages", owner, "debian", rest @ ..] => {
            request(repository(owner, "debian")?, Dialect::Gitea).own(rest)
        }
        ["service", "rest", "v1", "components"] if head.method == Method::POST => {
            let name = query_pairs(head.uri.query()).find(|(key, _)| key == "repository").ok_or(Error::NoSuchPath)?.1;
            request(peer_repository(&name)?, Dialect::Form).add(Vec::new(), "")
        }
        ["repository", peer, rest @ ..] => request(peer_repository(peer)?, Dialect::Nexus).shared(rest),
        ["artifactory", peer, rest @ ..] => request(peer_repository(peer)?, Dialect::Artifactory).shared(rest),
        _ => Err(Error::NoSuchPath),
    }
}

fn repository(project: &str, name: &str) -> Result<RepoName, Error> {
    let project: ProjectName = project.parse()?;
    Ok(RepoName::of(&project, name)?)
}

/// A project of GitLab has one repository: `group/project` is the repository `project` of ours. Names of ours are one segment.
fn gitlabs_repository(project: &str) -> Result<RepoName, Error> {
    match project.split_once('/') {
        Some((group, rest)) => repository(group, &rest.replace('/', "-")),
        None => repository(project, "debian"),
    }
}

struct Head<'a> {
    head: &'a Parts,
    name: RepoName,
    dialect: Dialect,
    parameters: &'a Parameters,
}

impl Head<'_> {
    /// A path that is of this format and no other.
    fn own(self, rest: &[&str]) -> Result<Op, Error> {
        if !self.parameters.is_empty() {
            return Err(Error::BadPath);
        }
        match rest {
            // The last is Gitea's name of it.
            ["key.asc" | "repository.key"] => self.keys(true),
            ["key.gpg"] => self.keys(false),
            ["setup"] => {
                self.only(self.reads(), "GET, HEAD")?;
                Ok(Op::ReadSetup { name: self.name })
            }
            ["settings"] => self.settings(None),
            ["dists", distribution @ .., "settings"] if !distribution.is_empty() => {
                let distribution = distribution.join("/").parse()?;
                self.settings(Some(distribution))
            }
            ["dists", tail @ ..] => self.index(tail),
            ["pool", tail @ ..] => self.pool(tail),
            ["incoming", file_name] => self.receive(file_name),
            _ => Err(Error::NoSuchPath),
        }
    }

    /// GitLab has its uploads beside what is read. A package whose distribution is not said waits for its .changes, as with dput.
    fn gitlab(self, rest: &[&str]) -> Result<Op, Error> {
        match rest {
            [file] if !self.reads() && *file != "settings" => {
                if is_package(file) && self.param("distribution").is_some() {
                    return self.add(Vec::new(), file);
                }
                self.receive(file)
            }
            _ => self.own(rest),
        }
    }

    /// A path that other formats may know: the name of the file says whose it is.
    fn shared(self, rest: &[&str]) -> Result<Op, Error> {
        let writes = matches!(self.head.method, Method::PUT | Method::POST);
        match (self.dialect, rest) {
            (_, ["dists", tail @ ..]) => self.index(tail),
            (Dialect::Nexus, [] | [""]) if self.head.method == Method::POST => self.add(Vec::new(), ""),
            (Dialect::Artifactory, [.., file]) if writes && is_package(file) => self.deploy(file),
            (_, ["pool", tail @ ..]) if !writes => self.pool(tail),
            _ => Err(Error::NoSuchPath),
        }
    }

    fn reads(&self) -> bool {
        matches!(self.head.method, Method::GET | Method::HEAD)
    }

    fn only(&self, allowed: bool, methods: &'static str) -> Result<(), Error> {
        if allowed { Ok(()) } else { Err(Error::MethodNotAllowed(methods)) }
    }

    fn param(&self, wanted: &str) -> Option<String> {
        query_pairs(self.head.uri.query()).find(|(key, _)| key == wanted).map(|(_, value)| value.into_owned())
    }

    /// Peers answer when the index lists the package, but for Artifactory.
    fn waits(&self) -> bool {
        let wait = self.param("wait");
        match self.dialect {
            Dialect::Gitea | Dialect::Nexus | Dialect::Form => wait.as_deref() != Some("0"),
            Dialect::Own | Dialect::Artifactory | Dialect::GitLab => wait.as_deref() == Some("1"),
        }
    }

    fn index(self, tail: &[&str]) -> Result<Op, Error> {
        if let [.., "by-hash", algorithm, hex] = tail {
            self.only(self.reads(), "GET, HEAD")?;
            let algorithm = algorithm.to_ascii_lowercase();
            return Ok(Op::ReadIndexByHash { name: self.name, digest: format!("{algorithm}:{hex}").parse()? });
        }
        let (distribution, file) = index_file(tail).ok_or(Error::NoSuchPath)?;
        self.only(self.reads(), "GET, HEAD")?;
        Ok(Op::ReadIndex { name: self.name, distribution: distribution.parse()?, file })
    }

    fn keys(self, armored: bool) -> Result<Op, Error> {
        self.only(self.reads(), "GET, HEAD")?;
        Ok(Op::ReadKeys { name: self.name, armored })
    }

    fn settings(self, distribution: Option<Distribution>) -> Result<Op, Error> {
        let wait = self.waits();
        match self.head.method {
            Method::GET | Method::HEAD => Ok(Op::ReadSettings { name: self.name, distribution }),
            Method::PUT => Ok(Op::WriteSettings { name: self.name, distribution, forget: false, wait }),
            Method::DELETE => Ok(Op::WriteSettings { name: self.name, distribution, forget: true, wait }),
            _ => Err(Error::MethodNotAllowed("GET, HEAD, PUT, DELETE")),
        }
    }

    fn pool(self, tail: &[&str]) -> Result<Op, Error> {
        match &self.head.method {
            &Method::GET | &Method::HEAD => Ok(Op::ReadFile { path: in_pool(tail)?, name: self.name }),
            &Method::DELETE => match called(tail)? {
                Some((spot, called)) => Ok(Op::Remove { wait: self.waits(), name: self.name, spot, called }),
                None => Ok(Op::RemoveFile { wait: self.waits(), path: in_pool(tail)?, name: self.name }),
            },
            &Method::POST if let Some((spot, called)) = called(tail)? => self.copy(spot, called),
            &Method::PUT | &Method::POST => {
                let [distribution @ .., component, file] = tail else { return Err(Error::NoSuchPath) };
                let spot = Spot { distribution: distribution.join("/").parse()?, component: component.parse()? };
                self.add(vec![spot], if *file == "upload" { "" } else { file })
            }
            _ => Err(Error::MethodNotAllowed("GET, HEAD, PUT, POST, DELETE")),
        }
    }

    fn copy(self, spot: Spot, called: Called) -> Result<Op, Error> {
        let distribution = self.param("to").ok_or(Error::NoDestination)?.parse()?;
        let component = self.param("component").map(|text| text.parse()).transpose()?;
        let to = Spot { distribution, component: component.unwrap_or_else(|| spot.component.clone()) };
        Ok(Op::Copy { wait: self.waits(), name: self.name, spot, called, to })
    }

    /// `distribution=` in the query, which may come several times, lists it in these too.
    fn add(self, mut spots: Vec<Spot>, file_name: &str) -> Result<Op, Error> {
        let component = self.param("component").map(|text| text.parse::<Component>()).transpose()?;
        let known = spots.first().map(|spot| spot.component.clone());
        let component = component.or(known).map_or_else(|| "main".parse(), Ok)?;
        for (_, text) in query_pairs(self.head.uri.query()).filter(|(key, _)| key == "distribution") {
            let spot = Spot { distribution: text.parse()?, component: component.clone() };
            if !spots.contains(&spot) {
                spots.push(spot);
            }
        }
        self.upload(spots, file_name, Vec::new())
    }

    /// Artifactory's upload: `x.deb;deb.distribution=a;deb.component=main;deb.architecture=amd64`.
    fn deploy(self, file_name: &str) -> Result<Op, Error> {
        if self.head.headers.get(X_CHECKSUM_DEPLOY).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"))
        {
            return Err(Error::ContentWanted);
        }
        let all = |key: &'static str| self.parameters.all(key);
        let components: Vec<Component> = all("deb.component").map(|text| text.parse()).collect::<Result<_, _>>()?;
        let mut spots = Vec::new();
        for text in all("deb.distribution") {
            let distribution: Distribution = text.parse()?;
            for component in &components {
                spots.push(Spot { distribution: distribution.clone(), component: component.clone() });
            }
        }
        let architectures: Vec<String> = all("deb.architecture").map(str::to_owned).collect();
        for architecture in &architectures {
            name::check_architecture(architecture)?;
        }
        if spots.is_empty() || architectures.is_empty() {
            return Err(Error::NoParameters);
        }
        self.upload(spots, file_name, architectures)
    }

    fn upload(self, spots: Vec<Spot>, file_name: &str, architectures: Vec<String>) -> Result<Op, Error> {
        self.only(matches!(self.head.method, Method::PUT | Method::POST), "PUT, POST")?;
        let digest = self.head.headers.get(X_CHECKSUM_SHA256).map(|value| {
            let hex = value.to_str().unwrap_or_default().to_ascii_lowercase();
            format!("{}:{hex}", Algorithm::Sha256.as_str()).parse::<Digest>()
        });
        let (file_name, wait, dialect) = (file_name.to_owned(), self.waits(), self.dialect);
        let upload = Upload { spots, file_name, architectures, digest: digest.transpose()?, wait, dialect };
        Ok(Op::Add { name: self.name, upload })
    }

    fn receive(self, file_name: &str) -> Result<Op, Error> {
        self.only(matches!(self.head.method, Method::PUT | Method::POST), "PUT, POST")?;
        let wait = self.waits();
        Ok(Op::Receive { name: self.name, file_name: file_name.to_owned(), wait })
    }
}

fn is_package(file: &str) -> bool {
    [".deb", ".udeb", ".ddeb"].iter().any(|ending| file.ends_with(ending))
}

fn in_pool(tail: &[&str]) -> Result<String, Error> {
    if tail.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
        return Err(Error::NoSuchPath);
    }
    Ok(format!("pool/{}", tail.join("/")))
}

/// Distribution and file of a path below `dists`. A distribution may have slashes, so the file is known by its end.
fn index_file(tail: &[&str]) -> Option<(String, String)> {
    let length = match tail {
        [.., "Release" | "InRelease" | "Release.gpg"] => 1,
        [.., "debian-installer", architecture, file] if architecture.starts_with("binary-") && is(file, "Packages") => {
            4
        }
        [.., architecture, file] if architecture.starts_with("binary-") && is(file, "Packages") => 3,
        [.., "source", file] if is(file, "Sources") => 3,
        [.., file] if file.starts_with("Contents-") => 2,
        _ => return None,
    };
    let (distribution, file) = tail.split_at_checked(tail.len().checked_sub(length)?)?;
    Some((distribution.join("/"), file.join("/"))).filter(|(distribution, _)| !distribution.is_empty())
}

fn is(file: &str, table: &str) -> bool {
    file.strip_prefix(table).is_some_and(|ending| ending.is_empty() || ending.starts_with('.'))
}

/// `<distribution>/<component>/<name>/<version>/<architecture>`. No file of the pool looks so.
fn called(tail: &[&str]) -> Result<Option<(Spot, Called)>, Error> {
    let [distribution @ .., component, name, version, architecture] = tail else { return Ok(None) };
    if distribution.is_empty() || (*architecture != "source" && name::check_architecture(architecture).is_err()) {
        return Ok(None);
    }
    let spot = Spot { distribution: distribution.join("/").parse()?, component: component.parse()? };
    let [name, version, architecture] = [name, version, architecture].map(|text| (*text).to_owned());
    Ok(Some((spot, Called { name, version, architecture })))
}

#[cfg(test)]
mod tests;
