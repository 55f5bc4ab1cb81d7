#!/usr/bin/env bash
# containerd, through ctr: pull, push, run, and Wharf as a mirror configured in hosts.toml.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs_root
needs containerd ctr runc skopeo

cat >"$work/containerd.toml" <<TOML
version = 2
root = "$work/containerd"
state = "$work/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$work/run/containerd.sock"
TOML
spawn "$work/containerd.log" containerd --config "$work/containerd.toml"
ctr() { command ctr --address "$work/run/containerd.sock" "$@"; }
if ! wait_until 60 ctr version; then
  tail -n 20 "$work/containerd.log" >&2
  fail "containerd did not come up"
fi

push() { skopeo copy --all --dest-tls-verify=false --dest-creds "$user:$password" "$@"; }
digest_here() { ctr images ls "name==$1" | awk 'NR == 2 { print $3 }'; }
forget() { ctr images rm --sync "$@"; }
remote=(--plain-http --user "$user:$password")

step "pull and run"
expect_ok push "oci:$images/single:1" "docker://$registry/team/app:1"
expect_fail "$refused" ctr images pull --plain-http --user "$user:$wrong_password" "$registry/team/app:1"
expect_ok ctr images pull "${remote[@]}" "$registry/team/app:1"
expect_equal "digest that containerd has" "$single_digest" "$(digest_here "$registry/team/app:1")"
expect_ok ctr run --rm "$registry/team/app:1" hello
expect_equal "what the program says" "hello from the warehouse" "$said"

step "an index with all its platforms, down and up again"
expect_ok push "oci:$images/multi:1" "docker://$registry/team/multi:1"
expect_ok ctr images pull "${remote[@]}" --all-platforms "$registry/team/multi:1"
expect_equal "digest that containerd has" "$multi_digest" "$(digest_here "$registry/team/multi:1")"
expect_ok ctr images tag "$registry/team/multi:1" "$registry/other/multi:copy"
expect_ok ctr images push "${remote[@]}" "$registry/other/multi:copy"
expect_whole_index other/multi copy
expect_fail "$refused" ctr images push --plain-http --user "$user:$wrong_password" "$registry/other/multi:copy"

step "nobody pulls from a private project, everybody from a public one"
expect_ok forget "$registry/team/app:1"
expect_fail "$refused" ctr images pull --plain-http "$registry/team/app:1"
make_public team
expect_ok ctr images pull --plain-http "$registry/team/app:1"

# The server behind the mirror answers nothing, so what arrives has come from the mirror. The requests carry ?ns=docker.io.
step "a mirror of docker.io at the same paths"
expect_ok push "oci:$images/multi:1" "docker://$registry/library/debian:bookworm"
make_public library
mkdir -p "$work/hosts/docker.io"
cat >"$work/hosts/docker.io/hosts.toml" <<TOML
server = "http://127.0.0.1:1"
[host."http://$registry"]
  capabilities = ["pull", "resolve"]
TOML
expect_ok ctr images pull --hosts-dir "$work/hosts" docker.io/library/debian:bookworm
expect_equal "digest that containerd has" "$multi_digest" "$(digest_here docker.io/library/debian:bookworm)"
expect_ok ctr run --rm docker.io/library/debian:bookworm mirrored
expect_equal "what the program says" "hello from the warehouse" "$said"

step "a mirror of docker.io in a project of its own"
expect_ok push "oci:$images/single:1" "docker://$registry/hub/library/alpine:3"
make_public hub
cat >"$work/hosts/docker.io/hosts.toml" <<TOML
server = "http://127.0.0.1:1"
[host."http://$registry/v2/hub"]
  capabilities = ["pull", "resolve"]
  override_path = true
TOML
expect_ok ctr images pull --hosts-dir "$work/hosts" docker.io/library/alpine:3
expect_equal "digest that containerd has" "$single_digest" "$(digest_here docker.io/library/alpine:3)"
expect_ok ctr images pull --hosts-dir "$work/hosts" "docker.io/library/alpine@$single_digest"

step "a private mirror takes credentials"
expect_ok push "oci:$images/single:1" "docker://$registry/vault/app:1"
cat >"$work/hosts/docker.io/hosts.toml" <<TOML
server = "http://127.0.0.1:1"
[host."http://$registry"]
  capabilities = ["pull", "resolve"]
TOML
expect_fail "$refused|connection refused" ctr images pull --hosts-dir "$work/hosts" docker.io/vault/app:1
cat >"$work/hosts/docker.io/hosts.toml" <<TOML
server = "http://127.0.0.1:1"
[host."http://$registry"]
  capabilities = ["pull", "resolve"]
  [host."http://$registry".header]
    authorization = "Basic $(printf '%s:%s' "$user" "$password" | base64)"
TOML
expect_ok ctr images pull --hosts-dir "$work/hosts" docker.io/vault/app:1
