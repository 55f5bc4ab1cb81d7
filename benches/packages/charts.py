"""Charts: one more, against making index.yaml anew and against merging into it."""

import os

from debs import tar

NAME, METHOD, UPLOAD = "chart", "POST", "/helm/team/charts/api/charts"


def make(bench, count):
    folder, files = bench.folder("charts"), []
    for number in range(count):
        name, version = f"chart-{number // 10:05}", f"1.{number % 10}.0"
        about = (f"apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: \"{number}\"\ndescription: chart {number} of a measurement\n"
                 "keywords: [some, words]\nmaintainers:\n- name: T\n  email: t@example.org\nhome: https://example.org\n")
        files.append(folder / f"{name}-{version}.tgz")
        files[-1].write_bytes(tar(f"{name}/Chart.yaml", about.encode()))
    return files


def peers(bench, known, more):
    folder = bench.folder("static")
    for file in known:
        os.link(file, folder / file.name)
    every = bench.run("helm", "repo", "index", folder)

    def whole(number):
        os.link(more[number], folder / more[number].name)
        return bench.run("helm", "repo", "index", folder)

    def merged(number):
        fresh = bench.folder(f"fresh{number}")
        os.link(more[number], fresh / more[number].name)
        return bench.run("helm", "repo", "index", "--merge", folder / "index.yaml", fresh)

    yield "helm repo index", every, bench.median(whole)
    yield "helm repo index --merge", every, bench.median(merged)


def clients(bench, server):
    """`helm repo update` of everything: there is no peer but the file, which the server sends as it is."""
    config = bench.folder("helm")
    home = {**os.environ, **{f"HELM_{what}_HOME": str(config / what.lower()) for what in ("CACHE", "CONFIG", "DATA")}}
    user, password = server.user.split(":")
    bench.run("helm", "repo", "add", "team", f"http://{server.addr}/helm/team/charts", "--username", user, "--password", password, env=home)
    seconds = bench.median(lambda _: bench.run("helm", "repo", "update", env=home))
    print(f"chart: helm repo update of all {seconds:.3f} s", flush=True)
