#!/usr/bin/env bash
# oras: artifacts of any kind, things attached to them, recursive copies, single blobs and manifests.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs oras

# The plain-HTTP flag has another name where two registries are involved.
copy() { oras cp --from-plain-http --to-plain-http "$@"; }

step "login"
expect_fail "$refused" oras login --plain-http -u "$user" -p "$wrong_password" "$registry"
expect_ok oras login --plain-http -u "$user" -p "$password" "$registry"

step "push files and pull them back"
mkdir "$work/files" && cd "$work/files"
echo 'a model of the world' >model.txt
head -c 7000000 /dev/urandom >weights.bin
expect_ok oras push --plain-http --artifact-type application/vnd.example.model --annotation made.by=oras \
  "$registry/team/model:1,latest" model.txt:text/plain weights.bin
expect_ok oras pull --plain-http -o "$work/pulled" "$registry/team/model:latest"
cmp model.txt "$work/pulled/model.txt"
cmp weights.bin "$work/pulled/weights.bin"
digest=$(oras resolve --plain-http "$registry/team/model:1")
expect_equal "digest that oras tells" "$(digest_of team/model 1)" "$digest"

step "nobody pulls from a private project, everybody from a public one"
expect_ok oras logout "$registry"
expect_fail "$refused" oras pull --plain-http -o "$work/nothing" "$registry/team/model:1"
make_public team
expect_ok oras pull --plain-http -o "$work/anonymous" "$registry/team/model:1"
expect_fail "$refused" oras push --plain-http "$registry/team/model:2" model.txt
expect_ok oras login --plain-http -u "$user" -p "$password" "$registry"

step "attach and discover, by the referrers API"
echo '{"bomFormat":"CycloneDX","specVersion":"1.6"}' >sbom.json
echo 'signed, somebody' >signature
expect_ok oras attach --plain-http --artifact-type application/vnd.cyclonedx+json "$registry/team/model:1" sbom.json:application/json
expect_ok oras attach --plain-http --artifact-type application/vnd.example.signature "$registry/team/model:1" signature
expect_ok oras discover --plain-http --distribution-spec v1.1-referrers-api --format json "$registry/team/model:1"
expect_equal "what is attached" "application/vnd.cyclonedx+json application/vnd.example.signature" \
  "$(jq -r '.manifests[].artifactType' <<<"$said" | sort | xargs)"
sbom=$(jq -r '.manifests[] | select(.artifactType == "application/vnd.cyclonedx+json") | .digest' <<<"$said")
expect_ok oras discover --plain-http --artifact-type application/vnd.example.signature --format json "$registry/team/model:1"
expect_equal "what is attached of one type" 1 "$(jq '.manifests | length' <<<"$said")"
expect_no_fallback_tag team/model

step "something attached to what is attached, seen as a tree"
expect_ok oras attach --plain-http --artifact-type application/vnd.example.signature "$registry/team/model@$sbom" signature
expect_ok oras discover --plain-http --format tree "$registry/team/model:1"
expect_equal "lines with a digest" 4 "$(grep -c 'sha256:' <<<"$said")"

step "a copy with everything that is attached"
expect_ok copy -r "$registry/team/model:1" "$registry/other/model:copy"
expect_equal "digest of the copy" "$digest" "$(digest_of other/model copy)"
expect_equal "attached to the copy" "$(referrers_of team/model "$digest" | sort)" "$(referrers_of other/model "$digest" | sort)"
expect_equal "attached further down" 1 "$(referrers_of other/model "$sbom" | wc -l)"
expect_no_fallback_tag other/model

step "an index with all its platforms, up, across and down"
expect_ok oras cp --from-oci-layout --to-plain-http "$images/multi:1" "$registry/team/multi:1"
expect_whole_index team/multi 1
expect_ok copy "$registry/team/multi:1" "$registry/other/multi:copy"
expect_whole_index other/multi copy
expect_ok oras cp --from-plain-http --to-oci-layout "$registry/other/multi:copy" "$work/multi:1"
expect_same_blobs "$images/multi" "$work/multi"
expect_ok oras manifest fetch-config --plain-http --platform linux/arm64 "$registry/team/multi:1"
expect_equal "platform chosen" arm64 "$(jq -r .architecture <<<"$said")"

step "single blobs and manifests"
expect_ok oras blob push --plain-http "$registry/team/single" "$work/files/weights.bin"
weights=$(sha256_of weights.bin)
expect_ok oras blob fetch --plain-http -o "$work/fetched" "$registry/team/single@$weights"
cmp weights.bin "$work/fetched"
expect_ok oras manifest fetch --plain-http -o "$work/manifest" "$registry/team/model:1"
# A manifest whose blobs are not in the repository is refused.
expect_fail 'blob unknown|unknown to registry|MANIFEST_BLOB_UNKNOWN|not found' \
  oras manifest push --plain-http "$registry/third/model:1" "$work/manifest"
expect_ok oras manifest push --plain-http "$registry/team/model:again" "$work/manifest"
expect_equal "digest of the manifest" "$digest" "$(digest_of team/model again)"

step "tags and repositories"
expect_ok oras tag --plain-http "$registry/team/model:1" stable
expect_ok oras repo tags --plain-http "$registry/team/model"
expect_equal "tags" "1 again latest stable" "$(sort <<<"$said" | xargs)"
many_tags team/pages 250
expect_ok oras repo tags --plain-http "$registry/team/pages"
expect_equal "tags of team/pages" "$(seq -f 'v%g' 250 | sort)" "$(sort <<<"$said")"
expect_ok oras repo tags --plain-http --last v98 "$registry/team/pages"
expect_equal "tags after v98" v99 "$(xargs <<<"$said")"
expect_ok oras repo ls --plain-http "$registry/other/"
expect_equal "repositories of a project" "model multi" "$(sort <<<"$said" | xargs)"

step "delete"
expect_ok oras blob delete --plain-http --force "$registry/team/single@$weights"
expect_fail "$missing" oras blob fetch --plain-http -o "$work/gone" "$registry/team/single@$weights"
expect_ok oras manifest delete --plain-http --force "$registry/team/model@$sbom"
expect_ok oras discover --plain-http --format json "$registry/team/model:1"
expect_equal "what is still attached" application/vnd.example.signature "$(jq -r '.manifests[].artifactType' <<<"$said")"
expect_ok oras manifest delete --plain-http --force "$registry/team/model@$digest"
expect_fail "$missing" oras resolve --plain-http "$registry/team/model:1"
expect_equal "tags left" "" "$(tags_of team/model)"
