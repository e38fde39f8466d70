# SPDX-License-Identifier: BSD-3-Clause
"""posternd, as built in build/; POSTERND names another one."""

import json
import os
from pathlib import Path

from service import Service, ServiceError

from servers import PORTS

BUILT = Path(__file__).parents[2] / "build" / "posternd"

# Documentation addresses are special-purpose ranges, which posternd refuses to relay to unless told
# otherwise. So the lab allows its own hosts, one by one.
SETTINGS = """
realm: {realm}
listen:
  - udp://0.0.0.0:3478
  - udp://[::]:3478
  - tcp://0.0.0.0:3478
  - tcp://[::]:3478
  - tcp://0.0.0.0:80
  - tcp://[::]:80
  - tls://0.0.0.0:443
  - tls://[::]:443
  - udp://0.0.0.0:443
  - udp://[::]:443
tls:
  certificate: {certificate}
  key: {key}
relay:
  addresses: ["{host.ip4}", "{host.ip6}"]
  allow-peers: {peers}
users:
  {user}: {password}
limits:
  allocations-per-user: 100  # all calls in the lab are of one user; browsers that vanish leave some behind
state-directory: {folder}/state
"""


def describe(settings):
    program = Path(os.environ.get("POSTERND", BUILT))
    if not program.exists():
        raise ServiceError(f"{program} does not exist: run 'make', or name one in POSTERND")
    peers = json.dumps([address for host in settings.peers for address in (host.ip4, host.ip6)])
    (settings.folder / "state").mkdir()
    file = settings.folder / "posternd.yaml"
    file.write_text(SETTINGS.format(**{**vars(settings), "peers": peers, "password": json.dumps(settings.password)}))
    return Service("posternd", "server", [program, "--config", file], PORTS)
