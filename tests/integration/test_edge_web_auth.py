# SPDX-License-Identifier: BSD-3-Clause
"""Web authentication: the edge checks an access token and vouches for its bearer (TS 33.203 X.3, RFC 8898)."""

import time

import pytest

from sip import DOMAIN, parameter
from test_credentials import AUDIENCE, ISSUER, bad_tokens, bearer, issuer  # noqa: F401
from test_edge_calls import CAROL

IMPI = f"alice@{DOMAIN}"
IMPU = f"sip:alice@{DOMAIN}"
LOGIN = "https://login.example.org"


@pytest.fixture
def token_edge(find_edge, issuer):  # noqa: F811
    keys = {"token-keys": [issuer.file], "token-issuer": ISSUER, "token-audience": AUDIENCE}
    return find_edge(**keys, **{"token-challenge": LOGIN})


def token_for(issuer, **changes):  # noqa: F811
    return issuer.token(**{"sub": IMPI, "impu": IMPU, **changes})


def register(edge, authorization, **options):
    wic = edge.wic()
    return wic, wic.send(wic.registering([("Authorization", authorization)], **options))


@pytest.mark.parametrize("form", ["Bearer {}", 'Bearer access_token="{}"', "bearer {}"])
def test_bearer_is_told_to_the_core_as_somebody_who_has_been_authenticated(token_edge, issuer, form):  # noqa: F811
    token = token_for(issuer)
    wic, request = register(token_edge, form.format(token))
    seen = token_edge.core.receive("REGISTER")
    (authorization,) = seen.all("Authorization")
    assert authorization.startswith("Digest ")
    assert parameter(authorization, "username") == IMPI
    assert parameter(authorization, "realm") == DOMAIN
    assert parameter(authorization, "integrity-protected") == "auth-done"
    assert token not in repr(seen) and "earer" not in repr(seen)
    token_edge.core.accept(seen)
    assert wic.final(request).status == 200


def test_list_of_public_identities_is_taken(token_edge, issuer):  # noqa: F811
    token = token_for(issuer, impu=[f"sip:sales@{DOMAIN}", IMPU])
    register(token_edge, bearer(token))
    token_edge.core.receive("REGISTER")


def test_without_the_claim_the_public_identity_is_made_of_the_private_one(token_edge, issuer):  # noqa: F811
    register(token_edge, bearer(token_for(issuer, impu=None)))
    token_edge.core.receive("REGISTER")


@pytest.mark.parametrize("field", ["To", "From"])
def test_token_of_somebody_else_is_403(token_edge, issuer, field):  # noqa: F811
    wic = token_edge.wic()
    request = wic.registering([("Authorization", bearer(token_for(issuer)))])
    request.replace(field, request.get(field).replace("alice", "boss"))
    assert wic.final(wic.send(request)).status == 403
    token_edge.core.receive_nothing(0.05)


@pytest.mark.parametrize(
    "kind",
    ["none", "none-with-signature", "hs256-public-key", "other-key-same-kid", "kid-path", "expired", "no-expiry"]
    + ["not-yet", "other-issuer", "other-audience", "no-identity", "oversized", "unsigned", "two-parts"]
    + ["impossible-base64", "not-a-token"],
)
def test_bad_token_is_401_and_goes_nowhere(token_edge, issuer, kind):  # noqa: F811
    wic, request = register(token_edge, bearer(bad_tokens(issuer)[kind]))
    answer = wic.final(request)
    assert answer.status in (400, 401)
    if answer.status == 401:
        assert parameter(answer.get("WWW-Authenticate"), "error") == "invalid_token"
    token_edge.core.receive_nothing(0.05)


