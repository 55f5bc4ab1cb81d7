#!/usr/bin/env bash
# README's first page, as a newcomer follows it: the server with no configuration at all, then the copy-paste block to the letter.
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

step "the page in a browser says how to log in here"
said=$(curl -s -H 'accept: text/html' http://127.0.0.1:5000/)
expect_said 'docker login -u NAME 127.0.0.1:5000'
