# SPDX-License-Identifier: BSD-3-Clause
"""Credentials for the relay: handed out by GET /v1/turn, used with one round trip, taken back."""

import dataclasses
import hashlib
import http.client
import json
import re
import secrets
import signal
import time

import pytest
from jwcrypto import jwk, jwt
from jwcrypto.common import base64url_encode

import stun
from server import ALICE, REALM
from stun import Algorithm
from turn import Credentials

SECRET = "north-of-nowhere"
ISSUER = "https://login.example.org"
AUDIENCE = "postern"
DOMAIN = "ims.example.org"
APPLICATION = "https://app.example.org"
REGISTRATION = "0123456789abcdef"
NO_LIMIT = {"requests-per-source": 0}


@dataclasses.dataclass
class Issuer:
    """Who signs access tokens, and the file with the public key."""

    key: jwk.JWK
    file: str
    pem: bytes

    def token(self, header=None, key=None, **changes):
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "exp": int(time.time()) + 600,
            "sub": "alice@example.org",
            "impu": "sip:alice@example.org",
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        token = jwt.JWT(header={"alg": "ES256", "kid": "one", **(header or {})}, claims=claims)
        token.make_signed_token(key or self.key)
        return token.serialize()


@pytest.fixture(scope="session")
def issuer(tmp_path_factory):
    key = jwk.JWK.generate(kty="EC", crv="P-256", kid="one")
    file = tmp_path_factory.mktemp("keys") / "jwks.json"
    file.write_text(json.dumps({"keys": [json.loads(key.export_public())]}))
    return Issuer(key, str(file), key.export_to_pem())


@pytest.fixture
def token_settings(issuer):
    edge = {"token-keys": [issuer.file], "token-issuer": ISSUER, "token-audience": AUDIENCE}
    return {"edge": {**edge, "origins": [APPLICATION]}, "limits": NO_LIMIT}


@pytest.fixture
def token_server(shared, token_settings):
    return shared(**token_settings)


@dataclasses.dataclass
class Answer:
    status: int
    fields: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


def ask(server, authorization=None, method="GET", way="tls", **fields):
    if authorization:
        fields["Authorization"] = authorization
    if way == "tls":
        connection = http.client.HTTPSConnection("127.0.0.1", server.tls_port, context=server.tls(), timeout=10)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    fields = {name.replace("_", "-"): value for name, value in fields.items()}
    connection.request(method, "/v1/turn", headers=fields)
    answer = connection.getresponse()
    answer = Answer(answer.status, answer.headers, answer.read())
    connection.close()
    return answer


def bearer(token):
    return f"Bearer {token}"


def digest(challenge, user, password, target="/v1/turn", method="GET"):
    """Credentials for one WWW-Authenticate (RFC 7616)."""
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge.partition(" ")[2]))
    name = {"SHA-256": "sha256", "MD5": "md5"}[given["algorithm"]]

    def hashed(*parts):
        return hashlib.new(name, ":".join(parts).encode()).hexdigest()

    cnonce = secrets.token_hex(8)
    ha1 = hashed(user, given["realm"], password)
    response = hashed(ha1, given["nonce"], "00000001", cnonce, "auth", hashed(method, target))
    return (
        f'Digest username="{user}", realm="{given["realm"]}", nonce="{given["nonce"]}", uri="{target}", '
        f'qop=auth, nc=00000001, cnonce="{cnonce}", response="{response}", algorithm={given["algorithm"]}'
    )


def credentials_of(answer, algorithm=None):
    given = answer.json["iceServers"][0]
    return Credentials(given["username"], given["credential"], algorithm)


def prepared(client, answer):
    """|client| as if it had been challenged already."""
    client.credentials = credentials_of(answer, Algorithm.SHA256)
    client.realm, client.nonce = answer.json["realm"], answer.json["nonce"].encode()
    client.algorithms = stun.pack_algorithms([Algorithm.SHA256, Algorithm.MD5])
    return client


