"""A KMS that we did not write: moto's. Column keys name its keys in the simulator's SQL Server, and portcullis
lists them, drops one through the gate and raises it again."""

import contextlib
import functools
import hashlib
import json
import sys
import urllib.request
from pathlib import Path

import boto3
import pytest

from conftest import BIN, Process, run, stranger_env
from sql_clients import Login, with_pymssql

REASON = "a judge's reason; it's only a test"
ACCOUNT = "123456789012"  # moto's
REGION = "eu-west-1"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": REGION}
SETTINGS = """
[environments.moto]
account = "{account}"
regions = ["{region}"]
endpoint = "{endpoint}"
alert_topic = "{topic}"
audit = {{ server = "sql", database = "buzz_prod" }}

[[environments.moto.sql]]
name = "sql"
host = "{sql.host}"
port = {sql.port}
databases = ["buzz_prod"]
user = "{sql.user}"
password_env = "JUDGE_SQL_PASSWORD"
ca_bundle = "{sql.ca}"
"""


class House:
    """moto's AWS, the simulator's SQL Server, and portcullis pointed at both."""

    def __init__(self, endpoint: str, sql: Login, folder: Path):
        self.endpoint, self.sql = endpoint, sql
        self.credentials = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        self.client = functools.cache(self.new_client)
        self.credentials = self.user("judge", EVERYTHING)
        self.topic = self.client("sns").create_topic(Name="alerts")["TopicArn"]
        settings = folder / "settings.toml"
        settings.write_text(
            SETTINGS.format(account=ACCOUNT, region=REGION, endpoint=endpoint, topic=self.topic, sql=sql)
        )
        self.env = stranger_env() | CREDENTIALS | {
            "PORTCULLIS_CONFIG": str(settings),
            "PORTCULLIS_ENVIRONMENT": "moto",
            "XDG_STATE_HOME": str(folder / "state"),
            "JUDGE_SQL_PASSWORD": sql.password,
        }

    def make(self, name: str) -> str:
        """A key in moto with an alias, and a column key under it in the SQL Server; the key's ARN."""
        kms = self.client("kms")
        # moto forgets the usage that KMS takes for granted.
        key = kms.create_key(Description=name, KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]
        kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key["KeyId"])
        wrapped = kms.encrypt(KeyId=key["KeyId"], Plaintext=bytes(32))["CiphertextBlob"]
        for ddl in (
            f"CREATE COLUMN MASTER KEY [CMK_{name}] "
            f"WITH (KEY_STORE_PROVIDER_NAME = N'AWS_KMS', KEY_PATH = N'{key['Arn']}')",
            f"CREATE COLUMN ENCRYPTION KEY [CEK_{name}] WITH VALUES (COLUMN_MASTER_KEY = [CMK_{name}], "
            f"ALGORITHM = 'RSA_OAEP', ENCRYPTED_VALUE = 0x{wrapped.hex()})",
        ):
            with_pymssql(self.sql, True, ddl)
        return key["Arn"]

    def audited(self, incident: str):
        """Operation and reason of the incident's audit rows, oldest first."""
        read = "SELECT Operation, Reason FROM dbo.KeyRevocationAudit WHERE CorrelationId = ? ORDER BY LoggedAt"
        return with_pymssql(self.sql, True, read, incident)

    def new_client(self, service: str):
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, **self.credentials)

    def user(self, name: str, *statements: dict) -> dict[str, str]:
        """An access key of a new user who may do what the statements say."""
        iam = self.new_client("iam")
        iam.create_user(UserName=name)
        policy = {"Version": "2012-10-17", "Statement": statements}
        iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    @contextlib.contextmanager
    def denying(self, *actions: str):
        """Meanwhile moto asks for permissions, and portcullis is a user who may do all but these."""
        responder = self.user("responder", EVERYTHING, EVERYTHING | {"Effect": "Deny", "Action": actions})
        before = self.env
        self.env = before | {name.upper(): value for name, value in responder.items()}
        self.ask_for_permissions(0)
        try:
            yield
        finally:
            self.ask_for_permissions("inf")
            self.env = before

    def ask_for_permissions(self, after: object):
        """moto checks signatures and policies once it has answered so many requests."""
        plain = {"Content-Type": "text/plain"}
        asked = urllib.request.Request(f"{self.endpoint}/moto-api/reset-auth", str(after).encode(), plain)
        urllib.request.urlopen(asked, timeout=30).close()

    def journal(self, incident: str) -> list[str]:
        path = Path(self.env["XDG_STATE_HOME"]) / "portcullis" / "journal" / "moto" / f"{incident}.jsonl"
        return path.read_text().splitlines()

    def wrote_no_secret(self):
        written = [path for path in Path(self.env["XDG_STATE_HOME"]).rglob("*") if path.is_file()]
        assert any(path.suffix == ".jsonl" for path in written)
        for path in written:
            for secret in (self.sql.password, self.env["AWS_SECRET_ACCESS_KEY"]):
                assert secret.encode() not in path.read_bytes(), path

    def state(self, arn: str) -> str:
        return self.client("kms").describe_key(KeyId=arn)["KeyMetadata"]["KeyState"]

    def portcullis(self, *words: str, check: bool = True):
        return run([BIN, *words], self.env, check)

    def rows(self):
        return {row["cek"]: row for row in json.loads(self.portcullis("keys", "--format", "json").stdout)}

    def change(self, verb: str, name: str, incident: str, typed: str):
        """`revoke` or `recover` as a person would write it, with the confirmation given beforehand."""
        return self.portcullis(
            verb,
            "moto",
            f"CEK_{name}",
            REASON,
            "--incident",
            incident,
            "--yes-i-typed",
            typed,
            "--attest",
            "a judge has seen to it",
            "--format",
            "json",
            check=False,
        )


