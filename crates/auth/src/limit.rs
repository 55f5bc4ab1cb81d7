//! What a personal token may be used for, at most.

use serde::{Deserialize, Serialize};
use wharf_types::{ProjectName, RepoName};

use crate::{Pattern, Verb};

/// One limit of a personal token: these verbs, on repositories whose full names match. A token with several limits may do
/// what any of them covers, and never more than its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// A pattern over full names: `team/**`, `team/web/*`, `default/app`.
    pub repositories: Pattern,
    /// What may be done with them. `view` need not be named.
    pub verbs: Vec<Verb>,
}

impl Limit {
    fn has(&self, verb: Verb) -> bool {
        verb == Verb::View || self.verbs.contains(&verb)
    }

    pub(crate) fn covers_repository(&self, name: &RepoName, verb: Verb) -> bool {
        self.has(verb) && self.repositories.matches_repository(name)
    }

    /// A project may be seen by whoever may see something in it; everything else about it needs all of it.
    pub(crate) fn covers_project(&self, project: &ProjectName, verb: Verb) -> bool {
        match verb {
            Verb::View => self.repositories.touches(project),
            _ => self.has(verb) && self.repositories.matches_all_of(project),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_covers_its_verbs_on_its_repositories() {
        let limit = Limit { repositories: "team/web/*".parse().unwrap(), verbs: vec![Verb::Pull] };
        let inside: RepoName = "team/web/app".parse().unwrap();
        let outside: RepoName = "team/db".parse().unwrap();
        let covered =
            |name| Verb::ALL.into_iter().filter(|&verb| limit.covers_repository(name, verb)).collect::<Vec<_>>();
        assert_eq!(covered(&inside), [Verb::View, Verb::Pull]);
        assert_eq!(covered(&outside), []);
        let project: ProjectName = "team".parse().unwrap();
        assert!(limit.covers_project(&project, Verb::View) && !limit.covers_project(&project, Verb::Pull));
    }

    #[test]
    fn limits_are_written_as_json_of_pattern_and_verbs() {
        let json = r#"[{"repositories":"team/**","verbs":["pull","push"]}]"#;
        let limits: Vec<Limit> = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&limits).unwrap(), json);
        assert!(serde_json::from_str::<Vec<Limit>>(r#"[{"repositories":"team/**","verbs":["fly"]}]"#).is_err());
        assert!(serde_json::from_str::<Vec<Limit>>(r#"[{"repositories":"a//b","verbs":[]}]"#).is_err());
    }
}
