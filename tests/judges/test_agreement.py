"""What `portcullis keys` says of each key, boto3 and the AWS CLI say too, and again after things changed."""

import datetime
import json

from botocore.exceptions import ClientError

from conftest import BIN

REGIONS = ["eu-west-1", "us-east-1"]


def by_arn(rows):
    """One row for each KMS key; every row of a key says the same of it."""
    found = {}
    for row in rows:
        if row["kms_state"] is None:
            continue
        said = {name: row[name] for name in OF_A_KEY}
        assert found.setdefault(row["key_arn"], said) == said
    return found


OF_A_KEY = [
    "aliases",
    "kms_state",
    "origin",
    "key_spec",
    "multi_region",
    "rotation",
    "rotation_period_days",
    "next_rotation",
    "rotated_at",
    "deletion_date",
]


def time(at):
    """A time of either side. KMS has them to the millisecond, as floating point."""
    at = datetime.datetime.fromisoformat(at) if isinstance(at, str) else at
    return at and round(at.timestamp(), 3)


def boto3_says(kms, arn, aliases):
    """The same of one key, out of boto3's answers."""
    key = kms.describe_key(KeyId=arn)["KeyMetadata"]
    try:
        status = kms.get_key_rotation_status(KeyId=arn)
    except ClientError as error:
        # A key that KMS cannot rotate: its material changes by hand.
        assert error.response["Error"]["Code"] in ("UnsupportedOperationException", "AccessDeniedException")
        status = None
    return {
        "kms_state": key["KeyState"],
        "origin": key["Origin"],
        "key_spec": key["KeySpec"],
        "multi_region": key["MultiRegion"],
        "deletion_date": time(key.get("DeletionDate")),
        "aliases": sorted(aliases.get(key["KeyId"], [])),
        "rotates": bool(status and status["KeyRotationEnabled"]),
        "rotation_period_days": status and status.get("RotationPeriodInDays"),
        "next_rotation": status and time(status.get("NextRotationDate")),
        "rotated_at": time(last_rotation(kms, arn, key)) if status else None,
    }


def last_rotation(kms, arn, key):
    pages = kms.get_paginator("list_key_rotations").paginate(KeyId=arn)
    dates = [rotation["RotationDate"] for page in pages for rotation in page["Rotations"]]
    return max(dates, default=key["CreationDate"])


def portcullis_says(row, rotated):
    return {name: row[name] for name in ("kms_state", "origin", "key_spec", "multi_region", "rotation_period_days")} | {
        "deletion_date": time(row["deletion_date"]),
        "aliases": sorted(row["aliases"] or []),
        "rotates": row["rotation"] == "automatic",
        "next_rotation": time(row["next_rotation"]),
        "rotated_at": time(row["rotated_at"]) if rotated else None,
    }


def aliases_of(kms):
    found = {}
    for page in kms.get_paginator("list_aliases").paginate():
        for alias in page["Aliases"]:
            if target := alias.get("TargetKeyId"):
                found.setdefault(target, []).append(alias["AliasName"].removeprefix("alias/"))
    return found


def agree(account):
    rows = by_arn(account.keys())
    listed = set()
    for region in REGIONS:
        kms = account.client("kms", region)
        aliases = aliases_of(kms)
        arns = [key["KeyArn"] for page in kms.get_paginator("list_keys").paginate() for key in page["Keys"]]
        listed.update(arns)
        for arn in {arn for arn in rows if f":{region}:" in arn}:
            said = boto3_says(kms, arn, aliases if ":111122223333:" in arn else {})
            assert portcullis_says(rows[arn], said["rotated_at"]) == said, arn
    return rows, listed


def manager(kms, arn):
    """Who manages a key; None where nobody may know."""
    try:
        return kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyManager"]
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        return None


