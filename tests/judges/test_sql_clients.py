"""TDS clients that we did not write read the catalog, with and without TLS, and are told of a wrong statement."""

import json
import subprocess
from pathlib import Path

import mssql_python
import pymssql
import pytds
import pytest

HERE = Path(__file__).parent
CATALOG = """
SELECT c.name, m.name, m.key_path, v.encrypted_value
FROM sys.column_encryption_key_values v
JOIN sys.column_encryption_keys c ON c.column_encryption_key_id = v.column_encryption_key_id
JOIN sys.column_master_keys m ON m.column_master_key_id = v.column_master_key_id
ORDER BY c.name, m.name
"""
UNKNOWN = "SELECT frobnicate FROM sys.no_such_view"


def where(account):
    env = account.env
    return {
        "host": env["PORTCULLIS_SIM_SQL_HOST"],
        "port": int(env["PORTCULLIS_SIM_SQL_PORT"]),
        "user": env["PORTCULLIS_SIM_SQL_USER"],
        "password": env["PORTCULLIS_SIM_SQL_PASSWORD"],
        "ca": env["PORTCULLIS_SIM_SQL_CA_FILE"],
    }


def with_pymssql(account, statement, tls):
    at = where(account)
    with pymssql.connect(
        server=at["host"],
        port=at["port"],
        user=at["user"],
        password=at["password"],
        database="buzz_prod",
        encryption="require" if tls else "off",
        tds_version="7.4",
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()]


def with_pytds(account, statement, tls):
    at = where(account)
    trust = {"cafile": at["ca"], "validate_host": False} if tls else {}
    with pytds.connect(
        dsn=at["host"], port=at["port"], user=at["user"], password=at["password"], database="buzz_prod", **trust
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()]


def with_mssql_python(account, statement, tls):
    at = where(account)
    connection = mssql_python.connect(
        f"Server={at['host']},{at['port']};Database=buzz_prod;UID={at['user']};PWD={at['password']};"
        f"Encrypt={'yes' if tls else 'no'};TrustServerCertificate=yes;"
    )
    try:
        cursor = connection.cursor()
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()]
    finally:
        connection.close()


def with_tedious(account, statement, tls):
    at = where(account) | {"database": "buzz_prod", "statement": statement, "tls": tls}
    done = subprocess.run(
        ["node", str(HERE / "node" / "query.js")], input=json.dumps(at), capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [tuple(bytes(c["data"]) if isinstance(c, dict) else c for c in row) for row in json.loads(done.stdout)]


CLIENTS = [with_pymssql, with_pytds, with_mssql_python, with_tedious]


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("client", CLIENTS)
def test_the_catalog_reads_the_same(account, client, tls):
    pairs = client(account, CATALOG, tls)
    ours = [r for r in account.keys() if r["kind"] == "pair" and r["database"] == "buzz_prod"]
    assert sorted((cek, cmk, path) for cek, cmk, path, _ in pairs) == sorted(
        (r["cek"], r["cmk"], r["key_path"]) for r in ours
    )
    assert len(pairs) >= 10
    assert all(len(value) > 32 for _, _, _, value in pairs)


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("client", CLIENTS)
def test_an_unknown_statement_is_an_error(account, client, tls):
    with pytest.raises(Exception, match="no_such_view"):
        client(account, UNKNOWN, tls)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_password_is_refused(account, client, monkeypatch):
    monkeypatch.setitem(account.env, "PORTCULLIS_SIM_SQL_PASSWORD", "wrong")
    with pytest.raises(Exception, match="(?i)login failed"):
        client(account, CATALOG, True)
