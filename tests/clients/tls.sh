#!/usr/bin/env bash
# The set-up pages of a server with a certificate of a company's own CA: exactly their lines, on machines that trust that CA and no other.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$here/rpms.bash"
needs openssl apt-get dpkg-deb dput dnf dnf5 rpmbuild helm helm4 jq
needs_root

step "a CA, a certificate, and a server that has it"
cd "$work"
# A name, because helm takes the machine itself for one without TLS.
name=wharf.example
new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
expect_ok openssl req -x509 "${new_key[@]}" -days 2 -subj '/CN=The CA of a company' -keyout ca.key -out ca.crt
expect_ok openssl req "${new_key[@]}" -subj /CN=wharf -addext "subjectAltName=DNS:$name,IP:127.0.0.1" -keyout tls.key -out tls.csr
expect_ok openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -days 2 -copy_extensions copy -out tls.crt
stop "$wharf_pid"
settings=("WHARF_TLS_CERTIFICATE=$work/tls.crt" "WHARF_TLS_KEY=$work/tls.key")
scheme=https
export CURL_CA_BUNDLE=$work/ca.crt SSL_CERT_FILE=$work/ca.crt
start_wharf
expect_fail 'certificate|SSL' env -u CURL_CA_BUNDLE -u SSL_CERT_FILE curl -sS "https://$registry/readyz"

