#!/usr/bin/env bash
# What was moved, deleted or pushed by mistake: rollback, the bin, tag rules, the audit log, collection, backup, purge.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs skopeo crane

wharf() { "$wharf" "$@" </dev/null; }
crane() { command crane --insecure "$@"; }
copy() { skopeo copy --src-tls-verify=false --dest-tls-verify=false "$@"; }
push() { copy --preserve-digests "oci:$1:1" "docker://$registry/$2"; } # LAYOUT REPOSITORY:TAG

expect_pull() { # REPOSITORY TAG DIGEST LAYOUT: what the clients get is this, byte for byte
  rm -rf "$work/pulled"
  expect_equal "digest of $1:$2" "$3" "$(crane digest "$registry/$1:$2")"
  expect_ok copy "docker://$registry/$1:$2" "oci:$work/pulled:1"
  expect_same_blobs "$4" "$work/pulled"
}

expect_no_pull() { # REPOSITORY REFERENCE
  local at=:
  [[ $2 != sha256:* ]] || at=@
  expect_fail "$missing|name unknown" skopeo inspect --raw --tls-verify=false "docker://$registry/$1$at$2"
  expect_fail "MANIFEST_UNKNOWN|NAME_UNKNOWN" crane manifest "$registry/$1$at$2"
}

entry_of() { # REPOSITORY KIND NAME: the newest such entry of the bin
  wharf bin list --project "${1%%/*}" --output json |
    jq -r --arg r "$1" --arg k "$2" --arg n "$3" \
      '[.[] | select(.repository == $r and .kind == $k and ($n == "" or .name == $n or .digest == $n))][0].id // empty'
}

stored_bytes() { du -sb "$work/data" 2>/dev/null | cut -f 1 || true; }

step "two images, and a server that may write backups"
expect_ok "$here/make-image.py" "$work/others" "$work/hello.c"
old=$images/single old_digest=$single_digest
new=$work/others/single new_digest=$(jq -r '.manifests[0].digest' "$work/others/single/index.json")
[ "$old_digest" != "$new_digest" ] || fail "the two images are one"
stop "$wharf_pid"
mkdir "$work/backups"
settings=("WHARF_BACKUP_PATH=$work/backups")
start_wharf
printf '%s\n' "$password" >"$work/password"
expect_ok "$wharf" login "http://$registry" -u "$user" --password-stdin <"$work/password"
expect_ok skopeo login --tls-verify=false -u "$user" -p "$password" "$registry"
expect_ok crane auth login "$registry" -u "$user" -p "$password"

step "one image under two tags"
expect_ok push "$old" team/app:1.0
expect_ok push "$old" team/app:latest
expect_equal "tags" "1.0 latest" "$(crane ls "$registry/team/app" | sort | xargs)"

step "a tag moves, its history says so, and it is rolled back"
expect_ok push "$new" team/app:latest
expect_pull team/app latest "$new_digest" "$new"
expect_ok wharf tag history team/app latest --output json
expect_equal "moves, newest first" "$old_digest $new_digest,null $old_digest" \
  "$(jq -r '[.[] | "\(.old) \(.new)"] | join(",")' <<<"$said")"
expect_equal "who moved it" "$user" "$(jq -r '[.[].actor] | unique | join(" ")' <<<"$said")"
expect_ok wharf tag rollback team/app latest
expect_said "$old_digest"
expect_pull team/app latest "$old_digest" "$old"
expect_ok wharf tag history team/app latest --output json
expect_equal "moves" 3 "$(jq length <<<"$said")"
expect_equal "last move" "$new_digest $old_digest" "$(jq -r '.[0] | "\(.old) \(.new)"' <<<"$said")"

step "a tag that was deleted comes back"
expect_ok crane delete "$registry/team/app:latest"
expect_no_pull team/app latest
expect_pull team/app 1.0 "$old_digest" "$old"
entry=$(entry_of team/app tag latest)
[ -n "$entry" ] || fail "the deleted tag is not in the bin"
expect_ok wharf restore "$entry"
expect_pull team/app latest "$old_digest" "$old"

