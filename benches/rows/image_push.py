"""A build farm at work: every image new, every acknowledged byte on disk."""

from measure import line, ratios
from servers import Distribution, Wharf

TITLE = "push of one-layer images of 1 MB, 8 connections: HEAD, POST, PUT for layer and config, PUT manifest by tag"


def run(bench):
    with bench.fresh(Wharf) as wharf, bench.fresh(Distribution) as distribution:
        results = bench.paired({"wharf": push(bench, wharf), "distribution": push(bench, distribution)})
    rate = line("push of 1 MB images", "images/s", "rate", results, bar="≥ 2.5 × distribution")
    ratio = ratios(rate.samples["wharf"], rate.samples["distribution"])
    rate.ratio, rate.met = f"{ratio:.2f} ×", ratio >= 2.5
    p99 = line("push of 1 MB images, p99", "ms", "p99_ms", results, bar="below half of distribution's")
    part = ratios(p99.samples["wharf"], p99.samples["distribution"])
    p99.ratio, p99.met = f"{part:.2f} ×", part < .5
    return [rate, p99]


def push(bench, server):
    return lambda: bench.load(server, "push", repo="bench/push", conns=8, size=1_000_000, time=f"{bench.seconds}s",
                              n=bench.size(100_000, 40))
