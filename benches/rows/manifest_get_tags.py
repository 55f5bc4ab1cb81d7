"""A repository that has been pushed to for years must not be slower than a new one."""

from measure import thousands
from rows.manifest_get import compare, reached
from servers import Nginx, Wharf

TITLE = "GET manifest by one of 100 000 tags of one repository, 16 connections"
REPO = "bench/tags"


def seeded(bench):
    """Wharf with many tags in one repository, ten to a manifest; used by several rows."""
    wharf, count = bench.server(Wharf), bench.size(100_000, 1_000)
    wharf.seed("seed-tags", REPO, n=count, per=10, conns=8)
    return wharf, count


def run(bench):
    wharf, count = seeded(bench)
    prefix = f"/v2/{REPO}/manifests/v"
    manifest = wharf.get(f"{prefix}000000", wharf.authorization(REPO))
    nginx = bench.server(Nginx)
    for number in asked(count):
        nginx.place(f"tags/v{number:06}", manifest)
    lines = compare(bench, f"GET manifest, {thousands(count)} tags", manifest,
                    lambda: bench.wrk(wharf, prefix, wharf.authorization(REPO), spread=(count,)),
                    {"in turn": lambda: bench.wrk(nginx, "/tags/v", spread=(count,))})
    lines[0].note += (f"; a thousand of the tags in turn, distribution's repository has one tag, and nginx one file: asked for as many"
                      f" files in turn it reaches {reached(lines[0], 'in turn')}")
    return lines


def asked(count):
    """The numbers that lua/report.lua asks for."""
    return range(0, count, max(1, count // 1000))
