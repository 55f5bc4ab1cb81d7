#!/usr/bin/env bash
# wharf import: what aptly, reprepro, createrepo_c, helm and a registry hold, brought here and fetched by their clients. REGISTRY_BIN names
# another registry than Debian's, such as a distribution 3.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$here/rpms.bash"
server=${REGISTRY_BIN:-docker-registry}
needs aptly reprepro dpkg-deb dpkg-source apt-get createrepo_c modifyrepo_c rpmbuild dnf dnf5 gpg helm helm4 crane skopeo oras "$server"

architecture=$(dpkg --print-architecture)
login() { printf '%s' "$password" | "$wharf" login "http://$registry" -u "$user" --password-stdin; }
expect_ok login
import() { "$wharf" import "$@"; }
nothing_to_send() {
  expect_ok import "$@"
  grep -qE '^0 sent |^nothing to send' <<<"$said" || fail "something was sent again: $said"
  grep -qE '^nothing to send: all [1-9][0-9]* are there already$' <<<"$said"
}
expect_nothing_to_send() { # FOLDER DESTINATION: and a count of what is there. Where it is listed is known once the index is published.
  wait_until 20 nothing_to_send "$@" || fail "there is still something to do: $said"
}
for project in team old; do
  expect_ok web /api/v1/projects -X POST -H 'content-type: application/json' -d "{\"name\":\"$project\",\"public\":true}"
done

step "packages and a source"
make_deb() { # NAME VERSION [ARCHITECTURE]
  local folder="$work/make/$1-$2"
  mkdir -p "$folder/DEBIAN" "$folder/usr/share/wharf-test" "$work/debs"
  echo "$1 $2" >"$folder/usr/share/wharf-test/$1"
  printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: T <t@example.org>\nSection: utils\nPriority: optional\nDescription: of a test\n' \
    "$1" "$2" "${3:-$architecture}" >"$folder/DEBIAN/control"
  expect_ok dpkg-deb --root-owner-group -b "$folder" "$work/debs/$1_$2_${3:-$architecture}.deb"
}
make_deb wharf-one 1.0-1
make_deb wharf-one 1.1-1
make_deb wharf-all 1:2.0 all
make_deb wharf-extra 1.0
mkdir -p "$work/debs/wharf-tool-1.0/debian/source"
(
  cd "$work/debs/wharf-tool-1.0"
  echo '3.0 (quilt)' >debian/source/format
  printf 'Source: wharf-tool\nSection: utils\nPriority: optional\nMaintainer: T <t@example.org>\nStandards-Version: 4.6.2\n\nPackage: wharf-tool\nArchitecture: all\nDescription: a tool\n of a test\n' >debian/control
  printf 'wharf-tool (1.0-1) stable; urgency=low\n\n  * New.\n\n -- T <t@example.org>  Mon, 01 Jan 2024 00:00:00 +0000\n' >debian/changelog
  printf '#!/usr/bin/make -f\n%%:\n\ttrue\n' >debian/rules
  chmod +x debian/rules
  echo "a tool" >file
  tar -czf ../wharf-tool_1.0.orig.tar.gz --exclude debian -C .. wharf-tool-1.0
  expect_ok dpkg-source -b .
)
rm -r "$work/debs/wharf-tool-1.0"

root=$work/root
mkdir -p "$root"/etc/apt/{apt.conf.d,preferences.d,sources.list.d,keyrings} "$root"/var/lib/{apt/lists/partial,dpkg} \
  "$root"/var/cache/apt/archives/partial "$root"/var/log/apt
