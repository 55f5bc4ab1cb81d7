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

# Packages that others have made, if there are any. Those that are called alike go into repositories of their own.
if [ -n "${WHARF_RPMS:-}" ]; then
  step "packages of $WHARF_RPMS"
  find "$WHARF_RPMS" -name '*.rpm' | sort | while read -r file; do
    n=1 called=$(rpm -qp --nosignature --qf '%{NVRA}.%|SOURCERPM?{rpm}:{src}|' "$file")
    while [ -e "$work/others-$n/$called" ]; do n=$((n + 1)); done
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
fi
