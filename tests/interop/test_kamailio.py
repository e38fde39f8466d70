# SPDX-License-Identifier: BSD-3-Clause
"""Kamailio as the core, with the settings of the lab: Digest, Path, Service-Route, reg-event."""

import shutil
import subprocess
import sys
import types

import pytest

from server import ROOT, free_port
from sip import DOMAIN, JSON_TYPE, OFFER, SDP, Dialog, Wic, digest
from test_credentials import credentials_of, prepared
from test_edge_credentials import ended, page_of, refused_everywhere

sys.path.append(str(ROOT / "lab"))
import core as lab_core  # noqa: E402

pytestmark = pytest.mark.skipif(shutil.which("kamailio") is None, reason="Debian's package kamailio is not installed")

ACCOUNTS = {"alice": "wonderland", "bob": "builder"}
ACCEPT = ("Accept", f"application/sdp, {JSON_TYPE}")
START_S = 20


class Kamailio:
    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        host = types.SimpleNamespace(ip4="127.0.0.1")
        service = lab_core.describe(folder, host, ACCOUNTS, self.port)
        self.log = open(folder / "log", "wb")
        argv = [str(argument) for argument in service.argv]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def control(self, *words):
        command = ["kamcmd", "-s", f"unix:{self.folder}/ctl", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=20)

    def answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        return self.control("core.uptime").returncode == 0

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@pytest.fixture
def kamailio(tmp_path, eventually):
    core = Kamailio(tmp_path)
    try:
        eventually(core.answers, within=START_S)
        yield core
    finally:
        core.stop()


@pytest.fixture(params=("udp", "tcp"))
def server(request, start, kamailio):
    port = free_port()
    listen = [f"udp://127.0.0.1:{port}", f"tcp://127.0.0.1:{port}"]
    core = f"sip:127.0.0.1:{kamailio.port};transport={request.param}"
    return start(edge={"domain": DOMAIN, "core": [core], "listen": listen})


@pytest.fixture
def make_wic(server):
    made = []

    def make(user):
        made.append(Wic(server.flow("tls"), user))
        return made[-1]

    yield make
    for wic in made:
        wic.close()


def register(wic, password=None, fields=(), expires=600):
    challenge = wic.final(wic.send(wic.registering(fields, expires)))
    assert challenge.status == 401, challenge
    authorization = digest(challenge.get("WWW-Authenticate"), wic.user, password or ACCOUNTS[wic.user],
                           "REGISTER", f"sip:{DOMAIN}")  # fmt: skip
    return wic.final(wic.send(wic.registering([("Authorization", authorization), *fields], expires)))


def test_register_call_and_hang_up(make_wic):
    alice, bob = make_wic("alice"), make_wic("bob")
    for wic in (alice, bob):
        answer = register(wic)
        assert answer.status == 200, answer
        assert f"sip:{wic.user}@{DOMAIN}" in answer.get("P-Associated-URI")
    invite = alice.send(alice.inviting(bob.aor))
    seen = bob.receive("INVITE")
    assert alice.aor in seen.get("P-Asserted-Identity")
    bob.answer(seen, 180)
    alice.receive(180)
    sent = bob.answer(seen, 200, OFFER, SDP)
    caller, callee = Dialog(alice, invite, alice.final(invite)), Dialog(bob, seen, sent)
    caller.send("ACK", cseq=1)
    bob.receive("ACK")
    bye = callee.send("BYE")
    alice.answer(alice.receive("BYE"), 200)
    assert bob.final(bye).status == 200


def test_lost_flow_ends_the_call_of_the_other(make_wic):
    alice, bob = make_wic("alice"), make_wic("bob")
    register(alice), register(bob)
    invite = alice.send(alice.inviting(bob.aor))
    seen = bob.receive("INVITE")
    bob.answer(seen, 200, OFFER, SDP)
    Dialog(alice, invite, alice.final(invite)).send("ACK", cseq=1)
    bob.receive("ACK")
    alice.close()
    bob.answer(bob.receive("BYE"), 200)


def test_wrong_password_is_refused(make_wic):
    assert register(make_wic("alice"), "guess").status in (401, 403)


def test_end_of_a_registration_in_the_core_revokes_the_credentials(kamailio, server, make_wic, connect, eventually):
    wic = make_wic("alice")
    answer = register(wic, fields=[ACCEPT])
    assert answer.status == 200, answer
    page = page_of(answer)
    client = prepared(connect(server, "tls"), page)
    client.allocated()
    gone = kamailio.control("ul.rm", "location", f"alice@{DOMAIN}")
    assert gone.returncode == 0, gone.stderr
    eventually(lambda: ended(client), within=15)
    assert refused_everywhere(server, connect, page)

    def comes_back():
        """The core may tell of the old registration's end once more, to the subscription of the new one."""
        page = page_of(register(wic, fields=[ACCEPT]))
        return connect(server, credentials=credentials_of(page)).allocate().ok

    eventually(comes_back, within=15)


def test_deregistration_reaches_the_core(kamailio, make_wic):
    wic = make_wic("alice")
    assert register(wic).status == 200
    assert kamailio.control("ul.lookup", "location", f"alice@{DOMAIN}").returncode == 0
    assert register(wic, expires=0).status == 200
    assert "alice" not in kamailio.control("ul.dump").stdout
