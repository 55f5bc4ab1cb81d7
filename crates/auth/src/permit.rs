//! Permission as a value one must hold.

use crate::{Identity, Operation};

/// Proof that `O` was asked for by somebody who may do it. Handlers take one instead of the bare operation, so a handler
/// that forgot to ask does not compile. Only [`Auth::authorize`](crate::Auth::authorize) makes one.
#[derive(Debug)]
#[must_use]
pub struct Permit<O> {
    op: O,
    identity: Identity,
    creates_project: bool,
}

impl<O: Operation> Permit<O> {
    pub(crate) fn new(op: O, identity: Identity, creates_project: bool) -> Self {
        Self { op, identity, creates_project }
    }

    /// A permit for the server's own jobs, which act for nobody. Never to be called with anything a client sent.
    pub fn bypassing_every_check(op: O, job: &'static str) -> Self {
        Self { op, identity: Identity::system(job), creates_project: false }
    }

    /// The operation.
    pub fn op(&self) -> &O {
        &self.op
    }

    /// Who may do it.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether this is a push into a project that did not exist, by somebody who may create it. Whoever carries the push out
    /// creates the project, with the pusher as its owner unless that is an administrator.
    pub fn creates_project(&self) -> bool {
        self.creates_project
    }

    /// The same permission for a part of the operation, to hand to another layer. `part` must not ask for more than `O` did.
    pub fn narrowed<P: Operation>(self, part: impl FnOnce(O) -> P) -> Permit<P> {
        Permit { op: part(self.op), identity: self.identity, creates_project: self.creates_project }
    }

    /// The operation and who asked.
    pub fn into_parts(self) -> (O, Identity) {
        (self.op, self.identity)
    }
}
