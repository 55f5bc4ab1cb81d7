"""Debian packages: against reprepro and aptly, and apt-get against nginx with the same files."""

import hashlib
import io
import os
import tarfile
import urllib.request
from pathlib import Path

NAME, METHOD, UPLOAD = "deb", "PUT", "/apt/team/debs/pool/stable/main/upload"
FIELDS = "Section: utils\nPriority: optional\nInstalled-Size: 10\nHomepage: https://example.org\nDepends: libc6 (>= 2.36)\n"


def tar(path, content):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
        entry = tarfile.TarInfo(path)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def deb(number):
    control = (f"Package: package-{number:06}\nVersion: 1.{number % 17}-1\nArchitecture: amd64\nMaintainer: T <t@example.org>\n{FIELDS}"
               f"Description: package {number} of a measurement\n It has the usual fields and one file.\n")
    members = [("debian-binary", b"2.0\n"), ("control.tar.gz", tar("./control", control.encode())),
               ("data.tar.gz", tar(f"./usr/share/package-{number:06}/file", str(number).encode()))]
    file = b"!<arch>\n"
    for name, content in members:
        file += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        file += b"\n" * (len(content) % 2)
    return file


def make(bench, count):
    folder, files = bench.folder("debs"), []
    for number in range(count):
        version = f"1.{number % 17}-1"
        files.append(folder / f"package-{number:06}_{version}_amd64.deb")
        files[-1].write_bytes(deb(number))
    return files


def peers(bench, known, more):
    base = bench.folder("reprepro")
    (base / "conf").mkdir()
    (base / "conf/distributions").write_text("Codename: stable\nComponents: main\nArchitectures: amd64\n")
    listed = bench.folder("list") / "known"
    listed.write_text("\0".join(map(str, known)))
    every = bench.run("xargs", "-0", "-n", "1000", "-a", listed, "reprepro", "--silent", "-b", base, "includedeb", "stable")
    one = bench.median(lambda n: bench.run("reprepro", "--silent", "-b", base, "includedeb", "stable", more[n]))
    yield "reprepro, unsigned", every, one

    config = bench.folder("aptly") / "aptly.conf"
    config.write_text('{"rootDir": "%s", "architectures": ["amd64"]}' % bench.folder("aptly/root"))
    aptly = ["aptly", f"-config={config}"]
    first = bench.folder("aptly/first")
    for file in known:
        os.link(file, first / file.name)
    every = bench.run(*aptly, "repo", "create", "-distribution=stable", "r") + bench.run(*aptly, "repo", "add", "r", first)
    every += bench.run(*aptly, "publish", "repo", "-skip-signing", "r")
    publish = [*aptly, "publish", "update", "-skip-signing", "stable"]
    one = bench.median(lambda n: bench.run(*aptly, "repo", "add", "r", more[n]) + bench.run(*publish))
    yield "aptly, unsigned", every, one


def fetched(server, path, to):
    request = urllib.request.Request(f"http://{server.addr}{path}", headers={"Authorization": server.basic()})
    to.parent.mkdir(parents=True, exist_ok=True)
    with urllib.request.urlopen(request, timeout=60) as answer:
        to.write_bytes(answer.read())


def clients(bench, server):
    """`apt-get update` of everything, from Wharf and from nginx with a copy of the files."""
    nginx = bench.nginx("deb")
    dists = nginx.dir / "apt/team/debs/dists/stable"
    fetched(server, "/apt/team/debs/dists/stable/InRelease", dists / "InRelease")
    release = (dists / "InRelease").read_text()
    for line in release.split("\nSHA256:\n")[1].splitlines():
        if not line.startswith(" "):
            break
        digest, _, name = line.split()
        target = dists / Path(name).parent / "by-hash/SHA256" / digest
        fetched(server, f"/apt/team/debs/dists/stable/{Path(name).parent}/by-hash/SHA256/{digest}", target)
        content = target.read_bytes()
        (dists / name).write_bytes(content)
        # apt asks by the strongest hash that is announced.
        strongest = target.parents[1] / "SHA512" / hashlib.sha512(content).hexdigest()
        strongest.parent.mkdir(exist_ok=True)
        strongest.write_bytes(content)
    nginx.start()
    fetched(server, "/apt/team/debs/key.asc", bench.work / "key.asc")
    times = bench.paired(lambda n: update(bench, server, f"ours{n}"), lambda n: update(bench, nginx, f"theirs{n}"))
    bench.row("deb: apt-get update of all", *times, "from nginx")
    nginx.remove()


def update(bench, server, name):
    root = bench.folder(f"apt-{name}")
    for path in ["etc/apt/sources.list.d", "etc/apt/auth.conf.d", "var/lib/apt/lists/partial", "var/lib/dpkg", "var/cache/apt/archives/partial"]:
        (root / path).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "etc/apt/sources.list.d/team.sources").write_text(
        f"Types: deb\nURIs: http://{server.addr}/apt/team/debs\nSuites: stable\nComponents: main\nSigned-By: {bench.work}/key.asc\n")
    if server.user:
        user, password = server.user.split(":")
        (root / "etc/apt/auth.conf.d/team.conf").write_text(f"machine http://{server.addr} login {user} password {password}\n")
    options = [f"Dir={root}", f"Dir::State::status={root}/var/lib/dpkg/status", "Dir::Bin::methods=/usr/lib/apt/methods", "Dir::Etc::main=none",
               "APT::Architecture=amd64", "Acquire::Languages=none", "APT::Sandbox::User=root", "APT::Update::Error-Mode=any"]
    return bench.run("apt-get", *[word for option in options for word in ("-o", option)], "update")