step "a manifest that was deleted comes back with all its tags"
expect_ok skopeo delete --tls-verify=false "docker://$registry/team/app:1.0"
expect_no_pull team/app 1.0
expect_no_pull team/app latest
expect_no_pull team/app "$old_digest"
entry=$(entry_of team/app manifest "$old_digest")
[ -n "$entry" ] || fail "the deleted manifest is not in the bin"
expect_ok wharf bin list --repository team/app
expect_said "$entry +manifest +team/app .*$old_digest"
expect_ok wharf restore "$entry"
expect_pull team/app 1.0 "$old_digest" "$old"
expect_pull team/app latest "$old_digest" "$old"
expect_equal "entry of what is restored" "" "$(entry_of team/app manifest "$old_digest")"
expect_fail "$missing|no .*entry|unknown" wharf restore "$entry"

step "a repository that was deleted comes back, and under another name when its own is taken"
expect_fail '--yes' wharf repo delete team/app
expect_ok wharf repo delete team/app --yes
expect_no_pull team/app latest
entry=$(entry_of team/app repository "")
[ -n "$entry" ] || fail "the deleted repository is not in the bin"
expect_ok wharf restore "$entry"
expect_pull team/app 1.0 "$old_digest" "$old"
expect_pull team/app latest "$old_digest" "$old"
expect_ok crane digest "$registry/team/app@$new_digest"
expect_ok wharf repo delete team/app --yes
entry=$(entry_of team/app repository "")
expect_ok push "$new" team/app:latest
expect_fail 'under another name' wharf restore "$entry"
expect_pull team/app latest "$new_digest" "$new"
expect_ok wharf restore "$entry" --as team/rescued
expect_pull team/rescued latest "$old_digest" "$old"
expect_pull team/rescued 1.0 "$old_digest" "$old"
expect_pull team/app latest "$new_digest" "$new"

step "a tag that a rule keeps does not move and does not go"
expect_ok wharf tag-rule add team releases '[0-9]*'
expect_ok wharf tag-rule list team
expect_ok push "$new" team/app:2.0
expect_fail 'the rule releases' push "$old" team/app:2.0
expect_fail 'the rule releases' crane push "$old" "$registry/team/app:2.0"
expect_fail 'the rule releases' crane delete "$registry/team/app:2.0"
expect_pull team/app 2.0 "$new_digest" "$new"
expect_ok push "$new" team/app:2.0
expect_ok crane push "$new" "$registry/team/app:2.0"
expect_ok push "$old" team/app:latest
expect_pull team/app latest "$old_digest" "$old"
expect_ok wharf tag-rule remove team releases --yes
expect_ok crane delete "$registry/team/app:2.0"
expect_no_pull team/app 2.0

step "the audit log says who pulled a digest"
expect_ok wharf project create drafts --public
expect_ok push "$old" drafts/app:1
expect_ok copy --src-no-creds "docker://$registry/drafts/app:1" "oci:$work/anonymous:1"
# Lines of pulls are gathered and written every few seconds.
pulls() { wharf audit --digest "$old_digest" --action manifest.read --output json; }
pulled_by() { # ACTOR REPOSITORY
  pulls | jq -e --arg who "$1" --arg where "$2" \
    'any(.[]; .actor == $who and .repository == $where and .outcome == "ok")'
}
wait_until 30 pulled_by "$user" team/app || { expect_ok pulls; show_said; fail "no line about the pull of $user"; }
wait_until 30 pulled_by anonymous drafts/app || { expect_ok pulls; show_said; fail "no line about the pull of nobody"; }

step "the collector says what it would do, and keeps what is used"
expect_ok wharf why "$old_digest" --output json
expect_equal "kept" true "$(jq -r .kept <<<"$said")"
expect_equal "where it is a manifest" "drafts/app team/app team/rescued" \
  "$(jq -r '[.holders[] | select(.kind == "manifest") | .repository] | unique | join(" ")' <<<"$said")"
