# SPDX-License-Identifier: BSD-3-Clause
"""Claims about lab/run: each profile lets through what it says, and nothing is left behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "lab" / "run"
ECHO = Path(__file__).with_name("echo.py")
PYTHON = sys.executable

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

BOTH = ("ip4", "ip6")
TCP_WEB = {f"tcp {port} {family}" for port in (80, 443) for family in BOTH}
TCP = TCP_WEB | {f"tcp {port} {family}" for port in (3478, 5000) for family in BOTH}
UDP = {f"udp {port} {family}" for port in (80, 443, 3478, 5000) for family in BOTH}
REACHED = {
    "open": TCP | UDP,
    "udp-blocked": TCP,
    "web-only": TCP_WEB,
    "https-only": {f"tcp 443 {family}" for family in BOTH},
    "proxy": set(),
}


def run(profile, *command, options=("--server", "none"), **more):
    return subprocess.run(
        [RUN, *options, profile, "--", *command], capture_output=True, text=True, timeout=60, check=False, **more
    )


def shell(profile, script, **more):
    return run(profile, "sh", "-c", script, **more)


def traces_of(identity):
    """What is left of a lab: namespaces, their files under /etc, its folder."""
    folders = (Path("/run/netns"), Path("/etc/netns"), Path("/run/postern-lab"))
    return [str(path) for folder in folders for path in folder.glob(f"*{identity}*")]


def is_running(pid):
    """A zombie, whose command line is empty, only waits for its parent."""
    command_line = Path(f"/proc/{pid}/cmdline")
    return command_line.exists() and command_line.read_bytes() != b""


class Sleeping:
    """A lab whose command sleeps, and its identity."""

    def __init__(self, profile="https-only", script="exec sleep 60"):
        script = f"basename $LAB_FOLDER; {script}"
        argv = [RUN, "--server", "none", profile, "--", "sh", "-c", script]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self.identity = self.process.stdout.readline().strip()

    def end(self, signal_number):
        self.process.send_signal(signal_number)
        return self.process.wait(timeout=30)


def test_every_profile_is_tested():
    listed = subprocess.run([RUN, "--list"], capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in listed.splitlines()} == set(REACHED)


@pytest.mark.parametrize("profile", REACHED)
def test_profile_lets_through_exactly_what_it_says(profile):
    script = f"sleep 0.5; {PYTHON} {ECHO} probe $LAB_PEER_IP4 $LAB_PEER_IP6"
    ended = shell(profile, script, options=("--server", "none", "--peer", f"{PYTHON} {ECHO} serve"))
    assert ended.returncode == 0, ended.stderr
    assert set(ended.stdout.splitlines()) == REACHED[profile]


def test_friend_is_behind_a_firewall_of_its_own():
    script = f"sleep 0.5; ip netns exec $LAB_FRIEND_NETNS {PYTHON} {ECHO} probe $LAB_PEER_IP4 $LAB_PEER_IP6"
    options = ("--server", "none", "--friend", "https-only", "--peer", f"{PYTHON} {ECHO} serve")
    ended = shell("open", script, options=options)
    assert ended.returncode == 0, ended.stderr
    assert set(ended.stdout.splitlines()) == REACHED["https-only"]


def test_router_writes_down_what_it_lets_out_and_nothing_else():
    script = (
        f"sleep 0.5; {PYTHON} {ECHO} probe $LAB_PEER_IP4 $LAB_PEER_IP6 >/dev/null;"
        "for family in ip4 ip6; do ip netns exec $LAB_ROUTER_NETNS nft list set inet firewall sent_$family; done"
    )
    ended = shell("web-only", script, options=("--server", "none", "--peer", f"{PYTHON} {ECHO} serve"))
    assert ended.returncode == 0, ended.stderr
    sent = set(re.findall(r"([\w.:]+) \. (\w+) \. (\w+) counter packets", ended.stdout))
    clients = ("192.0.2.10", "2001:db8:1::10")
    assert sent == {(client, "tcp", port) for client in clients for port in ("80", "443")}


def test_client_and_friend_do_not_reach_each_other():
    echo = f"{PYTHON} {ECHO}"
    friend = "ip netns exec $LAB_FRIEND_NETNS"
    script = (
        f"{friend} {echo} serve & {echo} serve & sleep 0.5;"
        f"{echo} probe $LAB_FRIEND_IP4 $LAB_FRIEND_IP6; {friend} {echo} probe $LAB_CLIENT_IP4 $LAB_CLIENT_IP6; echo done"
    )
    ended = shell("open", script, options=("--server", "none", "--friend", "open"))
    assert ended.stdout == "done\n", ended.stderr


def test_friend_behind_a_proxy_is_refused():
    ended = run("open", "true", options=("--server", "none", "--friend", "proxy"))
    assert ended.returncode == 125
    assert "has no proxy" in ended.stderr


def test_core_registers_and_listens():
    script = "ip netns exec $LAB_CORE_NETNS ss -Hnltu; echo $LAB_DOMAIN $LAB_ACCOUNTS"
    ended = shell("https-only", script, options=("--server", "none", "--core", "kamailio"))
    assert ended.returncode == 0, ended.stderr
    assert "203.0.113.6:5060" in ended.stdout
    assert "ims.example.org" in ended.stdout and '"alice"' in ended.stdout


def test_proxy_opens_tunnels_to_443_only():
    script = f"sleep 0.5; {PYTHON} {ECHO} tunnel $LAB_PROXY_NAME $LAB_PEER_NAME"
    ended = shell("proxy", script, options=("--server", "none", "--peer", f"{PYTHON} {ECHO} serve"))
    assert ended.stdout.splitlines() == ["80 403", "443 200", "3478 403", "5000 403"]


def test_nobody_outside_can_reach_the_client():
    script = (
        f"{PYTHON} {ECHO} serve & sleep 0.5; ip netns exec $LAB_PEER_NETNS "
        f"{PYTHON} {ECHO} probe $LAB_CLIENT_IP4 $LAB_CLIENT_IP6"
    )
    assert shell("open", script).stdout == ""


def test_names_resolve_with_and_without_final_dot():
    script = "getent ahostsv4 $LAB_SERVER_NAME. | head -1; getent ahostsv4 $LAB_SERVER_NAME | head -1"
    addresses = [line.split()[0] for line in shell("https-only", script).stdout.splitlines()]
    assert addresses == ["203.0.113.5", "203.0.113.5"]


def test_command_gets_and_gives_as_if_run_directly():
    ended = run("open", "sh", "-c", "cat; echo gone >&2; exit 7", input="words")
    assert (ended.stdout, ended.stderr, ended.returncode) == ("words", "gone\n", 7)


def test_command_killed_by_a_signal_has_a_shells_status():
    assert shell("open", "kill -KILL $$").returncode == 128 + signal.SIGKILL


def test_failure_of_the_lab_itself_has_a_status_of_its_own():
    assert run("no-such-profile", "true").returncode == 125


def test_server_that_does_not_start_is_named_and_leaves_nothing(tmp_path):
    broken = tmp_path / "posternd"
    broken.write_text(f"#!/bin/sh\nip netns identify $$ >{tmp_path}/namespace\necho no memory left\nexit 3\n")
    broken.chmod(0o755)
    ended = run("open", "true", options=(), env=os.environ | {"POSTERND": str(broken)})
    assert ended.returncode == 125
    assert "posternd ended at once, status 3:\nno memory left" in ended.stderr
    assert traces_of((tmp_path / "namespace").read_text().split("-")[1]) == []


def test_command_runs_as_the_user_named():
    ended = shell("open", "id -un; touch $HOME/file && echo writable", options=("--server", "none", "--as", "nobody"))
    assert ended.stdout.split() == ["nobody", "writable"]


def test_chromium_and_openssl_trust_the_server_without_a_flag():
    script = (
        "certutil -L -d sql:$HOME/.pki/nssdb; "
        "openssl s_client -verify_return_error -verify_hostname $LAB_SERVER_NAME -connect $LAB_SERVER_NAME:443 </dev/null"
    )
    ended = shell("https-only", script, options=("--server", "coturn"))
    assert "Verification: OK" in ended.stdout
    assert "postern lab" in ended.stdout


def test_processes_left_in_the_background_end_with_the_lab():
    ended = shell("open", "setsid sleep 987 >/dev/null 2>&1 & echo $! $(basename $LAB_FOLDER)")
    pid, identity = ended.stdout.split()
    assert not is_running(pid)
    assert traces_of(identity) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_lab_leaves_nothing(number):
    lab = Sleeping()
    assert traces_of(lab.identity)
    assert lab.end(number) == 128 + number
    assert traces_of(lab.identity) == []


def test_killed_lab_is_swept_by_the_next_one():
    killed = Sleeping()
    killed.end(signal.SIGKILL)
    assert traces_of(killed.identity)
    run("open", "true")
    assert traces_of(killed.identity) == []


def test_living_lab_is_not_swept():
    living = Sleeping()
    run("open", "true")
    assert traces_of(living.identity)
    living.end(signal.SIGTERM)


def test_labs_stand_side_by_side_with_no_way_into_the_namespace_they_came_from():
    links = set(os.listdir("/sys/class/net"))
    first, second = Sleeping("open"), Sleeping("open")
    try:
        assert first.identity != second.identity
        assert set(os.listdir("/sys/class/net")) == links
    finally:
        first.end(signal.SIGTERM)
        second.end(signal.SIGTERM)
