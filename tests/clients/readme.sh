#!/usr/bin/env bash
# README's first page, as a newcomer follows it: the server with no configuration at all, then each copy-paste block to the letter.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# What a fenced block of README says, by the heading above it.
block() { # HEADING
  awk -v heading="## $1" '$0 == heading { inside = 1 } inside && /^```/ { if (fence++) exit; next } fence' "$repo/README.md"
}

step "the server starts with no configuration and prints the password"
mkdir -p "$work/newcomer" && cd "$work/newcomer"
env -i HOME="$HOME" PATH="$PATH" "$wharf" serve >serve.log 2>&1 </dev/null &
started=($! "${started[@]}")
wait_until 30 grep -q '^  password' serve.log || { cat serve.log >&2; fail "no password was printed"; }
wait_until 30 curl -sf http://127.0.0.1:5000/readyz || { cat serve.log >&2; fail "the server is not ready"; }
PASSWORD=$(awk '$1 == "password" { print $2 }' serve.log)

step "the copy-paste block pushes an image and pulls it back"
block "Push and pull an image" | sed '/^PASSWORD=/d' >block.sh
grep -q 'skopeo copy' block.sh || fail "README has no block under 'Push and pull an image'"
[ "$(id -u)" != 0 ] || sed -i 's/sudo //' block.sh
export PASSWORD DEBIAN_FRONTEND=noninteractive
expect_ok bash -euo pipefail block.sh
expect_said '"Digest": "sha256:'
[ -s pulled/index.json ] || fail "nothing was pulled"

# Each as written, where its reader is: with the password known. What the lines do to a machine is done to one of their own.
follow_block() { # HEADING
  block "$1" >"$work/block"
  [ -s "$work/block" ] || fail "README has no block under '$1'"
  { echo "cd '$work/newcomer'"; cat "$work/block"; } >"$work/block.sh"
  expect_ok aside / "$work/block.sh"
}
needs dpkg-deb rpmbuild dnf helm helm4

step "the block of the .deb"
follow_block "Push and install a .deb"
expect_said '^hello from a \.deb$'
[ ! -e /etc/apt/sources.list.d/team-debs.sources ] || fail "the machine itself was changed"

step "the block of the .rpm"
follow_block "Push and install an .rpm"
expect_said '^hello from an \.rpm$'

for helm in helm helm4; do
  step "the block of the chart, with $helm"
  rm -rf hello-chart*
  export HELM_CONFIG_HOME=$work/$helm/config HELM_CACHE_HOME=$work/$helm/cache HELM_DATA_HOME=$work/$helm/data
  ln -sf "$(command -v $helm)" "$stubs/helm"
  block "Push and install a chart" >chart.sh
  [ -s chart.sh ] || fail "README has no block of the chart"
  # The same version of another helm's making is another chart.
  [ $helm = helm ] || expect_ok curl -sS --fail-with-body -u "admin:$PASSWORD" -X DELETE http://127.0.0.1:5000/helm/team/charts/api/charts/hello-chart/0.1.0
  expect_ok env PATH="$stubs:$PATH" bash -euo pipefail chart.sh
  expect_said '^# Source: hello-chart/templates/deployment.yaml$'
done

step "the block of what is deleted"
printf %s "$PASSWORD" >"$work/newcomers-password"
expect_ok "$wharf" login http://127.0.0.1:5000 -u admin --password-stdin <"$work/newcomers-password"
block "Delete, restore, back up" >deleted.sh
[ -s deleted.sh ] || fail "README has no block of what is deleted"
expect_ok env PATH="$stubs:$PATH" bash -euo pipefail deleted.sh
expect_said 'repository +team/busybox'
# The image's repository, and the chart that the first helm made.
expect_said 'entries of the bin, which keep what they need: 2;'
expect_said 'repository\.delete'

step "the page in a browser says how to log in here"
said=$(curl -s -H 'accept: text/html' http://127.0.0.1:5000/)
expect_said 'docker login -u NAME 127.0.0.1:5000'
