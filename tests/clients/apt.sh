#!/usr/bin/env bash
# apt itself, in a root of its own: deb822 source with Signed-By, auth.conf, by-hash, install, upgrade, pinning, apt source, apt-file,
# dput, dput-ng, and the upload lines of other servers as they document them.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs apt-get dpkg-deb dpkg-source dput apt-file curl gpg jq python3

root=$work/root
base=/apt/team/debs
architecture=$(dpkg --print-architecture)
mkdir -p "$root"/etc/apt/{apt.conf.d,preferences.d,sources.list.d,auth.conf.d,keyrings} "$root"/var/lib/{apt/lists/partial,dpkg} \
  "$root"/var/cache/apt/archives/partial "$root"/var/log/apt
: >"$root/var/lib/dpkg/status"

# No line of the machine's own configuration counts, but for the methods that fetch.
apt_in() { # PROGRAM ARGUMENTS…
  local program=$1
  shift
  "$program" -o quiet=1 -o "Dir=$root" -o "Dir::State::status=$root/var/lib/dpkg/status" -o Dir::Bin::methods=/usr/lib/apt/methods \
    -o Dir::Etc::main=none -o "APT::Architecture=$architecture" -o Acquire::Languages=none -o APT::Sandbox::User=root \
    -o "DPkg::Options::=--root=$root" -o DPkg::Options::=--force-not-root -o APT::Get::Assume-Yes=true \
    -o APT::Update::Error-Mode=any "$@"
}
apt() { apt_in apt-get "$@"; }
policy() { apt_in apt-cache policy "$1" | awk '$1 == "Candidate:" { print $2 }'; }

make_deb() { # NAME VERSION [ARCHITECTURE [FIELD]]
  local folder="$work/make/$1-$2"
  mkdir -p "$folder/DEBIAN" "$folder/usr/share/wharf-test"
  echo "$1 $2" >"$folder/usr/share/wharf-test/$1"
  printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: T <t@example.org>\nSection: utils\nPriority: optional\n%sDescription: of a test\n' \
    "$1" "$2" "${3:-$architecture}" "${4:+$4
}" >"$folder/DEBIAN/control"
  expect_ok dpkg-deb --root-owner-group -b "$folder" "$work/$1_$2.deb"
}

put() { # FILE SPOT
  expect_ok web "$base/pool/$2/upload?wait=1" -T "$1"
}

both_sign() { [ "$(web "$base/dists/stable/Release" | sed -n 's/^Signed-By: //p' | tr -cd , | wc -c)" = 1 ]; }
lists() { web "$base/dists/stable/$1" | grep -q "$2"; } # TABLE NAME

step "packages: one that needs another, which runs on all architectures"
make_deb wharf-hello 1.0-1 "$architecture" "Depends: wharf-data (>= 1)"
make_deb wharf-hello 1.1-1 "$architecture" "Depends: wharf-data (>= 1)"
make_deb wharf-hello 2.0-1 "$architecture" "Depends: wharf-data (>= 1)"
make_deb wharf-data 1:1.0 all
put "$work/wharf-hello_1.0-1.deb" stable/main
put "$work/wharf-data_1:1.0.deb" stable/main

step "a source with its key, and a password for nothing else"
expect_ok web "$base/key.asc" -o "$root/etc/apt/keyrings/debs.asc"
expect_ok gpg --batch --show-keys "$root/etc/apt/keyrings/debs.asc"
cat >"$root/etc/apt/sources.list.d/debs.sources" <<END
Types: deb deb-src
URIs: http://$registry$base
Suites: stable
Components: main
Signed-By: $root/etc/apt/keyrings/debs.asc
END
expect_fail "401" apt update
printf 'machine http://%s login %s password %s\n' "$registry" "$user" "$password" >"$root/etc/apt/auth.conf.d/debs.conf"
expect_ok apt update -o Debug::Acquire::http=true
expect_said "by-hash/SHA512/"
expect_said "InRelease"

step "install, with what it needs"
expect_ok apt install wharf-hello
expect_equal "installed" "wharf-hello 1.0-1" "$(cat "$root/usr/share/wharf-test/wharf-hello")"
expect_equal "installed with it" "wharf-data 1:1.0" "$(cat "$root/usr/share/wharf-test/wharf-data")"
expect_ok apt check

step "upgrade"
put "$work/wharf-hello_1.1-1.deb" stable/main
expect_ok apt update
expect_ok apt upgrade
expect_equal "installed" "wharf-hello 1.1-1" "$(cat "$root/usr/share/wharf-test/wharf-hello")"

