#!/usr/bin/env bash
# cosign 2: signatures and attestations under the tags sha256-<hex>.sig/.att/.sbom, and as OCI 1.1 referrers.
# Keyed and offline: nothing is sent to a transparency log.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs cosign2 openssl

export COSIGN_PASSWORD=pass
sign() { cosign2 "$1" --yes --key "$work/dock.key" --tlog-upload=false --allow-http-registry "${@:2}"; }
check() { cosign2 "$1" --key "$2" --insecure-ignore-tlog=true --allow-http-registry "${@:3}"; }

many_tags team/app 1
image=$registry/team/app@$single_digest
hex=${single_digest#sha256:}

step "login"
expect_ok cosign2 login "$registry" -u "$user" -p "$password"

step "sign and verify"
(cd "$work" && expect_ok cosign2 generate-key-pair --output-key-prefix dock && expect_ok cosign2 generate-key-pair --output-key-prefix other)
expect_fail 'no signatures found|no matching signatures' check verify "$work/dock.pub" "$image"
expect_ok sign sign -a berth=7 "$image"
expect_ok check verify "$work/dock.pub" "$image"
expect_equal "digest that was signed" "$single_digest" \
  "$(grep '^\[' <<<"$said" | jq -r '.[0].critical.image["docker-manifest-digest"]')"
expect_ok check verify "$work/dock.pub" -a berth=7 "$image"
expect_fail 'no matching signatures|missing or incorrect annotation' check verify "$work/dock.pub" -a berth=8 "$image"
expect_fail 'no matching signatures|invalid signature' check verify "$work/other.pub" "$image"
expect_equal "tags" "sha256-$hex.sig v1" "$(tags_of team/app | xargs)"

step "a second signature beside the first"
expect_ok cosign2 sign --yes --key "$work/other.key" --tlog-upload=false --allow-http-registry "$image"
expect_ok check verify "$work/dock.pub" "$image"
expect_ok check verify "$work/other.pub" "$image"

step "attest and verify the attestation"
echo '{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}' >"$work/sbom.json"
expect_ok sign attest --type cyclonedx --predicate "$work/sbom.json" "$image"
expect_ok check verify-attestation "$work/dock.pub" --type cyclonedx "$image"
expect_equal "predicate" CycloneDX "$(grep '^{' <<<"$said" | jq -r .payload | base64 -d | jq -r .predicate.bomFormat)"
expect_fail 'no matching attestations|invalid signature' check verify-attestation "$work/other.pub" --type cyclonedx "$image"
expect_fail 'none of the attestations matched|no matching attestations' check verify-attestation "$work/dock.pub" --type vuln "$image"

step "attach an SBOM as it is"
expect_ok cosign2 attach sbom --allow-http-registry --sbom "$work/sbom.json" --type cyclonedx "$image"
expect_ok cosign2 download sbom --allow-http-registry "$image"
expect_said '"bomFormat":"CycloneDX"'
expect_equal "tags" "sha256-$hex.att sha256-$hex.sbom sha256-$hex.sig v1" "$(tags_of team/app | xargs)"

step "the signature as a referrer"
many_tags team/referrers 1
image=$registry/team/referrers@$single_digest
export COSIGN_EXPERIMENTAL=1
expect_ok sign sign --registry-referrers-mode=oci-1-1 "$image"
expect_equal "tags" v1 "$(tags_of team/referrers | xargs)"
expect_equal "referrer" application/vnd.dev.cosign.artifact.sig.v1+json \
  "$(referrers_of team/referrers "$single_digest" | cut -d ' ' -f 1)"
expect_ok check verify "$work/dock.pub" --experimental-oci11 "$image"
unset COSIGN_EXPERIMENTAL

step "copy an image with its signatures"
expect_ok cosign2 copy --allow-http-registry "$registry/team/app@$single_digest" "$registry/other/app:copy"
expect_ok check verify "$work/dock.pub" "$registry/other/app:copy"

step "clean takes the signatures away"
expect_ok cosign2 clean --force --type signature --allow-http-registry "$registry/team/app@$single_digest"
expect_fail 'no signatures found|no matching signatures' check verify "$work/dock.pub" "$registry/team/app@$single_digest"

step "nobody signs or verifies in a private project without leave"
rm -r "$DOCKER_CONFIG"
expect_fail "$refused" check verify "$work/dock.pub" "$registry/other/app:copy"
expect_ok cosign2 login "$registry" -u "$user" -p "$wrong_password"
expect_fail "$refused" check verify "$work/dock.pub" "$registry/other/app:copy"
expect_fail "$refused" sign sign "$registry/other/app@$single_digest"
make_public other
rm -r "$DOCKER_CONFIG"
expect_ok check verify "$work/dock.pub" "$registry/other/app:copy"
