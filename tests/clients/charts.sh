#!/usr/bin/env bash
# helm 3 and 4 on a classic repository: add, search, pull, verify, install; helm cm-push; the upload lines of other servers; one chart
# through two doors; and the index beside the one that helm itself makes of the same charts.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs helm helm4 helm-cm-push gpg

url=http://$registry/helm/team/charts
charts=oci://$registry/team/charts

chart() { # NAME VERSION [GREETING]
  mkdir -p "$work/$1/templates"
  printf '%s\n' 'apiVersion: v2' "name: $1" "version: $2" 'description: a crate on a pallet' 'appVersion: "7"' >"$work/$1/Chart.yaml"
  printf 'greeting: %s\n' "${3:-hello}" >"$work/$1/values.yaml"
  printf '%s\n' 'apiVersion: v1' 'kind: ConfigMap' 'metadata:' '  name: {{ .Release.Name }}' 'data:' \
    '  greeting: {{ .Values.greeting }}' >"$work/$1/templates/map.yaml"
  expect_ok helm package "$work/$1" -d "$work"
}

in_index() { # FILE
  web /helm/team/charts/index.yaml | grep -qF -- "charts/$1"
}

not_in_index() { ! in_index "$1"; }

step "ChartMuseum's lines: the package as the body, and in a form"
chart crate 1.2.3
expect_ok web '/helm/team/charts/api/charts' --data-binary "@$work/crate-1.2.3.tgz"
expect_equal "answer" '{"saved":true}' "$said"
expect_ok web '/helm/team/charts/api/charts?wait=1' -F "chart=@$work/crate-1.2.3.tgz"
chart crate 1.2.3 other
expect_equal "another of the same name" 409 "$(status_of /helm/team/charts/api/charts -u "$user:$password" --data-binary "@$work/crate-1.2.3.tgz")"
expect_ok web '/helm/team/charts/api/charts?force&wait=1' --data-binary "@$work/crate-1.2.3.tgz"
expect_ok web /helm/team/charts/api/charts/crate/1.2.3/values
expect_equal "values" "greeting: other" "$said"

for helm in helm helm4; do
  export HELM_CONFIG_HOME=$work/$helm/config HELM_CACHE_HOME=$work/$helm/cache HELM_DATA_HOME=$work/$helm/data
  step "$helm: add with a password, search, show, pull"
  expect_fail "$refused" $helm repo add team "$url"
  expect_fail "$refused" $helm repo add team "$url" --username "$user" --password "$wrong_password"
  expect_ok $helm repo add team "$url" --username "$user" --password "$password"
  expect_ok $helm repo update
  expect_ok $helm search repo team/ -o json
  expect_equal "what is found" '[{"name":"team/crate","version":"1.2.3","app_version":"7","description":"a crate on a pallet"}]' "$said"
  mkdir "$work/$helm/pulled"
  expect_ok $helm pull team/crate -d "$work/$helm/pulled"
  cmp "$work/crate-1.2.3.tgz" "$work/$helm/pulled/crate-1.2.3.tgz"
  expect_ok $helm show values team/crate
  expect_said '^greeting: other$'
  expect_ok $helm template box team/crate --set greeting=moin
  expect_said '^  greeting: moin$'
  dry=--dry-run=client
  expect_ok $helm template box team/crate --version '>=1.0.0' $dry
  expect_fail 'not found|no chart version' $helm pull team/crate --version 9.9.9 -d "$work/$helm/pulled"
done
export HELM_CONFIG_HOME=$work/helm/config HELM_CACHE_HOME=$work/helm/cache HELM_DATA_HOME=$work/helm/data

step "a dependency out of the repository"
chart pallet 0.1.0
printf '%s\n' 'dependencies:' '- name: crate' '  version: 1.x' "  repository: \"@team\"" >>"$work/pallet/Chart.yaml"
expect_ok helm dependency update "$work/pallet"
cmp "$work/crate-1.2.3.tgz" "$work/pallet/charts/crate-1.2.3.tgz"

