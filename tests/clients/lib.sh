# Sourced by every script here: a Wharf of its own, a home of its own, small images, and ways to say what was expected.
#
# A script that sources this has:
#   $registry            host:port of a running Wharf with an empty data directory
#   $user $password      its administrator
#   $work                a directory for the script's files, gone at its end
#   $images/single       OCI layouts tagged `1` (see make-image.py), with $single_digest and $multi_digest
#   $images/multi
#   $scheme              http; https once the script has given the server a certificate
#   $settings            an array of WHARF_…=… for the next start_wharf
#   $said                what the last program under expect_ok or expect_fail printed
#   $jo $jo_password     somebody whose password has spaces, once make_jo has made her an owner of the project team

# shellcheck shell=bash disable=SC2034
[ -n "${BASH_VERSION:-}" ] || { echo "lib.sh needs bash" >&2; exit 1; }
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
wharf=${WHARF_BIN:-$repo/target/debug/wharf}
export PATH=${WHARF_CLIENTS:-$repo/target/clients}/bin:$PATH:/usr/sbin:/sbin

# Nothing of the caller's configuration is read or written.
work=$(mktemp -d "${TMPDIR:-/tmp}/wharf-client.XXXXXX")
export HOME=$work/home TMPDIR=$work/tmp
export XDG_CONFIG_HOME=$HOME/.config XDG_DATA_HOME=$HOME/.local/share XDG_CACHE_HOME=$HOME/.cache XDG_RUNTIME_DIR=$work/run
export DOCKER_CONFIG=$HOME/.docker REGISTRY_AUTH_FILE=$HOME/auth.json
mkdir -p "$HOME" "$TMPDIR" "$XDG_RUNTIME_DIR" "$DOCKER_CONFIG"
# skopeo, podman and buildah ask this file whether an unsigned image may be used.
mkdir -p "$XDG_CONFIG_HOME/containers"
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$XDG_CONFIG_HOME/containers/policy.json"
unset DOCKER_HOST CONTAINER_HOST CONTAINERD_ADDRESS KUBECONFIG
unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY

user="admin"
password=Tally-Dock-7-Crane
wrong_password=Tally-Dock-7-Crate
# how clients word a refusal for want of (right) credentials
refused='unauthorized|denied|authentication required|authorization failed|no basic auth credentials|401'
# … and that something is not there
missing='manifest unknown|not found|no such manifest|404'
# every form of a manifest, for whoever only wants its digest or knows what it is
any_manifest='accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json,
 application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json'