layer=$(jq -r '.layers[0].digest' "$(blob single "$old_digest")")
expect_ok wharf why "$layer"
expect_said "reference +team/app +.*$old_digest"
expect_ok wharf gc --dry-run --output json
expect_equal "digests in use that would go" "" "$(jq -r '.[].digest' <<<"$said" | grep -xE "$old_digest|$layer" || true)"
expect_ok wharf gc
expect_said 'blobs gone'
expect_pull team/app latest "$old_digest" "$old"
expect_pull team/rescued 1.0 "$old_digest" "$old"

step "what nothing uses goes, once its time is over"
others=$work/others/multi
others_digest=$(jq -r '.manifests[0].digest' "$others/index.json")
expect_ok copy --all --preserve-digests "oci:$others:1" "docker://$registry/drafts/other:1"
expect_ok wharf repo delete drafts/other --yes
expect_ok wharf why "$others_digest"
expect_said 'manifest +drafts/other \(deleted\)'
stop "$wharf_pid"
settings+=(WHARF_RETENTION_UNREFERENCED=0s WHARF_COLLECTION_GRACE=0s WHARF_COLLECTION_WAIT=0s)
start_wharf
expect_ok wharf gc
expect_ok wharf why "$others_digest"
expect_said "$others_digest is kept"
before=$(stored_bytes)
entry=$(entry_of drafts/other repository "")
expect_ok wharf bin empty --project drafts --yes
expect_said "entry $entry of the bin is no more"
expect_fail "$missing|no entry" wharf restore "$entry"
# The server collects by itself too: whoever comes first, this is how it ends.
collected() { wharf gc && wharf why "$others_digest" 2>&1 | grep -q "$others_digest is not here$"; }
wait_until 30 collected || { expect_ok wharf why "$others_digest"; show_said; fail "what nothing uses is still here"; }
# One of its layers is 6 MiB that no other image has.
smaller() { [ "$(stored_bytes)" -lt $((before - 5000000)) ]; }
wait_until 30 smaller || fail "the server stores $(stored_bytes) bytes, and stored $before before"
expect_ok wharf gc --dry-run --output json
expect_equal "what would go now" "[]" "$(jq -c . <<<"$said")"
expect_pull team/app latest "$old_digest" "$old"
expect_pull drafts/app 1 "$old_digest" "$old"

step "a backup of the running server, and its check"
expect_ok wharf backup --to "$work/backups" --output json
expect_equal "state of the backup" "done" "$(jq -r .state <<<"$said")"
snapshot=$(jq -r .snapshot <<<"$said")
expect_ok wharf backup list "$work/backups"
expect_said "$snapshot"
expect_ok wharf backup verify "$work/backups"
expect_said '^1 snapshots and [1-9][0-9]* blobs of [1-9][0-9]* bytes'
copies() { find "$work/backups" -type f -size +4M; }
[ "$(copies | wc -l)" -gt 0 ] || fail "the backup holds no layer"
damaged=$(copies | head -n 1)
printf 'x' | dd of="$damaged" bs=1 seek=1000 conv=notrunc status=none
expect_fail 'not as they should be' wharf backup verify "$work/backups"

step "what leaked is purged: nobody pulls it, and nobody restores it"
expect_ok push "$new" team/app:leaked
expect_ok push "$new" drafts/leaked:1
expect_ok wharf repo delete drafts/leaked --yes
entry=$(entry_of drafts/leaked repository "")
expect_fail '--yes' wharf purge "$new_digest" --force
expect_pull team/app leaked "$new_digest" "$new"
expect_ok wharf purge "$new_digest" --force --reason "a key was in it" --yes
expect_no_pull team/app leaked
expect_no_pull team/app "$new_digest"
# The repository itself may come back, but not with this in it.
wharf restore "$entry" >"$work/restored" 2>&1 || true
expect_no_pull drafts/leaked 1
expect_ok wharf why "$new_digest"
expect_said "$new_digest is not here"
expect_ok wharf purge --list
expect_said "$user +done +$new_digest +- +a key was in it"
expect_pull team/app latest "$old_digest" "$old"
expect_pull team/rescued 1.0 "$old_digest" "$old"
