//! What somebody may see, for lists.

use std::collections::HashSet;
use std::sync::Arc;

use wharf_types::{FormatName, ProjectName, RepoName};

use crate::account::Account;
use crate::identity::{Identity, Who};
use crate::limit::Limit;
use crate::{Auth, Refused, Verb};

/// What an identity may see: the filter of every list that crosses repositories or projects.
#[derive(Debug, Clone)]
pub struct Visibility {
    everything: bool,
    account: Option<Arc<Account>>,
    public: Arc<HashSet<ProjectName>>,
    limits: Option<Arc<[Limit]>>,
}

impl Auth {
    /// What `identity` may see. The scopes of a registry token do not narrow this, the limits of a personal token do.
    ///
    /// # Errors
    /// [`Refused::Unavailable`] only.
    pub async fn visibility(&self, identity: &Identity) -> Result<Visibility, Refused> {
        let epoch = self.0.accounts.epoch().await?;
        let public = self.0.accounts.public_projects(epoch).await?;
        let account = match &identity.who {
            Who::Account(account) => {
                let id = account.subject.id().unwrap_or_default();
                self.0.accounts.by_id(id, epoch).await?.filter(|account| !account.disabled)
            }
            Who::Nobody | Who::System(_) => None,
        };
        let everywhere = account.as_ref().is_some_and(|account| account.may_everywhere(Verb::View));
        let everything = everywhere || matches!(identity.who, Who::System(_));
        Ok(Visibility { everything, account, public, limits: identity.cap.limits.clone() })
    }
}

impl Visibility {
    /// Whether this repository may be seen. Grants are the same for all formats.
    pub fn sees(&self, _format: FormatName, name: &RepoName) -> bool {
        let within = |limits: &Arc<[Limit]>| limits.iter().any(|limit| limit.covers_repository(name, Verb::View));
        if !self.limits.as_ref().is_none_or(within) {
            return false;
        }
        let granted = |account: &Arc<Account>| account.may_on_path(name.project(), name.path(), Verb::View);
        self.everything || self.public.contains(name.project()) || self.account.as_ref().is_some_and(granted)
    }

    /// Whether this project may be seen: all of it or something in it.
    pub fn sees_project(&self, project: &ProjectName) -> bool {
        let within = |limits: &Arc<[Limit]>| limits.iter().any(|limit| limit.covers_project(project, Verb::View));
        if !self.limits.as_ref().is_none_or(within) {
            return false;
        }
        let granted = |account: &Arc<Account>| account.may_on_project(project, Verb::View);
        self.everything || self.public.contains(project) || self.account.as_ref().is_some_and(granted)
    }

    /// Whether every project may be seen, so that lists need no filter.
    pub fn sees_everything(&self) -> bool {
        self.everything && self.limits.is_none()
    }

    /// The only projects in which something may be seen, by name, to narrow a list before [`Visibility::sees`] filters it;
    /// `None` if it can be any.
    pub fn projects(&self) -> Option<Vec<ProjectName>> {
        if self.everything {
            return None;
        }
        let granted = self.account.iter().flat_map(|account| account.grants.keys());
        let mut projects: Vec<_> =
            granted.chain(self.public.iter()).filter(|name| self.sees_project(name)).cloned().collect();
        projects.sort_unstable();
        projects.dedup();
        Some(projects)
    }
}
