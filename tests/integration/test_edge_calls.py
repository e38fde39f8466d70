# SPDX-License-Identifier: BSD-3-Clause
"""Calls through the edge in both directions, and every other method (RFC 3261 §12, §16, TS 24.229 §5.2.6)."""

import pytest

from sip import DOMAIN, OFFER, SDP, Dialog, Message, parameter, uri_of

CAROL = f"sip:carol@{DOMAIN}"


def called(wic, core, fields=()):
    """|wic| calls carol at the core; both ends of the dialog, after the ACK."""
    invite = wic.send(wic.inviting(CAROL, fields))
    seen = core.receive("INVITE")
    core.answer(seen, 180)
    core.answer(seen, 200, OFFER, SDP)
    answer = wic.final(invite)
    assert answer.status == 200
    caller, callee = Dialog(wic, invite, answer), Dialog(core, seen, answer_as_sent(core, seen))
    caller.send("ACK", cseq=invite.cseq[0])
    core.receive("ACK")
    return caller, callee


def answer_as_sent(core, request):
    """The response as the core made it: its own end of the dialog."""
    response = core.answered[request.branch, request.method]
    response.source = None
    return response


def calling(core, wic):
    """carol calls |wic| from the core; both ends of the dialog, after the ACK."""
    invite = core.to_wic(wic, "INVITE", OFFER, SDP)
    seen = wic.receive("INVITE")
    wic.answer(seen, 180)
    core.receive(180)
    sent = wic.answer(seen, 200, OFFER, SDP)
    answer = core.final(invite)
    assert answer.status == 200
    caller, callee = Dialog(core, invite, answer), Dialog(wic, seen, sent)
    caller.send("ACK", cseq=invite.cseq[0])
    wic.receive("ACK")
    return caller, callee


def exchange(sender, receiver, method, status=200, **options):
    """A request within a dialog and its answer; returns what arrived."""
    request = sender.send(method, **options)
    seen = receiver.party.receive(method)
    receiver.party.answer(seen, status)
    assert sender.party.final(request).status == status
    return seen


def test_call_from_a_client_and_back(either_edge):
    wic, core = either_edge.registered(), either_edge.core
    caller, callee = called(wic, core)
    assert caller.routes, "the edge stays in the dialog"
    exchange(caller, callee, "INFO")
    exchange(callee, caller, "INFO")
    exchange(callee, caller, "UPDATE", fields=OFFER, body=SDP)
    exchange(callee, caller, "BYE")
    assert wic.final(caller.send("INFO")).status == 481


def test_call_to_a_client_and_back(either_edge):
    wic, core = either_edge.registered(), either_edge.core
    caller, callee = calling(core, wic)
    exchange(callee, caller, "INFO")
    exchange(caller, callee, "INFO")
    seen = exchange(callee, caller, "BYE")
    assert not any("@127.0.0.1:%d" % core.edge_port in route for route in seen.values("Route"))
    late = caller.send("INFO")
    wic.answer(wic.receive("INFO"), 481)
    assert core.final(late).status == 481


def test_invite_follows_the_service_route_and_says_who_calls(either_edge):
    wic, core = either_edge.registered(), either_edge.core
    wic.send(wic.inviting(CAROL))
    seen = core.receive("INVITE")
    assert wic.receive(100)
    assert [uri_of(route).partition(";")[0] for route in seen.values("Route")] == [f"sip:orig@127.0.0.1:{core.port}"]
    assert seen.values("P-Asserted-Identity") == [f"<{wic.aor}>"]
    assert f":{core.edge_port};" in uri_of(seen.values("Record-Route")[0])
    assert seen.body == SDP
    core.answer(seen, 486)
    core.receive("ACK")


def test_reinvite_both_ways(edge):
    for ends in (called(edge.registered(), edge.core), calling(edge.core, edge.registered("bob"))):
        for sender, receiver in (ends, ends[::-1]):
            invite = sender.send("INVITE", fields=OFFER, body=SDP)
            seen = receiver.party.receive("INVITE")
            receiver.party.answer(seen, 200, OFFER, SDP)
            assert sender.party.final(invite).status == 200
            sender.send("ACK", cseq=invite.cseq[0])
            receiver.party.receive("ACK")


def test_prack_and_early_media_pass(edge):
    wic, core = edge.registered(), edge.core
    invite = wic.send(wic.inviting(CAROL, [("Supported", "100rel")]))
    seen = core.receive("INVITE")
    core.answer(seen, 183, [*OFFER, ("Contact", core.contact()), ("Require", "100rel"), ("RSeq", "1")], SDP)
    progress = wic.receive(183)
    early = Dialog(wic, invite, progress)
    prack = early.send("PRACK", [("RAck", "1 1 INVITE")])
    core.answer(core.receive("PRACK"), 200)
    assert wic.final(prack).status == 200
    core.answer(seen, 200)
    assert wic.final(invite).status == 200
    early.send("ACK", cseq=1)
    core.receive("ACK")


