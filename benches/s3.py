"""Servers whose blobs lie in a bucket, and the store that has it."""

import json
import shutil
import subprocess
from pathlib import Path

from servers import Distribution, Server, Wharf, free_port

INSTALLED = Path(__file__).parent.parent / "target/tools/seaweedfs/bin/weed"
ACCESS, SECRET, BUCKET, REGION = "bench-access", "bench-secret", "bench", "us-east-1"


class SeaweedFS(Server):
    """An S3 server in one process. It is none of those measured, so the load's core is its."""
    name = "seaweedfs"
    ready_path = "/healthz"

    def __init__(self, bench, label="shared"):
        super().__init__(bench, label)
        self.cpu = bench.load_cpu
        self.program = INSTALLED if INSTALLED.is_file() else shutil.which("weed")
        if not self.program:
            raise RuntimeError("SeaweedFS is not installed: run tests/install-tools seaweedfs")

    def command(self):
        users = self.dir / "s3.json"
        users.write_text(json.dumps({"identities": [{
            "name": "bench", "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}], "actions": ["Admin"]}]}))
        self.ports = {name: (free_port(), free_port()) for name in ("master", "volume", "filer")}
        ports = self.ports | {"s3": (int(self.addr.split(":")[1]), free_port())}
        numbers = [flag for name, (http, grpc) in ports.items()
                   for flag in (f"-{name}.port={http}", f"-{name}.port.grpc={grpc}")]
        return [self.program, "-logtostderr", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-s3.iam=false",
                "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=1024", "-volume.max=0",
                "-master.telemetry=false", "-volume.minFreeSpace=0", f"-dir={self.dir}", f"-s3.config={users}"] + numbers

    def start(self, trace=None):
        seconds = super().start(trace)
        master, filer = (f"127.0.0.1:{'.'.join(map(str, self.ports[name]))}" for name in ("master", "filer"))
        made = subprocess.run([self.program, "shell", f"-master={master}", f"-filer={filer}"], timeout=60, text=True,
                              input=f"s3.bucket.create -name {BUCKET}\n", capture_output=True)
        if made.returncode or "create bucket under" not in made.stdout:
            raise RuntimeError(f"no bucket: {made.stdout[-300:]}{made.stderr[-300:]}")
        return seconds


class WharfOnS3(Wharf):
    bucket = None

    def environment(self):
        storage = {"KIND": "s3", "BUCKET": BUCKET, "PREFIX": "wharf", "ENDPOINT": f"http://{self.bucket.addr}",
                   "REGION": REGION, "ACCESS_KEY": ACCESS, "SECRET_KEY": SECRET, "ALLOW_HTTP": "true"}
        return super().environment() | {f"WHARF_STORAGE_{name}": value for name, value in storage.items()}


class DistributionOnS3(Distribution):
    bucket = None

    def storage(self):
        return f"""s3: {{accesskey: {ACCESS}, secretkey: {SECRET}, bucket: {BUCKET}, region: {REGION},
       regionendpoint: "http://{self.bucket.addr}", forcepathstyle: true, secure: false, rootdirectory: /distribution}}
  redirect: {{disable: true}}"""
