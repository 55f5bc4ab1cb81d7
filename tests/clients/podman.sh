#!/usr/bin/env bash
# podman: push, pull, run, manifest lists, zstd layers, tags.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs_root
needs podman runc

podman() {
  command podman --storage-driver overlay --root "$work/storage" --runroot "$work/runroot" --tmpdir "$work/libpod" \
    --runtime runc --cgroup-manager cgroupfs --events-backend none "$@"
}
# The limits are podman's own default on a machine that may not raise them.
run() { podman run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --pull never "$@"; }

step "login"
expect_fail 'unauthorized|invalid username/password' podman login --tls-verify=false -u "$user" -p "$wrong_password" "$registry"
expect_ok podman login --tls-verify=false -u "$user" -p "$password" "$registry"

step "push an image"
tar -cf "$work/single.tar" -C "$images/single" .
expect_ok podman load -i "$work/single.tar"
expect_ok podman tag "${said##* }" "$registry/team/app:1"
expect_ok podman push --tls-verify=false --digestfile "$work/digest" "$registry/team/app:1"
expect_equal "digest that podman tells" "$(digest_of team/app 1)" "$(<"$work/digest")"

step "exactly the setup page's lines"
export work
export -f podman
setup_words=([TAG]=page [IMAGE]=$registry/team/app:1)
follow /oci/team/app podman push
expect_equal "tags" "1 page" "$(tags_of team/app | xargs)"
follow /oci/team/app podman pull
expect_ok podman image exists "$registry/team/app:page"

step "push an image compressed with zstd"
# One with a layer that the registry does not have compressed otherwise: podman would make do with that.
tar -cf "$work/root.tar" -C "$work" hello hello.c
expect_ok podman import --change 'ENTRYPOINT ["/hello"]' "$work/root.tar" "$registry/zstd/app:1"
expect_ok podman push --tls-verify=false --compression-format zstd --format oci "$registry/zstd/app:1"
expect_ok manifest_of zstd/app 1
expect_said 'tar\+zstd'

step "pull it back and run it"
expect_ok podman rmi --all --force
expect_ok podman pull --tls-verify=false "$registry/team/app:1"
expect_ok run "$registry/team/app:1"
expect_equal "what the program says" "hello from the warehouse" "$said"
expect_ok podman rmi --all --force
expect_ok podman pull --tls-verify=false "$registry/zstd/app@$(digest_of zstd/app 1)"
expect_ok run "$registry/zstd/app@$(digest_of zstd/app 1)"
expect_equal "what the program says" "hello from the warehouse" "$said"

step "a manifest list"
expect_ok podman manifest create list
expect_ok podman manifest add --tls-verify=false list "docker://$registry/team/app:1"
expect_ok podman manifest add --all list "oci:$images/multi:1"
expect_ok podman manifest push --all --tls-verify=false --format oci list "docker://$registry/team/list:1"
expect_ok manifest_of team/list 1
expect_equal "platforms" "amd64 amd64 arm64" "$(jq -r '.manifests[].platform.architecture' <<<"$said" | sort | xargs)"
expect_ok podman pull --tls-verify=false --arch arm64 "$registry/team/list:1"
expect_ok podman image inspect "$registry/team/list:1"
expect_equal "platform chosen" arm64 "$(jq -r '.[0].Architecture' <<<"$said")"

step "tags"
many_tags team/pages 30
expect_ok podman search --tls-verify=false --list-tags --limit 100 "$registry/team/pages"
expect_equal "tags of team/pages" "$(seq -f 'v%g' 30 | sort)" "$(awk 'NR > 1 { print $2 }' <<<"$said" | sort)"

step "nobody pulls from a private project, everybody from a public one"
expect_ok podman logout "$registry"
expect_ok podman rmi --all --force
expect_fail "$refused" podman pull --tls-verify=false "$registry/team/app:1"
make_public team
expect_ok podman pull --tls-verify=false "$registry/team/app:1"
expect_ok run "$registry/team/app:1"
expect_fail "$refused" podman push --tls-verify=false "$registry/team/app:1"

step "as a mirror of docker.io"
expect_ok podman login --tls-verify=false -u "$user" -p "$password" "$registry"
expect_ok podman push --tls-verify=false "$registry/team/app:1" "$registry/library/debian:bookworm"
make_public library
expect_ok podman logout "$registry"
expect_ok podman rmi --all --force
cat >"$XDG_CONFIG_HOME/containers/registries.conf" <<CONF
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "$registry"
insecure = true
CONF
expect_ok podman pull docker.io/library/debian:bookworm
expect_ok run docker.io/library/debian:bookworm
expect_equal "what the program says" "hello from the warehouse" "$said"
