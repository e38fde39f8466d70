# SPDX-License-Identifier: BSD-3-Clause
"""TURN credentials in the 200 to REGISTER: used at once, and worth nothing any more when the registration ends."""

import json
import re
import types

import pytest

from sip import DOMAIN, JSON_TYPE, Core, Dialog, parameter, uri_of
from server import free_port
from test_credentials import credentials_of, prepared
from turn import Refused

ACCEPT = ("Accept", f"application/sdp, {JSON_TYPE}")
NO_SUCH_ALLOCATION = 437


def page_of(answer):
    """What the 200 carries; in the form that the tests of /v1/turn take."""
    assert answer.get("Content-Type") == JSON_TYPE
    return types.SimpleNamespace(json=json.loads(answer.body))


def given(edge, user="alice", wic=None, **options):
    """A registered WIC, and what it was given."""
    wic = wic or edge.wic(user)
    _, answer = wic.registered(edge.core, [ACCEPT], **options)
    return wic, page_of(answer)


def deregister(edge, wic):
    request = wic.send(wic.registering(expires=0))
    edge.core.answer(edge.core.receive("REGISTER"), 200)
    assert wic.final(request).status == 200


def refused_everywhere(server, connect, page):
    """Whether Allocate is refused whichever worker the kernel chooses."""
    clients = [connect(server, way, credentials=credentials_of(page)) for way in ("udp", "tls", "wss") * 3]
    return all(client.allocate().error == 401 for client in clients)


@pytest.mark.parametrize("way", ["udp", "tls", "wss"])
def test_first_allocate_is_authenticated_already(either_edge, connect, way):
    _, page = given(either_edge)
    client = prepared(connect(either_edge.server, way), page)
    assert client.allocated()
    assert client.challenge is None


def test_credentials_serve_as_a_browser_uses_them(edge, connect):
    _, page = given(edge)
    assert connect(edge.server, credentials=credentials_of(page)).allocated()


def test_what_is_handed_out_says_all_that_a_client_needs(edge):
    _, page = given(edge, expires=600)
    (server,) = page.json["iceServers"]
    assert f"turns:turn.example.org:{edge.server.tls_port}?transport=tcp" in server["urls"]
    assert page.json["realm"] and page.json["nonce"] and page.json["passwordAlgorithms"] == ["SHA-256", "MD5"]
    assert 300 <= page.json["ttl"] <= 600


def test_no_identity_is_on_the_wire(edge):
    _, page = given(edge)
    user = page.json["iceServers"][0]["username"]
    assert re.fullmatch(r"\d+:p1\.[\w-]{16}\.[\w-]{16}", user)
    assert "alice" not in json.dumps(page.json) and DOMAIN not in json.dumps(page.json)


def test_refresh_keeps_pseudonym_and_registration_and_another_instance_has_its_own(edge):
    def parts(page):
        return page.json["iceServers"][0]["username"].split(".")[1:]

    wic, first = given(edge)
    _, again = given(edge, wic=wic)
    _, other = given(edge)
    _, bob = given(edge, "bob")
    assert parts(first) == parts(again)
    assert parts(other)[0] == parts(first)[0] and parts(other)[1] != parts(first)[1]
    assert parts(bob)[0] != parts(first)[0]


def test_nothing_is_handed_out_unasked(edge):
    _, answer = edge.wic().registered(edge.core)
    assert (answer.body, answer.get("Content-Type")) == (b"", None)
    _, answer = edge.wic().registered(edge.core, [("Accept", "application/sdp, */*")])
    assert answer.body == b""


def test_nothing_is_handed_out_with_a_401(edge):
    wic = edge.wic()
    request = wic.send(wic.registering([ACCEPT]))
    edge.core.answer(edge.core.receive("REGISTER"), 401, [("WWW-Authenticate", 'Digest realm="x", nonce="1"')])
    assert wic.final(request).body == b""


