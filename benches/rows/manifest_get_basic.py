"""Clients that never ask for a token send the password with every request."""

from rows.manifest_get import LATEST, REPO, compare
from servers import Wharf

TITLE = "GET manifest by tag, 16 connections, Wharf with Basic on every request"


def run(bench):
    wharf = bench.server(Wharf)
    wharf.seed("seed-image", REPO, n=8, size=1000)
    return compare(bench, "GET manifest, Basic", wharf.get(LATEST, wharf.basic()),
                   lambda: bench.wrk(wharf, LATEST, wharf.basic()))