: >"$root/var/lib/dpkg/status"
apt() {
  apt-get -o quiet=1 -o "Dir=$root" -o "Dir::State::status=$root/var/lib/dpkg/status" -o Dir::Bin::methods=/usr/lib/apt/methods \
    -o Dir::Etc::main=none -o "APT::Architecture=$architecture" -o Acquire::Languages=none -o APT::Sandbox::User=root \
    -o APT::Get::Assume-Yes=true -o APT::Update::Error-Mode=any "$@"
}
reads() { # REPOSITORY SUITES COMPONENTS: what apt is to read
  expect_ok web "/apt/$1/key.asc" -o "$root/etc/apt/keyrings/key.asc"
  printf 'Types: deb deb-src\nURIs: http://%s/apt/%s\nSuites: %s\nComponents: %s\nSigned-By: %s\n' "$registry" "$1" "$2" "$3" \
    "$root/etc/apt/keyrings/key.asc" >"$root/etc/apt/sources.list.d/wharf.sources"
}
expect_same_deb() { # FILE-IN-DEBS PACKAGE [apt-get's OPTIONS…]
  local file=$1 package=$2
  shift 2
  (mkdir -p "$work/got" && cd "$work/got" && rm -f ./* && expect_ok apt "$@" download "$package")
  cmp "$work/debs/$file" "$work/got/"*.deb || fail "$package is not the file that it was"
}
lists() { web "/apt/$1" | grep -q "^Package: $2$"; } # PATH PACKAGE

step "aptly: two distributions that share packages, one with two components"
printf '{"rootDir":"%s/aptly","gpgDisableSign":true,"gpgDisableVerify":true}' "$work" >"$HOME/.aptly.conf"
for name in main extra testing; do expect_ok aptly repo create "$name"; done
expect_ok aptly repo add main "$work"/debs/wharf-one_1.0-1_* "$work"/debs/wharf-all_* "$work"/debs/wharf-tool_1.0-1.dsc
expect_ok aptly repo add extra "$work"/debs/wharf-extra_*
expect_ok aptly repo add testing "$work"/debs/wharf-one_1.1-1_* "$work"/debs/wharf-all_*
expect_fail 'aptly publish' import "$work/aptly" team/debs
expect_ok aptly publish repo -skip-signing -architectures="$architecture,source" -distribution=stable -origin=Harbour -component=main,extra main extra
expect_ok aptly publish repo -skip-signing -architectures="$architecture,source" -distribution=testing -component=main testing
expect_ok import "$work/aptly/public" team/debs --dry-run
expect_said '^7 would be sent'
expect_equal "what a dry run sent" 404 "$(status_of /apt/team/debs/dists/stable/Release)"
expect_ok import "$work/aptly/public" team/debs
expect_said '^7 sent .*, 0 were there already$'
expect_nothing_to_send "$work/aptly/public" team/debs
for at in stable/main/binary-all/Packages:wharf-all stable/main/source/Sources:wharf-tool "stable/extra/binary-$architecture/Packages:wharf-extra" \
  "testing/main/binary-$architecture/Packages:wharf-one"; do
  wait_until 20 lists "team/debs/dists/${at%:*}" "${at#*:}" || fail "${at#*:} is not in ${at%:*}"
done
reads team/debs 'stable testing' main
sed -i 's/^Suites: .*/Suites: stable/; s/^Components: .*/Components: main extra/' "$root/etc/apt/sources.list.d/wharf.sources"
expect_ok apt update
expect_same_deb "wharf-one_1.0-1_$architecture.deb" wharf-one
expect_same_deb wharf-all_1:2.0_all.deb wharf-all
expect_same_deb "wharf-extra_1.0_$architecture.deb" wharf-extra
(mkdir -p "$work/source" && cd "$work/source" && expect_ok apt source wharf-tool)
expect_equal "the source" "a tool" "$(cat "$work/source/wharf-tool-1.0/file")"
expect_ok web /apt/team/debs/dists/stable/Release
expect_said '^Origin: Harbour$'
sed -i 's/^Suites: .*/Suites: testing/; s/^Components: .*/Components: main/' "$root/etc/apt/sources.list.d/wharf.sources"
expect_ok apt update
expect_same_deb "wharf-one_1.1-1_$architecture.deb" wharf-one
expect_same_deb wharf-all_1:2.0_all.deb wharf-all

step "reprepro, with an alias of its distribution"
mkdir -p "$work/reprepro/conf"
printf 'Codename: twelve\nSuite: stable\nOrigin: Quay\nArchitectures: %s source\nComponents: main\nUDebComponents: main\nDebIndices: Packages Release . .xz\n' \
  "$architecture" >"$work/reprepro/conf/distributions"
expect_fail 'reprepro export' import "$work/reprepro" team/other
expect_ok reprepro -b "$work/reprepro" includedeb twelve "$work"/debs/wharf-one_1.0-1_* "$work"/debs/wharf-all_*
expect_ok reprepro -b "$work/reprepro" includedsc twelve "$work/debs/wharf-tool_1.0-1.dsc"
ln -s twelve "$work/reprepro/dists/stable"
expect_ok import "$work/reprepro" team/other
expect_said '^5 sent '
expect_nothing_to_send "$work/reprepro" team/other
wait_until 20 lists "team/other/dists/stable/main/source/Sources" wharf-tool || fail "the alias lists no source"
wait_until 20 lists "team/other/dists/stable/main/binary-all/Packages" wharf-all || fail "the alias does not list wharf-all"
wait_until 20 lists "team/other/dists/stable/main/binary-$architecture/Packages" wharf-one || fail "the alias does not list wharf-one"
reads team/other stable main
expect_ok apt update
expect_same_deb wharf-all_1:2.0_all.deb wharf-all

step "createrepo_c: packages of every kind, advisories, groups, modules"
odd_rpms
tool_rpm crate 1.0 1
tool_rpm crate 1.1 1
many_rpms 30
printf '<updates><update from="t@example.org" status="final" type="security" version="1"><id>TEAM-2026:1</id><title>crate &amp; more</title><issued date="2026-01-01 00:00:00"/><severity>Important</severity><description>It leaked.</description><references/><pkglist><collection short="t"><name>t</name><package name="crate" version="1.1" release="1" epoch="0" arch="noarch" src="crate-1.1-1.src.rpm"><filename>crate-1.1-1.noarch.rpm</filename></package></collection></pkglist></update></updates>' >"$work/updateinfo.xml"
printf '<comps><group><id>warehouse</id><name>Warehouse</name><description>All.</description><default>false</default><uservisible>true</uservisible><packagelist><packagereq type="mandatory">crate</packagereq></packagelist></group></comps>' >"$work/comps.xml"
expect_ok createrepo_c -q --no-database -g "$work/comps.xml" "$rpms"
expect_ok modifyrepo_c --mdtype=updateinfo "$work/updateinfo.xml" "$rpms/repodata"
printf '%s\n' --- 'document: modulemd' 'version: 2' 'data:' '  name: lifting' '  stream: "2"' '  version: 20260101' '  context: c0ffee42' \
  "  arch: $(uname -m)" '  summary: Lifting' '  description: Lifting things.' '  license:' '    module: [MIT]' '  artifacts:' '    rpms:' \
  '    - crate-0:1.0-1.noarch' ... >"$work/modules.yaml"
expect_ok modifyrepo_c --mdtype=modules "$work/modules.yaml" "$rpms/repodata"
expect_ok import "$rpms" team/el9
expect_said ' sent .*, 0 were there already$'
expect_nothing_to_send "$rpms" team/el9
count=$(find "$rpms" -name '*.rpm' | wc -l)
all_are_listed() { web /yum/team/el9/repodata/repomd.xml >"$work/repomd" && expect_ok "$here/compare-repodata.py" "http://$registry/yum/team/el9" "$rpms"; }
wait_until 20 all_are_listed || all_are_listed
mkdir -p "$work/repos"
printf '[team]\nname=team\nbaseurl=http://%s/yum/team/el9\ngpgcheck=0\n' "$registry" >"$work/repos/team.repo"
dnf4() { dnf -y --installroot="$work/dnf" --setopt=reposdir="$work/repos" --setopt=cachedir="$work/dnf/cache" --setopt=module_platform_id=platform:el9 --releasever=9 "$@"; }
expect_ok dnf4 makecache
expect_ok dnf4 download --destdir="$work/got" crate
cmp "$rpms/crate-1.1-1.noarch.rpm" "$work/got/crate-1.1-1.noarch.rpm"
expect_ok dnf4 repoquery
expect_said '^odd-3:1.0~rc1\^git20260101-2.el9'
expect_ok dnf4 group list
expect_said Warehouse
expect_ok dnf4 module list
expect_said '^lifting +2'
export DNF5_FILES=$work
dnf_5() { dnf5 -y --installroot="$work/dnf5" --use-host-config --setopt=reposdir="$work/repos" --setopt=cachedir="$work/dnf5/cache" --setopt=logdir="$work" --setopt=module_platform_id=platform:el9 --releasever=9 "$@"; }
expect_ok dnf_5 makecache
expect_ok dnf_5 repoquery odd
expect_said '^odd-3:1.0~rc1\^git20260101-2.el9'
expect_ok dnf_5 module list
expect_said '^lifting +2'
expect_ok dnf_5 group list
expect_said 'Warehouse|warehouse'
expect_ok dnf_5 install crate
expect_equal "installed" "crate 1.1-1" "$(sh "$work/dnf5/usr/bin/crate")"
expect_ok dnf_5 advisory list --all
expect_said 'TEAM-2026:1'
expect_ok web /yum/team/el9/updateinfo.xml
expect_said 'TEAM-2026:1'
step "$count packages; one is broken, and named"
cp -r "$rpms" "$work/broken"
echo rot >>"$work/broken/crate-1.1-1.noarch.rpm"
expect_fail 'crate-1.1-1.noarch.rpm: it has' import "$work/broken" team/el9-broken
expect_said 'one was not imported'

step "charts, signed, in a folder with an index"
expect_ok gpg --batch --quiet --passphrase '' --quick-generate-key 'Harbour Master <master@example.org>' rsa2048 sign never
gpg --batch --export-secret-keys >"$work/secret.gpg"
gpg --batch --export >"$work/public.gpg"
mkdir -p "$work/charts" "$work/cask/templates"
for version in 1.0.0 1.1.0+b; do
  printf '%s\n' 'apiVersion: v2' 'name: cask' "version: $version" 'description: a cask' >"$work/cask/Chart.yaml"
  expect_ok helm package "$work/cask" -d "$work/charts" --sign --key 'Harbour Master' --keyring "$work/secret.gpg"
done
expect_ok helm repo index "$work/charts" --url https://old.example.org/charts
expect_ok import "$work/charts" team/charts
expect_said '^4 sent '
expect_nothing_to_send "$work/charts" team/charts
expect_ok helm repo add team "http://$registry/helm/team/charts"
is_found() { helm repo update && [ "$(helm search repo team/cask --versions -o json | jq length)" = 2 ]; }
wait_until 20 is_found || fail "helm does not find both versions"
for helm in helm helm4; do
  mkdir "$work/got-$helm"
  export HELM_CONFIG_HOME=$work/$helm/config HELM_CACHE_HOME=$work/$helm/cache HELM_DATA_HOME=$work/$helm/data
  expect_ok $helm repo add team "http://$registry/helm/team/charts"
  expect_ok $helm pull team/cask --version 1.0.0 --verify --keyring "$work/public.gpg" -d "$work/got-$helm"
  cmp "$work/charts/cask-1.0.0.tgz" "$work/got-$helm/cask-1.0.0.tgz"
  expect_ok $helm verify "$work/got-$helm/cask-1.0.0.tgz" --keyring "$work/public.gpg"
  expect_said 'Harbour Master'
  expect_ok $helm pull "oci://$registry/team/charts/cask" --version 1.1.0+b --plain-http -d "$work/got-$helm"
  cmp "$work/charts/cask-1.1.0+b.tgz" "$work/got-$helm/cask-1.1.0+b.tgz"
done

step "a registry's storage: images, an index, something attached, a tag that moved"
old=127.0.0.1:$(free_port)
printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "%s"}\n' "$work/storage" "$old" >"$work/registry.yml"
# The file of credentials that skopeo is told of would be a setting to it.
spawn "$work/registry.log" env -u REGISTRY_AUTH_FILE "$server" serve "$work/registry.yml"
wait_until 20 curl -sf "http://$old/v2/" || fail "the old registry does not answer: $(cat "$work/registry.log")"
copy() { skopeo copy --all --preserve-digests --src-tls-verify=false --dest-tls-verify=false "$@"; }
expect_ok copy "oci:$images/single:1" "docker://$old/library/app:1"
expect_ok copy "oci:$images/multi:1" "docker://$old/library/app:2"
expect_ok copy "oci:$images/single:1" "docker://$old/library/app:latest"
expect_ok copy "oci:$images/multi:1" "docker://$old/library/app:latest"
expect_ok copy "oci:$images/multi:1" "docker://$old/twin:2"
echo "a bill" >"$work/sbom"
expect_ok oras attach --plain-http --disable-path-validation --artifact-type application/x-bill --distribution-spec v1.1-referrers-tag "$old/library/app:1" "$work/sbom"
stop "${started[0]}"
expect_ok import "$work/storage" team/old
expect_said 'placed without sending them'
expect_nothing_to_send "$work/storage" team/old
expect_equal "the image" "$single_digest" "$(digest_of team/old/library/app 1)"
expect_whole_index team/old/library/app 2
expect_whole_index team/old/library/app latest
expect_whole_index team/old/twin 2
expect_equal "what is attached" "application/x-bill" "$(referrers_of team/old/library/app "$single_digest" | cut -d ' ' -f 1)"
expect_ok crane auth login "$registry" -u "$user" -p "$password"
expect_ok crane validate --insecure --remote "$registry/team/old/library/app:2"
expect_ok copy "docker://$registry/team/old/twin:2" "oci:$work/back:1"
expect_same_blobs "$images/multi" "$work/back"
step "without a prefix names stay what they were, and a blob that rotted is named"
hex=$(sha256sum "$work/sbom" | cut -d ' ' -f 1)
echo rot >>"$work/storage/docker/registry/v2/blobs/sha256/${hex:0:2}/$hex/data"
expect_fail "$hex/data" import "$work/storage"
expect_said 'library/app@sha256:[0-9a-f]*: .*could not be brought'
expect_equal "the image" "$single_digest" "$(digest_of library/app 1)"
expect_whole_index library/app 2
