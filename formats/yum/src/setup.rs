//! What dnf and curl are to be told.

use wharf_core::{SetupBlock, SetupFacts};

use crate::NAME;

/// For each client, installing first.
pub(crate) fn setup(facts: &SetupFacts) -> Vec<SetupBlock> {
    let (url, writes) = (&facts.url, facts.writes());
    vec![
        SetupBlock::new("dnf", "install from it", install(facts)),
        SetupBlock::new(
            "curl",
            "upload a package",
            facts.with_password(vec![format!("curl -sS --fail-with-body{writes} -T 'FILE' '{url}/upload?wait=1'")]),
        ),
        facts.pushed(NAME, ""),
    ]
}

/// The key comes first and from a file: dnf 5 shows no password where it asks for a key.
fn install(facts: &SetupFacts) -> Vec<String> {
    let (url, label) = (&facts.url, facts.label());
    let (key, file) = (format!("/etc/pki/rpm-gpg/RPM-GPG-KEY-{label}"), format!("/etc/yum.repos.d/{label}.repo"));
    let mut lines = vec![
        "sudo install -d -m 755 /etc/pki/rpm-gpg /etc/yum.repos.d".to_owned(),
        format!("sudo curl -fsS{} -o {key} '{url}/key.asc'", facts.reads()),
        format!("sudo chmod 644 {key}"),
        // Only root reads a file that has a password.
        format!("sudo install -m {} /dev/null {file}", if facts.public { "644" } else { "600" }),
    ];
    if !facts.public {
        // Escapes are those of some versions, and none of others.
        lines.push(
            "# dnf takes no password with $ or \\ in it, nor with a space at either end: use a token (wharf token create) if yours is such"
                .to_owned(),
        );
    }
    lines.push(format!("sudo tee {file} >/dev/null <<END"));
    lines.extend(repo_file(facts, &format!("file://{key}")));
    if !facts.public {
        lines.extend([format!("username={}", facts.user), "password=$password".to_owned()]);
    }
    lines.extend(["END".to_owned(), format!("sudo dnf -y --repo={label} makecache")]);
    facts.with_password_to_read(lines)
}

/// The metadata are signed and have the hashes of all packages: those that are not signed themselves are what was pushed all the same.
fn repo_file(facts: &SetupFacts, key: &str) -> [String; 8] {
    [
        format!("[{}]", facts.label()),
        format!("name={}", facts.repository.full()),
        format!("mirrorlist={}/mirrorlist", facts.url),
        "enabled=1".to_owned(),
        "repo_gpgcheck=1".to_owned(),
        format!("gpgkey={key}"),
        "# 1 if all packages are signed themselves, with the keys for them in gpgkey too".to_owned(),
        "gpgcheck=0".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn told(public: bool) -> String {
        let facts = SetupFacts {
            server: "https://wharf.example".to_owned(),
            url: "https://wharf.example/yum/team/el9".to_owned(),
            repository: "team/el9".parse().unwrap(),
            public,
            user: "jo".to_owned(),
            fingerprints: Vec::new(),
            indexes: BTreeMap::new(),
        };
        setup(&facts)[0].lines.join("\n")
    }

    #[test]
    fn a_private_repository_has_a_file_that_only_root_reads_and_a_key_that_is_there_already() {
        let private = told(false);
        assert!(private.contains("install -m 600 /dev/null /etc/yum.repos.d/team-el9.repo"), "{private}");
        assert!(private.contains("\nusername=jo\npassword=$password\nEND\n"), "{private}");
        assert!(private.contains("gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-team-el9\n"), "{private}");
        assert!(private.contains("-u \"jo:$password\" -o /etc/pki/rpm-gpg/RPM-GPG-KEY-team-el9 "), "{private}");
    }

    #[test]
    fn a_public_one_needs_no_password() {
        let public = told(true);
        assert!(!public.contains("PASSWORD") && !public.contains("username"), "{public}");
        assert!(public.contains("mirrorlist=https://wharf.example/yum/team/el9/mirrorlist\n"), "{public}");
    }
}
