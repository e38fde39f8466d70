# SPDX-License-Identifier: BSD-3-Clause
"""posternd, as built in build/; POSTERND names another one."""

import json
import os
from pathlib import Path

import core
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

EDGE = """
edge:
  domain: {domain}
  core: ["sip:{core.ip4}:{port};transport=tcp"]
  listen: ["tcp://{host.ip4}:5060", "udp://{host.ip4}:5060"]
"""


def describe(settings):
    program = Path(os.environ.get("POSTERND", BUILT))
    if not program.exists():
        raise ServiceError(f"{program} does not exist: run 'make', or name one in POSTERND")
    peers = json.dumps([address for host in settings.peers for address in (host.ip4, host.ip6)])
    (settings.folder / "state").mkdir()
    file = settings.folder / "posternd.yaml"
    words = {**vars(settings), "peers": peers, "password": json.dumps(settings.password)}
    text = SETTINGS + EDGE if settings.core else SETTINGS
    file.write_text(text.format(domain=core.DOMAIN, port=core.PORT, **words))
    return Service("posternd", "server", [program, "--config", file], PORTS)