step "cm-push"
mkdir -p "$work/plugins/cm-push/bin"
ln -s "$(command -v helm-cm-push)" "$work/plugins/cm-push/bin/helm-cm-push"
# shellcheck disable=SC2016
printf '%s\n' 'name: cm-push' 'version: "0.10.4"' 'usage: push' 'description: push' \
  'command: "$HELM_PLUGIN_DIR/bin/helm-cm-push"' >"$work/plugins/cm-push/plugin.yaml"
export HELM_PLUGINS=$work/plugins
chart barrel 1.0.0
expect_ok helm cm-push "$work/barrel-1.0.0.tgz" team
expect_said 'Done\.'
# Packages of one second and the same files are the same, and those may come again.
printf 'greeting: other\n' >"$work/barrel/values.yaml"
expect_fail '409' helm cm-push "$work/barrel" team
expect_ok helm cm-push --force "$work/barrel" team
expect_ok helm cm-push --version 2.0.0 "$work/barrel" team
expect_ok helm4 cm-push --version 3.0.0 "$work/barrel" team
expect_fail '409' helm4 cm-push --version 3.0.0 "$work/barrel-1.0.0.tgz" team
for version in 2.0.0 3.0.0; do
  wait_until 20 in_index "barrel-$version.tgz" || fail "barrel $version did not come into the index"
done
expect_ok helm repo update
expect_ok helm search repo team/barrel --versions -o json
expect_equal "versions" "3.0.0 2.0.0 1.0.0" "$(jq -r '.[].version' <<<"$said" | xargs)"

step "provenance: signed by helm, uploaded, verified by helm"
expect_ok gpg --batch --quiet --passphrase '' --quick-generate-key 'Harbour Master <master@example.org>' rsa2048 sign never
gpg --batch --export-secret-keys >"$work/secret.gpg"
gpg --batch --export >"$work/public.gpg"
sign() { # CHART
  expect_ok helm package "$work/$1" -d "$work" --sign --key 'Harbour Master' --keyring "$work/secret.gpg"
}
chart cask 1.0.0
sign cask
expect_ok web '/helm/team/charts/api/charts?wait=1' -F "chart=@$work/cask-1.0.0.tgz" -F "prov=@$work/cask-1.0.0.tgz.prov"
for helm in helm helm4; do
  export HELM_CONFIG_HOME=$work/$helm/config HELM_CACHE_HOME=$work/$helm/cache HELM_DATA_HOME=$work/$helm/data
  expect_ok $helm repo update
  expect_ok $helm pull team/cask --verify --keyring "$work/public.gpg" -d "$work/$helm/pulled"
  expect_said 'Harbour Master'
  expect_ok $helm pull team/cask --prov -d "$TMPDIR"
  expect_ok $helm verify "$TMPDIR/cask-1.0.0.tgz" --keyring "$work/public.gpg"
  expect_said 'Harbour Master'
  mkdir "$work/$helm/oci"
  # What helm 3 has not, and does without where the registry is of this machine.
  plain=--plain-http
  [ $helm != helm ] || plain=
  # shellcheck disable=SC2086
  expect_ok $helm registry login "$registry" -u "$user" -p "$password" $plain
  expect_ok $helm pull "$charts/cask" --version 1.0.0 --plain-http --verify --keyring "$work/public.gpg" -d "$work/$helm/oci"
  expect_said 'Harbour Master'
done
export HELM_CONFIG_HOME=$work/helm/config HELM_CACHE_HOME=$work/helm/cache HELM_DATA_HOME=$work/helm/data

step "with a keyring, a provenance file has to be signed by somebody the project trusts"
gpg --batch --armor --export >"$work/public.asc"
jq -n --rawfile keys "$work/public.asc" '{keys: $keys}' >"$work/keyring.json"
expect_ok web /api/v1/projects/team/keyring -H 'content-type: application/json' --data-binary "@$work/keyring.json"
chart drum 1.0.0
sign drum
expect_ok web /helm/team/charts/api/charts --data-binary "@$work/drum-1.0.0.tgz"
sed 's/^name: drum$/&\nhome: http:\/\/forged.example/' "$work/drum-1.0.0.tgz.prov" >"$work/forged.prov"
expect_equal "a forged one" 400 "$(status_of /helm/team/charts/api/prov -u "$user:$password" --data-binary "@$work/forged.prov")"
expect_ok web /helm/team/charts/api/prov --data-binary "@$work/drum-1.0.0.tgz.prov"
web /helm/team/charts/charts/drum-1.0.0.tgz.prov | cmp - "$work/drum-1.0.0.tgz.prov"

