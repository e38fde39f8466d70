# SPDX-License-Identifier: BSD-3-Clause
"""Settings on the command line's side: one clear line per mistake, and exit status 1."""

import os
import re
import socket
import subprocess
import time

import pytest
import yaml

from server import Posternd, free_port


@pytest.fixture
def settings(certificate, tmp_path):
    """Ordinary settings as a mapping, to be spoilt."""
    return Posternd(tmp_path, certificate).settings


def run(posternd, *arguments, **options):
    return subprocess.run(
        [posternd, *arguments], capture_output=True, text=True, timeout=20,
        stdin=subprocess.DEVNULL, **options,
    )  # fmt: skip


@pytest.fixture
def check(posternd, tmp_path):
    """check(text or mapping, *options): runs posternd with these settings until it ends."""

    def run_with(content, *options):
        file = tmp_path / "spoilt.yaml"
        if not isinstance(content, str):
            content = yaml.safe_dump(content, sort_keys=False)
        file.write_text(content)
        return run(posternd, "--config", file, *options)

    return run_with


def assert_one_line(result, *words, line=None):
    """Status 1 and one line on stderr, which names file and line and says |words|."""
    assert result.returncode == 1, result
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0], lines[0]
    if line is not None:
        assert re.search(rf"spoilt\.yaml:{line}: ", lines[0]), lines[0]


def line_of(content, text):
    return 1 + next(n for n, line in enumerate(content.splitlines()) if text in line)


def test_good_settings_are_said_to_be_good(check, settings):
    result = check(settings, "--check-config")
    assert result.returncode == 0, result
    assert result.stderr == ""


def test_check_config_serves_nothing(check, settings):
    """Neither does it mind a port that is taken: the running server holds it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", int(settings["listen"][2].rsplit(":", 1)[1])))
        taken.listen()
        assert check(settings, "--check-config").returncode == 0


@pytest.mark.parametrize("options", [(), ("--check-config",)], ids=["run", "check-config"])
@pytest.mark.parametrize(
    "edge, words",
    [
        ({"core": ["10.0.0.1"]}, ["edge.core", "write sip:HOST"]),
        ({"core": ["tel:+4930123"]}, ["edge.core", "is no SIP URI"]),
        ({"core": ["sip:127.0.0.1;transport=udp"]}, ["edge.core", "edge.listen"]),
        ({"core-ca": "/nonexistent/ca.pem"}, ["edge.core-ca", "/nonexistent/ca.pem", "No such file"]),
    ],
    ids=["address", "telephone", "udp", "authorities"],
)
def test_wrong_way_to_the_core_is_one_clear_line(check, settings, tmp_path, edge, words, options):
    listen = [f"tcp://127.0.0.1:{free_port()}"]
    settings["edge"] = {"domain": "ims.example.org", "core": ["sip:127.0.0.1"], "listen": listen, **edge}
    settings["state-directory"] = str(tmp_path)
    assert_one_line(check(settings, *options), *words)


@pytest.mark.parametrize("options", [(), ("--check-config",)], ids=["run", "check-config"])
@pytest.mark.parametrize(
    "text",
    ["relm: example.org", "relay:\n  adresses: [127.0.0.1]", "limits:\n  allocation-per-user: 3"],
    ids=["top", "relay", "limits"],
)
def test_unknown_key_is_named_with_its_line(check, text, options):
    key = text.split("\n")[-1].split(":")[0].strip()
    content = f"realm: example.org\n\n# a comment\n{text}\n"
    assert_one_line(check(content, *options), key, line=line_of(content, key))


@pytest.mark.parametrize(
    "text",
    ["workers: many", "workers: [1]", "workers: -1", "relay: 7", "relay:\n  ports: 70000-80000",
     "relay:\n  ports: 2000-1000", "relay:\n  hairpin: perhaps", "relay:\n  addresses: [nowhere]",
     "relay:\n  allow-peers: [127.0.0.1/33]", "limits:\n  allocations-per-user: lots",
     "limits:\n  handshake-deadline: 5 parsecs", "listen: [carrier-pigeon://127.0.0.1:1]",
     "listen: [udp://127.0.0.1]", "listen: [udp://127.0.0.1:99999]", "users: [alice]",
     "proxy-protocol: {from: [somewhere]}", "realm: [a, b]"],
    ids=lambda text: re.sub(r"\W+", "-", text),
)  # fmt: skip
def test_wrong_type_is_named_with_its_line(check, text):
    content = f"# first line\n{text}\n"
    last = len(content.splitlines())
    assert_one_line(check(content, "--check-config"), line=last)


def test_key_given_twice_is_named_with_its_line(check):
    assert_one_line(check("realm: a\nworkers: 1\nrealm: b\n", "--check-config"), "realm", line=3)


def test_broken_yaml_is_named_with_its_line(check):
    assert_one_line(check("realm: a\nrelay: {\n\nx\n", "--check-config"))


def test_missing_file_is_named(posternd, tmp_path):
    result = run(posternd, "--config", tmp_path / "nowhere.yaml")
    assert_one_line(result, "nowhere.yaml")


@pytest.mark.parametrize("secret", ["", "changeme", "secret", "north", "password"])
@pytest.mark.parametrize("where", ["users", "shared-secrets"])
def test_empty_or_example_secret_is_refused(check, settings, where, secret):
    """`north` and `secret` stand in the documentation: whoever copies them has no secret."""
    if where == "users":
        settings["users"] = {"alice": secret}
    else:
        settings["credentials"] = {"shared-secrets": [secret]}
    content = yaml.safe_dump(settings, sort_keys=False)
    at = line_of(content, "alice:" if where == "users" else "- " + (secret or "''"))
    assert_one_line(check(content), line=at)


def test_unreadable_certificate_is_named(check, settings, tmp_path):
    settings["tls"]["certificate"] = str(tmp_path / "nowhere.pem")
    content = yaml.safe_dump(settings, sort_keys=False)
    assert_one_line(check(content), "nowhere.pem", line=line_of(content, "nowhere.pem"))


def test_certificate_that_is_none_is_named(check, settings, tmp_path):
    (tmp_path / "prose.pem").write_text("It was a dark and stormy night.\n")
    settings["tls"]["certificate"] = str(tmp_path / "prose.pem")
    content = yaml.safe_dump(settings, sort_keys=False)
    assert_one_line(check(content), "prose.pem", line=line_of(content, "prose.pem"))


def test_key_of_another_certificate_is_named(check, settings, tmp_path):
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-out", tmp_path / "other.key"],
        check=True,
        capture_output=True,
    )
    settings["tls"]["key"] = str(tmp_path / "other.key")
    content = yaml.safe_dump(settings, sort_keys=False)
    assert_one_line(check(content), "other.key", line=line_of(content, "certificate:"))


@pytest.mark.parametrize("scheme", ["udp", "tcp", "tls"])
def test_port_in_use_is_named(check, settings, scheme):
    port = free_port()
    settings["listen"] = [f"{scheme}://127.0.0.1:{port}"]
    kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
    content = yaml.safe_dump(settings, sort_keys=False)
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        assert_one_line(check(content), str(port), line=line_of(content, str(port)))


def test_second_server_on_the_same_port_is_refused(start, posternd, tmp_path):
    """SO_REUSEPORT lets one user's processes share a port: half of the clients would be lost."""
    server = start()
    file = tmp_path / "same.yaml"
    file.write_text(server.settings_file.read_text())
    result = run(posternd, "--config", file)
    assert result.returncode == 1
    assert str(server.port) in result.stderr


