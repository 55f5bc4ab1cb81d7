#!/usr/bin/env bash
# buildah: build from nothing, push, pull by digest, a manifest list.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs_root
needs buildah

buildah() {
  command buildah --storage-driver overlay --root "$work/storage" --runroot "$work/runroot" "$@"
}

step "login"
expect_fail 'unauthorized|invalid username/password' buildah login --tls-verify=false -u "$user" -p "$wrong_password" "$registry"
expect_ok buildah login --tls-verify=false -u "$user" -p "$password" "$registry"

step "build from nothing, command by command"
expect_ok buildah from scratch
container=$said
expect_ok buildah copy "$container" "$work/hello" /hello
expect_ok buildah config --entrypoint '["/hello"]' --label berth=7 "$container"
expect_ok buildah commit --timestamp 1 "$container" "$registry/team/built:1"
expect_ok buildah push --tls-verify=false --digestfile "$work/digest" "$registry/team/built:1"
expect_equal "digest that buildah tells" "$(digest_of team/built 1)" "$(<"$work/digest")"

step "build from a file on top of it, with a program run on the way"
mkdir "$work/context"
head -c 3000000 /dev/urandom >"$work/context/cargo"
cat >"$work/context/Containerfile" <<FILE
FROM $registry/team/built:1
COPY cargo /srv/cargo
RUN ["/hello"]
FILE
expect_ok buildah build --tls-verify=false --isolation chroot --layers --pull-always -t "$registry/team/onto:1" "$work/context"
expect_said 'hello from the warehouse'
expect_ok buildah push --tls-verify=false "$registry/team/onto:1"
expect_equal "the base's layer is the first" \
  "$(manifest_of team/built 1 | jq -r '.layers[0].digest')" \
  "$(manifest_of team/onto 1 | jq -r '.layers[0].digest')"

step "pull it back by digest and look inside"
expect_ok buildah rm --all
expect_ok buildah rmi --all --force
expect_ok buildah from --tls-verify=false "$registry/team/onto@$(digest_of team/onto 1)"
container=$said
expect_ok buildah mount "$(tail -n 1 <<<"$container")"
cmp "$work/context/cargo" "$said/srv/cargo"
cmp "$work/hello" "$said/hello"
expect_ok buildah umount --all

step "a manifest list of two platforms"
expect_ok buildah manifest create list
for architecture in amd64 arm64; do
  expect_ok buildah build --tls-verify=false --platform "linux/$architecture" --manifest list -f - "$work/context" <<FILE
FROM scratch
COPY cargo /srv/cargo
FILE
done
expect_ok buildah manifest push --all --tls-verify=false list "docker://$registry/team/list:1"
expect_equal "platforms" "amd64 arm64" \
  "$(manifest_of team/list 1 | jq -r '.manifests[].platform.architecture' | sort | xargs)"

step "nobody pulls from a private project, everybody from a public one"
expect_ok buildah logout "$registry"
expect_fail "$refused" buildah pull --tls-verify=false "$registry/team/built:1"
make_public team
expect_ok buildah pull --tls-verify=false "$registry/team/built:1"
expect_fail "$refused" buildah push --tls-verify=false "$registry/team/built:1"
expect_ok buildah rm --all
