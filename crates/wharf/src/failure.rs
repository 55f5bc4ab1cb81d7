//! Why a command failed, and what the process says of it.

use std::fmt;
use std::process::ExitCode;

/// The end of a command that did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Failed,
    Passing,
    Usage,
}

/// What every command returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// It was tried and did not work.
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Failed, message: message.to_string(), hint: None }
    }

    /// It did not work now, and may the next time.
    #[must_use]
    pub(crate) fn passing(self) -> Self {
        Self { kind: Kind::Passing, ..self }
    }

    /// Whether the same may work the next time.
    pub(crate) fn may_pass(&self) -> bool {
        self.kind == Kind::Passing
    }

    /// It was asked for in a way that cannot be tried.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Usage, message: message.to_string(), hint: None }
    }

    /// What to do about it.
    #[must_use]
    pub(crate) fn hint(self, hint: impl fmt::Display) -> Self {
        Self { hint: Some(hint.to_string()), ..self }
    }

    /// What to do about it, where nothing else was said.
    #[must_use]
    pub(crate) fn or_hint(self, hint: impl fmt::Display) -> Self {
        if self.hint.is_some() { self } else { self.hint(hint) }
    }

    /// What happened, without what to do about it.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// 1 if it failed, 2 if it was wrongly asked for.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self.kind {
            Kind::Failed | Kind::Passing => ExitCode::from(1),
            Kind::Usage => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::new(error)
    }
}