def test_token_gets_credentials_in_the_form_that_browsers_take(token_server, issuer):
    answer = ask(token_server, bearer(issuer.token()))
    assert answer.status == 200
    assert answer.fields["Content-Type"] == "application/json"
    assert answer.fields["Cache-Control"] == "no-store"
    page = answer.json
    (given,) = page["iceServers"]
    assert given["urls"][0] == f"turn:127.0.0.1:{token_server.port}?transport=udp"
    assert f"turns:turn.example.org:{token_server.tls_port}?transport=tcp" in given["urls"]
    assert re.fullmatch(r"\d+:p1\.[\w-]{16}\.[\w-]{16}", given["username"])
    assert page["passwordAlgorithms"] == ["SHA-256", "MD5"]
    # The token lives ten minutes, and credentials no longer.
    left = int(given["username"].partition(":")[0]) - time.time()
    assert 590 <= left <= 600 and 0.7 * left <= page["ttl"] <= 0.9 * left


@pytest.mark.parametrize("way", ["udp", "tls"])
def test_first_allocate_with_the_nonce_is_authenticated(token_server, connect, issuer, way):
    answer = ask(token_server, bearer(issuer.token()))
    client = prepared(connect(token_server, way), answer)
    nonce = client.nonce
    assert client.allocated()
    assert client.nonce == nonce and client.challenge is None


def test_first_allocate_as_a_browser_does_it(token_server, connect, issuer):
    client = connect(token_server, credentials=credentials_of(ask(token_server, bearer(issuer.token()))))
    assert client.allocated()


def test_nonce_with_another_username_is_stale(token_server, connect, issuer):
    one = ask(token_server, bearer(issuer.token()))
    other = ask(token_server, bearer(issuer.token(sub="bob@example.org")))
    client = prepared(connect(token_server), one)
    client.credentials = credentials_of(other, Algorithm.SHA256)
    assert client.allocated()  # after a 438
    assert client.challenge.error == 438


def test_same_user_has_one_pseudonym_and_each_answer_an_id_of_its_own(token_server, issuer):
    names = [credentials_of(ask(token_server, bearer(issuer.token()))).user.split(".") for _ in range(2)]
    assert names[0][1] == names[1][1] and names[0][2] != names[1][2]
    other = credentials_of(ask(token_server, bearer(issuer.token(sub="bob@example.org")))).user.split(".")
    assert other[1] != names[0][1]


def test_token_in_the_form_of_3gpp_is_taken(token_server, issuer):
    assert ask(token_server, f'Bearer access_token="{issuer.token()}"').status == 200


def forged(header, claims, signature=b""):
    parts = [json.dumps(header), json.dumps(claims)]
    return ".".join([base64url_encode(part) for part in parts] + [base64url_encode(signature)])


def bad_tokens(issuer):
    now = int(time.time())
    good = issuer.token()
    head, claims, _ = good.split(".")
    other = jwk.JWK.generate(kty="EC", crv="P-256", kid="one")
    public = jwk.JWK(kty="oct", k=base64url_encode(issuer.pem))
    pretended = {"iss": ISSUER, "aud": AUDIENCE, "exp": now + 600, "sub": "a@b", "impu": "sip:a@b"}
    return {
        "none": forged({"alg": "none"}, pretended),
        "none-with-signature": forged({"alg": "none"}, pretended, b"x"),
        "hs256-public-key": issuer.token({"alg": "HS256"}, public),
        "other-key-same-kid": issuer.token(key=other),
        "kid-path": issuer.token({"kid": "../../../dev/null"}),
        "expired": issuer.token(exp=now - 1),
        "no-expiry": issuer.token(exp=None),
        "not-yet": issuer.token(nbf=now + 300),
        "other-issuer": issuer.token(iss="https://evil.example"),
        "other-audience": issuer.token(aud="somebody else"),
        "no-identity": issuer.token(sub=None),
        "quote-in-identity": issuer.token(sub='alice"\r\nX: y'),
        "oversized": issuer.token(pad="x" * 6000),
        "unsigned": f"{head}.{claims}.",
        "two-parts": f"{head}.{claims}",
        "impossible-base64": f"{head}.{claims}.A===",  # cjose would assert
        "not-a-token": "x",
        "empty": "",
    }


