# SPDX-License-Identifier: BSD-3-Clause
"""The lab's network: each host a namespace, two segments, and a firewall that joins them.

        inside 192.0.2.0/24                          outside 203.0.113.0/24
        2001:db8:1::/64                              2001:db8:2::/64

    client .10 ──┐                                  ┌── server .5
                 ├── router .1 (NAT, nftables) .1 ──┼── core   .6   (where a SIP core is asked for)
    proxy  .3 ───┘              │                   └── peer  .77
                                │
    friend .10 ─────────────────┘ elsewhere 198.51.100.0/24, 2001:db8:3::/64: a second network behind the
                                  same router with a profile of its own (where a friend is asked for)

The segments are bridges inside the router's namespace. No interface leads into the
namespace that the lab was started from, so no packet finds a way out of it.
"""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

RUN_FOLDER = Path("/run/postern-lab")  # a folder per living lab: lock, keys, logs
NETNS_ETC = Path("/etc/netns")  # `ip netns exec` lays these files over /etc
TERM_PATIENCE_S = 5


@dataclass(frozen=True)
class Host:
    name: str
    segment: str
    ip4: str
    ip6: str
    names: tuple[str, ...]


HOSTS = {
    host.name: host
    for host in (
        Host("client", "inside", "192.0.2.10", "2001:db8:1::10", ("client.example.org",)),
        Host("proxy", "inside", "192.0.2.3", "2001:db8:1::3", ("proxy.example.org",)),
        Host("server", "outside", "203.0.113.5", "2001:db8:2::5", ("turn.example.org",)),
        Host("peer", "outside", "203.0.113.77", "2001:db8:2::77", ("peer.example.org",)),
        Host("core", "outside", "203.0.113.6", "2001:db8:2::6", ("core.example.org",)),
        Host("friend", "elsewhere", "198.51.100.10", "2001:db8:3::10", ("friend.example.org",)),
    )
}
GATEWAYS = {
    "inside": ("192.0.2.1", "2001:db8:1::1"),
    "outside": ("203.0.113.1", "2001:db8:2::1"),
    "elsewhere": ("198.51.100.1", "2001:db8:3::1"),
}

# Forbidden packets vanish, as real firewalls do it: a client learns nothing and has to wait.
# Frames within a segment pass here too on kernels that show bridged frames to nftables.
# Whom it let send how much to which port is written down behind it.
FIREWALL = """
table inet firewall {{
    chain forward {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname "inside" oifname "inside" accept
        iifname "outside" oifname "outside" accept
        iifname "inside" oifname "outside" jump leaving_inside
        iifname "elsewhere" oifname "outside" jump leaving_elsewhere
    }}
    chain leaving_inside {{
{inside}
    }}
    chain leaving_elsewhere {{
{elsewhere}
    }}
    set sent_ip4 {{
        type ipv4_addr . inet_proto . inet_service
        size 1024
        flags dynamic
        counter
    }}
    set sent_ip6 {{
        type ipv6_addr . inet_proto . inet_service
        size 1024
        flags dynamic
        counter
    }}
    chain trace {{
        type filter hook forward priority filter + 10;
        iifname "outside" return
        ct direction original update @sent_ip4 {{ ip saddr . meta l4proto . th dport counter }}
        ct direction original update @sent_ip6 {{ ip6 saddr . meta l4proto . th dport counter }}
    }}
    chain translate {{
        type nat hook postrouting priority srcnat;
        ip saddr {{ 192.0.2.0/24, 198.51.100.0/24 }} oifname "outside" masquerade
    }}
}}
"""


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


