//! What ChartMuseum's API tells of charts: lists, versions, templates, values.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response};
use serde_json::Value;
use wharf_core::{Core, ListEntry, Package, Stretch, Target};
use wharf_types::RepoName;
use wharf_wire::{Body, bytes, empty};

use crate::add::json;
use crate::archive;
use crate::index::entry;
use crate::package::{KIND, SEPARATOR, path, text};
use crate::version::Version;
use crate::{Call, Error, yaml};

/// Charts read at once.
const PAGE: usize = 200;
/// The newest version that is no prerelease.
const LATEST: &str = "latest";
/// Most bytes of a file that is handed out of a chart; Helm reads no larger ones.
const LARGEST_FILE: u64 = 5 * 1024 * 1024;
/// Most bytes of all of them.
const LARGEST_ANSWER: usize = 20 * 1024 * 1024;

/// Before everything that begins with the name and [`SEPARATOR`], and behind it.
fn bounds(name: &str) -> (String, String) {
    let behind = char::from_u32(u32::from(SEPARATOR) + 1).unwrap_or(SEPARATOR);
    (format!("{name}{SEPARATOR}"), format!("{name}{behind}"))
}

fn stretch(from: String, until: Option<String>) -> Stretch {
    Stretch { kind: KIND.to_owned(), from, until, ..Stretch::default() }
}

fn told(listed: &ListEntry) -> Result<Value, Error> {
    entry(&listed.package, &listed.fragment).map_err(broken)
}

fn broken(error: serde_json::Error) -> Error {
    Error::Core(wharf_core::Error::Inconsistent(format!("what was kept of a chart: {error}")))
}

/// A list of charts on its way out.
struct Listing {
    core: Core,
    target: Target,
    from: String,
    /// Names to pass over, and to tell at most.
    offset: usize,
    limit: usize,
    /// The chart that is being told, and whether it is.
    name: Option<(String, bool)>,
    begun: bool,
    ended: bool,
}

impl Listing {
    /// The next piece of the answer.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.ended {
            return Ok(None);
        }
        let page = self.core.listed(&self.target, &stretch(self.from.clone(), None), PAGE).await?;
        let mut text = if std::mem::replace(&mut self.begun, true) { String::new() } else { "{".to_owned() };
        self.ended = page.len() < PAGE;
        if let Some(last) = page.last() {
            // Before every other position that is behind this one.
            self.from = format!("{}\u{1}", last.position);
        }
        for listed in &page {
            if !self.tell(listed, &mut text)? {
                self.ended = true;
                break;
            }
        }
        if self.ended {
            text.push_str(if matches!(self.name, Some((_, true))) { "]}" } else { "}" });
        }
        Ok(Some(text.into()))
    }

    /// False if there is nothing more to be told.
    fn tell(&mut self, listed: &ListEntry, text: &mut String) -> Result<bool, Error> {
        let name = &listed.package.name;
        if self.name.as_ref().is_none_or(|(known, _)| known != name) {
            let told_before = matches!(self.name, Some((_, true)));
            let passed = self.offset > 0;
            if !passed && self.limit == 0 {
                return Ok(false);
            }
            if passed {
                self.offset -= 1;
            } else {
                self.limit -= 1;
                text.push_str(if told_before { "]," } else { "" });
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push_str(":[");
            }
            self.name = Some((name.clone(), !passed));
        } else if matches!(self.name, Some((_, true))) {
            text.push(',');
        }
        if matches!(self.name, Some((_, true))) {
            text.push_str(&told(listed)?.to_string());
        }
        Ok(true)
    }
}

/// What is read out of a chart.
#[derive(Default)]
struct Inside {
    templates: Vec<Value>,
    values: Option<String>,
}