registry=$name:${registry#*:}
echo "resolve = $registry:127.0.0.1" >"$HOME/.curlrc"
[ "$(web /readyz -o /dev/null -w '%{http_code}')" = 200 ] || fail "it does not answer by its name"

# A machine as its owner set it up: it knows the name and trusts the CA, and no variable says so. Who is asked for a password types it.
newcomer() { # ROOT: and what is done there on standard input
  {
    echo 'unset CURL_CA_BUNDLE SSL_CERT_FILE'
    echo "echo '127.0.0.1 $name' >>/etc/hosts"
    echo "mkdir -p /etc/ssl/certs; cat '$work/ca.crt' >>/etc/ssl/certs/ca-certificates.crt"
    echo "exec setsid -w bash -euo pipefail '$work/newcomer.lines'"
  } >"$work/newcomer"
  cat >"$work/newcomer.lines"
  expect_ok aside "$1" "$work/newcomer" <<<"$password"
}
follow_there() { # PATH CLIENT TITLE [FILE]
  step "the setup page's lines: $2: $3"
  newcomer / < <(setup_lines "$@")
}

step "apt"
make_deb() { # NAME VERSION
  local folder="$work/make/$1-$2"
  mkdir -p "$folder/DEBIAN" "$folder/usr/share/wharf-test"
  echo "$1 $2" >"$folder/usr/share/wharf-test/$1"
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: T <t@example.org>\nSection: utils\nPriority: optional\nDescription: of a test\n' \
    "$1" "$2" >"$folder/DEBIAN/control"
  expect_ok dpkg-deb --root-owner-group -b "$folder" "$work/$1_$2_all.deb"
}
for by in curl push dput; do make_deb "wharf-$by" 1.0; done
expect_ok web '/apt/team/debs/pool/stable/main/upload?wait=1' -T "$work/wharf-curl_1.0_all.deb"
follow_there /apt/team/debs curl "upload a package" "$work/wharf-curl_1.0_all.deb"
follow_there /apt/team/debs wharf "push a file" "$work/wharf-push_1.0_all.deb"
expect_ok dpkg-deb -f "$work/wharf-dput_1.0_all.deb"
read -r md5 _ < <(md5sum wharf-dput_1.0_all.deb)
read -r sha1 _ < <(sha1sum wharf-dput_1.0_all.deb)
read -r sha256 _ < <(sha256sum wharf-dput_1.0_all.deb)
size=$(stat -c %s wharf-dput_1.0_all.deb) file=wharf-dput_1.0_all.deb
cat >wharf-dput_1.0_all.changes <<END
Format: 1.8
Date: Mon, 01 Jan 2024 00:00:00 +0000
Source: wharf-dput
Binary: wharf-dput
Architecture: all
Version: 1.0
Distribution: stable
Urgency: low
Maintainer: T <t@example.org>
Changed-By: T <t@example.org>
Changes:
 wharf-dput (1.0) stable; urgency=low
 .
   * New.
Checksums-Sha1:
 $sha1 $size $file
Checksums-Sha256:
 $sha256 $size $file
Files:
 $md5 $size utils optional $file
END
follow_there /apt/team/debs dput "upload what a .changes names" "$work/wharf-dput_1.0_all.changes"
lists() { web /apt/team/debs/dists/stable/main/binary-all/Packages | grep -q "^Package: $1$"; }
for by in push dput; do wait_until 20 lists "wharf-$by" || fail "what came by $by is not listed"; done
newcomer / <<END
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
$(setup_lines /apt/team/debs apt "install from it")
sudo apt-get install -qq wharf-curl wharf-push wharf-dput
cat /usr/share/wharf-test/wharf-*
END
for by in curl push dput; do expect_said "^wharf-$by 1.0$"; done

step "dnf"
tool_rpm crate 1.0 1
tool_rpm pallet 1.0 1
push_rpm team/el9 "$rpms/crate-1.0-1.noarch.rpm" wait=1
follow_there /yum/team/el9 curl "upload a package" "$rpms/crate-1.0-1.noarch.rpm"
follow_there /yum/team/el9 wharf "push a file" "$rpms/pallet-1.0-1.noarch.rpm"
for client in dnf4 dnf5; do
  root=/ before=
  if [ $client = dnf5 ]; then
    root=$(readlink -f "$(dirname "$(command -v dnf5)")/../dnf5-root")
    before='ln -s dnf5 /usr/bin/dnf; sed -i "s/^enabled = host-only/enabled = 0/" /etc/dnf/libdnf5-plugins/local.conf'
  fi
  step "dnf: $client"
  newcomer "$root" <<END
$before
$(setup_lines /yum/team/el9 dnf "install from it")
sudo dnf -y --repo=team-el9 install crate pallet
crate
pallet
END
  expect_said '^crate 1.0-1$'
  expect_said '^pallet 1.0-1$'
done

for helm in helm helm4; do
  step "$helm"
  export HELM_CONFIG_HOME=$work/$helm/config HELM_CACHE_HOME=$work/$helm/cache HELM_DATA_HOME=$work/$helm/data
  ln -sf "$(command -v $helm)" "$stubs/helm"
  for by in curl wharf oci; do
    mkdir -p "$work/$by-by-$helm/templates"
    printf '%s\n' 'apiVersion: v2' "name: $by-by-$helm" 'version: 1.0.0' >"$work/$by-by-$helm/Chart.yaml"
    printf '%s\n' 'apiVersion: v1' 'kind: ConfigMap' 'metadata:' '  name: {{ .Chart.Name }}' >"$work/$by-by-$helm/templates/map.yaml"
    expect_ok $helm package "$work/$by-by-$helm" -d "$work"
  done
  expect_ok web '/helm/team/charts/api/charts?wait=1' --data-binary "@$work/curl-by-$helm-1.0.0.tgz"
  follow_there /helm/team/charts curl "upload a chart" "$work/curl-by-$helm-1.0.0.tgz"
  follow_there /helm/team/charts wharf "push a file" "$work/wharf-by-$helm-1.0.0.tgz"
  follow_there /helm/team/charts helm "upload a chart by OCI" "$work/oci-by-$helm-1.0.0.tgz"
  in_index() { web /helm/team/charts/index.yaml | grep -qF "oci-by-$helm-1.0.0.tgz"; }
  wait_until 20 in_index || fail "what $helm pushed did not come into the index"
  step "the setup page's lines: helm: install from it"
  newcomer / <<END
$(setup_lines /helm/team/charts helm "install from it")
for by in curl wharf oci; do helm template box "team-charts/\$by-by-$helm"; done
helm pull "oci://$registry/team/charts/curl-by-$helm" --version 1.0.0 -d '$TMPDIR'
END
  for by in curl wharf oci; do expect_said "^  name: $by-by-$helm$"; done
done
