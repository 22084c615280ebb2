"""TDS clients that we did not write read the catalog, with and without TLS, and are told of a wrong statement."""

import uuid

import certifi
import pytds
import pytest

from sql_clients import CLIENTS, Login, with_pytds, with_tedious

PAIRS = """
SELECT c.name, m.name, m.key_path, v.encrypted_value
FROM sys.column_encryption_key_values v
JOIN sys.column_encryption_keys c ON c.column_encryption_key_id = v.column_encryption_key_id
JOIN sys.column_master_keys m ON m.column_master_key_id = v.column_master_key_id
ORDER BY c.name, m.name
"""
COLUMNS = """
SELECT s.name, t.name, c.name, c.encryption_type_desc, k.name
FROM sys.columns c
JOIN sys.tables t ON t.object_id = c.object_id
JOIN sys.schemas s ON s.schema_id = t.schema_id
JOIN sys.column_encryption_keys k ON k.column_encryption_key_id = c.column_encryption_key_id
ORDER BY s.name, t.name, c.name
"""
HOSTILE = "it's \"x\"]'); DROP TABLE dbo.KeyRevocationAudit; -- %s @p1 \x1b[2J\u202eevil\u202c ☠ 🔑\r\nDONE"

# pymssql forgets the words after the first time, and keeps the number.
LOGIN_FAILED = r"Login failed for user 'portcullis_reader'|\(18456,"

each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__.removeprefix("with_"))
each_wire = pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])


@pytest.fixture
def at(account):
    return Login.of(account)


@pytest.fixture(scope="module")
def rows(account):
    return account.keys()


@each_wire
@each_client
def test_the_catalog_reads_the_same(account, at, rows, client, tls):
    pairs = client(at, tls, PAIRS)
    here = (account.env["PORTCULLIS_SIM_SQL_SERVER"], at.database)
    ours = [row for row in rows if row["kind"] == "pair" and (row["server"], row["database"]) == here]
    assert sorted((cek, cmk, path) for cek, cmk, path, _ in pairs) == sorted(
        (row["cek"], row["cmk"], row["key_path"]) for row in ours
    )
    assert len(pairs) >= 25
    assert all(isinstance(value, bytes) and len(value) > 64 for *_, value in pairs)
    ours = sorted({(row["cek"], column) for row in ours for column in row["columns"]})
    columns = [(key, f"{schema}.{table}.{name}") for schema, table, name, _, key in client(at, tls, COLUMNS)]
    assert sorted(columns) == ours


@each_wire
@each_client
def test_an_unknown_statement_is_an_error(at, client, tls):
    with pytest.raises(Exception, match="Invalid object name 'sys.no_such_view'"):
        client(at, tls, "SELECT frobnicate FROM sys.no_such_view")
    with pytest.raises(Exception, match="Could not find stored procedure 'frobnicate'"):
        client(at, tls, "frobnicate")
    with pytest.raises(Exception, match="Incorrect syntax near"):
        client(at, tls, "FROBNICATE TABLE dbo.Users")


@each_wire
@each_client
def test_a_wrong_password_is_refused(at, client, tls):
    with pytest.raises(Exception, match=LOGIN_FAILED):
        client(at.but(password="wrong"), tls, PAIRS)


@pytest.mark.parametrize("client", [with_pytds, with_tedious])
def test_a_certificate_of_nobody_known_is_refused(at, client):
    # Some authority, but not the simulator's: the one that signs for the public web.
    with pytest.raises(Exception, match="(?i)certificate|self-signed"):
        client(at.but(ca=certifi.where()), True, PAIRS)


@each_client
def test_a_login_without_the_permission_sees_no_rows_and_no_error(account, at, client):
    blind = at.but(user=account.env["PORTCULLIS_SIM_SQL_BLIND_USER"])
    assert client(blind, True, "SELECT name FROM sys.column_master_keys") == []
    assert len(client(blind, True, "SELECT name FROM sys.column_encryption_keys")) >= 20
    asked = "SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW ANY COLUMN MASTER KEY DEFINITION')"
    assert (client(blind, True, asked), client(at, True, asked)) == ([(0,)], [(1,)])


@each_wire
@each_client
def test_an_audit_row_reads_back_unchanged(at, client, tls):
    incident = f"INC-{uuid.uuid4()}"
    client(
        at,
        tls,
        "EXEC dbo.LogEmergencyKeyRevocation @CekName = ?, @Reason = ?, @CorrelationId = ?, @Operation = ?",
        "CEK_O'Brien]",
        HOSTILE,
        incident,
        "RECOVER",
    )
    read = "SELECT CekName, Reason, Operation, LoginName FROM dbo.KeyRevocationAudit WHERE CorrelationId = ?"
    assert client(at, tls, read, incident) == [("CEK_O'Brien]", HOSTILE, "RECOVER", "portcullis_reader")]


def test_the_audit_procedure_answers_a_call_by_name_with_its_outcome(at):
    connection = pytds.connect(
        dsn=at.host,
        port=at.port,
        user=at.user,
        password=at.password,
        database=at.database,
        cafile=at.ca,
        validate_host=False,
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        outcome = pytds.output(param_type="int")
        answered = cursor.callproc(
            "dbo.LogEmergencyKeyRevocation", ("CEK_User_Email", HOSTILE, str(uuid.uuid4()), "REVOKE", outcome)
        )
        assert (answered[-1], cursor.get_proc_return_status()) == (1, 0)


@each_client
def test_a_long_answer_comes_whole(at, client):
    """Many packets: every column crossed with every value."""
    crossed = "SELECT a.name, b.encrypted_value FROM sys.columns a CROSS JOIN sys.column_encryption_key_values b"
    rows = client(at, True, crossed)
    (columns,) = client(at, True, "SELECT COUNT(*) FROM sys.columns")
    (values,) = client(at, True, "SELECT COUNT(*) FROM sys.column_encryption_key_values")
    assert len(rows) == columns[0] * values[0]
    assert sum(len(value) for _, value in rows) > 250_000