step "another key signs nothing here"
expect_ok gpg --batch --quiet --passphrase '' --quick-generate-key "Somebody <s@example.org>" ed25519 sign never
gpg --batch --export --armor >"$work/other.asc"
sed -i "s|^Signed-By: .*|Signed-By: $work/other.asc|" "$root/etc/apt/sources.list.d/debs.sources"
expect_fail "NO_PUBKEY|not signed|couldn't be verified" apt update
sed -i "s|^Signed-By: .*|Signed-By: $root/etc/apt/keyrings/debs.asc|" "$root/etc/apt/sources.list.d/debs.sources"
expect_ok apt update

step "a distribution for trying out: seen, and not installed unasked"
put "$work/wharf-hello_2.0-1.deb" trying/main
expect_ok web "$base/dists/trying/settings?wait=1" -X PUT -d '{"not_automatic":true,"but_automatic_upgrades":true,"label":"Trying"}'
sed -i 's/^Suites: .*/Suites: stable trying/' "$root/etc/apt/sources.list.d/debs.sources"
expect_ok apt update
expect_equal "candidate" 1.1-1 "$(policy wharf-hello)"
printf 'Package: *\nPin: release l=Trying\nPin-Priority: 990\n' >"$root/etc/apt/preferences.d/trying"
expect_equal "candidate once it is pinned" 2.0-1 "$(policy wharf-hello)"
rm "$root/etc/apt/preferences.d/trying"
expect_ok apt install -t trying wharf-hello
expect_equal "installed" "wharf-hello 2.0-1" "$(cat "$root/usr/share/wharf-test/wharf-hello")"

step "a copy into the other distribution, and its removal"
expect_ok web "$base/pool/trying/main/wharf-hello/2.0-1/$architecture?to=stable&wait=1" -X POST
expect_ok apt update
expect_equal "candidate" 2.0-1 "$(policy wharf-hello)"
expect_ok web "$base/pool/stable/main/wharf-hello/1.0-1/$architecture?wait=1" -X DELETE
expect_ok apt update
expect_fail "was not found" apt install wharf-hello=1.0-1

step "a snapshot: clients go back to it, although they have seen what is newer, and on again"
login() { printf '%s' "$password" | "$wharf" login "http://$registry" -u "$user" --password-stdin; }
expect_ok login
make_deb wharf-later 1.0
make_deb wharf-later 2.0
put "$work/wharf-later_1.0.deb" stable/main
expect_ok "$wharf" snapshot create apt/team/debs before --channel stable
put "$work/wharf-later_2.0.deb" stable/main
expect_ok apt update
expect_equal "candidate" 2.0 "$(policy wharf-later)"
expect_ok "$wharf" snapshot create apt/team/debs after --channel stable
expect_ok "$wharf" snapshot diff apt/team/debs before after
expect_said 'wharf-later'
sleep 1.1 # the Date of a Release is in seconds
expect_ok "$wharf" snapshot publish apt/team/debs before
expect_ok apt update
expect_equal "candidate of the snapshot" 1.0 "$(policy wharf-later)"
expect_ok apt install wharf-later
expect_equal "installed" "wharf-later 1.0" "$(cat "$root/usr/share/wharf-test/wharf-later")"
sleep 1.1
expect_ok "$wharf" snapshot publish apt/team/debs --live --channel stable
expect_ok apt update
expect_equal "candidate of the newest" 2.0 "$(policy wharf-later)"

step "dput, and apt source"
mkdir -p "$work/source/wharf-tool-1.0/debian/source"
cd "$work/source/wharf-tool-1.0"
echo '3.0 (quilt)' >debian/source/format
printf 'Source: wharf-tool\nSection: utils\nPriority: optional\nMaintainer: T <t@example.org>\nStandards-Version: 4.6.2\n\nPackage: wharf-tool\nArchitecture: all\nDescription: a tool\n of a test\n' >debian/control
printf 'wharf-tool (1.0-1) stable; urgency=low\n\n  * New.\n\n -- T <t@example.org>  Mon, 01 Jan 2024 00:00:00 +0000\n' >debian/changelog
printf '#!/usr/bin/make -f\n%%:\n\ttrue\n' >debian/rules
chmod +x debian/rules
echo "a tool" >file
tar -czf ../wharf-tool_1.0.orig.tar.gz --exclude debian -C .. wharf-tool-1.0
expect_ok dpkg-source -b .
expect_ok dpkg-genchanges --build=source -O../wharf-tool_1.0-1_source.changes
cd "$work"
cat >"$work/dput.cf" <<END
[wharf]
method = http
fqdn = $registry
incoming = $base/incoming
login = $user
allow_unsigned_uploads = 1
run_dinstall = 0
END
# It asks at the terminal, or where there is none on its input.
dput_it() { printf '%s\n' "$password" | setsid -w dput -c "$work/dput.cf" -u wharf "$work/source/wharf-tool_1.0-1_source.changes"; }
expect_ok dput_it
wait_until 20 lists main/source/Sources wharf-tool || fail "what dput brought is not listed"
expect_ok apt update
(cd "$work/source" && rm -rf got && mkdir got && cd got && expect_ok apt source --only-source wharf-tool)
expect_equal "the source" "a tool" "$(cat "$work/source/got/wharf-tool-1.0/file")"

