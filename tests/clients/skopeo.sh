#!/usr/bin/env bash
# skopeo: copies between a registry and layouts on disk, inspection, deletion, sync.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs skopeo

copy() { skopeo copy --src-tls-verify=false --dest-tls-verify=false "$@"; }

step "login"
expect_fail 'unauthorized|invalid username/password' \
  skopeo login --tls-verify=false -u "$user" -p "$wrong_password" "$registry"
expect_ok skopeo login --tls-verify=false -u "$user" -p "$password" "$registry"

step "push one image and pull it back"
expect_ok copy "oci:$images/single:1" "docker://$registry/team/app:1"
expect_equal "digest of team/app:1" "$single_digest" "$(digest_of team/app 1)"
expect_ok copy "docker://$registry/team/app:1" "oci:$work/back:1"
expect_same_blobs "$images/single" "$work/back"
expect_ok skopeo inspect --tls-verify=false "docker://$registry/team/app:1"
expect_equal "digest that inspect tells" "$single_digest" "$(jq -r .Digest <<<"$said")"

step "nobody pulls from a private project, everybody from a public one"
expect_fail "$refused" \
  skopeo inspect --no-creds --tls-verify=false "docker://$registry/team/app:1"
expect_fail "$refused" copy --src-no-creds "docker://$registry/team/app:1" "dir:$work/nothing"
make_public team
expect_ok copy --src-no-creds "docker://$registry/team/app:1" "dir:$work/anonymous"
expect_fail "$refused" copy --dest-no-creds "oci:$images/single:1" "docker://$registry/team/app:2"

step "an index with all its platforms, up, across and down"
expect_ok copy --all "oci:$images/multi:1" "docker://$registry/team/multi:1"
expect_whole_index team/multi 1
expect_ok copy --all --preserve-digests "docker://$registry/team/multi:1" "docker://$registry/other/multi:copy"
expect_whole_index other/multi copy
expect_ok copy --all "docker://$registry/other/multi:copy" "oci:$work/multi:1"
expect_same_blobs "$images/multi" "$work/multi"
expect_ok skopeo inspect --tls-verify=false --override-arch arm64 "docker://$registry/team/multi:1"
expect_equal "architecture chosen" arm64 "$(jq -r .Architecture <<<"$said")"

step "a name without a project is in the project default"
expect_ok copy "oci:$images/single:1" "docker://$registry/solo:1"
expect_equal "digest of default/solo:1" "$single_digest" "$(digest_of default/solo 1)"

step "other forms of the same image: Docker's manifest, archives, zstd"
expect_ok copy --format v2s2 "docker://$registry/team/app:1" "docker://$registry/team/app:v2s2"
expect_ok skopeo inspect --raw --tls-verify=false "docker://$registry/team/app:v2s2"
expect_equal "media type" application/vnd.docker.distribution.manifest.v2+json "$(jq -r .mediaType <<<"$said")"
expect_ok copy "docker://$registry/team/app:v2s2" "docker-archive:$work/app.tar:team/app:1"
expect_ok copy "docker-archive:$work/app.tar:team/app:1" "docker://$registry/team/app:archive"
expect_ok copy "docker://$registry/team/app:1" "oci-archive:$work/app.oci.tar"
expect_ok copy "oci-archive:$work/app.oci.tar" "docker://$registry/team/app:oci-archive"
expect_equal "digest by way of an archive" "$single_digest" "$(digest_of team/app oci-archive)"
expect_ok copy --dest-compress-format zstd "oci:$images/single:1" "oci:$work/zstd:1"
expect_ok copy "oci:$work/zstd:1" "docker://$registry/team/app:zstd"
expect_ok skopeo inspect --raw --tls-verify=false "docker://$registry/team/app:zstd"
expect_said 'tar\+zstd'

step "tags"
many_tags team/pages 12
expect_ok skopeo list-tags --tls-verify=false "docker://$registry/team/pages"
expect_equal "tags of team/pages" "$(seq -f 'v%g' 12 | sort)" "$(jq -r '.Tags[]' <<<"$said" | sort)"

step "sync a repository to disk"
expect_ok skopeo sync --src-tls-verify=false --src docker --dest dir "$registry/team/pages" "$work/synced"
expect_equal "images synced" 12 "$(find "$work/synced" -name manifest.json | wc -l)"

step "delete"
expect_ok skopeo delete --tls-verify=false "docker://$registry/team/app:1"
expect_fail "$missing" skopeo inspect --tls-verify=false "docker://$registry/team/app:1"
# The tag oci-archive was on the same manifest, and skopeo deletes manifests.
expect_equal "tags left" "archive v2s2 zstd" "$(tags_of team/app | xargs)"

step "exactly the setup page's lines"
setup_words=([TAG]=page)
expect_ok copy "oci:$images/single:1" "oci-archive:$work/single.oci"
follow /oci/team/app skopeo "push an archive" "$work/single.oci"
expect_equal "digest of team/app:page" "$single_digest" "$(digest_of team/app page)"

step "logout"
expect_ok skopeo logout "$registry"
expect_fail "$refused" skopeo inspect --tls-verify=false "docker://$registry/other/multi:copy"