@pytest.mark.parametrize(
    "kind",
    ["none", "none-with-signature", "hs256-public-key", "other-key-same-kid", "kid-path", "expired", "no-expiry"]
    + ["not-yet", "other-issuer", "other-audience", "no-identity", "quote-in-identity", "oversized", "unsigned"]
    + ["two-parts", "impossible-base64", "not-a-token", "empty"],
)
def test_bad_token_is_refused(token_server, issuer, kind):
    answer = ask(token_server, bearer(bad_tokens(issuer)[kind]))
    assert answer.status in (401, 431)  # an oversized one may not even be a head
    if answer.status == 401:
        assert 'error="invalid_token"' in answer.fields.get_all("WWW-Authenticate")[0]
        assert answer.json["error"] == "invalid-token"
    assert issuer.file not in token_server.output()


def test_token_with_a_claim_twice_is_refused(token_server, issuer):
    token = jwt.JWT(header={"alg": "ES256"}, claims="")
    now = int(time.time())
    twice = f'{{"iss":"{ISSUER}","aud":"{AUDIENCE}","exp":{now + 600},"sub":"a@b","sub":"c@d"}}'
    token.claims = twice
    token.make_signed_token(issuer.key)
    assert ask(token_server, bearer(token.serialize())).status == 401


@pytest.mark.parametrize("index", [0, 1], ids=["sha256", "md5"])
def test_account_gets_credentials_by_digest(shared, connect, index):
    server = shared(credentials={"shared-secrets": [SECRET]}, limits=NO_LIMIT)
    challenged = ask(server)
    assert challenged.status == 401
    challenges = challenged.fields.get_all("WWW-Authenticate")
    assert [re.search(r"algorithm=([\w-]+)", one)[1] for one in challenges] == ["SHA-256", "MD5"]
    answer = ask(server, digest(challenges[index], ALICE.user, ALICE.password))
    assert answer.status == 200
    # Of an account's credentials the setting says how long they live.
    assert int(credentials_of(answer).user.partition(":")[0]) - time.time() > 3590
    assert prepared(connect(server), answer).allocated()


def test_wrong_digest_is_refused(shared):
    server = shared(credentials={"shared-secrets": [SECRET]}, limits=NO_LIMIT)
    challenge = ask(server).fields.get_all("WWW-Authenticate")[0]
    good = digest(challenge, ALICE.user, ALICE.password)
    bad = [
        digest(challenge, ALICE.user, "looking glass"),
        digest(challenge, "mallory", ALICE.password),
        digest(challenge, ALICE.user, ALICE.password, target="/v1/other"),
        digest(challenge, ALICE.user, ALICE.password, method="POST"),
        good.replace(f'realm="{REALM}"', 'realm="other"'),
        re.sub(r'nonce="..', 'nonce="AA', good),
        good.replace("qop=auth, ", ""),
        good.replace("algorithm=SHA-256", "algorithm=SHA-256-sess"),
        "Digest",
        f"Basic {base64url_encode(ALICE.user + ':' + ALICE.password)}",
    ]
    assert ask(server, good).status == 200
    for credentials in bad:
        answer = ask(server, credentials)
        assert answer.status == 401, credentials
        assert "stale" not in answer.fields.get_all("WWW-Authenticate")[0]
    assert ALICE.password not in server.output()


def test_credentials_are_served_with_tls_only(token_server, issuer):
    assert ask(token_server, bearer(issuer.token()), way="tcp").status == 403


def test_other_methods_are_refused(token_server, issuer):
    for method in ("POST", "PUT", "DELETE"):
        answer = ask(token_server, bearer(issuer.token()), method=method)
        assert answer.status == 405 and "GET" in answer.fields["Allow"]


