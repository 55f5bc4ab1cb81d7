//! Times as they are typed.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use wharf_types::{Clock, Timestamp};

use crate::config::span;

/// A time with its unit: `30s`, `5m`, `24h`, `90d`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span(Duration);

/// When something ends: a time from now, or a point in time (RFC 3339).
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Expiry(Timestamp);

/// When something was: a time before now, or a point in time (RFC 3339).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(span) = span(text) {
            return Ok(Self(Clock::system().now().before(span)));
        }
        let point = text.parse::<Timestamp>().map(Self);
        point.map_err(|_| {
            format!("{text} is neither a time before now such as 7d nor a point such as 2030-12-31T00:00:00Z")
        })
    }
}

impl Deref for Span {
    type Target = Duration;

    fn deref(&self) -> &Duration {
        &self.0
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        span(text).map(Self).ok_or_else(|| format!("{text} is not a time such as 30s, 5m, 24h or 90d"))
    }
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(span) = span(text) {
            return Ok(Self(Clock::system().now().after(span)));
        }
        let point = serde_json::from_value(serde_json::Value::from(text));
        point.map(Self).map_err(|_| {
            format!("{text} is neither a time from now such as 90d nor a point such as 2030-12-31T00:00:00Z")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_before_now_or_a_point_in_time() {
        let past: Moment = "7d".parse().unwrap();
        assert!(Clock::system().now().since(past.0) >= Duration::from_secs(7 * 24 * 3600));
        let point: Moment = "2030-12-31T00:00:00+01:00".parse().unwrap();
        assert_eq!(point.to_string(), "2030-12-30T23:00:00.000Z");
        assert!("yesterday".parse::<Moment>().is_err());
    }

    #[test]
    fn an_end_is_a_time_from_now_or_a_point_in_time() {
        let soon: Expiry = "90d".parse().unwrap();
        assert!(soon.0.since(Clock::system().now()) > Duration::from_secs(89 * 24 * 3600));
        let point: Expiry = "2030-12-31T00:00:00Z".parse().unwrap();
        assert_eq!(point.0.to_string(), "2030-12-31T00:00:00.000Z");
        assert!("soon".parse::<Expiry>().is_err() && "90".parse::<Expiry>().is_err());
    }
}
