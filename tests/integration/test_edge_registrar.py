# SPDX-License-Identifier: BSD-3-Clause
"""The registrar within the daemon: what posternd is without a core of somebody else's."""

import subprocess

import pytest

from server import POSTERND
from sip import DOMAIN, OFFER, SDP, Dialog, Wic, digest, uri_of

ACCOUNTS = {"alice": "wonderland", "bob": "builder"}


def account(server, *arguments, password=None):
    run = subprocess.run(
        [POSTERND, "--config", server.settings_file, *arguments],
        input=password and password + "\n", capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def add(server, name, password):
    account(server, "--add-account", name, "--password-stdin", password=password)


@pytest.fixture
def registrar(shared):
    """A server with its own accounts."""
    server = shared(edge={"domain": DOMAIN})
    if "alice" not in account(server, "--list-accounts"):
        for name, password in ACCOUNTS.items():
            add(server, name, password)
    return server


@pytest.fixture
def make_wic():
    made = []

    def make(server, user="alice", **options):
        made.append(Wic(server.flow("tls"), user, **options))
        return made[-1]

    yield make
    for wic in made:
        wic.close()


def challenged(wic, algorithm="MD5", **options):
    """The challenge for |algorithm| that the registrar answers a bare REGISTER with."""
    answer = wic.final(wic.send(wic.registering(**options)))
    assert answer.status == 401, answer
    offered = [one for one in answer.all("WWW-Authenticate") if f"algorithm={algorithm}" in one]
    assert offered, answer
    return offered[0]


def register(wic, password=None, algorithm="MD5", challenge=None, user=None, expires=600, fields=()):
    challenge = challenge or challenged(wic, algorithm)
    authorization = digest(challenge, user or wic.user, password or ACCOUNTS[wic.user], "REGISTER",
                           f"sip:{DOMAIN}", algorithm)  # fmt: skip
    return wic.final(wic.send(wic.registering([("Authorization", authorization), *fields], expires)))


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_account_registers_with_either_digest(registrar, make_wic, algorithm):
    answer = register(make_wic(registrar), algorithm=algorithm)
    assert answer.status == 200
    assert f"sip:alice@{DOMAIN}" in answer.get("P-Associated-URI")


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_wrong_password_is_refused(registrar, make_wic, algorithm):
    wic = make_wic(registrar)
    assert register(wic, "guess", algorithm).status in (401, 403)
    request = wic.send(wic.make("MESSAGE", f"sip:bob@{DOMAIN}", wic.aor))
    assert wic.final(request).status == 403


def test_unknown_name_gets_the_same_challenge_as_a_known_one(registrar, make_wic):
    known, unknown = make_wic(registrar), make_wic(registrar, "nobody")
    assert register(known, "guess").status == register(unknown, "guess").status


def test_account_may_not_register_as_another(registrar, make_wic):
    wic = make_wic(registrar, "bob")
    assert register(wic, ACCOUNTS["alice"], user="alice").status == 403


def test_nonce_that_the_server_never_made_is_refused(registrar, make_wic):
    wic = make_wic(registrar)
    made_up = f'Digest realm="{DOMAIN}", nonce="bWFkZSB1cA==", algorithm=MD5, qop="auth"'
    assert register(wic, challenge=made_up).status == 401


def test_credentials_of_one_request_are_no_good_a_second_time(registrar, make_wic):
    wic = make_wic(registrar)
    challenge = challenged(wic)
    authorization = digest(challenge, "alice", ACCOUNTS["alice"], "REGISTER", f"sip:{DOMAIN}")
    request = wic.send(wic.registering([("Authorization", authorization)]))
    assert wic.final(request).status == 200
    thief = make_wic(registrar)
    request = thief.send(thief.registering([("Authorization", authorization)]))
    assert thief.final(request).status == 401


def test_accounts_call_each_other(registrar, make_wic):
    alice = make_wic(registrar)
    register(alice)
    for _ in range(4):  # on whichever worker
        bob = make_wic(registrar, "bob")
        register(bob)
        invite = alice.send(alice.inviting(bob.aor))
        seen = bob.receive("INVITE")
        assert uri_of(seen.get("P-Asserted-Identity")) == alice.aor
        bob.answer(seen, 180)
        alice.receive(180)
        sent = bob.answer(seen, 200, OFFER, SDP)
        caller, callee = Dialog(alice, invite, alice.final(invite)), Dialog(bob, seen, sent)
        caller.send("ACK", cseq=1)
        bob.receive("ACK")
        bye = callee.send("BYE")
        alice.answer(alice.receive("BYE"), 200)
        assert bob.final(bye).status == 200
        assert register(bob, expires=0).status == 200


def test_who_is_not_registered_is_not_reached(registrar, make_wic):
    alice = make_wic(registrar)
    register(alice)
    invite = alice.send(alice.inviting(f"sip:nobody@{DOMAIN}"))
    assert alice.final(invite).status == 404
    alice.send(alice.make("ACK", f"sip:nobody@{DOMAIN}", alice.aor, call_id=invite.get("Call-ID")))


def test_removed_account_loses_its_registration(start, make_wic, eventually):
    server = start(edge={"domain": DOMAIN})
    add(server, "carol", "secret-of-carol")
    wic = make_wic(server, "carol")
    assert register(wic, "secret-of-carol").status == 200
    account(server, "--remove-account", "carol")
    again = make_wic(server, "carol")

    def is_refused():
        request = wic.send(wic.make("OPTIONS", f"sip:carol@{DOMAIN}", wic.aor))
        while True:
            try:
                return wic.final(request, within=0.2).status == 403
            except TimeoutError:
                wic.answer(wic.receive("OPTIONS"), 200)

    eventually(is_refused, within=10)
    assert register(again, "secret-of-carol").status in (401, 403)


def test_registration_outlives_no_restart_but_the_account_does(start, make_wic):
    server = start(edge={"domain": DOMAIN})
    add(server, "carol", "secret-of-carol")
    assert register(make_wic(server, "carol"), "secret-of-carol").status == 200
    server.stop()
    server.start()
    assert register(make_wic(server, "carol"), "secret-of-carol").status == 200


def test_registrar_is_off_with_a_core(edge):
    wic = edge.wic()
    wic.send(wic.registering())
    seen = edge.core.receive("REGISTER")
    edge.core.answer(seen, 403)
    assert wic.receive(403)
