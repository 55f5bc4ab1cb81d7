"""RPMs: against createrepo_c --update, and dnf makecache against nginx with the same files."""

import os
import re

from debs import fetched

NAME, METHOD, UPLOAD = "rpm", "PUT", "/yum/team/rpms/upload"
AT_ONCE = 1000


def make(bench, count):
    """rpmbuild makes many packages of one specification."""
    folder = bench.folder("rpms")
    for first in range(0, count, AT_ONCE):
        names = [f"package-{number:06}" for number in range(first, min(first + AT_ONCE, count))]
        spec = bench.folder("spec") / "all.spec"
        each = "".join(f"%package -n {n}\nSummary: {n}\nRequires: base >= 1\nProvides: {n}-extra = 1\n%description -n {n}\nOne of many.\n"
                       f"%files -n {n}\n/usr/share/{n}\n" for n in names)
        made = "".join(f"echo {n} >%{{buildroot}}/usr/share/{n}\n" for n in names)
        spec.write_text(f"Name: all{first}\nVersion: 1.0\nRelease: 1\nSummary: many\nLicense: MIT\nBuildArch: noarch\n%description\nMany.\n"
                        f"%install\nmkdir -p %{{buildroot}}/usr/share\n{made}{each}")
        bench.run("rpmbuild", "-bb", "--define", f"_rpmdir {folder}", "--define", f"_topdir {bench.folder('top')}",
                  "--define", "_binary_payload w1.gzdio", spec)
    return sorted((folder / "noarch").glob("package-*.rpm"))[:count]


def peers(bench, known, more):
    folder = bench.folder("createrepo")
    for file in known:
        os.link(file, folder / file.name)
    every = bench.run("createrepo_c", "--quiet", folder)

    def one(number):
        os.link(more[number], folder / more[number].name)
        return bench.run("createrepo_c", "--quiet", "--update", folder)

    yield "createrepo_c, unsigned", every, bench.median(one)


def clients(bench, server):
    """`dnf makecache`, from Wharf and from nginx with a copy of the files."""
    nginx = bench.nginx("rpm")
    place = nginx.dir / "yum/team/rpms"
    fetched(server, "/yum/team/rpms/repodata/repomd.xml", place / "repodata/repomd.xml")
    for href in re.findall(r'href="([^"]+)"', (place / "repodata/repomd.xml").read_text()):
        fetched(server, f"/yum/team/rpms/{href}", place / href)
    nginx.start()
    times = bench.paired(lambda n: makecache(bench, server, f"ours{n}"), lambda n: makecache(bench, nginx, f"theirs{n}"))
    bench.row("rpm: dnf makecache of all", *times, "from nginx")
    nginx.remove()


def makecache(bench, server, name):
    root = bench.folder(f"dnf-{name}")
    (root / "repos").mkdir()
    login = "username={}\npassword={}\n".format(*server.user.split(":")) if server.user else ""
    (root / "repos/team.repo").write_text(f"[team]\nname=team\nbaseurl=http://{server.addr}/yum/team/rpms/\ngpgcheck=0\n{login}")
    return bench.run("dnf", "-y", "--noplugins", f"--installroot={root}/root", f"--setopt=reposdir={root}/repos",
                     f"--setopt=cachedir={root}/cache", f"--setopt=logdir={root}", "--releasever=9", "makecache")
