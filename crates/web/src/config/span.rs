//! Times in a file: a number and its unit.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// Reads `"500ms"`, `"30s"`, `"5m"` or `"1h"`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| de::Error::custom(format!("{text:?} is not a time such as 500ms, 30s, 5m or 1h")))
}

fn parse(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(millis).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_needs_a_unit() {
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse("2h"), Some(Duration::from_secs(7200)));
        for text in ["", "30", "s", "-1s", "1.5s", "1 s", "99999999999999999999h"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
