#!/usr/bin/env bash
# dnf 4 and dnf 5: makecache, install, upgrade, downgrade, repoquery, advisories, groups, modules, repoclosure, signed packages; a
# repository that only a password opens.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$here/rpms.bash"
needs dnf dnf5 createrepo_c rpmbuild rpmsign gpg
needs_root
export DNF5_FILES=$work

arch=$(uname -m)
el9=http://$registry/yum/team/el9

step "packages"
signing_key
for n in 1.0 1.1; do tool_rpm crate "$n" 1; done
tool_rpm pallet 1.0 1 $'Requires: crate >= 1.1\nRecommends: nothing-like-it\nProvides: lifter = 1:2.0'
tool_rpm forklift 2.0~rc1 1 'Epoch: 1'
tool_rpm unsigned 1.0 1
sign_rpms "$rpms"/{crate-1.0,crate-1.1,pallet-1.0,forklift-2.0~rc1}-1.noarch.rpm

step "upload with curl, as people do"
expect_ok curl -sS --fail-with-body -u "$user:$password" -T "$rpms/crate-1.0-1.noarch.rpm" "$el9/"
expect_ok curl -sS --fail-with-body -u "$user:$password" --upload-file "$rpms/crate-1.1-1.noarch.rpm" "http://$registry/api/packages/team/rpm/el9/upload"
expect_ok curl -sS --fail-with-body -u "$user:$password" --upload-file "$rpms/pallet-1.0-1.noarch.rpm" "http://$registry/repository/team:el9/9/$arch/pallet-1.0-1.noarch.rpm"
expect_ok curl -sS --fail-with-body -u "$user:$password" -T "$rpms/forklift-2.0~rc1-1.noarch.rpm" "http://$registry/artifactory/team:el9/9/forklift-2.0~rc1-1.noarch.rpm"
expect_ok curl -sS --fail-with-body -u "$user:$password" -F "yum.asset=@$rpms/unsigned-1.0-1.noarch.rpm" -F yum.asset.filename=unsigned-1.0-1.noarch.rpm \
  "http://$registry/service/rest/v1/components?repository=team:el9"

step "advisories, groups and modules"
expect_ok web "/yum/team/el9/advisories" -X POST -d '{"id":"TEAM-2026:1","title":"crate fixed","type":"security","severity":"Important",
  "description":"It leaked.","references":[{"href":"https://example.com/CVE-2026-1","id":"CVE-2026-1","type":"cve"}],"packages":["crate-1.1-1.noarch.rpm"]}'
cat >"$work/comps.xml" <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<comps><group><id>warehouse</id><name>Warehouse</name><description>All there is.</description><default>false</default><uservisible>true</uservisible>
<packagelist><packagereq type="mandatory">pallet</packagereq><packagereq type="mandatory">forklift</packagereq></packagelist></group></comps>
XML
expect_ok web /yum/team/el9/comps.xml -T "$work/comps.xml"
cat >"$work/modules.yaml" <<YAML
---
document: modulemd
version: 2
data:
  name: lifting
  stream: "2"
  version: 20260101
  context: c0ffee42
  arch: $arch
  summary: Lifting
  description: Lifting things.
  license:
    module: [MIT]
  profiles:
    default:
      rpms: [forklift]
  artifacts:
    rpms:
    - forklift-1:2.0~rc1-1.noarch
...
YAML
expect_ok web "/yum/team/el9/modules.yaml?wait=1" -T "$work/modules.yaml"

# A root of its own for every client, and a configuration with this repository and nothing else.
repo_file() { # FOLDER GPGCHECK
  mkdir -p "$1"
  web /yum/team/el9/team-el9.repo | sed "s/^gpgcheck=.*/gpgcheck=$2/" >"$1/team-el9.repo"
  printf '%s\n' "username=$user" "password=$password" skip_if_unavailable=0 >>"$1/team-el9.repo"
  # The key of the metadata and the one of the packages. dnf 5 shows the password to the repository and not where it asks for keys.
  expect_ok web /yum/team/el9/key.asc -o "$work/metadata.asc"
  sed -i "s|^gpgkey=.*|gpgkey=file://$work/metadata.asc file://$work/packager.asc|" "$1/team-el9.repo"
}
dnf4() { # ROOT ARGUMENTS…
  local root=$1
  shift
  dnf -y --disableplugin=local --installroot="$root" --setopt=reposdir="${repos:-$work/repos}" --setopt=cachedir="$root/cache" --setopt=logdir="$work" \
    --setopt=keepcache=0 --setopt=module_platform_id=platform:el9 --releasever=9 "$@"
}
# The wrapper of $clients sees the same files.
dnf_5() { # ROOT ARGUMENTS…
  local root=$1
  shift
  dnf5 -y --installroot="$root" --use-host-config --setopt=reposdir="${repos:-$work/repos}" --setopt=cachedir="$root/cache" \
    --setopt=logdir="$work" --setopt=module_platform_id=platform:el9 --releasever=9 "$@"
}
says() { # ROOT PROGRAM: what an installed program says
  sh "$1/usr/bin/$2"
}

