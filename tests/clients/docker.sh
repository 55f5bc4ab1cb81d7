#!/usr/bin/env bash
# docker: build (both builders), push, pull, run, manifest lists, and Wharf as the engine's registry mirror.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs_root
needs docker dockerd containerd runc docker-buildx skopeo

# An engine of our own: no bridge and no firewall rules, so it changes nothing on the machine.
# The limits on open files are what a container gets; the engine's own default may be more than the machine allows.
cat >"$work/daemon.json" <<JSON
{
  "data-root": "$work/docker", "exec-root": "$work/run/docker", "pidfile": "$work/run/docker.pid",
  "hosts": ["unix://$work/run/docker.sock"], "bridge": "none", "iptables": false, "ip6tables": false, "ip-forward": false,
  "insecure-registries": ["127.0.0.0/8"], "registry-mirrors": ["http://$registry"], "storage-driver": "overlay2",
  "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 1024, "Soft": 1024}}
}
JSON
export DOCKER_HOST=unix://$work/run/docker.sock
spawn "$work/dockerd.log" dockerd --config-file "$work/daemon.json"
if ! wait_until 60 docker version; then
  tail -n 20 "$work/dockerd.log" >&2
  fail "dockerd did not come up"
fi
mkdir -p "$DOCKER_CONFIG/cli-plugins"
ln -s "$(command -v docker-buildx)" "$DOCKER_CONFIG/cli-plugins/docker-buildx"

run() { docker run --rm --network none --pull never "$@"; }
login() { docker login -u "$user" --password-stdin "$registry"; }
repository_digest() { docker image inspect --format '{{index .RepoDigests 0}}' "$1"; }

step "login"
expect_fail 'unauthorized|incorrect username or password' login <<<"$wrong_password"
expect_ok login <<<"$password"

step "build and push"
mkdir "$work/context"
cp "$work/hello" "$work/context/"
head -c 5000000 /dev/urandom >"$work/context/cargo"
printf '%s\n' 'FROM scratch' 'COPY hello /hello' 'COPY cargo /srv/cargo' 'ENTRYPOINT ["/hello"]' >"$work/context/Dockerfile"
expect_ok env DOCKER_BUILDKIT=0 docker build --network none -t "$registry/team/app:1" "$work/context"
expect_ok docker push "$registry/team/app:1"
expect_said "digest: $(digest_of team/app 1)"
expect_ok docker push "$registry/team/app:1"
expect_said 'Layer already exists'

step "a push to another repository takes the layers over"
expect_ok docker tag "$registry/team/app:1" "$registry/team/twin:1"
expect_ok docker push "$registry/team/twin:1"
expect_said 'Mounted from team/app'

step "exactly the setup page's lines"
setup_words=([TAG]=page [IMAGE]=$registry/team/app:1)
follow /oci/team/app docker push
expect_equal "digest of team/app:page" "$(digest_of team/app 1)" "$(digest_of team/app page)"
expect_ok docker rmi "$registry/team/app:page"
follow /oci/team/app docker pull
expect_said "team/app:page$"

step "pull it back, by tag and by digest, and run it"
digest=$(digest_of team/app 1)
expect_ok docker image rm "$registry/team/app:1" "$registry/team/twin:1"
expect_ok docker pull "$registry/team/app:1"
expect_equal "digest that docker tells" "$registry/team/app@$digest" "$(repository_digest "$registry/team/app:1")"
expect_ok run "$registry/team/app:1"
expect_equal "what the program says" "hello from the warehouse" "$said"
expect_ok docker image rm "$registry/team/app:1"
expect_ok docker pull "$registry/team/twin@$digest"
expect_ok run "$registry/team/twin@$digest"

step "build on top of it with BuildKit and push in one go"
printf '%s\n' "FROM $registry/team/app:1" 'RUN ["/hello"]' 'LABEL berth=7' >"$work/context/Dockerfile"
expect_ok docker buildx build --network none --provenance=false --push -t "$registry/team/kit:1" "$work/context"
expect_ok docker pull "$registry/team/kit:1"
expect_ok docker image inspect --format '{{.Config.Labels.berth}}' "$registry/team/kit:1"
expect_equal "label" 7 "$said"

step "an image that another client pushed, for two platforms"
expect_ok skopeo copy --all --dest-tls-verify=false --dest-creds "$user:$password" "oci:$images/multi:1" "docker://$registry/team/multi:1"
expect_ok docker pull --platform linux/arm64 "$registry/team/multi:1"
expect_equal "digest that docker tells" "$registry/team/multi@$multi_digest" "$(repository_digest "$registry/team/multi:1")"
expect_ok docker image inspect --format '{{.Architecture}}' "$registry/team/multi:1"
expect_equal "platform chosen" arm64 "$said"
expect_ok docker pull "$registry/team/multi:1"
expect_ok run "$registry/team/multi:1"

step "manifest lists made by the client"
expect_ok docker manifest create --insecure "$registry/team/list:1" "$registry/team/app:1" "$registry/team/kit:1"
expect_ok docker manifest annotate --arch arm64 "$registry/team/list:1" "$registry/team/kit:1"
expect_ok docker manifest push --insecure "$registry/team/list:1"
expect_equal "digest that docker tells" "$(digest_of team/list 1)" "$(tail -n 1 <<<"$said")"
expect_ok docker manifest inspect --insecure "$registry/team/list:1"
expect_equal "platforms" "amd64 arm64" "$(jq -r '.manifests[].platform.architecture' <<<"$said" | sort | xargs)"
expect_ok docker buildx imagetools create -t "$registry/team/multi:again" "$registry/team/multi:1"
expect_whole_index team/multi again

step "nobody pulls from a private project, everybody from a public one"
expect_ok docker logout "$registry"
expect_ok docker system prune --all --force
expect_fail "$refused" docker pull "$registry/team/app:1"
make_public team
expect_ok docker pull "$registry/team/app:1"
expect_ok run "$registry/team/app:1"
expect_fail "$refused" docker push "$registry/team/app:1"

step "names without a host come from the mirror"
expect_ok login <<<"$password"
expect_ok docker tag "$registry/team/app:1" "$registry/library/debian:bookworm"
expect_ok docker push "$registry/library/debian:bookworm"
make_public library
expect_ok docker logout "$registry"
expect_ok docker system prune --all --force
expect_ok docker pull debian:bookworm
expect_equal "digest that docker tells" "debian@$digest" "$(repository_digest debian:bookworm)"
expect_ok run debian:bookworm
expect_equal "what the program says" "hello from the warehouse" "$said"
