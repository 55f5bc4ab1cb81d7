//! The HTTP half of the format contract. A format implements [`Protocol`]; [`Mounted`] turns it into a [`Door`] that the
//! listener can dispatch to. What every format needs of HTTP (ranges, paging, conditional requests, bodies, credentials)
//! is here once.

mod body;
mod conditional;
mod content;
mod context;
mod credentials;
mod door;
mod failure;
mod page;
mod path;
mod protocol;
mod range;
mod setup;

pub use body::{Body, BodyError, ReadError, announced, bytes, chunks, empty, exactly, hand_out, read_up_to, stream};
pub use conditional::is_unchanged;
pub use content::{ASK_AGAIN, Content, FOR_EVER, OutOfRange, package};
pub use context::Context;
pub use credentials::{Credentials, InvalidCredentials};
pub use door::{Door, Handled, Mounted, Understanding};
pub use failure::{Particulars, core_status, failure, instead_of_message};
pub use page::{InvalidPage, Page};
pub use path::{decode_segment, peer_repository, query_pairs};
pub use protocol::{Answer, Protocol, Refusal, Scheme};
pub use range::{ByteRange, Part};
pub use setup::setup_page;
