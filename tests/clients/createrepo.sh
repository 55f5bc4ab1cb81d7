#!/usr/bin/env bash
# What our metadata say, held against what createrepo_c says of the same packages, field by field.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$here/rpms.bash"
needs createrepo_c rpmbuild rpmsign gpg zstd

step "packages of every kind"
signing_key
odd_rpms
for n in 1.0 1.1 2.0; do tool_rpm "hello" $n 1; done
many_rpms 200
sign_rpms "$rpms"/hello-2.0-1.noarch.rpm "$rpms"/packed-zstdio-1.0-1."$(uname -m)".rpm

step "the same packages here and there"
expect_ok web /api/v1/projects -X POST -H 'content-type: application/json' -d '{"name":"team","public":true}'
make_there() { # FILE…
  rm -rf "$work/there"
  mkdir "$work/there"
  cp "$@" "$work/there"
  expect_ok createrepo_c -q --no-database "$work/there"
}
push_all() { # REPOSITORY FILE…
  local repository=$1 file
  shift
  for file in "$@"; do push_rpm "$repository" "$file"; done
  push_rpm "$repository" "$file" wait=1
}
push_all team/el9 "$rpms"/*.rpm
make_there "$rpms"/*.rpm

step "gzip and Zstandard say the same"
expect_ok "$here/compare-repodata.py" "http://$registry/yum/team/el9" "$work/there"
echo "   $said"
expect_ok "$here/compare-repodata.py" "http://$registry/yum/team/el9/zstd" "$work/there"

step "what was deleted is told no more"
web "/yum/team/el9/many-n001-1-1.noarch.rpm?wait=1" -X DELETE
rm "$rpms/many-n001-1-1.noarch.rpm"
make_there "$rpms"/*.rpm
expect_ok "$here/compare-repodata.py" "http://$registry/yum/team/el9" "$work/there"

step "who has signed a package is told"
expect_equal "key" "${signer,,}" "$(web /yum/team/el9/info/hello-2.0-1.noarch.rpm | jq -r '.signatures[0].key')"
expect_equal "unsigned" false "$(web /yum/team/el9/info/hello-1.0-1.noarch.rpm | jq .signed)"

# Packages that others have made: the tests of dnf's and rpm's own libraries have hundreds, which Debian has in their sources.
others=${WHARF_RPMS:-${WHARF_CLIENTS:-$repo/target/clients}/rpms}
fetch_sources() { # SOURCE…: from the first release that has it, with an apt of our own that knows sources
  local dir=$work/apt release name
  mkdir -p "$dir"/{lists,cache/archives}/partial "$dir/got" "$others"
  : >"$dir/status"
  cat >"$dir/apt.conf" <<APT
Dir::State "$dir"; Dir::State::lists "$dir/lists"; Dir::State::status "$dir/status"; Dir::Cache "$dir/cache";
Dir::Etc::sourcelist "$dir/sources.list"; Dir::Etc::sourceparts "/nonexistent"; Acquire::Languages "none";
Acquire::Check-Valid-Until "false"; APT::Sandbox::User "root";
APT
  for release in bookworm trixie sid; do
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${DEBIAN_MIRROR:-http://deb.debian.org/debian} $release main"
  done >"$dir/sources.list"
  APT_CONFIG=$dir/apt.conf apt-get update -qq || return 1
  for name; do
    for release in bookworm trixie sid; do
      (cd "$dir/got" && APT_CONFIG=$dir/apt.conf apt-get source -qq --download-only "$name/$release" >/dev/null 2>&1) && break
    done
    find "$dir/got" -name "*.orig.tar.*" ! -name '*.asc' -exec tar -xf {} -C "$others" --wildcards '*.rpm' \; 2>/dev/null || true
    rm -f "$dir"/got/*
  done
}
made_by_others() { find "$others" -name '*.rpm' 2>/dev/null | sort; }
if [ -z "${WHARF_RPMS:-}" ] && [ "$(made_by_others | wc -l)" -lt 200 ]; then
  step "packages out of the sources of libdnf, librepo and rpm"
  fetch_sources libdnf librepo rpm
  [ "$(made_by_others | wc -l)" -ge 200 ] || fail "only $(made_by_others | wc -l) packages could be had"
fi
step "$(made_by_others | wc -l) packages that others have made"
# Those that are called alike go into repositories of their own, and what rpm takes for damaged is refused.
made_by_others | while read -r file; do
  if ! rpm -K --nosignature "$file" >/dev/null 2>&1; then
    expect_equal "$file, which rpm takes for damaged" 400 "$(status_of /yum/team/damaged/upload -u "$user:$password" -T "$file")"
    continue
  fi
  n=1 called=$(rpm -qp --nosignature --qf '%{NVRA}.%|SOURCERPM?{rpm}:{src}|' "$file")
  while [ -e "$work/others-$n/$called" ]; do
    ! cmp -s "$file" "$work/others-$n/$called" || continue 2
    n=$((n + 1))
  done
  mkdir -p "$work/others-$n"
  cp "$file" "$work/others-$n/$called"
done
for folder in "$work"/others-*; do
  push_all "team/${folder##*/}" "$folder"/*
  rm -rf "$work/there"
  mkdir "$work/there"
  for file in "$folder"/*; do cp "$file" "$work/there/${file##*/}.rpm"; done
  expect_ok createrepo_c -q --no-database "$work/there"
  expect_ok "$here/compare-repodata.py" "http://$registry/yum/team/${folder##*/}" "$work/there"
  echo "   $said"
done
