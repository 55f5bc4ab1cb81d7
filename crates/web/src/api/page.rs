//! Lists by key: `limit` and `after` in, `items` and `next` out.

use serde::Serialize;
use utoipa::ToSchema;

use super::endpoint::{Ask, Parameter};
use super::problem::Problem;

/// What every list takes.
pub(super) const PAGE: [Parameter; 2] = [LIMIT, AFTER];
/// How many items.
pub(super) const LIMIT: Parameter = ("limit", "How many items at most: 1 to 1000, 100 if not said.");
/// Where to go on.
pub(super) const AFTER: Parameter = ("after", "The `next` of the page before.");

const USUAL: usize = 100;
const MOST: usize = 1000;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// The items.
    pub(super) items: Vec<T>,
    /// Where the next page begins, to be given as `after`; null on the last page.
    pub(super) next: Option<String>,
}

/// What a request asks of a list.
pub(super) struct Page {
    pub(super) after: String,
    pub(super) limit: usize,
}

impl<T> List<T> {
    /// A page that auth made.
    pub(super) fn of<R: Into<T>>(page: wharf_auth::Page<R>) -> Self {
        Self { items: page.items.into_iter().map(Into::into).collect(), next: page.next }
    }

    /// A list that is never long.
    pub(super) fn whole<R: Into<T>>(rows: Vec<R>) -> Self {
        Self { items: rows.into_iter().map(Into::into).collect(), next: None }
    }
}

impl Page {
    pub(super) fn of(ask: &Ask<'_>) -> Result<Self, Problem> {
        let limit = ask.parameter::<usize>("limit")?.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::invalid(format!("limit: {limit} is not between 1 and {MOST}")));
        }
        Ok(Self { after: ask.parameter("after")?.unwrap_or_default(), limit })
    }

    /// `after` as a number, for lists that go by one.
    pub(super) fn after_number(&self) -> Result<Option<i64>, Problem> {
        if self.after.is_empty() {
            return Ok(None);
        }
        self.after
            .parse()
            .map(Some)
            .map_err(|_| Problem::invalid(format!("after: {:?} is not a `next` of this list", self.after)))
    }

    /// How many to read: one more than are shown, which tells whether there is another page.
    pub(super) fn wanted(&self) -> usize {
        self.limit + 1
    }

    /// The page made of the rows read, each shown by `show` and found again by its `key`.
    pub(super) fn list<R, T>(&self, mut rows: Vec<R>, key: impl Fn(&R) -> String, show: impl FnMut(R) -> T) -> List<T> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = rows.last().filter(|_| more).map(key);
        List { items: rows.into_iter().map(show).collect(), next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_the_next_one_only_if_there_is_one() {
        let page = Page { after: String::new(), limit: 2 };
        let next = |rows: Vec<i32>| page.list(rows, i32::to_string, |row| row).next;
        assert_eq!((next(vec![1, 2, 3]), next(vec![1, 2]), next(vec![])), (Some("2".to_owned()), None, None));
    }
}
