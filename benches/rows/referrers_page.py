"""Signatures, SBOMs and attestations of one popular base image."""

from measure import line, thousands
from servers import Nginx, Wharf

TITLE = "referrers page of an image with 10 000 referrers, 16 connections"
REPO = "bench/signed"
INDEX = "application/vnd.oci.image.index.v1+json"


def run(bench):
    wharf, count = bench.server(Wharf), bench.size(10_000, 200)
    digest = wharf.seed("seed-referrers", REPO, n=count, size=1000, conns=8)["digest"]
    path = f"/v2/{REPO}/referrers/{digest}"
    lines = []
    for name, query in (("referrers page", ""), ("referrers page of one type", "?artifactType=application%2Fvnd.example.kind1")):
        # What sending so many bytes takes: the same page as a file.
        nginx, page = bench.server(Nginx), wharf.get(path + query, wharf.authorization(REPO))
        # A name of its own: nginx keeps files open that it has served.
        file = f"referrers-{len(lines)}"
        nginx.place(file, page)
        results = bench.paired({
            "wharf": lambda: bench.wrk(wharf, path + query, wharf.authorization(REPO), INDEX),
            "limit": lambda: bench.wrk(nginx, f"/{file}")})
        p99 = line(f"{name}, {thousands(count)} in all, p99", "ms", "p99_ms", results, bar="< 5 ms")
        p99.met, p99.note = p99.wharf < 5, f"a page of {thousands(len(page))} bytes; distribution has no referrers API"
        lines.append(p99)
    return lines
