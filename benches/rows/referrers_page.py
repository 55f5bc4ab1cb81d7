"""Signatures, SBOMs and attestations of one popular base image."""

import os

from measure import column, line, median, thousands
from servers import Nginx, Wharf

TITLE = "referrers page of an image with 10 000 referrers, 16 connections"
REPO = "bench/signed"
TICKS = os.sysconf("SC_CLK_TCK")
INDEX = "application/vnd.oci.image.index.v1+json"


def run(bench):
    wharf, count = bench.server(Wharf), bench.size(10_000, 200)
    digest = wharf.seed("seed-referrers", REPO, n=count, size=1000, conns=8)["digest"]
    path = f"/v2/{REPO}/referrers/{digest}"
    pages = {"referrers page": "", "referrers page of one type": "?artifactType=application%2Fvnd.example.kind1",
             "referrers page of 100": "?n=100"}
    return [compare(bench, wharf, name, count, path + query) for name, query in pages.items()]


def compare(bench, wharf, name, count, path):
    """One page, beside what sending so many bytes takes: the same as a file."""
    nginx, page = bench.server(Nginx), wharf.get(path, wharf.authorization(REPO))
    # A name of its own: nginx keeps files open that it has served.
    file = name.replace(" ", "-")
    nginx.place(file, page)
    results = bench.paired({
        "wharf": lambda: worked(wharf, lambda: bench.wrk(wharf, path, wharf.authorization(REPO), INDEX)),
        "limit": lambda: worked(nginx, lambda: bench.wrk(nginx, f"/{file}"))})
    p99 = line(f"{name}, {thousands(count)} in all, p99", "ms", "p99_ms", results, bar="< 5 ms")
    rate, work = ({who: median(column(results, who, key)) for who in results} for key in ("rate", "us"))
    p99.met, p99.note = p99.wharf < 5, (
        f"a page of {thousands(len(page))} bytes, {rate['wharf']:.0f} a second, {work['wharf']:.0f} µs of the server's core each; nginx with"
        f" the same bytes {rate['limit']:.0f} and {work['limit']:.0f} µs; distribution has no referrers API")
    return p99


def worked(server, run):
    """What a run says, with the processor time of each request in µs."""
    cluster = getattr(server, "cluster", None)
    programs = [server, cluster] if cluster else [server]
    before = sum(program.cpu_ticks() for program in programs)
    result = run()
    return result | {"us": (sum(program.cpu_ticks() for program in programs) - before) / TICKS * 1e6 / result["count"]}