def cancel_of(invite):
    fields = [("Via", invite.all("Via")[0])]
    fields += [(name, invite.get(name)) for name in ("From", "To", "Call-ID")]
    fields += [("Max-Forwards", "70"), ("CSeq", f"{invite.cseq[0]} CANCEL")]
    fields += [("Route", route) for route in invite.all("Route")]
    return Message(f"CANCEL {invite.uri} SIP/2.0", fields)


def test_client_cancels_what_rings(either_edge):
    wic, core = either_edge.registered(), either_edge.core
    invite = wic.send(wic.inviting(CAROL))
    seen = core.receive("INVITE")
    core.answer(seen, 180)
    wic.receive(180)
    cancel = wic.send(cancel_of(invite))
    assert wic.final(cancel).status == 200
    cancelled = core.receive("CANCEL")
    assert cancelled.branch == seen.branch
    core.answer(cancelled, 200)
    core.answer(seen, 487)
    assert wic.final(invite).status == 487
    assert core.receive("ACK").branch == seen.branch


def test_core_cancels_what_rings(either_edge):
    wic, core = either_edge.registered(), either_edge.core
    invite = core.to_wic(wic, "INVITE", OFFER, SDP)
    seen = wic.receive("INVITE")
    wic.answer(seen, 180)
    core.receive(180)
    cancel = core.send(cancel_of(invite))
    assert core.final(cancel).status == 200
    wic.answer(wic.receive("CANCEL"), 200)
    wic.answer(seen, 487)
    assert core.final(invite).status == 487


def test_cancel_of_what_is_not_there_is_481(edge):
    wic = edge.registered()
    assert wic.final(wic.send(cancel_of(wic.inviting(CAROL)))).status == 481
    edge.core.receive_nothing(0.05)


def relay(core, message, wic):
    """What a core does with a request of one client for another: its own Via, its Record-Route, the other's Path."""
    onward = Message(message.first, message.fields, message.body)
    onward.first = f"{message.method} {uri_of(wic.contact())} SIP/2.0"
    onward.replace("Route", *wic.path)
    onward.replace("Via", core.via(), *message.all("Via"))
    if message.method == "INVITE":
        own = f"<sip:127.0.0.1:{core.port};lr;transport={core.transport}>"
        onward.replace("Record-Route", own, *message.all("Record-Route"))
    return core.send(onward)


def relay_back(core, response, request):
    back = Message(response.first, response.fields, response.body)
    back.replace("Via", *response.all("Via")[1:])
    core.transmit(back, request.source)


def on_different_workers(edge, count=12):
    """Two registered clients. With several workers the kernel spreads them: a dozen are hardly all on one."""
    clients = [edge.registered(f"user{index}") for index in range(count)]
    return clients[0], clients[1:]


def test_clients_call_each_other_on_whichever_worker_they_are(either_edge):
    core = either_edge.core
    alice, others = on_different_workers(either_edge)
    for bob in others:
        invite = alice.send(alice.inviting(bob.aor))
        came = core.receive("INVITE")
        relay(core, came, bob)
        seen = bob.receive("INVITE")
        assert seen.values("P-Asserted-Identity") == [f"<{alice.aor}>"]
        sent = bob.answer(seen, 200, OFFER, SDP)
        relay_back(core, core.receive(200), came)
        answer = alice.final(invite)
        caller, callee = Dialog(alice, invite, answer), Dialog(bob, seen, sent)
        caller.send("ACK", cseq=1)
        through(core, "ACK")
        bob.receive("ACK")
        bye = callee.send("BYE")
        came = through(core, "BYE")
        alice.answer(alice.receive("BYE"), 200)
        relay_back(core, core.receive(200), came)
        assert bob.final(bye).status == 200


def through(core, method):
    """Passes on a request within a dialog as a loose router does."""
    came = core.receive(method)
    routes = came.values("Route")
    assert f"127.0.0.1:{core.port};lr" in routes[0], routes
    onward = Message(came.first, came.fields, came.body)
    onward.replace("Route", *routes[1:])
    onward.replace("Via", core.via(), *came.all("Via"))
    core.send(onward)
    return came


@pytest.mark.parametrize("method", ["MESSAGE", "OPTIONS", "PUBLISH", "REFER", "FOO"])
def test_every_method_passes_from_the_client(edge, method):
    wic, core = edge.registered(), edge.core
    request = wic.send(wic.make(method, CAROL, wic.aor, fields=[("X-Heard-Of", "nobody")], body=b"hello"))
    seen = core.receive(method)
    assert (seen.uri, seen.body, seen.get("X-Heard-Of")) == (CAROL, b"hello", "nobody")
    core.answer(seen, 299, [("X-Back", "too")], b"well")
    answer = wic.final(request)
    assert (answer.status, answer.get("X-Back"), answer.body) == (299, "too", b"well")