repo_file "$work/repos" 0
for client in dnf4 dnf_5; do
  root=$work/$client
  step "$client: makecache"
  expect_ok "$client" "$root" makecache
  expect_ok "$client" "$root" --refresh repoquery --whatprovides lifter
  expect_said '^pallet-0:1.0-1.noarch'

  step "$client: an older version, then its upgrade, then back"
  expect_ok "$client" "$root" install crate-1.0
  expect_equal "old" "crate 1.0-1" "$(says "$root" crate)"
  expect_ok "$client" "$root" updateinfo list
  expect_said 'TEAM-2026:1'
  expect_ok "$client" "$root" upgrade --security
  expect_equal "new" "crate 1.1-1" "$(says "$root" crate)"
  expect_ok "$client" "$root" downgrade crate
  expect_equal "old again" "crate 1.0-1" "$(says "$root" crate)"

  step "$client: what is needed comes along"
  expect_ok "$client" "$root" install pallet
  expect_equal "needed" "crate 1.1-1" "$(says "$root" crate)"
  expect_ok "$client" "$root" repoquery -l pallet
  expect_said '^/usr/bin/pallet$'
  expect_ok "$client" "$root" repoquery --changelogs pallet

  step "$client: modules and groups"
  expect_ok "$client" "$root" module list
  expect_said '^lifting +2'
  expect_ok "$client" "$root" group list
  expect_said 'Warehouse|warehouse'
  expect_fail 'No match|Unable to find|filtered|excluded' "$client" "$root" install forklift
  expect_ok "$client" "$root" module enable lifting:2
  expect_ok "$client" "$root" install @warehouse
  expect_equal "group" "forklift 2.0~rc1-1" "$(says "$root" forklift)"
done

step "a snapshot: clients go back to it, although they have seen what is newer, and on again"
login() { printf '%s' "$password" | "$wharf" login "http://$registry" -u "$user" --password-stdin; }
expect_ok login
expect_ok "$wharf" snapshot create yum/team/el9 before
tool_rpm later 1.0 1
push_rpm team/el9 "$rpms/later-1.0-1.noarch.rpm" wait=1
for client in dnf4 dnf_5; do expect_ok "$client" "$work/$client" --refresh repoquery later && expect_said '^later-0:1.0'; done
expect_ok "$wharf" snapshot publish yum/team/el9 before
for client in dnf4 dnf_5; do expect_ok "$client" "$work/$client" --refresh repoquery later && ! grep -q '^later-' <<<"$said" || fail "$client sees what is newer"; done
expect_ok "$wharf" snapshot publish yum/team/el9 --live
for client in dnf4 dnf_5; do expect_ok "$client" "$work/$client" --refresh install later; done

step "dnf 4: every need can be met"
expect_ok dnf4 "$work/dnf4" repoclosure --repo team-el9

step "only signed packages, where that is wanted"
repo_file "$work/strict" 1
for client in dnf4 dnf_5; do
  root=$work/$client-strict
  repos=$work/strict expect_fail 'not signed|GPG check FAILED|signature|OpenPGP' "$client" "$root" install unsigned
  repos=$work/strict expect_ok "$client" "$root" install crate
  expect_equal "signed" "crate 1.1-1" "$(says "$root" crate)"
done

step "nobody without the password"
sed -i '/^password=/d; /^username=/d' "$work/strict/team-el9.repo"
repos=$work/strict expect_fail '401' dnf4 "$work/nobody" install crate

step "metadata that somebody else has signed"
repo_file "$work/forged" 0
sed -i "s|^gpgkey=.*|gpgkey=file://$work/packager.asc|" "$work/forged/team-el9.repo"
for client in dnf4 dnf_5; do
  repos=$work/forged expect_fail 'signature|PGP|GPG' "$client" "$work/$client-forged" makecache
done

step "metadata without a list of mirrors"
repo_file "$work/plain" 0
sed -i 's|^mirrorlist=|#&|; s|^#baseurl=|baseurl=|' "$work/plain/team-el9.repo"
for client in dnf4 dnf_5; do
  repos=$work/plain expect_ok "$client" "$work/$client-plain" install pallet
  expect_equal "plain" "pallet 1.0-1" "$(says "$work/$client-plain" pallet)"
done

step "exactly the lines of the setup page, for somebody whose password has spaces and quotes"
make_jo
asker=$jo asker_password=$jo_password
tool_rpm dolly 1.0 1
tool_rpm dolly 1.1 1
follow /yum/team/el9 curl "upload a package" "$rpms/dolly-1.0-1.noarch.rpm"
follow /yum/team/el9 wharf "push a file" "$rpms/dolly-1.1-1.noarch.rpm"
newcomer_installs() { # CLIENT AND-THEN
  local root=/
  [ "$1" = dnf4 ] || root=$(readlink -f "$(dirname "$(command -v dnf5)")/../dnf5-root")
  {
    # The plugin that keeps packages wants createrepo_c, which this machine has not.
    [ "$1" = dnf4 ] || echo 'ln -s dnf5 /usr/bin/dnf; sed -i "s/^enabled = host-only/enabled = 0/" /etc/dnf/libdnf5-plugins/local.conf'
    setup_lines /yum/team/el9 dnf "install from it"
    echo 'sudo dnf -y --repo=team-el9 install dolly; dolly'
    echo "$2"
  } >"$work/newcomer"
  expect_ok aside "$root" "$work/newcomer"
  expect_said '^dolly 1.1-1$'
}
for client in dnf4 dnf5; do
  step "the setup page's lines on a machine with $client"
  newcomer_installs "$client" 'stat -c "mode %a" /etc/yum.repos.d/team-el9.repo'
  expect_said '^mode 600$'
done
[ ! -e /etc/yum.repos.d/team-el9.repo ] || fail "the machine itself was changed"
unset asker asker_password

step "metadata in Zstandard"
repo_file "$work/zstd" 0
sed -i 's|/mirrorlist$|/zstd/mirrorlist|' "$work/zstd/team-el9.repo"
for client in dnf4 dnf_5; do
  repos=$work/zstd expect_ok "$client" "$work/$client-zstd" install pallet
  expect_equal "by Zstandard" "pallet 1.0-1" "$(says "$work/$client-zstd" pallet)"
done

step "the setup page's lines where everybody may read"
make_public team
for client in dnf4 dnf5; do newcomer_installs "$client" '! grep -q password /etc/yum.repos.d/team-el9.repo'; done