def test_body_of_the_core_stays_beside_the_credentials(edge):
    wic = edge.wic()
    request = wic.send(wic.registering([ACCEPT]))
    seen = edge.core.receive("REGISTER")
    edge.core.accept(seen, fields=[("Content-Type", "text/plain")])
    answer = wic.final(request)
    assert page_of(answer).json["iceServers"]
    request = wic.send(wic.registering([ACCEPT]))
    seen = edge.core.receive("REGISTER")
    granted = [("Contact", contact) for contact in seen.all("Contact")]
    edge.core.answer(seen, 200, [*granted, ("Content-Type", "text/plain")], b"hello")
    answer = wic.final(request)
    assert answer.get("Content-Type").startswith("multipart/mixed")
    boundary = parameter(answer.get("Content-Type"), "boundary").encode()
    first, second = [part.strip(b"\r\n") for part in answer.body.split(b"--" + boundary)[1:3]]
    assert first == b"Content-Type: text/plain\r\n\r\nhello"
    assert json.loads(second.partition(b"\r\n\r\n")[2])["iceServers"]


def test_protected_body_is_left_alone(edge):
    wic = edge.wic()
    digest = f'Digest username="alice@{DOMAIN}", realm="x", nonce="1", uri="sip:{DOMAIN}", response="0", qop={{}}, nc=1'
    for qop, info in (("auth-int", None), ("auth", 'qop=auth-int, rspauth="0"')):
        request = wic.send(wic.registering([ACCEPT, ("Authorization", digest.format(qop))]))
        seen = edge.core.receive("REGISTER")
        edge.core.accept(seen, fields=[("Authentication-Info", info)] if info else [])
        assert wic.final(request).body == b""


# Revocation


def test_deregistration_revokes_at_once_on_all_workers(edge, connect):
    wic, page = given(edge)
    _, other = given(edge)
    running = connect(edge.server, "tls", credentials=credentials_of(page))
    running.allocated()
    deregister(edge, wic)
    assert refused_everywhere(edge.server, connect, page)
    assert connect(edge.server, credentials=credentials_of(other)).allocated()


def test_running_allocation_ends_with_its_registration(edge, connect, eventually):
    wic, page = given(edge)
    clients = [connect(edge.server, way, credentials=credentials_of(page)) for way in ("udp", "tls") * 3]
    for client in clients:
        client.allocated()
    deregister(edge, wic)
    eventually(lambda: all(ended(client) for client in clients), within=10)


def ended(client):
    """Whether the allocation of |client| is gone, or its connection."""
    try:
        return client.permit("127.0.0.1").error in (401, NO_SUCH_ALLOCATION)
    except Exception as end:
        if type(end).__name__ in ("Closed", "BrokenPipeError", "ConnectionResetError", "SSLEOFError"):
            return True
        raise


def test_running_allocation_goes_on_until_its_refresh_where_that_is_set(find_edge, connect):
    edge = find_edge(**{"end-revoked": False})
    wic, page = given(edge)
    client = connect(edge.server, credentials=credentials_of(page))
    client.allocated()
    deregister(edge, wic)
    assert refused_everywhere(edge.server, connect, page)
    assert client.permit("127.0.0.1").ok
    assert client.refresh().error == 401


def test_expiry_of_the_registration_revokes(edge, connect, eventually):
    _, page = given(edge, expires=2)
    client = connect(edge.server, credentials=credentials_of(page))
    client.allocated()
    eventually(lambda: ended(client), within=10)
    assert refused_everywhere(edge.server, connect, page)


def test_expiry_of_a_registration_whose_flow_was_lost_revokes(edge, connect, eventually):
    wic, page = given(edge, expires=2)
    client = connect(edge.server, credentials=credentials_of(page))
    client.allocated()
    wic.close()
    eventually(lambda: ended(client), within=10)


def test_lost_flow_revokes_nothing(edge, connect):
    wic, page = given(edge)
    wic.close()
    assert connect(edge.server, credentials=credentials_of(page)).allocated()
    again = edge.wic(instance=wic.instance)
    again.call_id, again.cseq = wic.call_id, wic.cseq
    _, fresh = given(edge, wic=again)
    assert fresh.json["iceServers"][0]["username"].split(".")[2] == page.json["iceServers"][0]["username"].split(".")[2]
    deregister(edge, again)
    assert refused_everywhere(edge.server, connect, page)


def test_revocation_outlives_a_restart_of_the_daemon(start_edge, connect):
    edge = start_edge()
    wic, page = given(edge)
    _, other = given(edge)
    deregister(edge, wic)
    edge.server.stop()
    edge.server.start()
    assert refused_everywhere(edge.server, connect, page)
    assert connect(edge.server, credentials=credentials_of(other)).allocated()


