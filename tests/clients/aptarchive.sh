#!/usr/bin/env bash
# Hundreds of real packages and some sources: what Wharf's index says of them is what apt-ftparchive says of the same files.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
needs apt-ftparchive dpkg-source curl python3

wanted=200 # packages
archive=$work/archive
mkdir -p "$archive/pool" "$archive/sources"

step "packages of this machine's own release, the smallest $wanted that are installed, and three sources"
cache=${WHARF_DEBS:-${WHARF_CLIENTS:-$repo/target/clients}/debs}
mkdir -p "$cache"
if [ "$(find "$cache" -name '*.deb' | wc -l)" -lt "$wanted" ]; then
  # shellcheck disable=SC2016
  dpkg-query -W -f '${Installed-Size} ${Package}:${Architecture}\n' | sort -n | awk '{ print $2 }' >"$work/names"
  # Many at once, because apt reads its lists anew each time; what was installed from elsewhere is in no archive and fails the rest.
  (cd "$cache" && head -n "$((wanted + 50))" "$work/names" | xargs -n 25 sh -c \
    'apt-get download -qq "$@" >/dev/null 2>&1 || for name; do apt-get download -qq "$name" >/dev/null 2>&1; done; true' -)
fi
cp "$cache"/*.deb "$archive/pool"
count=$(find "$archive/pool" -name '*.deb' | wc -l)
[ "$count" -ge "$wanted" ] || fail "only $count packages could be had"

upload() { # FILE PATH
  printf 'url = "http://%s/apt/team/debs/%s"\nupload-file = "%s"\n' "$registry" "$2" "$1"
}

step "$count uploads"
for file in "$archive"/pool/*.deb; do upload "$file" pool/sid/main/upload; done >"$work/uploads"
curl -sS --fail-with-body --max-time 250 -u "$user:$password" --config "$work/uploads" >/dev/null || fail "an upload failed"
last=$(find "$archive/pool" -name '*.deb' | tail -1)
expect_ok web "/apt/team/debs/pool/sid/main/upload?wait=1" -T "$last"

step "Packages, for each architecture that there is"
fetch() { mkdir -p "$(dirname "$work/dists/$1")" && web "/apt/team/debs/dists/sid/$1" -o "$work/dists/$1"; }
expect_ok fetch Release
for path in $(awk '$3 ~ /\// { print $3 }' "$work/dists/Release" | sort -u); do expect_ok fetch "$path"; done
architectures=$(sed -n 's/^Architectures: //p' "$work/dists/Release")
[ -n "$architectures" ] || fail "the release has no architectures"
cd "$archive"
for architecture in $architectures; do
  apt-ftparchive -qq --arch "$architecture" packages pool >"$work/theirs" 2>"$work/theirs.log"
  expect_ok "$here/compare-apt.py" packages "$work/dists/main/binary-$architecture/Packages" "$work/theirs"
  echo "  $architecture: $said"
  for form in gz:zcat xz:xzcat zst:zstdcat; do
    "${form#*:}" "$work/dists/main/binary-$architecture/Packages.${form%:*}" | cmp - "$work/dists/main/binary-$architecture/Packages" ||
      fail "Packages.${form%:*} is another table"
  done
  apt-ftparchive -qq --arch "$architecture" contents pool >"$work/theirs" 2>"$work/theirs.log"
  expect_ok "$here/compare-apt.py" contents "$work/dists/main/Contents-$architecture" "$work/theirs"
  echo "  $architecture: $said"
done

step "Release names what is there"
apt-ftparchive -qq release "$work/dists" >"$work/theirs"
expect_ok "$here/compare-apt.py" release "$work/dists/Release" "$work/theirs"
echo "  $said"

step "Sources"
for n in 1 2 3; do
  mkdir -p "$work/build/tool$n-1.$n/debian/source"
  cd "$work/build/tool$n-1.$n"
  echo "3.0 (quilt)" >debian/source/format
  printf 'Source: tool%d\nSection: utils\nPriority: optional\nMaintainer: T <t@example.org>\nBuild-Depends: make\n\n' "$n" >debian/control
  printf 'Package: tool%d\nArchitecture: any\nDescription: a tool\n of a test\n' "$n" >>debian/control
  printf 'tool%d (1:1.%d-1) sid; urgency=low\n\n  * New.\n\n -- T <t@example.org>  Mon, 01 Jan 2024 00:00:00 +0000\n' "$n" "$n" >debian/changelog
  printf '#!/usr/bin/make -f\n%%:\n\ttrue\n' >debian/rules
  echo "tool $n" >file
  tar -czf "../tool${n}_1.$n.orig.tar.gz" --exclude debian -C .. "tool$n-1.$n"
  expect_ok dpkg-source -b .
done
cp "$work"/build/*.dsc "$work"/build/*.tar.* "$archive/sources"
for file in "$archive"/sources/*.tar.* "$archive"/sources/*.dsc; do
  expect_ok web "/apt/team/debs/pool/sid/main/$(basename "$file")?wait=1" -T "$file"
done
expect_ok fetch main/source/Sources
cd "$archive"
apt-ftparchive -qq sources sources >"$work/theirs" 2>"$work/theirs.log"
expect_ok "$here/compare-apt.py" sources "$work/dists/main/source/Sources" "$work/theirs"
echo "  $said"
