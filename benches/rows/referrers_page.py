"""Signatures, SBOMs and attestations of one popular base image."""

from measure import column, line, median, thousands, worked
from servers import Nginx, Wharf

TITLE = "referrers page of an image with 10 000 referrers, 16 connections"
REPO = "bench/signed"
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
        "wharf": lambda: timed(wharf, lambda: bench.wrk(wharf, path, wharf.authorization(REPO), INDEX)),
        "limit": lambda: timed(nginx, lambda: bench.wrk(nginx, f"/{file}"))})
    p99 = line(f"{name}, {thousands(count)} in all, p99", "ms", "p99_ms", results, bar="< 5 ms")
    rate, work = ({who: median(column(results, who, key)) for who in results} for key in ("rate", "us"))
    p99.met, p99.note = p99.wharf < 5, (
        f"a page of {thousands(len(page))} bytes, {rate['wharf']:.0f} a second, {work['wharf']:.0f} µs of the server's core each; nginx with"
        f" the same bytes {rate['limit']:.0f} and {work['limit']:.0f} µs; distribution has no referrers API")
    return p99


def timed(server, run):
    """What a run says, with the processor time of each request in µs."""
    before = worked(server)
    result = run()
    return result | {"us": (worked(server) - before) * 1e6 / result["count"]}