def test_address_that_is_not_ours_is_named(check, settings):
    settings["listen"] = [f"udp://192.0.2.77:{free_port()}"]
    content = yaml.safe_dump(settings, sort_keys=False)
    assert_one_line(check(content), "192.0.2.77", line=line_of(content, "192.0.2.77"))


def test_relay_address_that_is_not_ours_is_named(check, settings):
    settings["relay"]["addresses"] = ["192.0.2.77"]
    content = yaml.safe_dump(settings, sort_keys=False)
    assert_one_line(check(content), "192.0.2.77", line=line_of(content, "192.0.2.77"))


@pytest.mark.parametrize("option", ["--nonsense", "--config"])
def test_wrong_option_is_refused(posternd, option):
    result = run(posternd, option)
    assert result.returncode != 0
    assert result.stderr.strip() and "usage" in result.stderr.lower() or "--help" in result.stderr


def test_help_names_every_key(posternd):
    result = run(posternd, "--help")
    assert result.returncode == 0
    for key in ("realm", "listen", "allow-peers", "shared-secrets", "allocations-per-user",
                "handshake-deadline", "workers", "state-directory"):  # fmt: skip
        assert key in result.stdout


def test_start_without_settings_makes_its_own_and_keeps_them(posternd, tmp_path):
    """Certificate and accounts are made once, readable by nobody else, and kept."""
    for port in (3478, 8443):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"another program serves on port {port}")
    environment = dict(os.environ, HOME=str(tmp_path), STATE_DIRECTORY=str(tmp_path / "state"))
    printed = []
    for _ in range(2):
        output = tmp_path / "output"
        with open(output, "wb") as stream:
            process = subprocess.Popen(
                [posternd], stdout=stream, stderr=subprocess.STDOUT, env=environment,
                cwd=tmp_path, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            wait_for_port(8443)
        finally:
            process.terminate()
            assert process.wait(20) == 0, output.read_text()
        text = output.read_text()
        assert re.search(r"https://\S+:8443/ .*\n\n +alice .*\n +bob ", text), text
        printed.append(re.findall(r'"credential": "\S+"|\b[a-z2-9]{4}(?:-[a-z2-9]{4}){3}\b', text))
    assert printed[0] == printed[1] and len(set(printed[0])) == 3
    for file in (tmp_path / "state").rglob("*key*"):
        assert file.stat().st_mode & 0o077 == 0, f"{file} can be read by others"


def wait_for_port(port):
    for _ in range(2000):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise AssertionError(f"nobody serves on {port}")
