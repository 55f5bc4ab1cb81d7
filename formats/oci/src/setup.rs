//! What container engines and their like are to be told.

use wharf_core::{SetupBlock, SetupFacts};

/// For each client, pulling first. `TAG` is a tag of the repository, `IMAGE` an image of the client's own.
pub(crate) fn setup(facts: &SetupFacts) -> Vec<SetupBlock> {
    let place = &facts.url;
    let flag = |flag: &'static str| if facts.is_plain() { flag } else { "" };
    // A chart goes into the repository of its own name.
    let charts = place.rsplit_once('/').map_or(place.as_str(), |(parent, _)| parent);
    let (podman, skopeo, helm) = (flag(" --tls-verify=false"), flag(" --dest-tls-verify=false"), flag(" --plain-http"));
    let login = |client: &str, flag: &str| {
        facts.typed(&format!("{client} login{flag} -u '{}' --password-stdin '{}'", facts.user, facts.host()))
    };
    let mut docker = Vec::new();
    if facts.is_plain() {
        docker
            .push(format!("# from another machine, {} belongs into insecure-registries of daemon.json", facts.host()));
    }
    docker.push(login("docker", ""));
    let block = |client: &str, title: &str, lines: Vec<String>| SetupBlock::new(client, title, lines);
    let mut blocks = vec![
        block("docker", "pull", [pull_login(facts, docker), vec![format!("docker pull {place}:TAG")]].concat()),
        block(
            "podman",
            "pull",
            [pull_login(facts, vec![login("podman", podman)]), vec![format!("podman pull{podman} {place}:TAG")]]
                .concat(),
        ),
    ];
    blocks.extend([
        block(
            "docker",
            "push",
            facts.with_password(vec![
                login("docker", ""),
                format!("docker tag IMAGE {place}:TAG"),
                format!("docker push {place}:TAG"),
            ]),
        ),
        block(
            "podman",
            "push",
            facts.with_password(vec![login("podman", podman), format!("podman push{podman} IMAGE {place}:TAG")]),
        ),
        block(
            "skopeo",
            "push an archive",
            facts.with_password(vec![
                login("skopeo", podman),
                format!("skopeo copy{skopeo} 'oci-archive:FILE' docker://{place}:TAG"),
            ]),
        ),
        block(
            "helm",
            "push a chart of this name",
            facts.with_password(vec![format!(
                "helm push 'FILE' oci://{charts} --username '{}' --password \"$password\"{helm}",
                facts.user
            )]),
        ),
    ]);
    blocks
}

/// Nobody signs in to pull from a public project.
fn pull_login(facts: &SetupFacts, lines: Vec<String>) -> Vec<String> {
    if facts.public {
        lines.into_iter().filter(|line| line.starts_with('#')).collect()
    } else {
        facts.with_password(lines)
    }
}