step "a project with a keyring takes what its people have signed"
trust() { jq -n --rawfile keys "$1" '{keys: $keys}' | web /api/v1/projects/team/keyring -X POST -H 'content-type: application/json' -d @-; } # FILE
changes() { # VERSION: a package and its .changes, not signed
  make_deb wharf-signed "$1" all
  cp "$work/wharf-signed_$1.deb" "$work/source/wharf-signed_$1_all.deb"
  python3 - "$work/source" "wharf-signed_$1_all.deb" "$1" <<'PY' >"$work/source/wharf-signed_$1_all.changes"
import hashlib, os, sys
folder, name, version = sys.argv[1:]
content = open(os.path.join(folder, name), "rb").read()
md5, sha1, sha256 = (hashlib.new(kind, content).hexdigest() for kind in ("md5", "sha1", "sha256"))
print(f"""Format: 1.8
Date: Mon, 01 Jan 2024 00:00:00 +0000
Source: wharf-signed
Binary: wharf-signed
Architecture: all
Version: {version}
Distribution: stable
Urgency: low
Maintainer: T <t@example.org>
Changed-By: T <t@example.org>
Changes:
 wharf-signed ({version}) stable; urgency=low
 .
   * New.
Checksums-Sha1:
 {sha1} {len(content)} {name}
Checksums-Sha256:
 {sha256} {len(content)} {name}
Files:
 {md5} {len(content)} utils optional {name}""")
PY
}
dput_signed() { printf '%s\n' "$password" | setsid -w dput -d -c "$work/dput.cf" -u wharf "$work/source/wharf-signed_$1_all.changes"; } # VERSION
expect_ok trust "$work/other.asc"
changes 1.0
expect_fail "400" dput_signed 1.0
rm -f "$work/source/"*.upload
expect_ok gpg --batch --yes --clearsign -o "$work/source/signed" "$work/source/wharf-signed_1.0_all.changes"
mv "$work/source/signed" "$work/source/wharf-signed_1.0_all.changes"
expect_ok dput_signed 1.0
wait_until 20 lists main/binary-all/Packages wharf-signed || fail "what was signed is not listed"

step "exactly the lines of the setup page: uploads, and a machine that installs"
sign_changes() { # VERSION
  changes "$1"
  expect_ok gpg --batch --yes --clearsign -o "$work/source/signed" "$work/source/wharf-signed_$1_all.changes"
  mv "$work/source/signed" "$work/source/wharf-signed_$1_all.changes"
}
make_deb wharf-page 1.0
make_deb wharf-push 1.0
follow "$base" curl "upload a package" "$work/wharf-page_1.0.deb"
follow "$base" wharf "push a file" "$work/wharf-push_1.0.deb"
expect_ok "$wharf" push "$work/wharf-push_1.0.deb" team/debs
expect_said 'is there already'
sign_changes 1.1
follow "$base" dput "upload what a .changes names" "$work/source/wharf-signed_1.1_all.changes"
wait_until 20 lists main/binary-all/Packages 'wharf-signed_1.1' || fail "what dput brought is not listed"
# Of dput and dput-ng, Debian has one or the other on a machine.
sign_changes 1.2
{
  echo 'sudo apt-get install -qq dput-ng'
  setup_lines "$base" dput-ng "upload what a .changes names" "$work/source/wharf-signed_1.2_all.changes"
} >"$work/newcomer"
DEBIAN_FRONTEND=noninteractive expect_ok aside / "$work/newcomer"
expect_said 'Uploading wharf-signed_1.2_all.changes'
wait_until 20 lists main/binary-all/Packages 'wharf-signed_1.2' || fail "what dput-ng brought is not listed"
newcomer_installs() { # AND-THEN
  {
    echo 'rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*'
    setup_lines "$base" apt "install from it"
    echo 'sudo apt-get install -qq wharf-page wharf-push wharf-signed=1.1'
    echo 'cat /usr/share/wharf-test/wharf-*'
    echo "$1"
  } >"$work/newcomer"
  expect_ok aside / "$work/newcomer"
}
newcomer_installs 'stat -c "mode %a" /etc/apt/auth.conf.d/team-debs.conf'
expect_said '^wharf-page 1.0$'
expect_said '^wharf-push 1.0$'
expect_said '^mode 600$'
[ ! -e /etc/apt/sources.list.d/team-debs.sources ] || fail "the machine itself was changed"

