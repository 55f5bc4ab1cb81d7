//! What `GET …/setup` owes to everybody, whatever the format.

use std::process::Stdio;

use wharf_auth::Role;

use crate::{Client, TestServer};

/// A password with everything that means something to shells, JSON or ini files.
pub const AWKWARD_PASSWORD: &str = r#"it's "$HOME" `id` \\n $(id) ${x} !! & ; | * ~ %s <END>\"#;

/// The programs that lines of setup pages name, as functions that only tell their arguments and input.
const TOLD: &str = r#"
told() { printf '<%s>' "$@"; echo; }
piped() { told "$@"; case $* in *--password-stdin*) cat; echo ;; esac; }
for program in docker podman skopeo helm wharf; do eval "$program() { piped $program \"\$@\"; }"; done
curl() { told curl "$@"; }
dput() { told dput "$@"; }
sudo() { case $1 in tee) told "$@" >&2; cat >&3 ;; *) told "$@" ;; esac; }
exec 3>&1
"#;

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
        takes_any_password(&private).await;
        let reading = public.split("# curl").next().unwrap_or_default();
        assert!(!reading.contains("PASSWORD"), "everybody may read: {public}");
        (private, public)
    }
}

/// Runs the lines for each client with a password that would end most quotes, and sees it come out whole.
///
/// # Panics
/// If one does something else with it.
pub async fn takes_any_password(page: &str) {
    for block in page.split("\n\n").filter(|block| block.contains("PASSWORD")) {
        let home = tempfile::tempdir().expect("a folder");
        let script = format!("{TOLD}{}", block.replace("PASSWORD", AWKWARD_PASSWORD));
        let mut shell = tokio::process::Command::new("sh");
        let ran = shell.args(["-euc", &script]).env("HOME", home.path()).current_dir(home.path()).stdin(Stdio::null());
        let ran = ran.output().await.expect("a shell");
        let mut seen = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success(), "{block}\n{seen}\n{}", String::from_utf8_lossy(&ran.stderr));
        for file in ["*.cf", ".dput.d/profiles/*.json"] {
            let shown = format!("cat {file} 2>/dev/null || true");
            let shown = tokio::process::Command::new("sh").args(["-c", &shown]).current_dir(home.path()).output().await;
            seen.push_str(&String::from_utf8_lossy(&shown.expect("a shell").stdout));
        }
        let as_json = serde_json::to_string(AWKWARD_PASSWORD).expect("a text");
        let whole = seen.contains(AWKWARD_PASSWORD) || seen.contains(as_json.trim_matches('"'));
        assert!(whole, "{block}\n{seen}");
    }
}
