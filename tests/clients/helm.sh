#!/usr/bin/env bash
# helm 3 over OCI: push, pull, show, template, a version with a plus sign, a dependency.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs helm gpg

charts=oci://$registry/team/charts

chart() { # NAME VERSION
  mkdir -p "$work/$1/templates"
  printf '%s\n' 'apiVersion: v2' "name: $1" "version: $2" 'description: a crate on a pallet' >"$work/$1/Chart.yaml"
  printf 'greeting: hello\n' >"$work/$1/values.yaml"
  printf '%s\n' 'apiVersion: v1' 'kind: ConfigMap' 'metadata:' '  name: {{ .Release.Name }}' 'data:' \
    '  greeting: {{ .Values.greeting }}' >"$work/$1/templates/map.yaml"
  expect_ok helm package "$work/$1" -d "$work"
}

step "login"
expect_fail "$refused" helm registry login "$registry" -u "$user" -p "$wrong_password"
expect_ok helm registry login "$registry" -u "$user" -p "$password"

step "push a chart and pull it back"
chart crate 1.2.3
expect_ok helm push "$work/crate-1.2.3.tgz" "$charts" --plain-http
digest=$(grep -oE 'sha256:[0-9a-f]{64}' <<<"$said" | tail -n 1)
expect_equal "digest that helm tells" "$(digest_of team/charts/crate 1.2.3)" "$digest"
mkdir "$work/pulled"
expect_ok helm pull "$charts/crate" --version 1.2.3 --plain-http -d "$work/pulled"
cmp "$work/crate-1.2.3.tgz" "$work/pulled/crate-1.2.3.tgz"

step "what it is: a chart by its media types"
manifest_of team/charts/crate 1.2.3 >"$work/manifest"
expect_equal "config" application/vnd.cncf.helm.config.v1+json "$(jq -r .config.mediaType "$work/manifest")"
expect_equal "layer" application/vnd.cncf.helm.chart.content.v1.tar+gzip "$(jq -r '.layers[0].mediaType' "$work/manifest")"

step "show and template straight from the registry"
expect_ok helm show chart "$charts/crate" --version 1.2.3 --plain-http
expect_said '^description: a crate on a pallet$'
expect_ok helm show all "$charts/crate" --version 1.2.3 --plain-http
expect_said '^greeting: hello$'
expect_ok helm template box "$charts/crate" --version 1.2.3 --plain-http --set greeting=moin
expect_said '^  greeting: moin$'
expect_said '^  name: box$'

step "a version with a plus sign"
chart crate 2.0.0+build.7
expect_ok helm push "$work/crate-2.0.0+build.7.tgz" "$charts" --plain-http
expect_equal "tags" "1.2.3 2.0.0_build.7" "$(tags_of team/charts/crate | xargs)"
expect_ok helm pull "$charts/crate" --version 2.0.0+build.7 --plain-http -d "$work/pulled"
cmp "$work/crate-2.0.0+build.7.tgz" "$work/pulled/crate-2.0.0+build.7.tgz"

step "the newest version and a range, chosen from the tags"
chart crate 1.3.0
expect_ok helm push "$work/crate-1.3.0.tgz" "$charts" --plain-http
expect_ok helm show chart "$charts/crate" --version '^1.2' --plain-http
expect_said '^version: 1\.3\.0$'
expect_ok helm show chart "$charts/crate" --plain-http
expect_said '^version: 2\.0\.0\+build\.7$'
expect_fail "$missing" helm pull "$charts/crate" --version 9.9.9 --plain-http -d "$work/pulled"

step "a signed chart comes with its provenance file"
expect_ok gpg --batch --quiet --passphrase '' --quick-generate-key 'Harbour Master <master@example.org>' rsa2048 sign never
gpg --batch --export-secret-keys >"$work/secret.gpg"
gpg --batch --export >"$work/public.gpg"
chart pallet 0.1.0
expect_ok helm package "$work/pallet" -d "$work" --sign --key 'Harbour Master' --keyring "$work/secret.gpg"
gpgconf --kill all
expect_ok helm push "$work/pallet-0.1.0.tgz" "$charts" --plain-http
expect_ok helm pull "$charts/pallet" --version 0.1.0 --plain-http --verify --keyring "$work/public.gpg" -d "$work/pulled"
expect_said 'Harbour Master'
cmp "$work/pallet-0.1.0.tgz.prov" "$work/pulled/pallet-0.1.0.tgz.prov"

step "nobody pulls from a private project, everybody from a public one"
expect_ok helm registry logout "$registry"
expect_fail "$refused" helm pull "$charts/crate" --version 1.2.3 --plain-http -d "$work"
make_public team
mkdir "$work/anonymous"
expect_ok helm pull "$charts/crate" --version 1.2.3 --plain-http -d "$work/anonymous"
# A chart that is already there would not be sent again, so this is one that is not.
chart crate 1.4.0
expect_fail "$refused" helm push "$work/crate-1.4.0.tgz" "$charts" --plain-http

step "exactly the setup page's line"
chart crate 9.0.0
follow /oci/team/charts/crate helm "push a chart of this name" "$work/crate-9.0.0.tgz"
expect_ok manifest_of team/charts/crate 9.0.0