@pytest.mark.parametrize("second", ['Digest username="boss", integrity-protected="auth-done"', "Bearer x"])
def test_second_authorization_beside_a_token_is_no_way_around(token_edge, issuer, second):  # noqa: F811
    wic = token_edge.wic()
    fields = [("Authorization", bearer(token_for(issuer))), ("Authorization", second)]
    for order in (fields, fields[::-1]):
        request = wic.send(wic.registering(order))
        try:
            seen = token_edge.core.receive("REGISTER", within=0.2)
        except TimeoutError:
            assert wic.final(request).status in (400, 401)
            continue
        assert "boss" not in repr(seen)
        assert repr(seen).count("auth-done") == 1


def test_register_without_a_token_goes_to_the_core_and_bearer_is_offered(token_edge):
    wic = token_edge.wic()
    request = wic.send(wic.registering())
    seen = token_edge.core.receive("REGISTER")
    assert "auth-done" not in repr(seen)
    token_edge.core.answer(seen, 401, [("WWW-Authenticate", f'Digest realm="{DOMAIN}", nonce="1", algorithm=MD5')])
    digest, offered = wic.final(request).all("WWW-Authenticate")
    assert digest.startswith("Digest ")
    assert offered.startswith("Bearer ") and parameter(offered, "authz_server") == LOGIN


def test_bearer_is_not_offered_where_it_is_not_configured(edge):
    wic = edge.wic()
    request = wic.send(wic.registering())
    challenge = f'Digest realm="{DOMAIN}", nonce="1", algorithm=MD5'
    edge.core.answer(edge.core.receive("REGISTER"), 401, [("WWW-Authenticate", challenge)])
    assert len(wic.final(request).all("WWW-Authenticate")) == 1


def test_token_counts_for_nothing_where_there_are_no_keys_and_goes_no_further(edge, issuer):  # noqa: F811
    token = token_for(issuer)
    register(edge, bearer(token))
    seen = edge.core.receive("REGISTER")
    assert seen.get("Authorization") is None and token not in repr(seen)


def test_registration_does_not_outlive_its_token(token_edge, issuer, eventually):  # noqa: F811
    token = token_for(issuer, exp=int(time.time()) + 3)
    wic, request = register(token_edge, bearer(token), expires=3600)
    seen = token_edge.core.receive("REGISTER")
    assert int(parameter(seen.get("Contact"), "expires")) <= 3
    token_edge.core.accept(seen)
    assert wic.final(request).status == 200

    def is_stranger():
        probe = wic.send(wic.make("MESSAGE", CAROL, wic.aor))
        while True:
            try:
                return wic.final(probe, within=0.2).status == 403
            except TimeoutError:
                token_edge.core.answer(token_edge.core.receive("MESSAGE"), 200)

    eventually(is_stranger, within=10)


def test_token_on_other_requests_is_checked_and_goes_no_further(token_edge, issuer):  # noqa: F811
    wic, request = register(token_edge, bearer(token_for(issuer)))
    token_edge.core.accept(token_edge.core.receive("REGISTER"), [f"<{IMPU}>"])
    assert wic.final(request).status == 200
    good = bearer(token_for(issuer))
    request = wic.send(wic.make("MESSAGE", CAROL, wic.aor, fields=[("Authorization", good)]))
    seen = token_edge.core.receive("MESSAGE")
    assert seen.get("Authorization") is None and good not in repr(seen)
    token_edge.core.answer(seen, 200)
    assert wic.final(request).status == 200
    for spoiled, status in ((token_for(issuer, sub=f"boss@{DOMAIN}"), 403), (bad_tokens(issuer)["none"], 401)):
        request = wic.send(wic.make("MESSAGE", CAROL, wic.aor, fields=[("Authorization", bearer(spoiled))]))
        assert wic.final(request).status == status
    token_edge.core.receive_nothing(0.05)


def test_token_is_not_logged(token_edge, issuer):  # noqa: F811
    token = token_for(issuer, exp=1)
    wic, request = register(token_edge, bearer(token))
    assert wic.final(request).status == 401
    assert token[:40] not in token_edge.server.output()
