//! What use cases say no with, as problems. The domain does not know HTTP, so this is the one table between them.

use http::StatusCode;
use wharf_auth::IdentityError;
use wharf_core::Error;

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
            // The API has no uploads and makes no indexes: these would be mistakes of this program.
            _ => Self::internal(&error),
        }
    }
}