def test_quota_counts_all_registrations_of_an_identity(start_edge, connect):
    edge = start_edge(settings={"limits": {"allocations-per-user": 1}})
    (_, one), (_, other), (_, bob) = given(edge), given(edge), given(edge, "bob")
    connect(edge.server, credentials=credentials_of(one)).allocated()
    with pytest.raises(Refused) as refused:
        connect(edge.server, "tls", credentials=credentials_of(other)).allocated()
    assert refused.value.answer.error == 486
    assert connect(edge.server, credentials=credentials_of(bob)).allocated()


# reg-event (RFC 3680)


def reginfo(wic, state, event, version=0, whole="full", aor=None):
    return f"""<?xml version="1.0"?>
<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="{version}" state="{whole}">
<registration aor="{aor or wic.aor}" id="a" state="{state}"><contact id="1" state="{state}" event="{event}">
<uri>{uri_of(wic.contact())}</uri></contact></registration></reginfo>""".encode()


@pytest.fixture
def notifier_edge(start_edge):
    """An edge whose core has reg-event."""
    core = Core(free_port(), free_port(), reg_event=True)
    yield start_edge(core=core)
    core.close()


def subscribed(edge, wic):
    """The subscription that the edge makes for |wic|, as the core has it."""
    subscribe = edge.core.receive("SUBSCRIBE")
    assert (subscribe.uri, subscribe.get("Event")) == (wic.aor, "reg")
    assert subscribe.get("Accept") == "application/reginfo+xml"
    answer = edge.core.answer(subscribe, 200, [("Expires", subscribe.get("Expires"))])
    return Dialog(edge.core, subscribe, answer)


def notify(edge, dialog, body, state="active;expires=600"):
    fields = [("Event", "reg"), ("Subscription-State", state), ("Content-Type", "application/reginfo+xml")]
    return edge.core.final(dialog.send("NOTIFY", fields, body)).status


def test_end_by_the_network_revokes(notifier_edge, connect, eventually):
    edge = notifier_edge
    wic, page = given(edge)
    dialog = subscribed(edge, wic)
    client = connect(edge.server, "tls", credentials=credentials_of(page))
    client.allocated()
    assert notify(edge, dialog, reginfo(wic, "active", "registered")) == 200
    assert client.permit("127.0.0.1").ok
    assert notify(edge, dialog, reginfo(wic, "terminated", "deactivated", 1)) == 200
    eventually(lambda: ended(client), within=10)
    assert refused_everywhere(edge.server, connect, page)
    request = wic.send(wic.make("MESSAGE", f"sip:bob@{DOMAIN}", wic.aor))
    assert wic.final(request).status == 403
    _, fresh = given(edge, wic=wic)
    assert connect(edge.server, credentials=credentials_of(fresh)).allocated()


SPOILED = {
    "no XML": b"terminated",
    "entities": b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><reginfo>&b;</reginfo>',
    "cut": b'<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full"><registration',
    "other name space": b'<reginfo xmlns="urn:x" version="9" state="full"><registration state="terminated"/></reginfo>',
    "deep": b"<a>" * 5000,
}


@pytest.mark.parametrize("kind", SPOILED)
def test_spoiled_notification_ends_nothing(notifier_edge, connect, kind):
    wic, page = given(notifier_edge)
    dialog = subscribed(notifier_edge, wic)
    assert notify(notifier_edge, dialog, SPOILED[kind]) in (200, 400)
    assert connect(notifier_edge.server, credentials=credentials_of(page)).allocated()


def test_notification_of_another_ends_nothing(notifier_edge, connect):
    edge = notifier_edge
    wic, page = given(edge)
    dialog = subscribed(edge, wic)
    other = reginfo(wic, "terminated", "deactivated", aor=f"sip:bob@{DOMAIN}")
    assert notify(edge, dialog, other) == 200
    stolen = dialog
    stolen.call_id = "made-up"
    assert notify(edge, stolen, reginfo(wic, "terminated", "deactivated", 5)) == 481
    assert connect(edge.server, credentials=credentials_of(page)).allocated()


def test_notification_that_was_overtaken_ends_nothing(notifier_edge, connect):
    edge = notifier_edge
    wic, page = given(edge)
    dialog = subscribed(edge, wic)
    assert notify(edge, dialog, reginfo(wic, "active", "refreshed", 7)) == 200
    assert notify(edge, dialog, reginfo(wic, "terminated", "deactivated", 3, "partial")) == 200
    assert connect(edge.server, credentials=credentials_of(page)).allocated()
