# SPDX-License-Identifier: BSD-3-Clause
"""The accounts of calls without a core, by the commands of posternd."""

import hashlib
import re
import sqlite3
import subprocess

import pytest
import yaml

from server import Posternd

DOMAIN = "ims.example.org"


@pytest.fixture
def account(posternd, certificate, tmp_path):
    """account(*options, given=text): runs posternd with settings that have a domain."""
    settings = Posternd(tmp_path, certificate, edge={"domain": DOMAIN}).settings
    file = tmp_path / "postern.yaml"
    file.write_text(yaml.safe_dump(settings))
    (tmp_path / "state").mkdir()

    def run(*options, given=""):
        return subprocess.run([posternd, "--config", file, *options], input=given, capture_output=True, text=True,
                              timeout=20)  # fmt: skip

    run.database = tmp_path / "state" / "accounts.db"
    run.settings, run.file = settings, file
    return run


def hashes_of(database, name):
    with sqlite3.connect(database) as connection:
        row = connection.execute("SELECT ha1_md5, ha1_sha256 FROM account WHERE name = ?", [name])
        return tuple(value.hex() for value in row.fetchone())


def ha1(name, password):
    text = f"{name}:{DOMAIN}:{password}".encode()
    return hashlib.md5(text).hexdigest(), hashlib.sha256(text).hexdigest()


def assert_refused(result, word):
    assert result.returncode == 1, result
    assert len(result.stderr.splitlines()) == 1 and word in result.stderr, result.stderr
    assert result.stdout == ""


def test_password_is_made_printed_once_and_kept_as_hashes(account):
    result = account("--add-account", "carol")
    assert result.returncode == 0, result
    assert f"sip:carol@{DOMAIN}" in result.stdout
    password = re.search(r"[a-z2-9]{4}(-[a-z2-9]{4}){3}", result.stdout)[0]
    assert hashes_of(account.database, "carol") == ha1("carol", password)
    assert account.database.stat().st_mode & 0o777 == 0o600
    assert password.encode() not in account.database.read_bytes()
    listed = account("--list-accounts")
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d  sip:carol@{DOMAIN}\n", listed.stdout), listed


def test_password_is_taken_from_standard_input(account):
    result = account("--add-account", "carol", "--password-stdin", given="correct horse\nbattery\n")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert hashes_of(account.database, "carol") == ha1("carol", "correct horse")
    assert_refused(account("--add-account", "dave", "--password-stdin"), "empty")
    assert_refused(account("--add-account", "dave", "--password-stdin", given="\n"), "password")
    assert_refused(account("--add-account", "dave", "--password-stdin", given="x" * 513), "512")
    assert account("--add-account", "dave", "--password-stdin", given="x" * 512).returncode == 0


def test_account_is_removed_and_no_trace_of_its_hashes_stays(account):
    account("--add-account", "carol", "--password-stdin", given="secret")
    assert_refused(account("--add-account", "carol"), "already")
    assert account("--remove-account", "carol").returncode == 0
    assert_refused(account("--remove-account", "carol"), "no account")
    assert bytes.fromhex(ha1("carol", "secret")[1]) not in account.database.read_bytes()
    assert account("--list-accounts").stdout == ""


@pytest.mark.parametrize("name", ["", "a b", "a@b", "'; DROP TABLE account;--", "a:b", "<a>", "ä", "x" * 65])
def test_names_that_are_no_part_of_a_sip_uri_are_refused(account, name):
    assert_refused(account("--add-account", name), "name")


def test_accounts_without_a_domain_are_refused(account):
    del account.settings["edge"]
    account.file.write_text(yaml.safe_dump(account.settings))
    assert_refused(account("--list-accounts"), "edge.domain")


def test_database_that_others_can_read_is_refused(account):
    account("--add-account", "carol")
    account.database.chmod(0o644)
    assert_refused(account("--list-accounts"), "chmod 600")


@pytest.mark.parametrize("options", [["--password-stdin"], ["--list-accounts", "--remove-account", "carol"]])
def test_options_that_do_not_go_together_are_told(account, options):
    assert account(*options).returncode == 2
