# SPDX-License-Identifier: BSD-3-Clause
"""REGISTER through the edge, and who a registered client is (RFC 3327, RFC 3608, TS 24.229 §5.2)."""

import pytest

from flows import Closed
from sip import DOMAIN, ORIGIN, Wic, parameter, uri_of
from websocket import BINARY, CLOSE, Refused

CHALLENGE = (
    f'Digest realm="{DOMAIN}", nonce="dGVzdA==", algorithm=MD5, qop="auth", '
    'ck="00112233445566778899aabbccddeeff", ik="ffeeddccbbaa99887766554433221100"'
)
# As a client writes it, oddities included: none of it may change on the way.
DIGEST = (
    f'Digest username="alice@{DOMAIN}",realm="{DOMAIN}",  nonce="dGVzdA==", uri="sip:{DOMAIN}", '
    'response="0123456789abcdef0123456789abcdef", algorithm=MD5, cnonce="x", qop=auth, nc=00000001, own="kept"'
)


def digest_words(value):
    scheme, rest = value.split(" ", 1)
    return scheme, {part.strip() for part in rest.split(",")}


def test_register_says_by_which_way_the_client_is_reached(either_edge):
    seen, _ = either_edge.wic().registered(either_edge.core)
    (path,) = seen.values("Path")
    assert f"@127.0.0.1:{either_edge.core.edge_port}" in path
    assert ";lr" in path and len(uri_of(path).split("@")[0]) > len("sip:") + 20
    assert "path" in seen.values("Require")
    assert seen.get("P-Visited-Network-ID") == f'"{DOMAIN}"'
    assert parameter(seen.get("P-Charging-Vector"), "icid-generated-at") == "127.0.0.1"
    assert f'orig-ioi="{DOMAIN}"' in seen.get("P-Charging-Vector")
    ours, theirs = seen.values("Via")
    assert ours.startswith(f"SIP/2.0/{either_edge.core.transport.upper()} 127.0.0.1:{either_edge.core.edge_port}")
    assert parameter(theirs, "received") == "127.0.0.1"
    assert int(seen.get("Max-Forwards")) == 69


def test_digest_goes_to_the_core_as_it_is_and_back(either_edge):
    wic, core = either_edge.wic(), either_edge.core
    first = wic.send(wic.registering())
    core.answer(core.receive("REGISTER"), 401, [("WWW-Authenticate", CHALLENGE)])
    challenge = wic.final(first)
    assert challenge.status == 401
    scheme, words = digest_words(challenge.get("WWW-Authenticate"))
    assert (scheme, words) == digest_words(CHALLENGE.partition(", ck=")[0])
    second = wic.send(wic.registering([("Authorization", DIGEST)]))
    seen = core.receive("REGISTER")
    scheme, words = digest_words(seen.get("Authorization"))
    added = words - digest_words(DIGEST)[1]
    assert scheme == "Digest" and words - added == digest_words(DIGEST)[1]
    assert [word.replace('"', "") for word in added] == ["integrity-protected=tls-pending"]
    core.accept(seen)
    assert wic.final(second).status == 200
    third = wic.send(wic.registering([("Authorization", DIGEST)]))
    seen = core.receive("REGISTER")
    assert parameter(seen.get("Authorization"), "integrity-protected") == "tls-yes"
    core.accept(seen)
    assert wic.final(third).status == 200


@pytest.mark.parametrize("claim", ["tls-yes", "ip-assoc-yes", "auth-done", "yes"])
def test_own_integrity_protected_never_passes(edge, claim):
    wic = edge.wic()
    wic.send(wic.registering([("Authorization", f'{DIGEST}, integrity-protected="{claim}"')]))
    seen = edge.core.receive("REGISTER")
    assert seen.get("Authorization").count("integrity-protected") == 1
    assert parameter(seen.get("Authorization"), "integrity-protected") == "tls-pending"


ASSERTED = {
    "P-Asserted-Identity": f"<sip:boss@{DOMAIN}>",
    "P-Charging-Vector": 'icid-value="mine"',
    "P-Visited-Network-ID": '"elsewhere"',
    "P-Associated-URI": f"<sip:boss@{DOMAIN}>",
    "P-Access-Network-Info": "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=mine;network-provided",
    "Path": "<sip:mine@192.0.2.1;lr>",
    "Service-Route": "<sip:mine@192.0.2.1;lr>",
    "Route": "<sip:mine@192.0.2.1;lr>",
    "Record-Route": "<sip:mine@192.0.2.1;lr>",
}


def test_what_a_client_asserts_in_register_is_stripped(edge):
    seen, _ = edge.wic().registered(edge.core, list(ASSERTED.items()))
    text = repr(seen)
    assert "boss" not in text and "mine" not in text and "elsewhere" not in text


def test_what_a_client_asserts_in_a_request_is_stripped(edge):
    wic = edge.registered()
    wic.send(wic.make("MESSAGE", f"sip:bob@{DOMAIN}", wic.aor, fields=list(ASSERTED.items())))
    seen = edge.core.receive("MESSAGE")
    text = repr(seen)
    assert "boss" not in text and "mine" not in text and "elsewhere" not in text
    assert seen.values("P-Asserted-Identity") == [f"<{wic.aor}>"]
    assert seen.values("Route") == [f"<sip:orig@127.0.0.1:{edge.core.port};lr;transport=udp>"]


