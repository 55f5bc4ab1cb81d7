//! Which formats a path belongs to.

use wharf_wire::Door;

use super::AppError;

/// Paths that no format may claim, nor swallow by a prefix.
const RESERVED: [&str; 8] =
    ["/api", "/api/v1", "/api/openapi.json", "/livez", "/readyz", "/metrics", "/token", "/favicon.ico"];

/// A path prefix and who answers below it.
#[derive(Debug)]
struct Mount {
    prefix: &'static str,
    /// The prefix up to its first `*`: what rules most of them out at once.
    literal: &'static str,
    /// Numbers of doors, in the order of the list.
    doors: Vec<usize>,
    shared: bool,
}

/// All path prefixes, the most telling first.
#[derive(Debug)]
pub(super) struct Mounts(Vec<Mount>);

impl Mounts {
    pub(super) fn of(doors: &[Box<dyn Door>]) -> Result<Self, AppError> {
        let mut mounts = Self(Vec::new());
        for (index, door) in doors.iter().enumerate() {
            for (shared, prefixes) in [(false, door.mounts()), (true, door.shared_mounts())] {
                for prefix in prefixes {
                    mounts.add(prefix, index, shared)?;
                }
            }
        }
        mounts.0.sort_by_key(|mount| std::cmp::Reverse(weight(mount.prefix)));
        Ok(mounts)
    }

    fn add(&mut self, prefix: &'static str, door: usize, shared: bool) -> Result<(), AppError> {
        let prefix = prefix.trim_end_matches('/');
        let swallows = RESERVED.iter().any(|reserved| is_below(reserved, prefix));
        if swallows || !prefix.starts_with('/') || prefix.starts_with("/*") {
            return Err(AppError::MountTaken(prefix));
        }
        match self.0.iter_mut().find(|mount| mount.prefix == prefix) {
            None => self.0.push(Mount {
                prefix,
                literal: prefix.split('*').next().unwrap_or_default(),
                doors: vec![door],
                shared,
            }),
            Some(mount) if mount.shared && shared => mount.doors.push(door),
            Some(_) => return Err(AppError::MountTaken(prefix)),
        }
        Ok(())
    }

    /// Who may answer: one, or several that share the prefix; nobody.
    pub(super) fn doors(&self, path: &str) -> &[usize] {
        let answers = |mount: &&Mount| path.starts_with(mount.literal) && is_below(path, mount.prefix);
        self.0.iter().find(answers).map_or(&[], |mount| &mount.doors)
    }
}

/// More segments first, then the more literal.
fn weight(prefix: &str) -> (usize, usize) {
    let segments = prefix.split('/').count();
    (segments, segments - prefix.split('/').filter(|segment| *segment == "*").count())
}

/// Whether a path is the prefix, or below it. `*` stands for one segment that is not empty.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    if !prefix.contains('*') {
        return path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    }
    let mut segments = path.split('/');
    prefix.split('/').all(|wanted| {
        segments.next().is_some_and(|segment| if wanted == "*" { !segment.is_empty() } else { segment == wanted })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_ends_at_a_slash() {
        assert!(is_below("/v2", "/v2") && is_below("/v2/", "/v2") && is_below("/v2/a/b", "/v2"));
        assert!(!is_below("/v22", "/v2") && !is_below("/v", "/v2") && !is_below("/x/v2", "/v2"));
    }

    #[test]
    fn a_star_is_one_segment() {
        let gitea = "/api/packages/*/debian";
        assert!(is_below("/api/packages/team/debian", gitea) && is_below("/api/packages/team/debian/pool/a", gitea));
        for path in
            ["/api/packages/team/rpm", "/api/packages/debian", "/api/packages//debian", "/api/packages/a/b/debian"]
        {
            assert!(!is_below(path, gitea), "{path}");
        }
        assert!(is_below("/repository/a", "/repository/*") && !is_below("/repository/", "/repository/*"));
    }

    fn mounts(all: &[(&'static str, usize, bool)]) -> Result<Mounts, AppError> {
        let mut mounts = Mounts(Vec::new());
        for (prefix, door, shared) in all {
            mounts.add(prefix, *door, *shared)?;
        }
        mounts.0.sort_by_key(|mount| std::cmp::Reverse(weight(mount.prefix)));
        Ok(mounts)
    }

    #[test]
    fn the_most_telling_prefix_answers() {
        let mounts = mounts(&[("/a/*", 0, true), ("/a/*", 1, true), ("/a/b", 2, false), ("/a/*/c", 3, false)]).unwrap();
        assert_eq!(mounts.doors("/a/x"), [0, 1]);
        assert_eq!(mounts.doors("/a/b/d"), [2]);
        assert_eq!(mounts.doors("/a/b/c/d"), [3]);
        assert!(mounts.doors("/a").is_empty() && mounts.doors("/b").is_empty());
    }

    #[test]
    fn what_is_not_shared_has_one_owner_and_nobody_swallows_the_api() {
        assert!(mounts(&[("/a", 0, false), ("/a", 1, false)]).is_err());
        assert!(mounts(&[("/a", 0, false), ("/a", 1, true)]).is_err());
        for prefix in ["", "/", "/api", "/api/*", "/api/v1", "/*", "/*/v2", "/token", "a"] {
            assert!(mounts(&[(prefix, 0, true)]).is_err(), "{prefix}");
        }
        assert!(mounts(&[("/api/packages", 0, true)]).is_ok());
    }
}