@pytest.fixture(scope="module")
def house(account, tmp_path_factory):
    server = [sys.executable, str(Path(__file__).with_name("moto_kms.py"))]
    moto = Process([*server, "-H", "127.0.0.1", "-p", "0"], r"Running on (http://127\.0\.0\.1:\d+)", stranger_env())
    try:
        yield House(moto.found[1], Login.of(account), tmp_path_factory.mktemp("moto"))
    finally:
        moto.stop()


def test_keys_made_through_boto3_are_listed(house):
    arns = {name: house.make(name) for name in ("listed_a", "listed_b")}
    house.client("kms").disable_key(KeyId=arns["listed_b"])
    house.client("kms").enable_key_rotation(KeyId=arns["listed_a"])
    rows = house.rows()
    for name, arn in arns.items():
        row = rows[f"CEK_{name}"]
        assert (row["kind"], row["cmk"], row["key_path"], row["key_arn"]) == ("pair", f"CMK_{name}", arn, arn)
        assert (row["key_name"], row["aliases"]) == (name, [name])
    assert (rows["CEK_listed_a"]["state"], rows["CEK_listed_a"]["rotation"]) == ("enabled", "automatic")
    assert (rows["CEK_listed_b"]["state"], rows["CEK_listed_b"]["kms_state"]) == ("disabled", "Disabled")
    # moto keeps no last use: not knowing is not "unused", and breaks nothing.
    assert rows["CEK_listed_a"]["last_used_at"] is None


def test_a_key_is_dropped_through_the_gate_and_raised_again(house):
    arn, bystander = house.make("gated"), house.make("bystander")
    with house.denying("kms:Encrypt", "kms:Decrypt"):
        dropped = house.change("revoke", "gated", "INC-MOTO-1", "gated")
        assert ended(dropped) == (0, "verified")
        assert (house.state(arn), house.state(bystander)) == ("Disabled", "Enabled")
        assert house.rows()["CEK_gated"]["state"] == "disabled"
        raised = house.change("recover", "gated", "INC-MOTO-1", "gated")
        house.wrote_no_secret()
        assert ended(raised) == (0, "verified")
        assert (house.state(arn), house.state(bystander)) == ("Enabled", "Enabled")
        assert house.rows()["CEK_gated"]["state"] == "enabled"
    assert [operation for operation, _ in house.audited("INC-MOTO-1")] == ["disable-key", "enable-key"]
    assert all(REASON in reason for _, reason in house.audited("INC-MOTO-1"))
    assert chained(house.journal("INC-MOTO-1")) == json.loads(raised.stdout)["journal_head"]
    assert json.loads(raised.stdout)["journal_head"] in house.portcullis("journal", "verify", "INC-MOTO-1").stdout


def chained(lines: list[str]) -> str:
    """The head of the journal's chain of hashes, each recomputed: SHA-256 of the one before and the entry."""
    head = "0" * 64
    for number, line in enumerate(lines):
        entry = json.loads(line)
        assert (entry["seq"], entry.pop("prev")) == (number, head)
        claimed = entry.pop("hash")
        # RFC 8785, as far as text and whole numbers go.
        rest = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        head = hashlib.sha256((head + rest).encode()).hexdigest()
        assert head == claimed
    return head


def test_a_disabled_key_that_can_still_be_used_is_not_called_down(house):
    """moto says Disabled and goes on encrypting: the proof has to notice, and say so."""
    arn = house.make("leaky")
    dropped = house.change("revoke", "leaky", "INC-MOTO-2", "leaky")
    assert ended(dropped) == (4, "unknown")
    assert "NOT VERIFIED" in dropped.stderr and "the key can be used" in dropped.stderr
    assert house.state(arn) == "Disabled"
    ((operation, reason),) = house.audited("INC-MOTO-2")
    assert operation == "disable-key" and "not verified" in reason


def test_the_wrong_word_changes_nothing(house):
    arn = house.make("kept")
    refused = house.change("revoke", "kept", "INC-MOTO-3", "kept-not")
    assert ended(refused) == (3, "refused")
    assert house.state(arn) == "Enabled"
    assert house.audited("INC-MOTO-3") == []


def ended(change):
    return change.returncode, json.loads(change.stdout)["outcome"]