step "one chart, two doors"
for helm in helm helm4; do
  export HELM_CONFIG_HOME=$work/$helm/config HELM_CACHE_HOME=$work/$helm/cache HELM_DATA_HOME=$work/$helm/data
  chart "box-of-$helm" 3.0.0+b.1
  expect_ok $helm push "$work/box-of-$helm-3.0.0+b.1.tgz" "$charts" --plain-http
  wait_until 20 in_index "box-of-$helm-3.0.0+b.1.tgz" || fail "what $helm pushed did not come into the index"
  expect_ok $helm repo update
  expect_ok $helm pull "team/box-of-$helm" -d "$work/$helm/pulled"
  cmp "$work/box-of-$helm-3.0.0+b.1.tgz" "$work/$helm/pulled/box-of-$helm-3.0.0+b.1.tgz"
  expect_ok $helm pull "$charts/barrel" --version 2.0.0 --plain-http -d "$work/$helm/oci"
  expect_ok $helm show chart "$charts/crate" --version 1.2.3 --plain-http
  expect_said '^description: a crate on a pallet$'
done
export HELM_CONFIG_HOME=$work/helm/config HELM_CACHE_HOME=$work/helm/cache HELM_DATA_HOME=$work/helm/data
expect_ok web /helm/team/charts/api/charts/barrel/2.0.0 -X DELETE
expect_equal "answer" '{"deleted":true}' "$said"
expect_fail "$missing" helm pull "$charts/barrel" --version 2.0.0 --plain-http -d "$work"
expect_ok web /v2/team/charts/box-of-helm/manifests/3.0.0_b.1 -X DELETE
wait_until 20 not_in_index box-of-helm-3.0.0+b.1.tgz || fail "what was deleted by OCI stays in the index"

step "exactly the lines of the setup page, for somebody whose password has spaces and quotes"
make_jo
asker=$jo asker_password=$jo_password
for helm in helm helm4; do
  export HELM_CONFIG_HOME=$work/page-$helm/config HELM_CACHE_HOME=$work/page-$helm/cache HELM_DATA_HOME=$work/page-$helm/data
  ln -sf "$(command -v $helm)" "$stubs/helm"
  for by in curl wharf oci; do chart "$by-by-$helm" 1.0.0+page; done
  follow /helm/team/charts curl "upload a chart" "$work/curl-by-$helm-1.0.0+page.tgz"
  follow /helm/team/charts wharf "push a file" "$work/wharf-by-$helm-1.0.0+page.tgz"
  follow /helm/team/charts helm "upload a chart by OCI" "$work/oci-by-$helm-1.0.0+page.tgz"
  wait_until 20 in_index "oci-by-$helm-1.0.0+page.tgz" || fail "what $helm pushed did not come into the index"
  follow /helm/team/charts helm "install from it"
  expect_said "^team-charts/curl-by-$helm"
  for by in curl wharf oci; do
    expect_ok $helm template box "team-charts/$by-by-$helm"
    expect_said '^  greeting: hello$'
  done
done
rm "$stubs/helm"
unset asker asker_password
export HELM_CONFIG_HOME=$work/helm/config HELM_CACHE_HOME=$work/helm/cache HELM_DATA_HOME=$work/helm/data

step "the repository goes, and its charts stay as artifacts"
expect_ok web /helm/team/gone/api/charts -F "chart=@$work/curl-by-helm-1.0.0+page.tgz"
expect_ok "$wharf" repo delete --format helm team/gone --yes
expect_said 'oci/team/gone/curl-by-helm can still be pulled'
expect_ok helm pull oci://"$registry"/team/gone/curl-by-helm --version 1.0.0+page --plain-http --username "$user" --password "$password" -d "$TMPDIR"
chart lone 1.0.0
expect_ok web '/helm/team/gone/api/charts?wait=1' --data-binary "@$work/lone-1.0.0.tgz"
lists_both() { [ "$(web /helm/team/gone/index.yaml | grep -cE 'charts/(lone|curl-by-helm)-')" = 2 ]; }
wait_until 20 lists_both || fail "a new repository does not list the artifacts that lie there"

