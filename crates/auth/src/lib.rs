//! Who are you, may you.
//!
//! A request goes through here twice: [`Auth::authenticate`] turns what the client showed into an [`Identity`], and
//! [`Auth::authorize`] turns an [`Operation`] into a [`Permit`] for it, which is what handlers take.
//!
//! Tokens say who and at most what, never what is allowed: grants are looked up at every request, in copies that are valid for
//! one state ("epoch") of identities. So a revocation counts at once on every replica, and nothing is ever stale.

mod access;
mod account;
mod accounts;
mod admin;
mod auth;
mod authenticate;
mod authorize;
mod config;
mod identity;
mod instance;
mod jwt;
mod key;
mod limit;
mod password;
mod pattern;
mod permit;
mod proof;
mod refusal;
mod role;
mod scope;
mod secret;
mod throttle;
mod tokens;
mod usage;
mod visibility;

pub use access::{Access, Operation, ServerVerb, Verb};
pub use admin::bootstrap::Bootstrap;
pub use admin::grantee::Grantee;
pub use admin::grants::GrantInfo;
pub use admin::groups::Group;
pub use admin::htpasswd::{Imported, RefusedLine};
pub use admin::robots::{NewRobot, Robot, RobotSecret};
pub use admin::tokens::{NewToken, TokenInfo};
pub use admin::users::{NewUser, User};
pub use admin::{IdentityError, Page};
pub use auth::Auth;
pub use config::{Config, Hashing, Throttling};
pub use identity::{Caller, Identity, Origin, Presented, Subject};
pub use instance::{KeyRefused, bind_instance_key};
pub use key::{InstanceKey, InvalidKey, Unsealable};
pub use limit::Limit;
pub use pattern::{InvalidPattern, Pattern};
pub use permit::Permit;
pub use refusal::{Refused, Rejected};
pub use role::{Role, ServerRole, UnknownRole};
pub use scope::{Scope, parse_scope};
pub use secret::Secret;
pub use tokens::RegistryToken;
pub use visibility::Visibility;
