"""One large layer, streamed: it cannot be faster than the disk or the hash, and should not be much slower."""

import re
import resource
import shutil
import time

from measure import line, median, ratios
from servers import Distribution, Wharf

TITLE = "push of one 1 GB blob by POST, PATCH, PUT, beside dd conv=fsync and SHA-256 of as many bytes"


def run(bench):
    size = bench.size(1_000_000_000, 20_000_000)
    source, target = bench.work / "bulk", bench.work / "dd"
    singles, busy = {"dd": [], "sha256": []}, []
    sha256 = ["openssl", "dgst", "-sha256"] if shutil.which("openssl") else ["sha256sum"]

    def limit():
        before, begin = of_children(), time.perf_counter()
        dd = bench.run(["sh", "-c", f"dd if={source} of={target} bs=1M conv=fsync 2>&1"], 600)
        busy.append((of_children() - before) / (time.perf_counter() - begin))
        singles["dd"].append(size / 1e6 / float(re.search(r"([\d.e-]+) s,", dd)[1]))
        singles["sha256"].append(size / 1e6 / bench.seconds_of(sha256 + [source]))
        target.unlink()
        return {"mb_per_s": min(s[-1] for s in singles.values())}

    with bench.fresh(Wharf) as wharf, bench.fresh(Distribution) as distribution:
        bench.load(wharf, "fill", size=size, file=source)
        results = bench.paired({
            "wharf": lambda: bench.load(wharf, "push-blob", repo="bench/bulk", size=size),
            "distribution": lambda: bench.load(distribution, "push-blob", repo="bench/bulk", size=size),
            "limit": limit,
        })
    source.unlink()
    rate = line("push of one 1 GB blob", "MB/s", "mb_per_s", results, bar="≥ 80 % of the slower of dd and SHA-256")
    part = ratios(rate.samples["wharf"], rate.samples["limit"])
    rate.ratio, rate.met = f"{part:.0%}", part >= .8
    rate.samples |= singles
    in_turn = [1 / (1 / dd + 1 / sha) for dd, sha in zip(*singles.values())]
    rate.note = ", ".join(f"{name} {median(v):.0f} MB/s" for name, v in singles.items()) + (
        f" ({sha256[0]}); dd keeps its core {median(busy):.0%} busy, and so much of it cannot go beside the hash on one core: one after the"
        f" other would be {median(in_turn):.0f} MB/s, and Wharf is {ratios(rate.samples['wharf'], in_turn):.0%} of that")
    return [rate]


def of_children():
    """Seconds of processor time of the programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
