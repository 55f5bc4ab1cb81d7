#!/usr/bin/env bash
# regctl: copies with referrers, artifacts, tag deletion, chunked blobs, sha512.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs regctl

step "login"
expect_ok regctl registry set --tls disabled --skip-check "$registry"
expect_fail "$refused" regctl registry login "$registry" -u "$user" -p "$wrong_password"
expect_ok regctl registry login "$registry" -u "$user" -p "$password"

step "push one image and pull it back"
expect_ok regctl image copy "ocidir://$images/single:1" "$registry/team/app:1"
expect_equal "digest that regctl tells" "$single_digest" "$(regctl image digest "$registry/team/app:1")"
expect_ok regctl image copy "$registry/team/app:1" "ocidir://$work/back:1"
expect_same_blobs "$images/single" "$work/back"
layer=$(regctl manifest get --format '{{(index .Layers 1).Digest}}' "$registry/team/app:1")
regctl blob get "$registry/team/app" "$layer" | cmp - "$(blob single "$layer")"

step "a blob in chunks"
head -c 5000000 /dev/urandom >"$work/chunked"
expect_ok regctl registry set --blob-chunk 1000000 --blob-max 2000000 "$registry"
chunked=$(regctl blob put "$registry/team/app" <"$work/chunked")
expect_equal "digest of the blob" "$(sha256_of "$work/chunked")" "$chunked"
regctl blob get "$registry/team/app" "$chunked" | cmp - "$work/chunked"
expect_ok regctl registry set --blob-chunk 0 --blob-max 0 "$registry"

step "nobody pulls from a private project, everybody from a public one"
expect_ok regctl registry logout "$registry"
expect_fail "$refused" regctl image digest "$registry/team/app:1"
make_public team
expect_ok regctl image copy "$registry/team/app:1" "ocidir://$work/anonymous:1"
expect_fail "$refused" regctl image copy "ocidir://$images/single:1" "$registry/team/app:2"
expect_ok regctl registry login "$registry" -u "$user" -p "$password"

step "artifacts that refer to an image"
echo '{"bomFormat":"CycloneDX","specVersion":"1.6"}' >"$work/sbom.json"
echo 'looks fine' >"$work/note.txt"
expect_ok regctl artifact put --subject "$registry/team/app:1" --artifact-type application/vnd.cyclonedx+json \
  --file "$work/sbom.json" --file-media-type application/vnd.cyclonedx+json --annotation made.by=regctl
expect_ok regctl artifact put --subject "$registry/team/app:1" --artifact-type application/vnd.example.note \
  --file "$work/note.txt" --file-media-type text/plain
expect_equal "referrers" 2 "$(referrers_of team/app "$single_digest" | wc -l)"
expect_no_fallback_tag team/app
expect_ok regctl artifact list --filter-artifact-type application/vnd.cyclonedx+json --format '{{json .}}' "$registry/team/app:1"
expect_equal "referrers of one type" 1 "$(jq '.descriptors | length' <<<"$said")"
expect_equal "annotation of the referrer" regctl "$(jq -r '.descriptors[0].annotations["made.by"]' <<<"$said")"
regctl artifact get --subject "$registry/team/app:1" --filter-artifact-type application/vnd.example.note | cmp - "$work/note.txt"
expect_ok regctl artifact tree "$registry/team/app:1"
expect_said 'vnd.example.note'

step "an index with all its platforms, up, across with referrers, and down"
expect_ok regctl image copy "ocidir://$images/multi:1" "$registry/team/multi:1"
expect_whole_index team/multi 1
expect_ok regctl artifact put --subject "$registry/team/multi:1" --artifact-type application/vnd.example.note \
  --file "$work/note.txt" --file-media-type text/plain
expect_ok regctl image copy --referrers --digest-tags "$registry/team/multi:1" "$registry/other/multi:copy"
expect_whole_index other/multi copy
expect_equal "referrers that came along" "$(referrers_of team/multi "$multi_digest")" "$(referrers_of other/multi "$multi_digest")"
expect_no_fallback_tag other/multi
expect_ok regctl image copy "$registry/other/multi:copy" "ocidir://$work/multi:1"
expect_same_blobs "$images/multi" "$work/multi"
expect_ok regctl image check-base --base "$registry/team/multi:1" "$registry/other/multi:copy"

step "digests by sha512"
expect_ok regctl image mod "$registry/team/multi:1" --digest-algo sha512 --create "$registry/team/multi:sha512"
expect_ok regctl image digest "$registry/team/multi:sha512"
expect_said '^sha512:[0-9a-f]{128}$'
expect_ok regctl image copy "$registry/team/multi:sha512" "ocidir://$work/sha512:1"

step "tags"
many_tags team/pages 25
expect_equal "tags of team/pages" "$(seq -f 'v%g' 25 | sort)" "$(regctl tag ls "$registry/team/pages" | sort)"
expect_equal "a page of tags" 10 "$(regctl tag ls --limit 10 "$registry/team/pages" | wc -l)"
last=$(regctl tag ls --limit 10 "$registry/team/pages" | tail -n 1)
regctl tag ls --limit 10 --last "$last" "$registry/team/pages" >"$work/page"
expect_equal "the next page of tags" 10 "$(wc -l <"$work/page")"
! grep -qx "$last" "$work/page" || fail "the next page begins with what the first ended with"
expect_ok regctl repo ls "$registry"
expect_equal "repositories" "other/multi team/app team/multi team/pages" "$(sort <<<"$said" | xargs)"

step "delete a tag, a referrer, a manifest"
expect_ok regctl image copy "$registry/team/app:1" "$registry/team/app:again"
expect_ok regctl tag delete "$registry/team/app:again"
expect_equal "the other tag on the same manifest" 1 "$(tags_of team/app | xargs)"
note=$(referrers_of team/app "$single_digest" | awk '$1 == "application/vnd.example.note" { print $2 }')
expect_ok regctl manifest delete --referrers "$registry/team/app@$note"
expect_equal "referrers left" application/vnd.cyclonedx+json "$(referrers_of team/app "$single_digest" | cut -d ' ' -f 1)"
expect_ok regctl manifest delete "$registry/team/app@$single_digest"
expect_fail "$missing" regctl manifest head "$registry/team/app:1"
expect_equal "tags left" "" "$(tags_of team/app)"
