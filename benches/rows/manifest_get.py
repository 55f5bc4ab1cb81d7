"""The road of every pull and every pod start: tag to manifest."""

from measure import line, median, ratios
from servers import Distribution, Floor, LoggingNginx, Nginx, Wharf

TITLE = "GET manifest by tag, 16 connections; Wharf with a Bearer token, the others open"
REPO = "bench/app"
LATEST = f"/v2/{REPO}/manifests/latest"


class Silent(Wharf):
    """The others write no line for a request that went well; this one does not either."""
    name = "wharf-silent"

    def environment(self):
        return super().environment() | {"WHARF_LOG_ACCESS": "failures"}


def run(bench):
    def seeded(kind):
        wharf = bench.server(kind)
        wharf.seed("seed-image", REPO, n=8, size=1000)
        return wharf, lambda: bench.wrk(wharf, LATEST, wharf.authorization(REPO))

    (wharf, get), (silent, get_silently) = seeded(Wharf), seeded(Silent)
    manifest = wharf.get(LATEST, wharf.authorization(REPO))
    lines = compare(bench, "GET manifest by tag", manifest, get, {"silent": get_silently})
    silent.remove()
    rate = lines[0]
    of_limit = ratios(rate.samples["silent"], rate.samples["limit"])
    rate.note += (f"; with log.access = failures, as nginx and distribution are run here, Wharf reaches"
                  f" {median(rate.samples['silent']):.0f} req/s, {of_limit:.0%} of nginx")
    return lines


def compare(bench, name, manifest, get_from_wharf, beside=None):
    """Our GET beside distribution's of an image of the same shape and nginx's of the same bytes, without a log and with one."""
    distribution, nginx, logging = (bench.server(kind) for kind in (Distribution, Nginx, LoggingNginx))
    distribution.seed("seed-image", REPO, n=8, size=1000)
    nginx.place("manifest", manifest)
    logging.place("manifest", manifest)
    floor = Floor(bench)
    floor.place(manifest)
    floor.start()
    results = bench.paired({
        "wharf": get_from_wharf,
        "distribution": lambda: bench.wrk(distribution, LATEST),
        "limit": lambda: bench.wrk(nginx, "/manifest"),
        "logging": lambda: bench.wrk(logging, "/manifest"),
        "floor": lambda: bench.wrk(floor, "/manifest", "Bearer any"),
    } | (beside or {}))
    floor.remove()
    rate = line(name, "req/s", "rate", results, bar="≥ 5 × distribution, ≥ 60 % of nginx")
    of_peer = ratios(rate.samples["wharf"], rate.samples["distribution"])
    of_limit = ratios(rate.samples["wharf"], rate.samples["limit"])
    rate.ratio, rate.met = f"{of_peer:.2f} ×, {of_limit:.0%} of nginx", of_peer >= 5 and of_limit >= .6
    of_floor = ratios(rate.samples["wharf"], rate.samples["floor"])
    floor_of_limit = ratios(rate.samples["floor"], rate.samples["limit"])
    rate.note = (f"hyper alone, with the same bytes and one look for a header: {median(rate.samples['floor']):.0f} req/s,"
                 f" {floor_of_limit:.0%} of nginx; Wharf is {of_floor:.0%} of that")
    rate.note += f"; nginx that logs every request, as Wharf does, reaches {reached(rate, 'logging')}"
    p99 = line(f"{name}, p99", "ms", "p99_ms", results, bar="< 1.5 ms")
    p99.met = p99.wharf < 1.5
    return [rate, p99]


def reached(rate, who):
    part = ratios(rate.samples["wharf"], rate.samples[who])
    return f"{median(rate.samples[who]):.0f} req/s, and Wharf {part:.0%} of that"
