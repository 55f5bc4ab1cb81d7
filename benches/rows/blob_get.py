"""Layers on their way out; the client drops the bytes, so the server is what is measured."""

from measure import line
from servers import Distribution, Nginx, Wharf

TITLE = "GET blob of 100 MB, 4 connections, plain HTTP"
REPO = "bench/big"


def run(bench):
    size = bench.size(100_000_000, 5_000_000)
    runs = {}
    for key, kind in (("wharf", Wharf), ("distribution", Distribution)):
        server = bench.server(kind)
        digest = server.seed("push-blob", REPO, size=size)["digest"]
        runs[key] = pull(bench, server, f"/v2/{REPO}/blobs/{digest}")
    nginx = bench.server(Nginx)
    nginx.seed("fill", REPO, size=size, file=str(nginx.dir / "big"))
    runs["limit"] = pull(bench, nginx, "/big")
    rate = line("GET blob 100 MB", "MB/s", "mb_per_s", bench.paired(runs), bar="≥ 1.2 × the better of the two")
    best = [max(pair) for pair in zip(rate.samples["distribution"], rate.samples["limit"])]
    ratio = sorted(ours / theirs for ours, theirs in zip(rate.samples["wharf"], best))[len(best) // 2]
    rate.ratio, rate.met = f"{ratio:.2f} ×", ratio >= 1.2
    return [rate]


def pull(bench, server, path):
    return lambda: bench.load(server, "pull", path=path, repo=REPO, conns=4, time=f"{bench.seconds}s")