class Network:
    """Namespaces from |__enter__| to |__exit__|; |identity| keeps several labs apart. |friend| is the profile of a
    second network, or None; |core| adds the host of a SIP core."""

    def __init__(self, identity, profile, friend=None, core=False):
        self.identity = identity
        self.profile = profile
        self.friend = friend
        self.folder = RUN_FOLDER / identity
        absent = {"proxy": not profile.proxy, "friend": friend is None, "core": not core}
        self.hosts = [host for host in HOSTS.values() if not absent.get(host.name)]

    def namespace(self, host_name):
        return f"postern-{self.identity}-{host_name}"

    def inside(self, host_name, argv):
        """The argv that runs |argv| on that host."""
        return ["ip", "netns", "exec", self.namespace(host_name), *argv]

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            take_down(self.identity)
            raise
        return self

    def __exit__(self, *_):
        take_down(self.identity)

    def _build(self):
        router = self.namespace("router")
        self._add_namespace("router")
        for segment, (ip4, ip6) in GATEWAYS.items():
            ip("-n", router, "link", "add", segment, "type", "bridge", "mcast_snooping", "0")
            self._set_addresses(router, segment, ip4, ip6)
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            self._run("router", ["sysctl", "-qw", f"{key}=1"])
        self._run("router", ["nft", "-f", "-"], input=self._ruleset(), text=True)
        for host in self.hosts:
            self._add_host(host, router)

    def _ruleset(self):
        inside = leaving(HOSTS["client"], self.profile.allow)
        if self.profile.proxy:
            inside += leaving(HOSTS["proxy"], ["tcp dport { 80, 443 }"])
        elsewhere = leaving(HOSTS["friend"], self.friend.allow) if self.friend else []
        return FIREWALL.format(inside="\n".join(inside), elsewhere="\n".join(elsewhere))

    def _add_host(self, host, router):
        namespace = self._add_namespace(host.name)
        port = f"to-{host.name}"
        ip("-n", namespace, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", router)
        ip("-n", router, "link", "set", port, "master", host.segment, "up")
        self._set_addresses(namespace, "eth0", host.ip4, host.ip6)
        for gateway in GATEWAYS[host.segment]:
            family = "-6" if ":" in gateway else "-4"
            ip("-n", namespace, family, "route", "add", "default", "via", gateway)

    def _add_namespace(self, host_name):
        namespace = self.namespace(host_name)
        files = NETNS_ETC / namespace
        files.mkdir(parents=True)
        (files / "hosts").write_text(self._hosts_file())
        (files / "resolv.conf").write_text("# No name server: all names are in /etc/hosts.\n")
        ip("netns", "add", namespace)
        # Without duplicate detection an address can be used at once.
        self._run(host_name, ["sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0"])
        ip("-n", namespace, "link", "set", "lo", "up")
        return namespace

    def _hosts_file(self):
        lines = ["127.0.0.1 localhost", "::1 localhost"]
        for host in HOSTS.values():
            # Chromium looks TURN servers up with a final dot, and a hosts file matches letter by letter.
            spellings = " ".join(f"{name} {name}." for name in host.names)
            lines += [f"{host.ip4} {spellings}", f"{host.ip6} {spellings}"]
        return "\n".join(lines) + "\n"

    def _set_addresses(self, namespace, interface, ip4, ip6):
        ip("-n", namespace, "address", "add", f"{ip4}/24", "dev", interface)
        ip("-n", namespace, "address", "add", f"{ip6}/64", "dev", interface)
        ip("-n", namespace, "link", "set", interface, "up")

    def _run(self, host_name, argv, **options):
        subprocess.run(self.inside(host_name, argv), check=True, **options)


def leaving(host, matches):
    """The rules that let |host| out."""
    return [
        f"        {family} saddr {address} {match} accept"
        for match in matches
        for family, address in (("ip", host.ip4), ("ip6", host.ip6))
    ]


def claim():
    """Gives this process a lab of its own: its identity, and a lock that marks the lab as alive.

    The kernel lets go of the lock however its owner ends, so a lab whose lock is free was killed
    before it could take itself down; that is made good here. Birth and sweep exclude each other,
    or a lab between its first file and its lock would be taken for a dead one.
    """
    RUN_FOLDER.mkdir(exist_ok=True)
    with open(RUN_FOLDER / "births", "w") as births:
        fcntl.flock(births, fcntl.LOCK_EX)
        for folder in RUN_FOLDER.glob("*/"):
            if try_lock(folder) is not None:
                take_down(folder.name)
        identity = secrets.token_hex(3)
        (RUN_FOLDER / identity).mkdir()
        return identity, try_lock(RUN_FOLDER / identity)


def try_lock(folder):
    """Returns the open lock of a lab's folder, or None while its owner lives."""
    lock = open(folder / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def take_down(identity):
    """Ends every process in the lab's namespaces, then removes the namespaces and files.

    Whoever interrupts has to wait: half a lab left over helps nobody.
    """
    interrupts = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, interrupts)
    try:
        _take_down(identity)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _take_down(identity):
    namespaces = [path.name for path in Path("/run/netns").glob(f"postern-{identity}-*")]
    end_processes(namespaces)
    for namespace in namespaces:
        subprocess.run(["ip", "netns", "delete", namespace], check=False)
    for files in NETNS_ETC.glob(f"postern-{identity}-*"):
        shutil.rmtree(files, ignore_errors=True)
    shutil.rmtree(RUN_FOLDER / identity, ignore_errors=True)


def end_processes(namespaces):
    """Asks them to end, and after a few seconds does not ask."""
    started = time.monotonic()
    asked = set()
    while pids := {pid for namespace in namespaces for pid in pids_in(namespace)}:
        impatient = time.monotonic() - started > TERM_PATIENCE_S
        for pid in pids if impatient else pids - asked:
            try:
                os.kill(pid, signal.SIGKILL if impatient else signal.SIGTERM)
            except ProcessLookupError:
                pass  # ended meanwhile
        asked |= pids
        time.sleep(0.05)


def pids_in(namespace):
    listing = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listing.stdout.split()]
