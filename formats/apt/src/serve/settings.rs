//! What was said of a repository and of its distributions.

use http::header::HeaderValue;
use http::{Response, StatusCode};
use wharf_core::Target;
use wharf_types::RepoName;
use wharf_wire::{Body, read_up_to};

use super::answer::{no_content, typed};
use crate::name::Distribution;
use crate::settings::{LONGEST, Settings};
use crate::{Call, Error};

impl Call<'_> {
    pub(crate) async fn settings(
        &self,
        name: &RepoName,
        distribution: Option<&Distribution>,
    ) -> Result<Response<Body>, Error> {
        let target = self.target(name);
        self.core.repository(&target).await?;
        let settings = self.kept_settings(&target, distribution.map_or("", Distribution::as_str)).await?;
        Ok(typed(StatusCode::OK, HeaderValue::from_static("application/json"), settings.text()?))
    }

    pub(crate) async fn write_settings(
        &self,
        name: &RepoName,
        distribution: Option<&Distribution>,
        body: Option<Body>,
        wait: bool,
    ) -> Result<Response<Body>, Error> {
        let (target, channel) = (self.target(name), distribution.map_or("", Distribution::as_str));
        let content = match body {
            None => None,
            Some(body) => {
                let content = read_up_to(body, LONGEST).await?;
                Some(Settings::read(&content, distribution.is_some())?.text()?)
            }
        };
        self.core.set_settings(&target, channel, content, &self.actor()).await?;
        if wait && !channel.is_empty() {
            self.published(&target, channel).await?;
        }
        Ok(no_content())
    }

    /// The settings of a repository (the distribution is empty) or of a distribution.
    pub(super) async fn kept_settings(&self, target: &Target, distribution: &str) -> Result<Settings, Error> {
        Ok(Settings::kept(self.core.settings(target, distribution).await?.as_deref())?)
    }
}
