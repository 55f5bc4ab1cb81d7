//! What use cases say no with, as problems. The domain does not know HTTP, so this is the one table between them.

use http::StatusCode;
use wharf_auth::IdentityError;
use wharf_core::{Error, KeyError, RuleError, SecondThought, SnapshotError};

use super::problem::Problem;

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        match &error {
            IdentityError::NoSuch { .. } => Self::not_found(&error),
            IdentityError::Taken { .. } => Self::conflict("exists", &error),
            IdentityError::Invalid(_) => Self::invalid(&error),
            IdentityError::LastAdministrator => Self::conflict("refused", &error),
            IdentityError::NotAllowed(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", &error),
            IdentityError::Busy(wait) => Self::busy(&error, *wait),
            IdentityError::Database(cause) if cause.is_unavailable() => Self::unavailable(&error),
            IdentityError::Database(cause) if cause.is_full() => Self::full(&error),
            IdentityError::Database(_) => Self::internal(&error),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if error.is_unavailable() {
            return Self::unavailable(&error);
        }
        if error.is_full() {
            return Self::full(&error);
        }
        match &error {
            Error::ProjectUnknown(_)
            | Error::RepositoryUnknown(_)
            | Error::BlobUnknown(_)
            | Error::ManifestUnknown(_)
            | Error::UploadUnknown(_)
            | Error::FileUnknown(_) => Self::not_found(&error),
            Error::ProjectExists(_) | Error::PackageExists { .. } => Self::conflict("exists", &error),
            Error::ProjectNotEmpty(_) => Self::conflict("not-empty", &error),
            Error::BlobInUse { .. } | Error::PurgeBreaks(_) | Error::PurgeIndexed { .. } => {
                Self::conflict("in-use", &error)
            }
            Error::PurgeGoesOn => {
                Self::conflict("under-way", &error).hint("`wharf purge --list` shows when it is done")
            }
            Error::ScrubOff => Self::conflict("off", &error)
                .hint("set scrub.rate to the bytes a second that may be read, and restart the server"),
            Error::Rule(rule) => rule.into(),
            Error::Key(key) => key.into(),
            Error::Snapshot(snapshot) => snapshot.into(),
            Error::NotPublished(_) => Self::new(StatusCode::CONFLICT, "refused", &error),
            Error::SecondThought(thought) => thought.into(),
            // The API has no uploads and makes no indexes: these would be mistakes of this program.
            _ => Self::internal(&error),
        }
    }
}

impl From<&RuleError> for Problem {
    fn from(error: &RuleError) -> Self {
        match error {
            RuleError::Immutable { .. } => Self::conflict("immutable", error)
                .hint("leave the tag as it is and use another, or ask a maintainer of the project to change the rule"),
            RuleError::Exists(_) => Self::conflict("exists", error).hint("remove it first: a rule is not changed"),
            RuleError::Unknown(_) => Self::not_found(error),
            RuleError::TooMany(_) | RuleError::TooManyExclusions(_) => Self::invalid(error),
        }
    }
}

impl From<&SnapshotError> for Problem {
    fn from(error: &SnapshotError) -> Self {
        match error {
            SnapshotError::Unknown(_) => Self::not_found(error),
            SnapshotError::Exists(_) => Self::conflict("exists", error),
            SnapshotError::Published(_) => Self::conflict("in-use", error),
            SnapshotError::NoIndex(_) => Self::conflict("refused", error),
        }
    }
}

impl From<&KeyError> for Problem {
    fn from(error: &KeyError) -> Self {
        match error {
            KeyError::Invalid(_) | KeyError::TooMany(_) => Self::invalid(error),
            KeyError::Unknown(_) => Self::not_found(error),
            KeyError::Exists(_) => Self::conflict("exists", error),
            KeyError::Last => Self::conflict("refused", error),
        }
    }
}

impl From<&SecondThought> for Problem {
    fn from(error: &SecondThought) -> Self {
        use SecondThought as S;
        match error {
            S::NoEntry(_) => Self::not_found(error),
            S::Ended { .. } | S::ContentGone(_) => Self::new(StatusCode::GONE, "gone", error),
            S::NameTaken(_) => Self::conflict("exists", error).hint("say another name: --as NAME, `as` in the API"),
            S::ProjectGone(_) => Self::conflict("refused", error).hint("say a name in a project that is there (`as`)"),
            S::NotRenamed(_) => Self::invalid(error),
            S::RepositoryDeleted { entry: Some(entry), .. } => {
                Self::conflict("refused", error).hint(format!("it is the entry {entry}"))
            }
            S::RepositoryDeleted { entry: None, .. } => Self::new(StatusCode::GONE, "gone", error),
            S::TagTaken { .. } => Self::conflict("exists", error).hint("say `force_tags` to move it back all the same"),
            S::NothingBefore(_) => Self::conflict("refused", error).hint("say to which digest (`to`)"),
            S::ManifestGone(_) => Self::new(StatusCode::GONE, "gone", error).hint("push it again"),
            S::MayNotRestore { .. } => Self::new(StatusCode::FORBIDDEN, "forbidden", error),
        }
    }
}
