#!/usr/bin/env bash
# notation: sign, list, inspect and verify, in both signature formats and both ways of keeping a signature.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs notation

signature=application/vnd.cncf.notary.signature
# Without a keychain at hand, notation takes the credentials of each command from the environment.
export NOTATION_USERNAME=$user NOTATION_PASSWORD=$password
many_tags team/app 1
image=$registry/team/app@$single_digest

trust() { # CERTIFICATE-NAME: the only one that verification accepts
  cat >"$work/policy.json" <<JSON
{"version":"1.0","trustPolicies":[{"name":"dock","registryScopes":["*"],
  "signatureVerification":{"level":"strict"},"trustStores":["ca:$1"],"trustedIdentities":["*"]}]}
JSON
  expect_ok notation policy import --force "$work/policy.json"
}

step "keys"
expect_ok notation cert generate-test --default dock
expect_ok notation cert generate-test other
trust dock

step "sign by the referrers API, list, inspect, verify"
expect_fail 'no signature is associated' notation verify --insecure-registry "$image"
expect_ok notation sign --insecure-registry --force-referrers-tag=false -m berth=7 "$image"
expect_ok notation verify --insecure-registry "$image"
expect_ok notation verify --insecure-registry -m berth=7 "$image"
expect_fail 'verification failed|unable to find specified metadata' notation verify --insecure-registry -m berth=8 "$image"
expect_ok notation ls --insecure-registry "$image"
expect_equal "signatures listed" 1 "$(grep -cE '[└├]──( )?sha256:' <<<"$said")"
expect_ok notation inspect --insecure-registry --output json "$image"
expect_equal "what was signed" "$single_digest" "$(jq -r '.Signatures[0].signedArtifact.digest' <<<"$said")"
expect_equal "referrers" "$signature" "$(referrers_of team/app "$single_digest" | cut -d ' ' -f 1)"
expect_equal "tags" v1 "$(tags_of team/app | xargs)"

step "a second signature, in the other format, and by tag"
expect_ok notation sign --insecure-registry --force-referrers-tag=false --signature-format cose "$registry/team/app:v1"
expect_ok notation verify --insecure-registry "$registry/team/app:v1"
expect_equal "referrers" 2 "$(referrers_of team/app "$single_digest" | grep -c "^$signature ")"
expect_no_fallback_tag team/app

step "a certificate that is not trusted"
trust other
expect_fail 'verification failed|not trusted' notation verify --insecure-registry "$image"
trust dock

step "a signature kept the old way, under a tag, is found by the API all the same"
many_tags team/tagged 1
expect_ok notation sign --insecure-registry "$registry/team/tagged@$single_digest"
expect_equal "tags" "sha256-${single_digest#sha256:} v1" "$(tags_of team/tagged | xargs)"
expect_equal "referrers" "$signature" "$(referrers_of team/tagged "$single_digest" | cut -d ' ' -f 1)"
expect_ok notation verify --insecure-registry "$registry/team/tagged@$single_digest"

step "nobody signs or verifies in a private project without leave"
unset NOTATION_USERNAME NOTATION_PASSWORD
expect_fail "$refused" notation verify --insecure-registry "$image"
export NOTATION_USERNAME=$user NOTATION_PASSWORD=$wrong_password
expect_fail "$refused" notation login --insecure-registry "$registry"
expect_fail "$refused" notation verify --insecure-registry "$image"
expect_fail "$refused" notation sign --insecure-registry "$image"
unset NOTATION_USERNAME NOTATION_PASSWORD
make_public team
expect_ok notation verify --insecure-registry "$image"
expect_fail "$refused" notation sign --insecure-registry "$image"