any_manifest=${any_manifest//$'\n'/}
started=()  # process ids of programs started beside Wharf, the last one first to go
wharf_pid=
settings=()
scheme=http
images=$work/images

# ---- what was expected ----

step() { printf -- '-- %s\n' "$*"; }

fail() {
  trap - ERR
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

show_said() {
  printf '%s\n' "$said" | sed 's/^/  | /' >&2
}

expect_ok() { # COMMAND…
  local code=0
  said=$("$@" 2>&1) || code=$?
  if [ "$code" != 0 ]; then
    show_said
    fail "exit code $code from: $*"
  fi
}

# The pattern is an extended regular expression, whatever the case: a refusal must be the refusal that was meant.
expect_fail() { # PATTERN COMMAND…
  local pattern=$1 code=0
  shift
  said=$("$@" 2>&1) || code=$?
  if [ "$code" = 0 ]; then
    show_said
    fail "this should have been refused: $*"
  fi
  if ! grep -qiE -- "$pattern" <<<"$said"; then
    show_said
    fail "refused with other words than '$pattern': $*"
  fi
}

expect_said() { # PATTERN
  if ! grep -qE -- "$1" <<<"$said"; then
    show_said
    fail "nothing like '$1' was said"
  fi
}

expect_equal() { # WHAT WANTED GOT
  [ "$2" = "$3" ] && return
  [[ $2$3 != *$'\n'* ]] || diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") | sed 's/^/  | /' >&2 || true
  fail "$1: wanted '${2:0:300}', got '${3:0:300}'"
}

# ---- waiting, always for a condition and never for ever ----

wait_until() { # SECONDS COMMAND…
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.05
  done
}

running() { kill -0 "$1" 2>/dev/null; }
gone() { ! running "$1"; }

# Starts a program in the background with its output in a file: spawn dockerd.log dockerd --config-file …
spawn() { # LOG COMMAND…
  local log=$1
  shift
  "$@" >>"$log" 2>&1 </dev/null &
  started=($! "${started[@]}")
}

stop() { # PID
  running "$1" || return 0
  kill "$1" 2>/dev/null || true
  wait_until 20 gone "$1" || kill -9 "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# ---- the server ----

free_port() {
  # Below the range that the kernel hands out to outgoing connections, so nobody takes it before the server does.
  python3 - <<'PY'
import random, socket
while True:
    port = random.randint(20000, 32000)
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
PY
}

ready_or_dead() {
  ! running "$wharf_pid" || [ "$(curl -s -o /dev/null -w '%{http_code}' "$scheme://$registry/readyz")" = 200 ]
}

start_wharf() {
  # A clean environment: the server refuses WHARF_… variables that it does not know, and WHARF_BIN is one.
  env -i HOME="$HOME" TMPDIR="$TMPDIR" PATH="$PATH" RUST_BACKTRACE=1 ${WHARF_LOG:+"WHARF_LOG=$WHARF_LOG"} \
    WHARF_ADMIN_PASSWORD="$password" "${settings[@]}" "$wharf" serve --data "$work/data" --listen "$registry" >>"$work/wharf.log" 2>&1 </dev/null &
  wharf_pid=$!
  wait_until 30 ready_or_dead || fail "Wharf was not ready after 30 s"
  running "$wharf_pid" || fail "Wharf ended at its start"
}

kill_wharf() { # as a power cut would
  kill -9 "$wharf_pid"
  wait "$wharf_pid" 2>/dev/null || true
}

# ---- plain HTTP, for what a client does not say ----

web() { # PATH [CURL-ARGUMENTS…]
  local path=$1
  shift
  curl -sS --fail-with-body --max-time 60 -u "$user:$password" "$@" "$scheme://$registry$path"
}

status_of() { # PATH [CURL-ARGUMENTS…]: as nobody, unless the arguments say otherwise
  local path=$1
  shift
  curl -sS --max-time 60 -o /dev/null -w '%{http_code}' "$@" "$scheme://$registry$path"
}

make_public() { # PROJECT
  expect_ok web "/api/v1/projects/$1" -X PATCH -H 'content-type: application/json' -d '{"public":true}'
}

tags_of() { web "/v2/$1/tags/list" | jq -r '.tags // [] | .[]' | sort; }

manifest_of() { # REPOSITORY TAG-OR-DIGEST
  web "/v2/$1/manifests/$2" -H "$any_manifest"
}

digest_of() { # REPOSITORY TAG
  web "/v2/$1/manifests/$2" --head -H "$any_manifest" |
    tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }'
}

referrers_of() { # REPOSITORY DIGEST: one line "artifactType digest" each
  web "/v2/$1/referrers/$2" | jq -r '.manifests[] | "\(.artifactType) \(.digest)"'
}

# A client that finds no referrers API leaves an index behind under the tag sha256-<hex>.
expect_no_fallback_tag() { # REPOSITORY
  local left
  left=$(tags_of "$1" | grep -E '^sha256-[0-9a-f]{64}$' || true)
  expect_equal "fallback tags in $1" "" "$left"
}

# Every platform of the index $images/multi, by digest and with the bytes it had.
expect_whole_index() { # REPOSITORY TAG
  local digest
  expect_equal "digest of $1:$2" "$multi_digest" "$(digest_of "$1" "$2")"
  for digest in $(jq -r '.manifests[].digest' "$(blob multi "$multi_digest")"); do
    manifest_of "$1" "$digest" | cmp - "$(blob multi "$digest")" ||
      fail "manifest $digest of $1:$2 is not what was pushed"
    expect_blobs "$1" multi "$digest"
  done
}

# The config and the layers of a manifest, with the bytes they had.
expect_blobs() { # REPOSITORY LAYOUT MANIFEST-DIGEST
  local digest
  for digest in $(jq -r '.config.digest, .layers[].digest' "$(blob "$2" "$3")"); do
    web "/v2/$1/blobs/$digest" -L | cmp - "$(blob "$2" "$digest")" || fail "blob $digest of $1 is not what was pushed"
  done
}

# Tags v1 … vCOUNT on one manifest of $images/single, in one connection.
many_tags() { # REPOSITORY COUNT
  local manifest file n
  manifest=$(blob single "$single_digest")
  for file in $(jq -r '.config.digest, .layers[].digest' "$manifest"); do
    upload_blob "$1" "$(blob single "$file")"
  done
  for n in $(seq 1 "$2"); do
    printf 'url = "http://%s/v2/%s/manifests/v%d"\nupload-file = "%s"\n' "$registry" "$1" "$n" "$manifest"
  done >"$work/many"
  curl -sS --fail -o /dev/null --max-time 120 -u "$user:$password" -H 'expect:' \
    -H 'content-type: application/vnd.oci.image.manifest.v1+json' --config "$work/many" >"$work/many.log" ||
    fail "tags could not be put on $1"
}

# A server may tell the place of an upload as a path or as an address, with or without a query.
address_of() { # LOCATION [DIGEST]
  local place=$1
  [[ $place != /* ]] || place=http://$registry$place
  case $#$place in
    1*) echo "$place" ;;
    2*\?*) echo "$place&digest=$2" ;;
    2*) echo "$place?digest=$2" ;;
  esac
}

sha256_of() { # FILE
  echo "sha256:$(sha256sum "$1" | cut -d ' ' -f 1)"
}

upload_blob() { # REPOSITORY FILE
  local place
  place=$(web "/v2/$1/blobs/uploads/" -X POST -o /dev/null -w '%header{location}')
  curl -sS --fail --max-time 60 -u "$user:$password" -o /dev/null -T "$2" -H 'content-type: application/octet-stream' \
    "$(address_of "$place" "$(sha256_of "$2")")" || fail "$2 could not be uploaded to $1"
}

# ---- images ----

blob() { # LAYOUT DIGEST: its file
  echo "$images/$1/blobs/${2/://}"
}

# A program that needs nothing around it, so that an image of it can run.
make_hello() {
  printf '%s\n' '#include <stdio.h>' 'int main(void) { puts("hello from the warehouse"); return 0; }' >"$work/hello.c"
  expect_ok gcc -static -Os -s -o "$work/hello" "$work/hello.c"
}

make_images() {
  make_hello
  expect_ok "$here/make-image.py" "$images" "$work/hello"
  single_digest=$(jq -r '.manifests[0].digest' "$images/single/index.json")
  multi_digest=$(jq -r '.manifests[0].digest' "$images/multi/index.json")
}

# Every blob of one layout is in the other, byte for byte.
expect_same_blobs() { # LAYOUT-DIRECTORY COPY-DIRECTORY
  local file
  for file in "$1"/blobs/sha256/*; do
    cmp "$file" "$2/blobs/sha256/${file##*/}" || fail "${file##*/} did not come back as it was"
  done
}

# ---- what the server says of a repository's use ----

jo=jo jo_password="Tally Dock's \"7\" Crane"

make_jo() { # the project has to be there
  jq -n --arg name "$jo" --arg password "$jo_password" '{name: $name, password: $password}' |
    expect_ok web /api/v1/users -H 'content-type: application/json' --data-binary @-
  expect_ok web /api/v1/projects/team/grants -X PUT -H 'content-type: application/json' -d "{\"kind\":\"user\",\"name\":\"$jo\",\"role\":\"owner\"}"
}

# The lines for one client, as the setup page has them: only the words in capitals that a reader replaces are replaced, PASSWORD and
# FILE here, others by what setup_words says. Asked by $user, or by whoever $asker and $asker_password are.
declare -A setup_words=()
setup_lines() { # PATH CLIENT TITLE [FILE]
  local lines word name=${asker:-$user} secret=${asker_password:-$password}
  lines=$(setup_page "$1" "$name:$secret" | awk -v RS= -v head="# $2: $3" 'index($0, head) == 1')
  [ -n "$lines" ] || fail "the setup page of $1 has no lines for $2: $3"
  for word in "${!setup_words[@]}"; do lines=${lines//$word/"${setup_words[$word]}"}; done
  lines=${lines//PASSWORD/"$secret"}
  printf '%s\n' "${lines//FILE/"${4:-FILE}"}"
}

setup_page() { # PATH NAME:PASSWORD
  # The distribution-spec has no room for a page among its own: the API has that of an OCI repository.
  case $1 in
    /oci/*) curl -sS --fail-with-body --max-time 60 -u "$2" "$scheme://$registry/api/v1/repositories$1/-/setup" | jq -r .text ;;
    *) curl -sS --fail-with-body --max-time 60 -u "$2" "$scheme://$registry$1/setup" ;;
  esac
}

# Runs those that change nothing of the machine, with the password on their input, where somebody would type it.
follow() { # PATH CLIENT TITLE [FILE]
  step "the setup page's lines: $2: $3"
  setup_lines "$@" >"$work/lines"
  said=$(cd "$work" && PATH=$stubs:$PATH setsid -w bash -euo pipefail "$work/lines" 2>&1 <<<"${asker_password:-$password}") ||
    { show_said; fail "the lines did not do what they say: $(cat "$work/lines")"; }
}

# ---- a machine of its own ----

# What stands before the real programs: root has nobody to ask, and wharf is where it was built.
stubs=$work/stubs
mkdir -p "$stubs"
# shellcheck disable=SC2016
printf '#!/bin/sh\nexec "$@"\n' >"$stubs/sudo"
printf '#!/bin/sh\nexec "%s" "$@"\n' "$wharf" >"$stubs/wharf"
chmod +x "$stubs/sudo" "$stubs/wharf"

# Runs lines of shell as root of a machine that looks like the one whose root is ROOT. What they write is gone when they end, whatever
# it was, but for what they write below $work.
aside() { # ROOT FILE
  needs_root
  mkdir -p "$work/aside"
  # shellcheck disable=SC2016
  PATH=$stubs:$PATH unshare -m bash -euo pipefail -c '
    work=$1 lower=$2 lines=$3 place=$1/aside
    mount -t tmpfs none "$place"
    mkdir "$place"/{upper,state,root}
    mount -t overlay overlay -o "lowerdir=$lower,upperdir=$place/upper,workdir=$place/state" "$place/root"
    mkdir -p "$place/root$work"
    mount --bind "$work" "$place/root$work"
    mount --rbind /dev "$place/root/dev"
    mount -t proc proc "$place/root/proc"
    # In a container these are mounts, which the copy does not have.
    for file in /etc/resolv.conf /etc/hosts; do cp -L --remove-destination "$file" "$place/root$file"; done
    # rpm of Debian keeps its database in the home folder.
    exec chroot "$place/root" env -C "$work" HOME=/root bash -euo pipefail "$lines"
  ' aside "$work" "$1" "$2"
}

# ---- from start to end ----

needs() { # CLIENT…
  local client
  for client in "$@"; do
    command -v "$client" >/dev/null || fail "$client is not installed: run $here/install"
  done
}

# Container engines mount file systems.
needs_root() {
  [ "$(id -u)" = 0 ] || fail "this one has to be run by root"
}

at_exit() {
  local code=$? pid mounted
  set +e
  trap - EXIT INT TERM ERR
  for pid in "${started[@]}"; do stop "$pid"; done
  [ -z "$wharf_pid" ] || stop "$wharf_pid"
  if [ "$code" != 0 ] && [ -s "$work/wharf.log" ]; then
    echo "the end of the server's log:" >&2
    tail -n "${WHARF_LOG_LINES:-25}" "$work/wharf.log" | sed 's/^/  | /' >&2
  fi
  # Engines leave mounts behind, the inner ones listed last.
  grep -F " $work/" /proc/self/mounts | cut -d ' ' -f 2 | tac | while read -r mounted; do umount -l "$mounted"; done
  rm -rf "$work"
  exit "$code"
}
# A command that fails where nothing was expected of it is named too, by the script itself and not by its subshells.
set -E
trap '[ "$BASHPID" != $$ ] || echo "FAILED: line $LINENO of ${BASH_SOURCE[0]##*/}: $BASH_COMMAND" >&2' ERR
trap at_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

needs curl jq python3 gcc
[ -x "$wharf" ] || fail "$wharf is not there: build it, or name one in WHARF_BIN"
registry=127.0.0.1:$(free_port)
start_wharf
make_images