def test_listed_origin_may_read_the_answer(token_server, issuer):
    preflight = ask(token_server, method="OPTIONS", Origin=APPLICATION, Access_Control_Request_Method="GET")
    assert preflight.status == 204
    assert preflight.fields["Access-Control-Allow-Origin"] == APPLICATION
    assert preflight.fields["Access-Control-Allow-Headers"] == "Authorization"
    assert preflight.fields["Vary"] == "Origin"
    answer = ask(token_server, bearer(issuer.token()), Origin=APPLICATION)
    assert answer.status == 200
    assert answer.fields["Access-Control-Allow-Origin"] == APPLICATION
    assert "Access-Control-Allow-Credentials" not in answer.fields


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", f"{APPLICATION}.evil.example", APPLICATION.replace("https", "http")],
)
def test_other_origin_gets_nothing(token_server, issuer, origin):
    for method in ("GET", "OPTIONS"):
        answer = ask(token_server, bearer(issuer.token()), method=method, Origin=origin)
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.fields


def test_requests_of_a_source_are_limited(start, token_settings, issuer):
    server = start(**{**token_settings, "limits": {"requests-per-source": 3}})
    assert [ask(server, bearer(issuer.token())).status for _ in range(3)] == [200] * 3
    answer = ask(server, bearer(issuer.token()))
    assert answer.status == 429
    assert 1 <= int(answer.fields["Retry-After"]) <= 20
    assert answer.json["error"] == "too-many-requests"


def test_made_secret_outlives_a_restart_and_is_nobody_elses(start, token_settings, connect, issuer):
    server = start(**token_settings)
    answer = ask(server, bearer(issuer.token()))
    file = server.directory / "state" / "turn-secret"
    assert file.stat().st_mode & 0o777 == 0o600
    server.stop()
    server.start()
    assert file.read_text().strip() not in server.output()
    assert connect(server, credentials=credentials_of(answer)).allocated()


def test_foreign_server_is_named_without_our_nonce(shared, token_settings, issuer):
    uris = ["turns:turn.other.example:443?transport=tcp"]
    settings = {**token_settings, "edge": {**token_settings["edge"], "turn-uris": uris}}
    server = shared(**settings, credentials={"shared-secrets": [SECRET]})
    page = ask(server, bearer(issuer.token())).json
    assert page["iceServers"][0]["urls"] == uris
    assert set(page) == {"iceServers", "ttl"}
    name, password = page["iceServers"][0]["username"], page["iceServers"][0]["credential"]
    assert (name, password) == stun.time_limited_credentials(SECRET, name.partition(":")[2], int(name.partition(":")[0]))


def test_nothing_is_handed_out_where_nothing_is_set(server):
    assert ask(server).status == 404


# Revocation. The registrations themselves are tested with the edge.


def registered(registration=REGISTRATION, seconds=600):
    return Credentials(
        *stun.time_limited_credentials(SECRET, f"p1.carol.{registration}", int(time.time()) + seconds)
    )


@pytest.fixture
def edge_settings():
    return {"credentials": {"shared-secrets": [SECRET]}, "edge": {"domain": DOMAIN}}


def revoke_in_the_journal(server, registration, seconds, tail=""):
    file = server.directory / "state" / "revocations"
    lines = ["postern revocations 1", f"{int(time.time()) + seconds} {registration}", tail]
    file.write_text("\n".join(lines))


def test_revocation_outlives_a_restart(start, edge_settings, connect):
    server = start(**edge_settings)
    assert connect(server, credentials=registered()).allocated()
    server.stop()
    revoke_in_the_journal(server, REGISTRATION, 600)
    server.start()
    assert connect(server, credentials=registered()).allocate().error == 401
    assert connect(server, "tls", credentials=registered()).allocate().error == 401
    assert connect(server, credentials=registered("fedcba9876543210")).allocated()
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    server.start()
    assert connect(server, credentials=registered()).allocate().error == 401


def test_torn_journal_is_read_as_far_as_it_goes(start, edge_settings, connect):
    server = start(**edge_settings)
    server.stop()
    revoke_in_the_journal(server, REGISTRATION, 600, tail="17000")
    server.start()
    assert connect(server, credentials=registered()).allocate().error == 401


def test_quota_counts_the_pseudonym(start, edge_settings, connect):
    server = start(**edge_settings, limits={"allocations-per-user": 1})
    assert connect(server, credentials=registered()).allocated()
    assert connect(server, credentials=registered("fedcba9876543210")).allocate().error == 486