def test_preferred_identity_is_asserted_where_it_belongs_to_the_client(edge):
    wic = edge.wic()
    other = f"sip:sales@{DOMAIN}"
    wic.registered(edge.core, associated=[f"<{wic.aor}>", f"<{other}>"])
    for preferred, asserted in ((other, other), (f"sip:boss@{DOMAIN}", wic.aor)):
        wic.send(wic.make("MESSAGE", f"sip:bob@{DOMAIN}", wic.aor, fields=[("P-Preferred-Identity", f"<{preferred}>")]))
        seen = edge.core.receive("MESSAGE")
        assert uri_of(seen.get("P-Asserted-Identity")) == asserted
        assert seen.get("P-Preferred-Identity") is None


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "PUBLISH", "FOO"])
def test_who_is_not_registered_may_only_register(edge, method):
    wic = edge.wic()
    request = wic.send(wic.make(method, f"sip:bob@{DOMAIN}", wic.aor))
    assert wic.final(request).status == 403
    edge.core.receive_nothing(0.05)


def test_refused_register_registers_nobody(edge):
    wic = edge.wic()
    request = wic.send(wic.registering())
    edge.core.answer(edge.core.receive("REGISTER"), 403)
    assert wic.final(request).status == 403
    request = wic.send(wic.make("MESSAGE", f"sip:bob@{DOMAIN}", wic.aor))
    assert wic.final(request).status == 403


def test_deregistered_client_is_a_stranger_again(either_edge):
    wic, core = either_edge.registered(), either_edge.core
    request = wic.send(wic.registering(expires=0))
    seen = core.receive("REGISTER")
    assert "expires=0" in seen.get("Contact")
    core.answer(seen, 200)
    assert wic.final(request).status == 200
    request = wic.send(wic.make("MESSAGE", f"sip:bob@{DOMAIN}", wic.aor))
    assert wic.final(request).status == 403
    call = core.to_wic(wic, "MESSAGE")
    assert core.final(call).status == 480


def test_registration_ends_when_its_time_is_over(edge, eventually):
    wic = edge.wic()
    wic.registered(edge.core, expires=1)

    def is_stranger():
        request = wic.send(wic.make("MESSAGE", f"sip:bob@{DOMAIN}", wic.aor))
        while True:
            try:
                return wic.final(request, within=0.2).status == 403
            except TimeoutError:
                edge.core.answer(edge.core.receive("MESSAGE"), 200)

    eventually(is_stranger)


def test_second_contact_in_one_register_is_refused(edge):
    wic = edge.wic()
    request = wic.send(wic.registering([("Contact", "<sip:alice@192.0.2.1>")]))
    assert wic.final(request).status == 400
    edge.core.receive_nothing(0.05)


def test_body_of_a_200_passes_where_no_credentials_are_asked_for(edge):
    wic = edge.wic()
    request = wic.send(wic.registering())
    seen = edge.core.receive("REGISTER")
    edge.core.answer(seen, 200, [("Contact", seen.get("Contact")), ("Content-Type", "text/plain")], b"hello")
    answer = wic.final(request)
    assert (answer.body, answer.get("Content-Type")) == (b"hello", "text/plain")


# The WebSocket itself


def test_subprotocol_sip_is_served_at_both_paths(edge):
    for path in ("/", "/sip"):
        wic = edge.wic(path=path)
        assert b"sec-websocket-protocol: sip\r\n" in wic.websocket.head.lower()
        wic.registered(edge.core)


def test_foreign_origin_is_refused(edge):
    with pytest.raises(Refused) as refused:
        edge.wic(origin="https://evil.example")
    assert refused.value.status == 403


@pytest.mark.parametrize("origin", ["null", "https://turn.example.org.evil.example", "http://turn.example.org"])
def test_origin_has_to_be_the_very_one(edge, origin):
    with pytest.raises(Refused) as refused:
        edge.wic(origin=origin)
    assert refused.value.status == 403


def test_client_that_is_no_browser_says_no_origin(edge):
    edge.wic(origin=None).registered(edge.core)


def test_listed_origin_is_welcome(start_edge):
    edge = start_edge(origins=["https://app.example.org"])
    edge.wic(origin="https://app.example.org").registered(edge.core)
    edge.wic(origin=ORIGIN).registered(edge.core)
    with pytest.raises(Refused):
        edge.wic(origin="https://app.example.org:8443")


def test_sip_without_tls_is_refused(edge):
    with pytest.raises(Refused) as refused:
        Wic(edge.server.flow("tcp"))
    assert refused.value.status in (301, 308, 403)


def test_binary_message_is_sip_too(edge):
    wic = edge.wic()
    request = wic.registering()
    wic.websocket.send(request.encode(), BINARY)
    edge.core.accept(edge.core.receive("REGISTER"))
    assert wic.final(request).status == 200


@pytest.mark.parametrize("garbage", [b"\x00" * 100, b"REGISTER sip:x SIP/2.0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 9])
def test_who_speaks_no_sip_is_closed_in_the_end(edge, garbage):
    wic = edge.wic()
    with pytest.raises(Closed):
        for _ in range(64):
            wic.websocket.send(garbage, BINARY)
            try:
                wic.next_message(0.01)
            except TimeoutError:
                pass
    edge.core.receive_nothing(0.05)


def test_keepalive_is_answered(edge):
    wic = edge.wic()
    wic.websocket.send(b"\r\n\r\n")
    assert wic.websocket.message() == b"\r\n"


def test_close_is_answered(edge):
    wic = edge.registered()
    wic.websocket.send(b"\x03\xe8", CLOSE)
    assert wic.websocket.close_code() == 1000
