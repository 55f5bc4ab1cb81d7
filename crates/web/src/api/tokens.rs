//! Personal tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_auth::{Limit, Subject};
use wharf_types::{SubjectName, Timestamp};

use super::answer::{Created, Done};
use super::body::{Json, Nothing};
use super::endpoint::Ask;
use super::page::{List, Page};
use super::problem::Problem;

/// A personal token. Its secret is shown only when it is made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Token {
    /// By which it is revoked.
    id: i64,
    /// What its owner calls it.
    name: String,
    /// How its secret begins.
    hint: String,
    /// At most what it may be used for; null for all that its owner may.
    #[schema(value_type = Option<Vec<TokenLimit>>)]
    limits: Option<Vec<Limit>>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when on it is no good.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was last used, to a few seconds.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

/// These verbs on repositories whose full names match. A token may do what any of its limits covers, and never more than its
/// owner.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used: the limit itself belongs to auth")]
pub(super) struct TokenLimit {
    /// A pattern over full names: `team/**`, `team/web/*`, `default/app`.
    repositories: String,
    /// `pull`, `push`, `delete`, `configure`, `govern`, `read-audit`.
    verbs: Vec<String>,
}

impl From<wharf_auth::TokenInfo> for Token {
    fn from(token: wharf_auth::TokenInfo) -> Self {
        let wharf_auth::TokenInfo { id, name, hint, limits, created_at, expires_at, last_used_at } = token;
        Self { id, name, hint, limits, created_at, expires_at, last_used_at }
    }
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// What its owner calls it.
    name: String,
    /// At most what it may be used for; without, all that its owner may.
    #[schema(value_type = Option<Vec<TokenLimit>>)]
    limits: Option<Vec<Limit>>,
    /// From when on it is no good; without, it lasts.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A token that was made, with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeToken {
    /// The token.
    token: Token,
    /// Its secret: a password for registries, a bearer token for the API.
    secret: String,
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Token>>, Problem> {
    of_user(&ask, own(&ask)?).await
}

pub(super) async fn create(ask: Ask<'_>, Json(new): Json<NewToken>) -> Result<Created<MadeToken>, Problem> {
    let NewToken { name, limits, expires_at } = new;
    let new = wharf_auth::NewToken { name, limits, expires_at };
    let (token, secret) = ask.core.auth().create_token(ask.permit.identity(), &ask.context.origin(), new).await?;
    let path = format!("/api/v1/account/tokens/{}", token.id);
    Ok(Created(path, MadeToken { token: token.into(), secret: secret.reveal().to_owned() }))
}

pub(super) async fn revoke(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    end(&ask, own(&ask)?).await
}

pub(super) async fn list_of_user(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Token>>, Problem> {
    of_user(&ask, ask.subject("user")?).await
}

pub(super) async fn revoke_of_user(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    end(&ask, ask.subject("user")?).await
}

/// A user has 200 tokens at most, so they are read at once and paged here.
async fn of_user(ask: &Ask<'_>, user: &SubjectName) -> Result<Json<List<Token>>, Problem> {
    let page = Page::of(ask)?;
    let after = page.after_number()?.unwrap_or_default();
    let mut tokens = ask.core.auth().tokens(user).await?;
    tokens.retain(|token| token.id > after);
    tokens.sort_unstable_by_key(|token| token.id);
    Ok(Json(page.list(tokens, |token| token.id.to_string(), Token::from)))
}

async fn end(ask: &Ask<'_>, user: &SubjectName) -> Result<Done, Problem> {
    let id = ask.number("token")?;
    ask.core.auth().revoke_token(ask.permit.identity(), &ask.context.origin(), user, id).await?;
    Ok(Done)
}

fn own<'a>(ask: &'a Ask<'_>) -> Result<&'a SubjectName, Problem> {
    match ask.permit.identity().subject() {
        Subject::User { name, .. } => Ok(name),
        _ => Err(Problem::invalid("only users have personal tokens; a robot's secret is rotated by its project")),
    }
}
