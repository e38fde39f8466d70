# SPDX-License-Identifier: BSD-3-Clause
"""aioice, the ICE stack of aiortc, as a TURN client of posternd."""

import asyncio

import pytest

from server import ALICE

aioice = pytest.importorskip("aioice", reason="Debian's package python3-aioice is not installed")

WAYS = ("udp", "tcp", "tls")
CALL_S = 20


def turn_options(server, way):
    port = server.tls_port if way == "tls" else server.port
    return {
        "turn_server": ("127.0.0.1", port),
        "turn_username": ALICE.user,
        "turn_password": ALICE.password,
        "turn_transport": "udp" if way == "udp" else "tcp",
        "turn_ssl": server.tls() if way == "tls" else False,
        "transport_policy": aioice.TransportPolicy.RELAY,
        # Its policy hides host candidates from the other side, yet would check from them.
        "use_ipv4": False,
        "use_ipv6": False,
    }


HOST_ONLY = {"use_ipv6": False}


async def talk(caller_options, callee_options, rounds=20):
    """Connects two agents and echoes |rounds| messages; returns the pair the caller nominated."""
    caller = aioice.Connection(ice_controlling=True, **caller_options)
    callee = aioice.Connection(ice_controlling=False, **callee_options)
    try:
        await asyncio.gather(caller.gather_candidates(), callee.gather_candidates())
        for one, other in ((caller, callee), (callee, caller)):
            for candidate in other.local_candidates:
                await one.add_remote_candidate(candidate)
            await one.add_remote_candidate(None)
            one.remote_username = other.local_username
            one.remote_password = other.local_password
        await asyncio.gather(caller.connect(), callee.connect())
        for number in range(rounds):
            there = f"message {number}".encode() * 50
            await caller.send(there)
            assert await callee.recv() == there
            await callee.send(there[::-1])
            assert await caller.recv() == there[::-1]
        return caller._nominated[1], caller.local_candidates
    finally:
        await asyncio.gather(caller.close(), callee.close())


def call(*options, **more):
    return asyncio.run(asyncio.wait_for(talk(*options, **more), CALL_S))


@pytest.fixture(autouse=True)
def hosts_on_loopback(monkeypatch):
    """aioice leaves loopback out of its host candidates; in these tests there is nothing else."""
    monkeypatch.setattr(
        aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"] * use_ipv4
    )


@pytest.mark.parametrize("way", WAYS)
def test_aioice_relay_only_talks_to_a_host(server, way):
    pair, candidates = call(turn_options(server, way), HOST_ONLY)
    assert {candidate.type for candidate in candidates} == {"relay"}
    assert pair.local_candidate.port in server.relay_ports


@pytest.mark.parametrize("ways", [("udp", "udp"), ("tcp", "tls"), ("tls", "tls"), ("udp", "tls")])
def test_two_relay_only_aioices_talk_through_one_server(server, ways):
    pair, _ = call(turn_options(server, ways[0]), turn_options(server, ways[1]))
    assert pair.local_candidate.port in server.relay_ports
    assert pair.remote_candidate.port in server.relay_ports


@pytest.mark.parametrize("way", WAYS)
def test_aioice_gives_its_allocation_back(start, way):
    limited = start(limits={"allocations-per-user": 1})
    for _ in range(2):
        call(turn_options(limited, way), HOST_ONLY, rounds=1)


def test_aioice_with_a_wrong_password_gets_no_candidate(server):
    options = dict(turn_options(server, "udp"), turn_password="wrong")

    async def gather():
        connection = aioice.Connection(ice_controlling=True, **options)
        try:
            await connection.gather_candidates()
            return connection.local_candidates
        except aioice.stun.TransactionFailed as error:
            return error.response.attributes["ERROR-CODE"][0]
        finally:
            await connection.close()

    assert asyncio.run(asyncio.wait_for(gather(), CALL_S)) in ([], 401)
