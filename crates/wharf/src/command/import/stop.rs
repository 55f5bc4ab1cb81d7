//! What goes wrong: with one thing, so that the others go on, or with all.

use std::fmt;

use crate::failure::Failure;

/// Why one thing is not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct One(String);

/// Why something ends.
#[derive(Debug)]
pub(super) enum Stop {
    /// This thing is not imported; others may be.
    One(One),
    /// Nothing more can be.
    All(Failure),
}

impl One {
    /// With its reason.
    pub(super) fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl fmt::Display for One {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A stranger's words reach a terminal.
        self.0.chars().try_for_each(|c| fmt::Write::write_char(f, if c.is_control() { ' ' } else { c }))
    }
}

impl From<One> for Stop {
    fn from(one: One) -> Self {
        Self::One(one)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::All(failure)
    }
}

/// The end of something that stands for all of it.
pub(super) fn all(stop: Stop, what: &str) -> Failure {
    match stop {
        Stop::One(one) => Failure::new(format!("{what}: {one}")),
        Stop::All(failure) => failure,
    }
}
