//! What is noted: sign-ins, refusals, pulls, reads of what administrators read, and changes that came to nothing.

use std::fmt::Display;

use wharf_auth::{Access, Identity, Operation, Origin, Permit, Presented, Refused, Rejected, ServerVerb, Verb};
use wharf_types::{Digest, FormatName, RepoName};

use super::line::{Attempt, Outcome, Reason, Seen, Source};
use crate::repository::Target;
use crate::{AccessCounts, Core};

/// What is done with a credential that was not seen of late.
const LOGIN: &str = "login";

impl Core {
    /// Who presents this. Notes who signed in, and who tried to: a credential that is shown for the first time, or from an address that
    /// it was not shown from of late, is a login.
    ///
    /// # Errors
    /// As [`Auth::authenticate`](wharf_auth::Auth::authenticate).
    pub async fn sign_in(&self, presented: Presented<'_>, source: Source<'_>) -> Result<Identity, Rejected> {
        match self.inner.auth.authenticate(presented, source.address).await {
            Ok(identity) => {
                if self.inner.accesses.is_login(&identity, source.address, self.inner.clock.now()) {
                    self.note(&Seen::new(&identity, LOGIN, Outcome::Done, source));
                }
                Ok(identity)
            }
            Err(rejected) => {
                // On the heap, so that it does not make the task of every request larger.
                Box::pin(self.turned_away(presented, &rejected, source)).await;
                Err(rejected)
            }
        }
    }

    async fn turned_away(&self, presented: Presented<'_>, rejected: &Rejected, source: Source<'_>) {
        let Some(outcome) = Outcome::rejected(rejected) else { return };
        let (nobody, kind) = (Identity::nobody(self.inner.clock.now()), presented.kind());
        let meant = self.inner.auth.account_meant(presented).await;
        let seen = Seen::new(&nobody, LOGIN, outcome, source).about(meant.as_deref(), None);
        self.note(&Seen { presented: Some(&kind), ..seen });
    }

    /// Notes that a token was made for somebody who showed another credential.
    pub fn issued_token(&self, identity: &Identity, source: Source<'_>) {
        if !identity.is_anonymous() {
            self.note(&Seen::new(identity, "token.issue", Outcome::Done, source));
        }
    }

    /// Notes that a refresh token was made, which goes on where the other one ends.
    pub fn issued_refresh(&self, identity: &Identity, source: Source<'_>) {
        self.note(&Seen::new(identity, "refresh-token.issue", Outcome::Done, source));
    }

    /// Notes that a refresh token was refused.
    pub fn refused_refresh(&self, rejected: &Rejected, source: Source<'_>) {
        let Some(outcome) = Outcome::rejected(rejected) else { return };
        let nobody = Identity::nobody(self.inner.clock.now());
        self.note(&Seen { presented: Some("refresh token"), ..Seen::new(&nobody, LOGIN, outcome, source) });
    }

    /// Whether `identity` may do `op`, and the proof of it. Notes refusals, and who reads what is not for everyone.
    ///
    /// # Errors
    /// As [`Auth::authorize`](wharf_auth::Auth::authorize).
    pub async fn admit<O: Operation>(
        &self,
        identity: &Identity,
        op: O,
        source: Source<'_>,
    ) -> Result<Permit<O>, Refused> {
        match self.inner.auth.judge(identity, op).await {
            Ok(permit) => {
                if is_worth_noting(&permit.op().access()) {
                    self.note_call(identity, permit.op(), Outcome::Done, source);
                }
                Ok(permit)
            }
            Err(refusal) => {
                let (op, refused) = *refusal;
                // Every client begins without a credential: being asked for one is no refusal.
                let first = identity.is_anonymous() && !identity.has_registry_token();
                if let Some(outcome) = Outcome::refused(&refused).filter(|_| !first) {
                    self.note_call(identity, &op, outcome, source);
                }
                Err(refused)
            }
        }
    }

    /// Notes that content was handed out, that somebody looked where a tag points, or that a blob was brought: the line of the
    /// manifest which names the blob is as durable as the manifest.
    pub fn pulled(&self, pull: &Pull<'_>, source: Source<'_>) {
        let seen = Seen::new(pull.identity, pull.action, Outcome::Done, source).repository(pull.format, pull.name);
        self.note(&seen.about(pull.tag, Some(pull.digest)));
    }

    /// Notes that somebody named a repository to mount from which is not theirs to read. The client only hears that it has to bring the
    /// blob itself.
    pub(crate) fn refused_mount(
        &self,
        identity: &Identity,
        (from, to): (&Target, &Target),
        digest: Digest,
        origin: &Origin,
    ) {
        let source = Source { address: origin.address, request_id: origin.request_id.as_deref().unwrap_or_default() };
        let seen = Seen::new(identity, "blob.mount", Outcome::Denied(Reason::Hidden), source);
        self.note(&seen.repository(from.format, &from.name).about(Some(to.name.canonical()), Some(digest)));
    }

    /// Notes that a change that was tried came to nothing, and what the client was told of it.
    pub fn failed(&self, attempt: Option<&Attempt>, status: u16, why: &dyn Display, source: Source<'_>) {
        if let Some(attempt) = attempt {
            // What was malformed may hold secrets, and says what it holds; what is ours to mend is told elsewhere.
            let tells = [403, 404, 409, 410].contains(&status);
            let why = if tells { why.to_string() } else { String::new() };
            self.note(&attempt.failed(status, &why, source));
        }
    }

    /// What became of what was noted.
    pub fn access_counts(&self) -> AccessCounts {
        self.inner.accesses.counts()
    }

    fn note_call<O: Operation>(&self, identity: &Identity, op: &O, outcome: Outcome, source: Source<'_>) {
        let access = op.access();
        let (subject, digest) = op.about();
        self.note(&Seen::new(identity, op.action(), outcome, source).at(&access).about(subject, digest));
    }

    fn note(&self, seen: &Seen<'_>) {
        self.inner.accesses.note(seen, self.inner.clock.now());
    }
}

/// Content that was handed out, or brought.
#[derive(Debug, Clone, Copy)]
pub struct Pull<'a> {
    /// To or by whom.
    pub identity: &'a Identity,
    /// The operation's name.
    pub action: &'static str,
    /// Of which format.
    pub format: FormatName,
    /// Out of or into which repository.
    pub name: &'a RepoName,
    /// By which tag or path, if by one.
    pub tag: Option<&'a str>,
    /// What.
    pub digest: Digest,
}

fn is_worth_noting(access: &Access<'_>) -> bool {
    matches!(
        access,
        Access::Server(ServerVerb::ReadAudit | ServerVerb::ListIdentities)
            | Access::Project { verb: Verb::ReadAudit, .. }
    )
}
