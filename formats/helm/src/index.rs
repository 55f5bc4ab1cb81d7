//! `index.yaml`: put together from what each chart said of itself when it came. A piece holds charts of whole names, so that a new
//! version makes the piece of its name again and no other.

use bytes::Bytes;
use serde_json::Value;
use wharf_core::{IndexError, ListPlan, Package, Publication, Segment};
use wharf_types::{RepoName, Timestamp};

use crate::package::{KIND, SEPARATOR};
use crate::yaml;

/// The file that clients begin with.
pub(crate) const INDEX: &str = "index.yaml";

/// RFC 9512.
pub(crate) const MEDIA_TYPE: &str = "application/yaml";

/// Puts the index together.
pub(crate) async fn publish(publication: &mut Publication, piece_bytes: usize) -> Result<(), IndexError> {
    let plan = ListPlan { part: "", kind: KIND, piece_bytes, encodings: &[] };
    let mut name = String::new();
    let mut render = |package: &Package, fragment: &[u8], out: &mut Vec<u8>| {
        let mut text = String::new();
        if package.name != name {
            name.clone_from(&package.name);
            text.push_str("  ");
            yaml::scalar(&name, &mut text);
            text.push_str(":\n");
        }
        let entry = entry(package, fragment).map_err(|error| IndexError::Format(error.to_string()))?;
        list(std::slice::from_ref(&entry), 2, &mut text);
        out.extend_from_slice(text.as_bytes());
        Ok(())
    };
    let pieces = publication.list_of_groups(&plan, SEPARATOR, &mut render).await?;
    let pieces: Vec<Segment> = pieces.into_iter().map(|piece| piece.raw).collect();
    let head = Bytes::from(head(publication.repository(), pieces.is_empty()));
    if is_current(publication, &head, &pieces).await? {
        publication.keep_current();
        return Ok(());
    }
    let mut file = publication.begin(INDEX, MEDIA_TYPE).await?;
    file.push(head).await?;
    for piece in &pieces {
        file.take(piece).await?;
    }
    file.push(tail(publication.now()).into()).await?;
    publication.finish(file).await?;
    Ok(())
}

/// `contextPath` tells ChartMuseum's clients where this repository's API begins.
fn head(name: &RepoName, is_empty: bool) -> String {
    let mut head = "apiVersion: v1\nserverInfo:\n  contextPath: ".to_owned();
    yaml::scalar(&format!("/helm/{}", name.full()), &mut head);
    head.push_str(if is_empty { "\nentries: {}\n" } else { "\nentries:\n" });
    head
}

fn tail(at: Timestamp) -> String {
    format!("generated: \"{}\"\n", time(at))
}

/// The index of a repository in which nothing is.
pub(crate) fn empty(name: &RepoName, at: Timestamp) -> String {
    head(name, true) + &tail(at)
}

/// Whether nothing but the time would be new.
async fn is_current(publication: &Publication, head: &Bytes, pieces: &[Segment]) -> Result<bool, IndexError> {
    let Some((_, segments)) = publication.current(INDEX).await? else { return Ok(false) };
    let Some((_, segments)) = segments.split_last() else { return Ok(false) };
    let Some((first, segments)) = segments.split_first() else { return Ok(false) };
    Ok(segments == pieces && publication.read(first).await? == *head)
}

/// RFC 3339, as Helm reads times.
fn time(at: Timestamp) -> String {
    at.to_chrono().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// A chart as indexes and ChartMuseum's API tell it.
///
/// # Errors
/// A fragment that is no JSON object, which is never written.
pub(crate) fn entry(package: &Package, fragment: &[u8]) -> Result<Value, serde_json::Error> {
    let mut entry: serde_json::Map<String, Value> = serde_json::from_slice(fragment)?;
    entry.insert("created".to_owned(), time(package.created_at).into());
    entry.insert("digest".to_owned(), package.digest.hex().into());
    // Relative: right behind every proxy.
    entry.insert("urls".to_owned(), Value::Array(vec![package.path.clone().into()]));
    Ok(Value::Object(entry))
}

/// Block style, keys in order, lists as far in as their key: as Helm writes it.
fn list(items: &[Value], indent: usize, out: &mut String) {
    for item in items {
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => mapping(map, indent + 2, true, out),
            Value::Array(inner) if !inner.is_empty() => {
                out.push('\n');
                list(inner, indent + 2, out);
            }
            other => {
                scalar(other, out);
                out.push('\n');
            }
        }
    }
}

fn mapping(map: &serde_json::Map<String, Value>, indent: usize, mut begun: bool, out: &mut String) {
    let mut pairs: Vec<_> = map.iter().collect();
    pairs.sort_by_key(|(key, _)| key.as_str());
    for (key, value) in pairs {
        if !std::mem::take(&mut begun) {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        yaml::scalar(key, out);
        out.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                out.push('\n');
                mapping(map, indent + 2, false, out);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                list(items, indent, out);
            }
            other => {
                out.push(' ');
                scalar(other, out);
                out.push('\n');
            }
        }
    }
}

fn scalar(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => yaml::scalar(text, out),
        // JSON's way to write numbers, booleans, null and what is empty is YAML's too.
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_written_as_it_would_be_read() {
        let value = serde_json::json!({
            "version": "1.10", "name": "a", "annotations": {"x: y": "1", "text": "a\nb", "empty": ""}, "deprecated": true,
            "dependencies": [{"name": "b", "repository": "", "import-values": ["data", {"child": "c", "parent": "p"}, ["x", []], {}]}],
            "keywords": ["yes", "- a"], "maintainers": [{"name": "A"}, {}], "number": 1.5, "none": null,
        });
        let mut text = "entries:\n  a:\n".to_owned();
        list(std::slice::from_ref(&value), 2, &mut text);
        let read: Value = yaml::read(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert_eq!(read["entries"]["a"][0], value, "{text}");
    }
}
