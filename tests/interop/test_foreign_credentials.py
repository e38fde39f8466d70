# SPDX-License-Identifier: BSD-3-Clause
"""Credentials across programs, both ways round (TS 33.203 X.5): those that Kamailio puts into the 200 to REGISTER, by
the script in packaging/kamailio, are good at posternd; those that posternd hands out are good at coturn."""

import json
import re
import shutil
import socket
import subprocess
import time

import pytest

from flows import UdpFlow
from server import ALICE, ROOT, free_port
from test_credentials import ask, credentials_of, digest
from turn import Client, Credentials

SECRET = "north-of-nowhere"
DOMAIN = "ims.example.org"
TYPE = "application/vnd.postern.ice-servers+json"
SCRIPTS = ROOT / "packaging" / "kamailio"
START_S = 10

KAMAILIO = f"""#!KAMAILIO
#!define TURN_SECRET "{SECRET}"
#!define TURN_URLS "\\"turn:turn.example.org:3478?transport=udp\\",\\"turns:turn.example.org:443?transport=tcp\\""
#!define TURN_LIFETIME 600
#!define TURN_SCRIPT "{SCRIPTS}/turn-credentials.js"
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:PORT
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
include_file "{SCRIPTS}/turn-credentials.cfg"
request_route {{
    if (is_method("REGISTER")) {{
        route(TURN_CREDENTIALS);
        if ($var(turn_json) != "") set_reply_body("$var(turn_json)", "{TYPE}");
        save("location");
        exit;
    }}
    sl_send_reply("404", "Not here");
}}
"""


def register(port, user="alice", accept=f"application/sdp, {TYPE}", within=2.0):
    """The 200 to a REGISTER as (fields, body); None where nobody answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.settimeout(within)
        own = client.getsockname()[1]
        lines = [
            f"REGISTER sip:{DOMAIN} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK{time.monotonic_ns()}",
            f"From: <sip:{user}@{DOMAIN}>;tag=1",
            f"To: <sip:{user}@{DOMAIN}>",
            f"Call-ID: {user}-{own}@test",
            "CSeq: 1 REGISTER",
            f"Contact: <sip:{user}@127.0.0.1:{own}>",
            f"Accept: {accept}",
            "Expires: 300",
            "Max-Forwards: 70",
            "Content-Length: 0",
        ]
        client.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), ("127.0.0.1", port))
        try:
            answer = client.recv(65535).decode()
        except (TimeoutError, ConnectionRefusedError):
            return None
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("SIP/2.0 200 "), head
    return head, body


@pytest.fixture(scope="module")
def kamailio(tmp_path_factory):
    """The port of a running Kamailio with the script."""
    if shutil.which("kamailio") is None:
        pytest.skip("Debian's package kamailio is not installed")
    directory = tmp_path_factory.mktemp("kamailio")
    port = free_port()
    (directory / "kamailio.cfg").write_text(KAMAILIO.replace("PORT", str(port)))
    with open(directory / "output", "wb") as output:
        process = subprocess.Popen(
            ["kamailio", "-DD", "-E", "-f", directory / "kamailio.cfg", "-Y", directory],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + START_S
    try:
        while register(port, "nobody", within=0.2) is None:
            assert process.poll() is None and time.monotonic() < deadline, (directory / "output").read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(START_S)


def test_credentials_of_kamailio_are_good_at_posternd(kamailio, shared, connect):
    server = shared(credentials={"shared-secrets": [SECRET]})
    head, body = register(kamailio)
    assert f"Content-Type: {TYPE}" in head
    page = json.loads(body)
    (given,) = page["iceServers"]
    assert page["ttl"] == 480 and len(given["urls"]) == 2
    assert re.fullmatch(r"\d+:p1\.[\w-]{16}\.[\w-]{16}", given["username"])
    for way in ("udp", "tls"):
        assert connect(server, way, credentials=Credentials(given["username"], given["credential"])).allocated()
    wrong = Credentials(given["username"].replace("p1.", "p1.x"), given["credential"])
    assert connect(server, credentials=wrong).allocate().error == 401


def test_kamailio_tells_users_apart_without_naming_them(kamailio):
    names = {}
    for user in ("alice", "bob"):
        name = json.loads(register(kamailio, user)[1])["iceServers"][0]["username"]
        again = json.loads(register(kamailio, user)[1])["iceServers"][0]["username"]
        assert user not in name and name.split(".")[1] == again.split(".")[1]
        names[user] = name.split(".")[1]
    assert names["alice"] != names["bob"]


def test_kamailio_gives_none_to_who_does_not_ask(kamailio):
    head, body = register(kamailio, accept="application/sdp")
    assert body == "" and TYPE not in head


@pytest.fixture(scope="module")
def coturn(tmp_path_factory):
    """The port of a coturn that shares the secret."""
    if shutil.which("turnserver") is None:
        pytest.skip("Debian's package coturn is not installed")
    directory = tmp_path_factory.mktemp("coturn")
    port = free_port()
    process = subprocess.Popen(
        ["turnserver", "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}"]
        + ["--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=elsewhere.example", "--no-tls", "--no-dtls"]
        + ["--no-cli", "--log-file=stdout", f"--pidfile={directory}/pid", f"--userdb={directory}/db", "--allow-loopback-peers"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=directory,
    )
    deadline = time.monotonic() + START_S
    try:
        while True:
            flow = UdpFlow(("127.0.0.1", port))
            try:
                Client(flow).binding()
                break
            except (TimeoutError, OSError):
                assert process.poll() is None and time.monotonic() < deadline
            finally:
                flow.close()
        yield port
    finally:
        process.terminate()
        process.wait(START_S)


def test_credentials_of_posternd_are_good_at_coturn(coturn, shared):
    uri = f"turn:127.0.0.1:{coturn}?transport=udp"
    server = shared(
        credentials={"shared-secrets": [SECRET]}, edge={"turn-uris": [uri]}, limits={"requests-per-source": 0}
    )
    challenge = ask(server).fields.get_all("WWW-Authenticate")[0]
    answer = ask(server, digest(challenge, ALICE.user, ALICE.password))
    assert answer.json["iceServers"][0]["urls"] == [uri]
    good = credentials_of(answer)
    for credentials, error in ((good, None), (Credentials(good.user, good.password[::-1]), 401)):
        client = Client(UdpFlow(("127.0.0.1", coturn)), credentials)
        with client:
            assert client.allocate().error == error
