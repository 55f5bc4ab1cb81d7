# Sourced by the scripts about RPM packages: packages of many kinds, made here.
# shellcheck shell=bash disable=SC2154

rpms=$work/rpms
mkdir -p "$rpms"

# Builds what a spec on standard input says: into $rpms, binaries and sources alike.
build_rpm() { # [RPMBUILD-ARGUMENTS…]
  cat >"$work/a.spec"
  expect_ok rpmbuild -ba --quiet --define "_topdir $work/rpmbuild" --define "_rpmdir $rpms" --define "_srcrpmdir $rpms" \
    --define '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' --define '_buildhost builder.example' \
    --define 'source_date_epoch_from_changelog 0' "$@" "$work/a.spec"
}

# A package with one program, which says its version.
tool_rpm() { # NAME VERSION RELEASE [LINES-OF-THE-SPEC]
  build_rpm --define '_source_payload w0.ufdio' <<SPEC
Name: $1
Version: $2
Release: $3
Summary: Says $1 $2
License: MIT
BuildArch: noarch
URL: https://example.com/$1?a=1&b=2
${4:-}
%description
Says <$1> & nothing else.
%install
mkdir -p %{buildroot}/usr/bin
printf '#!/bin/sh\necho $1 $2-$3\n' >%{buildroot}/usr/bin/$1
%files
%attr(755, root, root) /usr/bin/$1
SPEC
  rm -f "$rpms/$1-$2-$3.src.rpm"
}