def test_portcullis_and_boto3_agree_on_every_key(account):
    rows, listed = agree(account)
    kms = {region: account.client("kms", region) for region in REGIONS}
    managers = {arn: manager(kms[arn.split(":")[3]], arn) for arn in listed}
    assert {arn for arn, manager in managers.items() if manager == "CUSTOMER"} <= set(rows)
    assert {row["kms_state"] for row in rows.values()} >= {
        "Enabled",
        "Disabled",
        "PendingDeletion",
        "PendingReplicaDeletion",
        "PendingImport",
        "Unavailable",
    }


def test_portcullis_and_the_cli_agree_on_every_key(account):
    rows = by_arn(account.keys())
    rows = {arn: row for arn, row in rows.items() if ":eu-west-1:111122223333:" in arn}
    commands = [["kms", call, "--key-id", arn] for arn in rows for call in ("describe-key", "get-key-rotation-status")]
    answers = iter(account.aws_many([*commands, ["kms", "list-aliases"]]))
    aliases = {}
    for row in rows.values():
        metadata, status = next(answers)["answer"]["KeyMetadata"], next(answers)
        assert metadata["KeyState"] == row["kms_state"]
        assert status.get("answer", {}).get("KeyRotationEnabled", False) == (row["rotation"] == "automatic")
        assert status.get("answer", {}).get("RotationPeriodInDays") == row["rotation_period_days"]
        assert "answer" in status or "UnsupportedOperationException" in status["error"]
        aliases[metadata["KeyId"]] = sorted(f"alias/{alias}" for alias in row["aliases"])
    said = {}
    for alias in next(answers)["answer"]["Aliases"]:
        said.setdefault(alias.get("TargetKeyId"), []).append(alias["AliasName"])
    assert {key: sorted(said.get(key, [])) for key in aliases} == aliases


def test_portcullis_sees_what_boto3_changed(account):
    before = by_arn(account.keys())
    kms = account.client("kms")

    def arn_of(alias):
        return kms.describe_key(KeyId=f"alias/buzz-tutor/{alias}")["KeyMetadata"]["Arn"]

    sessions, messages, exams, spare = (arn_of(alias) for alias in ("sessions-2026", "messages", "exams", "spare"))
    kms.disable_key(KeyId=sessions)
    kms.schedule_key_deletion(KeyId=messages, PendingWindowInDays=8)
    kms.rotate_key_on_demand(KeyId=exams)
    kms.enable_key_rotation(KeyId=spare, RotationPeriodInDays=120)
    kms.update_alias(AliasName="alias/buzz-tutor/exams", TargetKeyId=spare)
    made = kms.create_key(Description="new")["KeyMetadata"]["Arn"]
    after, _ = agree(account)
    changed = {arn for arn in after if after[arn] != before.get(arn)}
    assert changed == {sessions, messages, exams, spare, made}
    assert (after[sessions]["kms_state"], after[messages]["kms_state"]) == ("Disabled", "PendingDeletion")
    assert after[spare]["rotation_period_days"] == 120
    assert "buzz-tutor/exams" in after[spare]["aliases"] and "buzz-tutor/exams" not in after[exams]["aliases"]


def test_a_table_shows_hostile_names_made_visible(account):
    as_json = account.run(BIN, "keys", "--format", "json").stdout
    # Programs get the names as they are, escaped as JSON has it.
    assert "\x1b" not in as_json
    rows = json.loads(as_json)
    hostile = [row for row in rows if row["cek"] and "\x1b" in row["cek"]]
    assert hostile, "the seeded account has a column key with an escape sequence in its name"
    assert any("\x1b" in alias for row in rows for alias in row["aliases"] or [])
    table = account.run(BIN, "keys").stdout
    for line in table.splitlines():
        assert not [c for c in line if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0], repr(line)
    bad = "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
    assert not set(bad) & set(table)
    assert "evil␛[2J" in table
    # One line a row and one for the head: a line break in a name breaks no row.
    assert len(table.splitlines()) == len(rows) + 1
    events = account.run(BIN, "events", "--since", "1h", "--limit", "100").stdout
    assert not set(bad + "\x1b\r") & set(events)
