//! Names and values of Wharf. Every type here is parsed or refused: holding one is proof that it is well formed.
//! No I/O, no async, no knowledge of HTTP or of any format.

mod digest;
mod media_type;
mod name;
mod reference;
mod time;

pub use digest::{Algorithm, Digest, InvalidDigest};
pub use media_type::{InvalidMediaType, MediaType};
pub use name::{DEFAULT_PROJECT, FormatName, InvalidName, ProjectName, RepoName, SubjectName};
pub use reference::{InvalidReference, InvalidTag, Reference, Tag};
pub use time::{Clock, Timestamp};
