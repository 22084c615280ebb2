"""Four TDS clients that we did not write, each behind the same function.

`?` stands for a parameter; each client puts its own mark there. With TLS each trusts the simulator's
certificate authority, where it can be told to: pymssql (FreeTDS) can only take any certificate.
"""

import json
import subprocess
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import mssql_python
import pymssql
import pytds

QUERY_JS = Path(__file__).parent / "node" / "query.js"
SECONDS = 60


@dataclass(frozen=True)
class Login:
    """Where to, and as whom."""

    host: str
    port: int
    user: str
    password: str
    ca: str | None
    database: str = "buzz_prod"

    @classmethod
    def of(cls, account):
        env = account.env
        return cls(
            host=env["PORTCULLIS_SIM_SQL_HOST"],
            port=int(env["PORTCULLIS_SIM_SQL_PORT"]),
            user=env["PORTCULLIS_SIM_SQL_USER"],
            password=env["PORTCULLIS_SIM_SQL_PASSWORD"],
            ca=env["PORTCULLIS_SIM_SQL_CA_FILE"],
        )

    def but(self, **other):
        return replace(self, **other)


def with_pymssql(at, tls, statement, *parameters):
    with closing(
        pymssql.connect(
            server=at.host,
            port=at.port,
            user=at.user,
            password=at.password,
            database=at.database,
            encryption="require" if tls else "off",
            tds_version="7.4",
            login_timeout=SECONDS,
            autocommit=True,
        )
    ) as connection:
        return fetched(connection, statement.replace("?", "%s"), parameters)


def with_pytds(at, tls, statement, *parameters):
    # Its own look at the name in the certificate needs an older pyOpenSSL; the chain is checked all the same.
    trust = {"cafile": at.ca, "validate_host": False} if tls else {}
    with closing(
        pytds.connect(
            dsn=at.host,
            port=at.port,
            user=at.user,
            password=at.password,
            database=at.database,
            login_timeout=SECONDS,
            autocommit=True,
            **trust,
        )
    ) as connection:
        return fetched(connection, statement.replace("?", "%s"), parameters)


def with_mssql_python(at, tls, statement, *parameters):
    encrypt = "yes;TrustServerCertificate=yes" if tls else "no"
    where = f"Server={at.host},{at.port};Database={at.database};UID={at.user};PWD={at.password};Encrypt={encrypt};"
    with closing(mssql_python.connect(where, autocommit=True)) as connection:
        return fetched(connection, statement, parameters)


def with_tedious(at, tls, statement, *parameters):
    for number in range(1, len(parameters) + 1):
        statement = statement.replace("?", f"@p{number}", 1)
    asked = at.__dict__ | {"tls": tls, "statement": statement, "parameters": parameters}
    done = subprocess.run(
        ["node", str(QUERY_JS)], input=json.dumps(asked), capture_output=True, text=True, timeout=SECONDS
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [tuple(bytes(c["data"]) if isinstance(c, dict) else c for c in row) for row in json.loads(done.stdout)]


def fetched(connection, statement, parameters):
    cursor = connection.cursor()
    # No parameters at all, so that a `%` in the statement stands for itself.
    cursor.execute(statement, *([tuple(parameters)] if parameters else []))
    return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


CLIENTS = [with_pymssql, with_pytds, with_mssql_python, with_tedious]