step "a second key, for old clients: who knows the first is content, and so is who knows the second, and who knows both"
expect_ok web "/api/v1/repositories/apt/team/debs/-/keys/rotate" -X POST -H 'content-type: application/json' -d '{"algorithm":"rsa4096"}'
wait_until 20 both_sign || fail "the second key does not sign"
expect_ok apt update
expect_ok gpg --batch --quiet --import <<<"$(web "$base/key.asc")"
rsa=$(gpg --batch --list-keys --with-colons | awk -F: '$1 == "pub" && $3 == 4096 && $4 == 1 { getline; print $10 }')
gpg --batch --armor --export "${rsa:?no key of RSA-4096}" >"$root/etc/apt/keyrings/debs.asc"
expect_ok apt update
expect_ok web "$base/key.asc" -o "$root/etc/apt/keyrings/debs.asc"
expect_ok apt update

step "which package has a file"
cp -r /etc/apt/apt.conf.d/50apt-file.conf "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
expect_ok apt update
expect_ok apt_in apt-file search share/wharf-test/wharf-hello
expect_said "wharf-hello: /usr/share/wharf-test/wharf-hello"

step "the lines that others document"
make_deb wharf-gitea 1.0
make_deb wharf-nexus 1.0
make_deb wharf-jfrog 1.0
expect_ok curl -sS --fail-with-body --user "$user:$password" --upload-file "$work/wharf-gitea_1.0.deb" \
  "http://$registry/api/packages/team/debian/pool/bookworm/main/upload"
expect_ok curl -sS --fail-with-body -u "$user:$password" -H "Content-Type: multipart/form-data" \
  --data-binary "@$work/wharf-nexus_1.0.deb" "http://$registry/repository/team:debs/"
make_deb wharf-form 1.0
expect_ok curl -sS --fail-with-body -u "$user:$password" -X POST -F "apt.asset=@$work/wharf-form_1.0.deb" \
  "http://$registry/service/rest/v1/components?repository=team:debs"
make_deb wharf-gitlab 1.0
expect_ok curl -sS --fail-with-body --user "$user:$password" --upload-file "$work/wharf-gitlab_1.0.deb" \
  "http://$registry/api/v4/projects/team%2Fdebs/packages/debian/wharf-gitlab_1.0_$architecture.deb?distribution=stable&component=main"
expect_ok curl -sS --fail-with-body -u "$user:$password" -XPUT \
  "http://$registry/artifactory/team:debs/pool/wharf-jfrog_1.0.deb;deb.distribution=stable;deb.component=main;deb.architecture=$architecture" \
  -T "$work/wharf-jfrog_1.0.deb"
wait_until 20 lists "main/binary-$architecture/Packages" wharf-jfrog || fail "what curl brought is not listed"
expect_ok apt update
expect_ok apt install wharf-nexus wharf-form wharf-gitlab wharf-jfrog

step "an update in the middle of publications"
for n in $(seq 1 20); do make_deb wharf-many "$n.0" all; done
(for n in $(seq 1 20); do web "$base/pool/stable/main/upload?wait=1" -T "$work/wharf-many_$n.0.deb" || echo failed; done) >"$work/many.log" 2>&1 &
many=$!
updates=0
while running "$many"; do
  expect_ok apt update
  updates=$((updates + 1))
done
wait "$many"
expect_equal "uploads that failed" "" "$(grep -c failed "$work/many.log" | grep -v '^0$' || true)"
echo "  $updates updates"
expect_ok apt update
expect_equal "candidate" 20.0 "$(policy wharf-many)"

step "the setup page's lines where everybody may read"
make_public team
newcomer_installs 'test ! -e /etc/apt/auth.conf.d/team-debs.conf'
expect_said '^wharf-page 1.0$'
