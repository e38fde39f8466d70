# SPDX-License-Identifier: BSD-3-Clause
"""What becomes of registrations and calls when WebSockets come, go and come again (RFC 5626, TS 24.229 §5.2.8)."""

import pytest

from flows import Closed
from sip import OFFER, SDP, uri_of
from test_edge_calls import CAROL, called, calling, cancel_of
from websocket import PING


def token_changed(path):
    """|path| with one character of its token another one."""
    user, at, rest = path.partition("@")
    middle = len(user) - 8
    return user[:middle] + ("A" if user[middle] != "A" else "B") + user[middle + 1 :] + at + rest


def final_status(core, request):
    return core.final(request).status


def test_flow_that_is_gone_is_430(either_edge, eventually):
    core, wic = either_edge.core, either_edge.registered()
    wic.close()
    eventually(lambda: final_status(core, core.to_wic(wic, "MESSAGE")) == 430)


def test_forged_flow_token_is_430(edge):
    wic, core = edge.registered(), edge.core
    for forged in (
        [token_changed(wic.path[0])],
        [f"<sip:AAAAAAAAAAAAAAAAAAAAAAAAAAAA@127.0.0.1:{core.edge_port};lr>"],
        [f"<sip:127.0.0.1:{core.edge_port};lr>"],
    ):
        assert final_status(core, core.to_wic(wic, "MESSAGE", path=forged)) == 430
    with pytest.raises(TimeoutError):
        wic.receive("MESSAGE", within=0.05)


def test_request_without_a_flow_token_goes_to_nobody(edge):
    wic, core = edge.registered(), edge.core
    assert final_status(core, core.to_wic(wic, "MESSAGE", path=[])) == 404


def test_each_flow_has_a_token_of_its_own(edge):
    alice, bob = edge.registered("alice"), edge.registered("bob")
    assert alice.path != bob.path
    again = edge.registered("alice")
    assert again.path not in (alice.path, bob.path)


def test_flow_token_of_another_client_means_nothing_from_a_client(edge):
    """A WIC that has seen the token of another one, as in the Record-Route of a call between two, routes to nobody."""
    alice, bob = edge.registered("alice"), edge.registered("bob")
    alice.send(alice.make("MESSAGE", uri_of(bob.contact()), alice.aor, fields=[("Route", bob.path[0])]))
    seen = edge.core.receive("MESSAGE")
    assert bob.path[0] not in repr(seen)
    with pytest.raises(TimeoutError):
        bob.receive("MESSAGE", within=0.05)


@pytest.mark.parametrize("direction", ["from the client", "to the client"])
def test_lost_flow_ends_its_call(either_edge, direction):
    wic, core = either_edge.registered(), either_edge.core
    if direction == "from the client":
        _, far = called(wic, core)
    else:
        far, _ = calling(core, wic)
    wic.close()
    bye = core.receive("BYE")
    assert (bye.get("Call-ID"), bye.get("From"), bye.get("To")) == (far.call_id, far.remote, far.local)
    assert bye.uri == core.uri
    assert bye.cseq[0] > far.cseq or direction == "to the client"
    core.answer(bye, 200)
    core.receive_nothing()


def test_lost_flow_ends_two_calls(edge):
    wic, core = edge.registered(), edge.core
    calls = {called(wic, core)[1].call_id, calling(core, wic)[0].call_id}
    wic.close()
    byes = [core.receive("BYE") for _ in calls]
    for bye in byes:
        core.answer(bye, 200)
    assert {bye.get("Call-ID") for bye in byes} == calls


def test_ended_call_is_not_ended_again(edge):
    wic, core = edge.registered(), edge.core
    caller, _ = called(wic, core)
    bye = caller.send("BYE")
    core.answer(core.receive("BYE"), 200)
    assert wic.final(bye).status == 200
    wic.close()
    core.receive_nothing()


