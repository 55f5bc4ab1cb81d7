//! What `GET …/setup` owes to everybody, whatever the format.

use wharf_auth::Role;

use crate::{Client, TestServer};

impl TestServer {
    /// Who may read how a repository is used, and in which form. It is at `/<format>/team/<name>`, in a project that was private. What
    /// is left is what the page says to whom the password belongs, and what it says when the project is public.
    pub async fn setup_pages(&self, repository: &str) -> (String, String) {
        let path = format!("{repository}/setup");
        let page = async |client: &Client| client.get(&path).await;
        let viewer = self.user_with("viewer-of-team", Role::Viewer, "team").await;
        let outsider = self.user("outsider").await;
        let private =
            page(&viewer).await.assert_status(200).assert_header("content-type", "text/plain; charset=utf-8").text();
        assert!(private.contains("viewer-of-team"), "whoever asks is who signs in: {private}");
        page(&self.anonymous()).await.assert_status(401);
        page(&outsider).await.assert_status(404);
        self.admin().get(&format!("{repository}-not/setup")).await.assert_status(404);
        let browser = viewer.request(reqwest::Method::GET, &path).header_named("accept", "text/html").send().await;
        let html = browser.assert_status(200).assert_header("content-type", "text/html; charset=utf-8").text();
        assert!(html.contains("<pre>") && html.contains("viewer-of-team"), "{html}");
        self.admin()
            .patch_json("/api/v1/projects/team", &serde_json::json!({ "public": true }))
            .await
            .assert_status(200);
        let public = page(&self.anonymous()).await.assert_status(200).text();
        assert!(public.contains("USER") && !public.contains("viewer-of-team"), "nobody is named: {public}");
        let reading = public.split("# curl").next().unwrap_or_default();
        assert!(!reading.contains("PASSWORD"), "everybody may read: {public}");
        (private, public)
    }
}
