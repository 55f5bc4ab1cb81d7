"""Uploads to Wharf over connections that stay open, one a thread."""

import http.client
import sys
import threading
import time


class Uploads:
    def __init__(self, server, kind):
        self.server, self.kind, self.local = server, kind, threading.local()
        self.headers = {"Authorization": server.basic(), "Content-Type": "application/octet-stream"}

    def send(self, file, wait=False):
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection(self.server.addr, timeout=600)
        connection = self.local.connection
        while True:
            connection.request(self.kind.METHOD, self.kind.UPLOAD + ("?wait=1" if wait else ""), file.read_bytes(), self.headers)
            answer = connection.getresponse()
            said = answer.read()
            # A large repository takes longer than the server lets a client wait; the same request goes on waiting.
            if answer.status == 503 and b"goes on waiting" in said:
                continue
            if answer.status not in (200, 201):
                sys.exit(f"{file.name}: {answer.status} {said.decode(errors='replace')[:500]}")
            return

    def timed(self, file):
        # What comes while the last publication is fresh waits for others to come along; this is one alone.
        time.sleep(1)
        begin = time.perf_counter()
        self.send(file, wait=True)
        return time.perf_counter() - begin