def test_lost_flow_cancels_what_it_rang(edge):
    wic, core = edge.registered(), edge.core
    wic.send(wic.inviting(CAROL))
    seen = core.receive("INVITE")
    core.answer(seen, 180)
    wic.receive(180)
    wic.close()
    cancel = core.receive("CANCEL")
    assert cancel.branch == seen.branch
    core.answer(cancel, 200)
    core.answer(seen, 487)
    core.receive("ACK")
    core.receive_nothing()


def test_answer_that_crosses_the_loss_is_hung_up(edge):
    wic, core = edge.registered(), edge.core
    wic.send(wic.inviting(CAROL))
    seen = core.receive("INVITE")
    core.answer(seen, 180)
    wic.receive(180)
    wic.close()
    core.answer(core.receive("CANCEL"), 200)
    core.answer(seen, 200, OFFER, SDP)
    core.receive("ACK")
    core.answer(core.receive("BYE"), 200)
    core.receive_nothing()


def test_caller_is_told_when_the_flow_is_lost_while_it_rings(edge):
    wic, core = edge.registered(), edge.core
    invite = core.to_wic(wic, "INVITE", OFFER, SDP)
    wic.answer(wic.receive("INVITE"), 180)
    core.receive(180)
    wic.close()
    assert final_status(core, invite) == 480


def test_caller_is_told_when_the_flow_is_lost_before_it_rings(edge):
    wic, core = edge.registered(), edge.core
    invite = core.to_wic(wic, "INVITE", OFFER, SDP)
    wic.receive("INVITE")
    wic.close()
    assert final_status(core, invite) == 430


def test_reconnect_with_the_same_call_id_goes_on(either_edge, eventually):
    core, wic = either_edge.core, either_edge.registered()
    first_path = wic.path
    wic.close()
    again = either_edge.wic(instance=wic.instance)
    again.call_id, again.cseq, again.host = wic.call_id, wic.cseq, wic.host
    seen, _ = again.registered(core)
    assert seen.get("Call-ID") == wic.call_id and again.path != first_path
    core.to_wic(again, "MESSAGE")
    again.answer(again.receive("MESSAGE"), 200)
    core.receive(200)
    eventually(lambda: final_status(core, core.to_wic(wic, "MESSAGE")) == 430)


def test_second_flow_of_an_instance_takes_the_registration_over(edge, eventually):
    core = edge.core
    for _ in range(6):  # whether on the same worker or not
        first = edge.registered()
        second = edge.registered(instance=first.instance)
        core.to_wic(second, "MESSAGE")
        second.answer(second.receive("MESSAGE"), 200)
        core.receive(200)

        def is_stranger(wic=first):
            request = wic.send(wic.make("MESSAGE", CAROL, wic.aor))
            while True:
                try:
                    return wic.final(request, within=0.1).status == 403
                except TimeoutError:
                    core.answer(core.receive("MESSAGE"), 200)

        eventually(is_stranger)
        assert final_status(core, core.to_wic(first, "MESSAGE")) == 480


def test_two_instances_of_a_user_live_side_by_side(edge):
    core = edge.core
    for wic in (edge.registered(), edge.registered()):
        core.to_wic(wic, "MESSAGE")
        wic.answer(wic.receive("MESSAGE"), 200)
        core.receive(200)


def test_close_of_the_first_flow_does_not_end_the_second(edge):
    core, first = edge.core, edge.registered()
    second = edge.registered(instance=first.instance)
    first.close()
    request = second.send(second.make("MESSAGE", CAROL, second.aor))
    core.answer(core.receive("MESSAGE"), 200)
    assert second.final(request).status == 200
    core.to_wic(second, "MESSAGE")
    second.receive("MESSAGE")


def test_refresh_on_the_same_flow_does_not_change_the_way(edge):
    core, wic = edge.core, edge.registered()
    path = wic.path
    wic.registered(core)
    assert wic.path == path


