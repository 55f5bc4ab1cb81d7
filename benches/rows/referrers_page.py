"""Signatures, SBOMs and attestations of one popular base image."""

from measure import line, thousands
from servers import Wharf

TITLE = "referrers page of an image with 10 000 referrers, 16 connections"
REPO = "bench/signed"
INDEX = "application/vnd.oci.image.index.v1+json"


def run(bench):
    wharf, count = bench.server(Wharf), bench.size(10_000, 200)
    digest = wharf.seed("seed-referrers", REPO, n=count, size=1000, conns=8)["digest"]
    path = f"/v2/{REPO}/referrers/{digest}"
    lines = []
    for name, query in (("referrers page", ""), ("referrers page of one type", "?artifactType=application%2Fvnd.example.kind1")):
        results = bench.paired({
            "wharf": lambda: bench.wrk(wharf, path + query, wharf.authorization(REPO), INDEX)})
        p99 = line(f"{name}, {thousands(count)} in all, p99", "ms", "p99_ms", results, bar="< 5 ms")
        p99.met = p99.wharf < 5
        lines.append(p99)
    lines[0].note = "distribution has no referrers API"
    return lines