@pytest.mark.parametrize("method", ["MESSAGE", "OPTIONS", "NOTIFY", "REFER", "FOO"])
def test_every_method_passes_to_the_client(edge, method):
    wic, core = edge.registered(), edge.core
    request = core.to_wic(wic, method, [("X-Heard-Of", "nobody")], b"hello")
    seen = wic.receive(method)
    assert (seen.uri, seen.body, seen.get("X-Heard-Of")) == (uri_of(wic.contact()), b"hello", "nobody")
    assert seen.get("Route") is None
    wic.answer(seen, 299, [("X-Back", "too")], b"well")
    answer = core.final(request)
    assert (answer.status, answer.get("X-Back"), answer.body) == (299, "too", b"well")


def test_subscription_of_a_client(either_edge):
    wic, core = either_edge.registered(), either_edge.core
    subscribe = wic.send(wic.make("SUBSCRIBE", CAROL, wic.aor, fields=[("Event", "presence"), ("Expires", "60")]))
    seen = core.receive("SUBSCRIBE")
    core.answer(seen, 200, [("Expires", "60")])
    subscriber = Dialog(wic, subscribe, wic.final(subscribe))
    notifier = Dialog(core, seen, answer_as_sent(core, seen))
    state = [("Event", "presence"), ("Subscription-State", "active;expires=60")]
    exchange(notifier, subscriber, "NOTIFY", fields=state)
    seen = exchange(subscriber, notifier, "SUBSCRIBE", fields=[("Event", "presence"), ("Expires", "0")])
    assert seen.get("Event") == "presence"


def test_subscription_to_a_client(either_edge):
    wic, core = either_edge.registered(), either_edge.core
    subscribe = core.to_wic(wic, "SUBSCRIBE", [("Event", "dialog"), ("Expires", "60")])
    seen = wic.receive("SUBSCRIBE")
    sent = wic.answer(seen, 200, [("Expires", "60")])
    subscriber, notifier = Dialog(core, subscribe, core.final(subscribe)), Dialog(wic, seen, sent)
    state = [("Event", "dialog"), ("Subscription-State", "active;expires=60")]
    exchange(notifier, subscriber, "NOTIFY", fields=state)
    exchange(notifier, subscriber, "NOTIFY", fields=[("Event", "dialog"), ("Subscription-State", "terminated")])


@pytest.mark.parametrize("size", [1200, 1400, 9000, 40000])
def test_long_messages_pass_both_ways(either_edge, size):
    wic, core = either_edge.registered(), either_edge.core
    body = b"a" * size
    request = wic.send(wic.make("MESSAGE", CAROL, wic.aor, body=body))
    seen = core.receive("MESSAGE")
    assert seen.body == body
    core.answer(seen, 200, body=body)
    assert wic.final(request).body == body
    request = core.to_wic(wic, "MESSAGE", body=body)
    seen = wic.receive("MESSAGE")
    assert seen.body == body
    wic.answer(seen, 200, body=body)
    assert core.final(request).body == body


def test_hops_come_to_an_end(edge):
    wic, core = edge.registered(), edge.core
    request = wic.make("MESSAGE", CAROL, wic.aor)
    request.replace("Max-Forwards", "0")
    assert wic.final(wic.send(request)).status == 483
    request = core.make("MESSAGE", uri_of(wic.contact()), CAROL, wic.aor, [("Route", path) for path in wic.path])
    request.replace("Max-Forwards", "0")
    assert core.final(core.send(request)).status == 483


def test_unknown_demand_on_a_proxy_is_refused(edge):
    wic = edge.registered()
    request = wic.send(wic.make("MESSAGE", CAROL, wic.aor, fields=[("Proxy-Require", "magic")]))
    answer = wic.final(request)
    assert (answer.status, answer.get("Unsupported")) == (420, "magic")


def test_identity_is_withheld_where_privacy_asks_for_it(edge):
    wic, core = edge.registered(), edge.core
    for privacy, shown in (([], True), ([("Privacy", "id")], False)):
        core.to_wic(wic, "MESSAGE", [("P-Asserted-Identity", f"<{CAROL}>"), ("P-Charging-Vector", "icid-value=1"), *privacy])
        seen = wic.receive("MESSAGE")
        assert (seen.get("P-Asserted-Identity") is not None) == shown
        assert seen.get("P-Charging-Vector") is None
        wic.answer(seen, 200)


def test_answer_of_a_client_says_who_was_called(edge):
    wic, core = edge.registered(), edge.core
    request = core.to_wic(wic, "MESSAGE")
    wic.answer(wic.receive("MESSAGE"), 200, [("P-Asserted-Identity", f"<sip:boss@{DOMAIN}>")])
    assert core.final(request).values("P-Asserted-Identity") == [f"<{wic.aor}>"]


def test_client_behind_symmetric_response_routing(edge):
    """RFC 3581: what the client asked for is filled in for whoever is asked next."""
    wic, core = edge.registered(), edge.core
    request = wic.make("MESSAGE", CAROL, wic.aor)
    request.replace("Via", request.get("Via") + ";rport")
    wic.send(request)
    theirs = core.receive("MESSAGE").values("Via")[1]
    assert (parameter(theirs, "received"), parameter(theirs, "rport")) == ("127.0.0.1", str(wic.flow.local[1]))