def test_restart_under_clients_that_reconnect(start_edge):
    edge = start_edge()
    core, server = edge.core, edge.server
    before = [edge.registered(f"user{index}") for index in range(6)]
    old_paths = [wic.path for wic in before]
    called(before[0], core)
    server.stop()
    for wic in before:
        with pytest.raises(Closed):
            wic.next_message(5)
    server.start()
    for wic, path in zip(before, old_paths, strict=True):
        assert final_status(core, core.to_wic(wic, "MESSAGE", path=path)) == 430
    core.forget()
    for old in before:
        again = edge.wic(old.user, instance=old.instance)
        again.call_id, again.cseq = old.call_id, old.cseq
        again.registered(core)
        core.to_wic(again, "MESSAGE")
        again.answer(again.receive("MESSAGE"), 200)
        core.receive(200)


def test_dialog_from_before_a_restart_is_481(start_edge):
    edge = start_edge()
    core, wic = edge.core, edge.registered()
    caller, callee = called(wic, core)
    edge.server.stop()
    edge.server.start()
    core.forget()
    again = edge.wic(instance=wic.instance)
    again.registered(core)
    caller.party = again
    assert again.final(caller.send("INFO")).status == 481
    assert final_status(core, callee.send("INFO")) == 430


def test_one_client_cannot_cancel_or_end_the_call_of_another(edge):
    alice, mallory, core = edge.registered("alice"), edge.registered("mallory"), edge.core
    caller, _ = called(alice, core)
    caller.party = mallory
    assert mallory.final(caller.send("BYE")).status == 481
    invite = alice.send(alice.inviting(CAROL))
    core.receive("INVITE")
    assert mallory.final(mallory.send(cancel_of(invite))).status == 481
    core.receive_nothing()
    caller.party = alice


def test_one_client_cannot_answer_for_another(edge):
    alice, mallory, core = edge.registered("alice"), edge.registered("mallory"), edge.core
    request = core.to_wic(alice, "MESSAGE")
    seen = alice.receive("MESSAGE")
    mallory.answer(seen, 200, body=b"forged")
    core.receive_nothing()
    alice.answer(seen, 200, body=b"own")
    assert core.final(request).body == b"own"


def test_flood_of_one_stranger_is_bounded(edge):
    """The core hears of some REGISTERs at a time, not of all."""
    wic, core = edge.wic(), edge.core
    sent = [wic.send(wic.registering()) for _ in range(50)]
    refused = 0
    for _ in range(46):
        refused += wic.receive(503).status == 503
    seen = [core.receive("REGISTER") for _ in range(4)]
    core.receive_nothing(0.05)
    assert refused == len(sent) - len(seen)
    core.accept(seen[0])
    wic.receive(200)


@pytest.mark.slow
def test_silent_registered_client_is_pinged_and_ended(start_edge):
    edge = start_edge(keepalive="5s")
    wic = edge.registered()
    first, _ = wic.websocket.frame(within=10)
    assert first & 15 == PING
    with pytest.raises(Closed):
        while True:
            wic.websocket.frame(within=15)


@pytest.mark.slow
def test_client_that_answers_pings_stays(start_edge):
    edge = start_edge(keepalive="5s")
    wic = edge.registered()
    with pytest.raises(TimeoutError):
        wic.next_message(16)
    edge.core.to_wic(wic, "MESSAGE")
    assert wic.receive("MESSAGE")


def test_client_that_never_reads_is_ended_and_costs_little(start_edge, eventually):
    edge = start_edge()
    core = edge.core
    wic = edge.wic()
    wic.registered(core)
    before = edge.server.resident_kib()

    def is_gone():
        for _ in range(10):
            core.to_wic(wic, "MESSAGE", body=b"a" * 30000)
        try:
            return core.receive(430, within=0.05) is not None
        except TimeoutError:
            return False

    eventually(is_gone, within=20)
    assert edge.server.resident_kib() - before < 20000
