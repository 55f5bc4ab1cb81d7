//! What went wrong with a bucket, in words that name no secret.

use std::error::Error as _;
use std::io;

use object_store::Error as StoreError;

use super::Config;
use crate::{Error, ObjectKey};

/// Why a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is missing or wrong.
    #[error("{setting} {problem}")]
    Setting {
        /// Its key.
        setting: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The bucket is of a layout that this version does not know.
    #[error("the bucket has an unknown layout {0:?}: was it written by a newer Wharf, or by something else?")]
    UnknownLayout(String),
    /// It writes though the condition of a write does not hold, or knows no such conditions.
    #[error(
        "the object store does not keep to the conditions of a write (If-Match, If-None-Match), so two servers could back up into one \
         place at once: {0}"
    )]
    Unconditional(String),
    /// It does not answer, or not as it should.
    #[error("the object store cannot be used: {0}")]
    Unusable(String),
}

impl OpenError {
    pub(super) fn setting(section: &str, setting: &str, problem: impl Into<String>) -> Self {
        Self::Setting { setting: format!("{section}.{setting}"), problem: problem.into() }
    }

    /// The client could not be made.
    pub(super) fn configured(error: &StoreError) -> Self {
        Self::Unusable(said(error))
    }

    /// The first requests did not go well: which setting says so?
    pub(crate) fn met(error: &StoreError, config: &Config) -> Self {
        let (said, Config { section, bucket, .. }) = (said(error), config);
        match error {
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => Self::setting(
                section,
                "access_key",
                format!(
                    "or {section}.secret_key is refused for bucket {bucket}, or may not read, write, list and delete there: {said}"
                ),
            ),
            StoreError::NotFound { .. } => {
                Self::setting(section, "bucket", format!("names {bucket}, which is not there: {said}"))
            }
            // Of a bucket in another region.
            _ if said.contains("Redirect") || said.contains("redirect") => {
                Self::setting(section, "region", format!("is not the one of bucket {bucket}: {said}"))
            }
            _ if !has_status(&said) => Self::setting(section, "endpoint", format!("cannot be reached: {said}")),
            _ => Self::Unusable(said),
        }
    }
}

fn has_status(said: &str) -> bool {
    said.contains("status code")
}

/// A failure of an object.
pub(super) fn failed(key: &ObjectKey, error: &StoreError) -> Error {
    match error {
        StoreError::NotFound { .. } => Error::NotFound(key.clone()),
        _ => failure(error),
    }
}

/// A failure that is nobody's in particular.
pub(super) fn failure(error: &StoreError) -> Error {
    let said = said(error);
    if is_full(&said) { Error::Full(said) } else { Error::Unavailable(io::Error::other(said)) }
}

/// Whether that is said of a store without room.
pub(crate) fn is_full(said: &str) -> bool {
    ["status code: 507", "XMinioStorageFull", "QuotaExceeded"].iter().any(|full| said.contains(full))
}

/// Whether the multipart upload is not there any more, or is not what we took it for.
pub(crate) fn is_lost(error: &StoreError) -> bool {
    let lost = ["NoSuchUpload", "InvalidPart", "InvalidBlockList", "InvalidBlobOrBlock"];
    matches!(error, StoreError::NotFound { .. }) || lost.iter().any(|code| error.to_string().contains(code))
}

/// Whether the store knows no conditional put.
pub(crate) fn is_unknown(error: &StoreError) -> bool {
    matches!(error, StoreError::NotImplemented { .. } | StoreError::NotSupported { .. })
        || error.to_string().contains("status code: 501")
}

/// Whether the range lies beyond the end. The last is what the library says of a store that answers with nothing of it.
pub(super) fn is_beyond(error: &StoreError) -> bool {
    let text = error.to_string();
    ["status code: 416", "InvalidRange", "Wanted range starting at"].iter().any(|beyond| text.contains(beyond))
}

/// The error with its causes. A query may sign something, and a body may repeat what was signed: neither is shown.
pub(crate) fn said(error: &StoreError) -> String {
    let mut text = shown(&error.to_string());
    let mut cause = error.source();
    while let Some(error) = cause {
        let deeper = shown(&error.to_string());
        if error.source().is_none() && !text.contains(&deeper) {
            text = format!("{text}: {deeper}");
        }
        cause = error.source();
    }
    text
}

fn shown(text: &str) -> String {
    const MOST: usize = 400;
    let (head, body) = text.find('<').map_or((text, ""), |at| text.split_at(at));
    let words = head.split(' ').map(|word| match word.split_once('?') {
        Some((url, _)) if url.contains("://") => format!("{url}?…"),
        _ => word.to_owned(),
    });
    let mut shown: String =
        words.collect::<Vec<_>>().join(" ").trim_end_matches([' ', ':']).chars().take(MOST).collect();
    for tag in ["Code", "Message"] {
        if let Some(inside) = element(body, tag) {
            shown = format!("{shown}: {}", inside.chars().take(MOST).collect::<String>());
        }
    }
    shown
}

fn element<'a>(xml: &'a str, tag: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{tag}>"))?;
    Some(rest.split_once(&format!("</{tag}>"))?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_neither_queries_nor_bodies() {
        let text = "Generic S3 error: Error performing PUT http://host/b/k?uploadId=a&X-Amz-Signature=secret in 1ms - \
                    Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code>\
                    <Message>No.</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
        let error = StoreError::Generic { store: "S3", source: text.into() };
        let said = said(&error);
        assert!(said.contains("403 Forbidden: SignatureDoesNotMatch: No."), "{said}");
        assert!(said.contains("http://host/b/k?…"), "{said}");
        assert!(!said.contains("secret") && !said.contains("AKIA"), "{said}");
    }
}