step "the upload lines of Gitea, GitLab, Nexus and Artifactory"
chart keg 1.0.0
expect_ok curl -sS --fail-with-body --user "$user:$password" -X POST --upload-file "$work/keg-1.0.0.tgz" "http://$registry/api/packages/team/helm/api/charts"
expect_ok curl -sS --fail-with-body --request POST --form "chart=@$work/keg-1.0.0.tgz" --user "$user:$password" \
  "http://$registry/api/v4/projects/team/packages/helm/api/stable/charts"
expect_ok curl -sS --fail-with-body -u "$user:$password" "http://$registry/repository/team:nexus/" --upload-file "$work/keg-1.0.0.tgz"
expect_ok curl -sS --fail-with-body -u "$user:$password" -T "$work/keg-1.0.0.tgz" "http://$registry/artifactory/team:jfrog/keg-1.0.0.tgz"
for peer in api/packages/team/helm api/v4/projects/team/packages/helm/stable repository/team:nexus artifactory/api/helm/team:jfrog; do
  wait_until 20 web "/$peer/index.yaml" -o /dev/null || fail "no index at $peer"
  expect_ok helm repo add "${peer//[\/:]/-}" "http://$registry/$peer" --username "$user" --password "$password"
  expect_ok helm pull "${peer//[\/:]/-}/keg" -d "$TMPDIR"
  cmp "$work/keg-1.0.0.tgz" "$TMPDIR/keg-1.0.0.tgz"
done

step "the index says what helm's own says of the same 240 charts"
mkdir "$work/oracle" "$work/merged"
"$here/make-charts.py" "$work/oracle"
for file in "$work"/oracle/*.tgz; do
  printf 'next\nurl = "http://%s/helm/team/oracle/api/charts"\nuser = "%s:%s"\ndata-binary = "@%s"\nfail\nsilent\nshow-error\noutput = "/dev/null"\n' \
    "$registry" "$user" "$password" "$file"
done | sed 1d >"$work/uploads"
expect_ok curl --config "$work/uploads"
all_there() { [ "$(web /helm/team/oracle/index.yaml | grep -c '^  - ')" = 240 ]; }
wait_until 60 all_there || fail "not all charts came into the index"
web /helm/team/oracle/index.yaml >"$work/ours.yaml"
expect_ok helm repo index "$work/oracle" --json
# helm itself reads ours, strictly, and writes it down as it understood it.
expect_ok helm repo index "$work/merged" --merge "$work/ours.yaml" --json
comparable() { jq -S '.entries | map_values(map(del(.created)))' "$1"; }
comparable "$work/oracle/index.yaml" | sed 's/^\( *\)"\(.*\.tgz\)"$/\1"charts\/\2"/' >"$work/theirs"
comparable "$work/merged/index.yaml" >"$work/ours"
# Argued: `appVersion: 1.10` without quotes is 1.10 to its author; helm reads a number and writes 1.1.
sed -i 's/"appVersion": "1.1"/"appVersion": "1.10"/' "$work/theirs"
# And a word y in a list is that word; helm's YAML takes it for a truth value and then writes it down as text.
sed -i 's/^\( *\)"true"\(,\{0,1\}\)$/\1"y"\2/' "$work/theirs"
diff "$work/theirs" "$work/ours" || fail "the indexes differ"

step "the setup page's lines where everybody may read"
make_public team
export HELM_CONFIG_HOME=$work/public/config HELM_CACHE_HOME=$work/public/cache HELM_DATA_HOME=$work/public/data
follow /helm/team/charts helm "install from it"
grep -q -e --password "$work/lines" && fail "a password is asked for where nobody needs one"
expect_ok helm template box team-charts/crate