# Everything that metadata have a word for.
odd_rpms() {
  local payload
  for payload in w9.gzdio w6.xzdio w19.zstdio w9.bzdio w6.lzdio w0.ufdio; do
    build_rpm --define "_binary_payload $payload" --define "_source_payload $payload" <<SPEC
Name: packed-${payload#*.}
Version: 1.0
Release: 1
Summary: Packed with $payload
License: MIT
%description
$payload
%install
mkdir -p %{buildroot}/usr/share/packed
head -c 100000 /dev/zero >%{buildroot}/usr/share/packed/%{name}
%files
/usr/share/packed
SPEC
  done
  build_rpm <<'SPEC'
Name: odd
Epoch: 3
Version: 1.0~rc1^git20260101
Release: 2.el9
Summary: Odd & <unusual> "things"
Summary(de): Merkwürdige Dinge
License: MIT and (BSD or GPLv2+)
Group: Applications/Text
Vendor: Größe & Söhne
Packager: Jörg <joerg@example.com>
URL: https://example.com/?a=1&b=<2>
Provides: virtual = 1:2.0-3, virtual(quoted"thing") , /usr/bin/alias, cap(<&>)
Requires: plain, versioned >= 1:2.0~beta-1, older < 3, exact = 0:5-6, (rich if other >= 2.0), plain, versioned >= 1:2.0~beta-1
Requires: versioned < 9, /usr/bin/odd, /usr/share/odd/plain, virtual, config(odd)
Requires(pre): early, plain
Requires(post): /sbin/ldconfig
Requires(preun): late
Requires(posttrans): afterwards
Requires: libc.so.6(GLIBC_2.4)(64bit), libc.so.6(GLIBC_2.34)(64bit), libc.so.6()(64bit), libc.so.6(GLIBC_2.9)(64bit)
Conflicts: enemy <= 2:1-1
Obsoletes: odd-old < 1, older-odd
Recommends: nice >= 1, (pair and other)
Suggests: maybe
Supplements: (base and language(de))
Enhances: better > 4-1
%description
Lines with <markup> & "quotes",
	a tab, and ümläuts.

An empty line before this one.
%package sub
Summary: A part
Requires: %{name}%{?_isa} = %{epoch}:%{version}-%{release}
%description sub
A part.
%pre
exit 0
%post -p /sbin/ldconfig
%install
cd %{buildroot}
mkdir -p etc/odd.d usr/bin usr/sbin usr/lib usr/share/odd usr/share/doc/odd opt/odd/bin var/log/odd etcetera usr/libexec/xbin
touch %{buildroot}/etc/odd.conf %{buildroot}/etc/odd.d/one %{buildroot}/usr/bin/odd %{buildroot}/usr/sbin/oddd %{buildroot}/usr/lib/sendmail \
  %{buildroot}/usr/share/odd/plain "%{buildroot}/usr/share/odd/with blank & <mark>" %{buildroot}/usr/share/odd/größe %{buildroot}/usr/share/doc/odd/README \
  %{buildroot}/opt/odd/bin/tool %{buildroot}/etcetera/not %{buildroot}/usr/libexec/xbin/inner
ln -s odd %{buildroot}/usr/bin/odd-link
%files
%config(noreplace) /etc/odd.conf
%config /etc/odd.d
/usr/bin/odd
/usr/bin/odd-link
/usr/sbin/oddd
/usr/lib/sendmail
/usr/share/odd
%doc /usr/share/doc/odd/README
/opt/odd
/etcetera/not
/usr/libexec/xbin
%ghost /var/log/odd/odd.log
%ghost /etc/odd.ghost
%ghost %dir /var/log/odd
%files sub
%changelog
* Thu Jan 15 2026 Ann <ann@example.com>  - 3:1.0-13
- Thirteenth: <b> & "q"
* Thu Jan 15 2026 Bob <bob@example.com> - 3:1.0-12
- twelfth, of the same day
* Thu Jan 15 2026 Ann <ann@example.com> - 3:1.0-11
- eleventh, of the same day
* Wed Jan 14 2026 Ann <ann@example.com> - 3:1.0-10
- tenth
  on two lines
* Tue Jan 13 2026 Ann <ann@example.com> - 3:1.0-9
- ninth
* Mon Jan 12 2026 Ann <ann@example.com> - 3:1.0-8
- eighth
* Sun Jan 11 2026 Ann <ann@example.com> - 3:1.0-7
- seventh
* Sat Jan 10 2026 Ann <ann@example.com> - 3:1.0-6
- sixth
* Fri Jan 09 2026 Ann <ann@example.com> - 3:1.0-5
- fifth
* Thu Jan 08 2026 Ann <ann@example.com> - 3:1.0-4
- fourth
* Wed Jan 07 2026 Ann <ann@example.com> - 3:1.0-3
- third
* Tue Jan 06 2026 Ann <ann@example.com> - 3:1.0-2
- second
* Mon Jan 05 2026 Ann <ann@example.com> - 3:1.0-1
- first
SPEC
}

# So many small packages out of one build.
many_rpms() { # COUNT
  local n
  {
    printf '%s\n' 'Name: many' 'Version: 1' 'Release: 1' 'Summary: Many' 'License: MIT' 'BuildArch: noarch' '%description' 'Many.'
    for n in $(seq -w 1 "$1"); do
      printf '%s\n' "%package n$n" "Summary: Number $n" "Requires: many-n$(printf "%0${#1}d" $((10#$n % $1 + 1)))" "%description n$n" "Number $n."
    done
    printf '%s\n' '%install' 'mkdir -p %{buildroot}/usr/bin %{buildroot}/usr/share/many'
    printf '%s\n' "for n in \$(seq -w 1 $1); do touch %{buildroot}/usr/bin/many-\$n %{buildroot}/usr/share/many/\$n; done"
    for n in $(seq -w 1 "$1"); do printf '%s\n' "%files n$n" "/usr/bin/many-$n" "/usr/share/many/$n"; done
  } | build_rpm
}

# A key that signs packages, and its name in $signer.
signing_key() {
  export GNUPGHOME=$work/gnupg
  mkdir -pm 700 "$GNUPGHOME"
  expect_ok gpg --batch --passphrase '' --quick-generate-key 'Packager <packager@example.com>' rsa3072 sign never
  signer=$(gpg --batch --list-keys --with-colons | awk -F: '$1 == "fpr" { print $10; exit }')
  gpg --batch --armor --export "$signer" >"$work/packager.asc"
}

sign_rpms() { # FILE…
  expect_ok rpmsign --define '__gpg /usr/bin/gpg' --define "_gpg_name $signer" --define "_gpg_path $GNUPGHOME" --addsign "$@"
}

push_rpm() { # REPOSITORY FILE [QUERY]
  expect_ok web "/yum/$1/upload?${3:-}" -T "$2"
}
