#!/usr/bin/env bash
# cosign 3: bundles as OCI 1.1 referrers. Keyed and offline: an empty signing configuration names no log and no clock.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs cosign3

export COSIGN_PASSWORD=pass
bundle=application/vnd.dev.sigstore.bundle.v0.3+json
sign() { cosign3 "$1" --yes --key "$work/dock.key" --signing-config "$work/offline.json" --allow-http-registry "${@:2}"; }
check() { cosign3 "$1" --key "$2" --insecure-ignore-tlog=true --allow-http-registry "${@:3}"; }

many_tags team/app 1
image=$registry/team/app@$single_digest

step "login"
expect_ok cosign3 login "$registry" -u "$user" -p "$password"

step "sign and verify"
(cd "$work" && expect_ok cosign3 generate-key-pair --output-key-prefix dock && expect_ok cosign3 generate-key-pair --output-key-prefix other)
cosign3 signing-config create >"$work/offline.json"
expect_fail 'no signatures found|no matching signatures|no bundles|no valid' check verify "$work/dock.pub" "$image"
expect_ok sign sign "$image"
expect_ok check verify "$work/dock.pub" "$image"
expect_fail 'invalid signature|could not verify|no matching|failed to verify' check verify "$work/other.pub" "$image"

step "the signature is a referrer and nothing else"
expect_equal "referrers" "$bundle" "$(referrers_of team/app "$single_digest" | cut -d ' ' -f 1)"
expect_equal "tags" v1 "$(tags_of team/app | xargs)"
web "/v2/team/app/referrers/$single_digest" >"$work/referrers"
expect_equal "predicate type in the annotations" https://sigstore.dev/cosign/sign/v1 \
  "$(jq -r '.manifests[0].annotations["dev.sigstore.bundle.predicateType"]' "$work/referrers")"

step "attest and verify the attestation"
echo '{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}' >"$work/sbom.json"
expect_ok sign attest --type cyclonedx --predicate "$work/sbom.json" "$image"
expect_ok check verify-attestation "$work/dock.pub" --type cyclonedx "$image"
expect_fail 'invalid signature|could not verify|no matching|failed to verify' check verify-attestation "$work/other.pub" --type cyclonedx "$image"
expect_equal "referrers" 2 "$(referrers_of team/app "$single_digest" | grep -c "^$bundle ")"
expect_equal "tags" v1 "$(tags_of team/app | xargs)"

step "an index and all its platforms, signed one by one"
for digest in $(jq -r '.manifests[].digest' "$(blob multi "$multi_digest")"); do
  for part in $(jq -r '.config.digest, .layers[].digest' "$(blob multi "$digest")"); do
    upload_blob team/multi "$(blob multi "$part")"
  done
  expect_ok web "/v2/team/multi/manifests/$digest" -X PUT --data-binary "@$(blob multi "$digest")" \
    -H 'content-type: application/vnd.oci.image.manifest.v1+json'
done
expect_ok web /v2/team/multi/manifests/1 -X PUT --data-binary "@$(blob multi "$multi_digest")" \
  -H 'content-type: application/vnd.oci.image.index.v1+json'
expect_ok sign sign --recursive "$registry/team/multi@$multi_digest"
for digest in "$multi_digest" $(jq -r '.manifests[].digest' "$(blob multi "$multi_digest")"); do
  expect_equal "referrers of $digest" "$bundle" "$(referrers_of team/multi "$digest" | cut -d ' ' -f 1)"
  expect_ok check verify "$work/dock.pub" "$registry/team/multi@$digest"
done
expect_no_fallback_tag team/multi

step "nobody signs or verifies in a private project without leave"
rm -r "$DOCKER_CONFIG"
expect_fail "$refused" check verify "$work/dock.pub" "$image"
expect_ok cosign3 login "$registry" -u "$user" -p "$wrong_password"
expect_fail "$refused" check verify "$work/dock.pub" "$image"
expect_fail "$refused" sign sign "$image"
make_public team
rm -r "$DOCKER_CONFIG"
expect_ok check verify "$work/dock.pub" "$image"
expect_fail "$refused" sign sign "$image"
