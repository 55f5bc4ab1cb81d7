//! The caller's own account.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_auth::{Presented, Subject};

use super::answer::Done;
use super::body::{Json, Nothing};
use super::endpoint::Ask;
use super::problem::Problem;

/// Who the caller is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Whoami {
    /// The name.
    name: String,
    /// `user` or `robot`.
    kind: &'static str,
    /// By what the caller proved it.
    credential: String,
    /// The server roles a user holds itself; null for a robot.
    server_roles: Option<Vec<String>>,
}

/// A new password, and the old one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordChange {
    /// The password to have from now on.
    new: String,
    /// The password until now.
    old: String,
}

pub(super) async fn whoami(ask: Ask<'_>, _: Nothing) -> Result<Json<Whoami>, Problem> {
    let identity = ask.permit.identity();
    let (kind, server_roles) = match identity.subject() {
        Subject::User { name, .. } => ("user", Some(ask.core.auth().user(name).await?.server_roles)),
        Subject::Robot { .. } => ("robot", None),
        Subject::Anonymous | Subject::System(_) => ("nobody", None),
    };
    Ok(Json(Whoami { name: identity.subject().name(), kind, credential: identity.credential(), server_roles }))
}

/// A token that got lost must not lock its owner out, so the old password has to be shown, and counts as a guess if it is wrong.
pub(super) async fn change_password(ask: Ask<'_>, body: Json<PasswordChange>) -> Result<Done, Problem> {
    let Subject::User { name, .. } = ask.permit.identity().subject() else {
        return Err(Problem::invalid("only users have passwords; a robot's secret is rotated by its project"));
    };
    let Json(PasswordChange { new, old }) = body;
    let shown = Presented::Basic { user: name.as_str(), password: &old };
    let owner = ask.core.sign_in(shown, ask.context.source()).await;
    let owner = owner.map_err(|rejected| match rejected {
        wharf_auth::Rejected::BadCredentials => {
            Problem::new(http::StatusCode::FORBIDDEN, "forbidden", "the old password is not the one you have")
        }
        other => other.into(),
    })?;
    ask.core.auth().set_password(&owner, &ask.context.origin(), name, &new).await?;
    Ok(Done)
}