impl Call<'_> {
    /// All charts by name, as the index has them; read and sent piece by piece.
    pub(crate) async fn list(
        &self,
        name: &RepoName,
        (offset, limit): (usize, Option<usize>),
        head: &Parts,
    ) -> Result<Response<Body>, Error> {
        let (core, target) = (self.core.clone(), self.target(name));
        let (from, name, limit) = (String::new(), None, limit.unwrap_or(usize::MAX));
        let mut listing = Listing { core, target, from, offset, limit, name, begun: false, ended: false };
        // Now, so that what goes wrong is said before an answer has begun.
        let first = listing.next().await?.unwrap_or_default();
        let rest = stream::unfold(listing, |mut listing| async move {
            let next = listing.next().await.map_err(|error| io::Error::other(error.to_string())).transpose()?;
            listing.ended |= next.is_err();
            Some((next, listing))
        });
        let body = stream::once(async move { Ok(first) }).chain(rest);
        let body = if head.method == Method::HEAD { empty() } else { wharf_wire::stream(Box::pin(body)) };
        let mut response = Response::new(body);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    /// All versions of a chart, the newest first.
    pub(crate) async fn versions(&self, name: &RepoName, chart: &str) -> Result<Response<Body>, Error> {
        let (mut from, until) = bounds(chart);
        let mut all = Vec::new();
        loop {
            let page = self.core.listed(&self.target(name), &stretch(from, Some(until.clone())), PAGE).await?;
            let Some(last) = page.last() else { break };
            from = format!("{}\u{1}", last.position);
            for listed in &page {
                all.push(told(listed)?);
            }
            if page.len() < PAGE {
                break;
            }
        }
        if all.is_empty() { Err(Error::ChartUnknown) } else { Ok(json(&Value::Array(all))) }
    }

    pub(crate) async fn describe(&self, name: &RepoName, chart: &str, version: &str) -> Result<Response<Body>, Error> {
        let (package, fragment) = self.find(name, chart, version).await?;
        Ok(json(&entry(&package, &fragment).map_err(broken)?))
    }

    async fn find(&self, name: &RepoName, chart: &str, version: &str) -> Result<(Package, Vec<u8>), Error> {
        let unknown = || Error::VersionUnknown(chart.to_owned(), version.to_owned());
        let target = self.target(name);
        if version == LATEST {
            return self.latest(&target, chart).await?.ok_or_else(unknown);
        }
        match self.core.package_with(&target, &path(chart, version), KIND).await {
            // A file name may be read in two ways where a version begins with digits and a dash.
            Ok((package, Some(fragment))) if package.name == chart => Ok((package, fragment)),
            Ok(_) | Err(wharf_core::Error::FileUnknown(_)) => Err(unknown()),
            Err(error) => Err(error.into()),
        }
    }

    async fn latest(&self, target: &Target, chart: &str) -> Result<Option<(Package, Vec<u8>)>, Error> {
        let (mut from, until) = bounds(chart);
        loop {
            let page = self.core.listed(target, &stretch(from, Some(until.clone())), PAGE).await?;
            let Some(last) = page.last() else { return Ok(None) };
            from = format!("{}\u{1}", last.position);
            let stable = |listed: &ListEntry| listed.package.version.parse::<Version>().is_ok_and(|v| v.is_stable());
            if let Some(found) = page.into_iter().find(stable) {
                return Ok(Some((found.package, found.fragment)));
            }
        }
    }

    pub(crate) async fn remove_version(
        &self,
        name: &RepoName,
        chart: &str,
        version: &str,
    ) -> Result<Response<Body>, Error> {
        // The version as it was written: what `latest` is may change between two looks.
        if version == LATEST {
            return Err(Error::VersionUnknown(chart.to_owned(), version.to_owned()));
        }
        let (package, _) = self.find(name, chart, version).await?;
        self.remove(name, &package.path).await
    }

    pub(crate) async fn templates(&self, name: &RepoName, chart: &str, version: &str) -> Result<Response<Body>, Error> {
        let Inside { templates, values } = self.inside(name, chart, version, true).await?;
        let values = values.map_or(Ok(Value::Null), |text| yaml::read(&text));
        let values = values.map_err(|error| {
            Error::Core(wharf_core::Error::PackageInvalid(format!("values.yaml cannot be read: {error}")))
        })?;
        Ok(json(&serde_json::json!({ "templates": templates, "values": values })))
    }

    pub(crate) async fn values(&self, name: &RepoName, chart: &str, version: &str) -> Result<Response<Body>, Error> {
        let values = self.inside(name, chart, version, false).await?.values.ok_or(Error::NotInChart("values.yaml"))?;
        let mut response = Response::new(bytes(values));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(crate::index::MEDIA_TYPE));
        Ok(response)
    }

    async fn inside(&self, name: &RepoName, chart: &str, version: &str, templates: bool) -> Result<Inside, Error> {
        let (package, _) = self.find(name, chart, version).await?;
        let blob = self.core.package(&self.target(name), &package.path).await?;
        let read = self.core.read_package(&blob, move |file| {
            let wanted = |path: &str| {
                (path == "values.yaml" || templates && path.starts_with("templates/")).then_some(LARGEST_FILE)
            };
            let (mut inside, mut total) = (Inside::default(), 0);
            let kept = archive::walk(file, wanted, |path, content| {
                total += content.len();
                if total > LARGEST_ANSWER {
                    return Err(wharf_core::InspectError("the chart's templates are too large to be told".to_owned()));
                }
                if path == "values.yaml" {
                    inside.values = Some(text(path, content)?);
                } else {
                    inside.templates.push(serde_json::json!({ "name": path, "data": STANDARD.encode(content) }));
                }
                Ok(())
            });
            kept.map(|()| inside).map_err(io::Error::other)
        });
        let read = read.await?;
        read.map_err(|error| Error::Core(wharf_core::Error::PackageInvalid(error.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_of_a_chart_hold_its_versions_and_no_other_chart() {
        let (from, until) = bounds("a");
        let version: Version = "1.0.0".parse().unwrap();
        let at = |name: &str| format!("{name} {}", version.newest_first());
        assert!(from < at("a") && at("a") < until);
        assert!(until < at("a-b") && until < at("a.b") && until < at("aa") && at("Z") < from);
    }
}
