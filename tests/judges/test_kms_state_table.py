"""Each state of a KMS key against each call: AWS's own answers, as botocore names them."""

import json

import pytest
from botocore.exceptions import ClientError

OK = None
DISABLED = "DisabledException"
STATE = "KMSInvalidStateException"
UNSUPPORTED = "UnsupportedOperationException"

# "Key states of AWS KMS keys" in the developer guide. Rows: call; columns: state.
STATES = ["Enabled", "Disabled", "PendingDeletion", "PendingImport"]
TABLE = {
    "encrypt": [OK, DISABLED, STATE, STATE],
    "decrypt": [OK, DISABLED, STATE, STATE],
    "re_encrypt": [OK, DISABLED, STATE, STATE],
    "generate_data_key": [OK, DISABLED, STATE, STATE],
    "enable_key": [OK, OK, STATE, STATE],
    "disable_key": [OK, OK, STATE, STATE],
    "cancel_key_deletion": [STATE, STATE, OK, STATE],
    "schedule_key_deletion": [OK, OK, STATE, OK],
    # On an imported key the origin is refused before the state (footnote 6).
    "enable_key_rotation": [OK, DISABLED, STATE, UNSUPPORTED],
    "disable_key_rotation": [OK, DISABLED, STATE, UNSUPPORTED],
    "rotate_key_on_demand": [OK, DISABLED, STATE, UNSUPPORTED],
    "get_key_rotation_status": [OK, OK, OK, UNSUPPORTED],
    "list_key_rotations": [OK, OK, OK, OK],
    "create_grant": [OK, DISABLED, STATE, STATE],
    "list_grants": [OK, OK, OK, OK],
    "revoke_grant": [OK, OK, OK, OK],
    "describe_key": [OK, OK, OK, OK],
    "get_key_policy": [OK, OK, OK, OK],
    "put_key_policy": [OK, OK, OK, OK],
    "list_resource_tags": [OK, OK, OK, OK],
    "get_key_last_usage": [OK, OK, OK, OK],
    "create_alias": [OK, OK, STATE, OK],
    "update_alias": [OK, OK, STATE, OK],
}
# An imported key without its material never made a ciphertext or a grant.
IMPOSSIBLE = {("decrypt", "PendingImport"), ("re_encrypt", "PendingImport"), ("revoke_grant", "PendingImport")}
GRANT = {"GranteePrincipal": "arn:aws:iam::111122223333:user/oncall-a", "Operations": ["Decrypt"]}
EXTRA = {
    "encrypt": {"Plaintext": b"x"},
    "generate_data_key": {"KeySpec": "AES_256"},
    "schedule_key_deletion": {"PendingWindowInDays": 7},
    "create_grant": GRANT,
    "get_key_policy": {"PolicyName": "default"},
    "put_key_policy": {"PolicyName": "default"},
}


def key_in(kms, state):
    """A key of its own in this state."""
    if state == "PendingImport":
        return kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    bring(kms, key, state)
    return key


def bring(kms, key, state):
    if state == "Disabled":
        kms.disable_key(KeyId=key)
    if state == "PendingDeletion":
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == state


def prepared(kms, name, state):
    """A key in this state and the arguments of the call, made while the key could make them."""
    if state == "PendingImport":
        key = key_in(kms, state)
    else:
        key = key_in(kms, "Enabled")
    arguments = {"KeyId": key} | EXTRA.get(name, {})
    match name:
        case "decrypt":
            arguments["CiphertextBlob"] = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
        case "re_encrypt":
            blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
            arguments = {"CiphertextBlob": blob, "DestinationKeyId": key_in(kms, "Enabled")}
        case "revoke_grant":
            arguments["GrantId"] = kms.create_grant(KeyId=key, **GRANT)["GrantId"]
        case "put_key_policy":
            arguments["Policy"] = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
        case "create_alias":
            arguments = {"AliasName": f"alias/judge/{key}", "TargetKeyId": key}
        case "update_alias":
            alias = f"alias/judge/{key}"
            kms.create_alias(AliasName=alias, TargetKeyId=key_in(kms, "Enabled"))
            arguments = {"AliasName": alias, "TargetKeyId": key}
    if state not in ("Enabled", "PendingImport"):
        bring(kms, key, state)
    return key, arguments


CELLS = [
    (name, state, expected)
    for name, row in TABLE.items()
    for state, expected in zip(STATES, row, strict=True)
    if (name, state) not in IMPOSSIBLE
]


@pytest.mark.parametrize("name,state,expected", CELLS)
def test_state_by_call(kms, name, state, expected):
    _, arguments = prepared(kms, name, state)
    assert answer(kms, name, arguments) == expected


def answer(kms, name, arguments):
    try:
        getattr(kms, name)(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return OK


# A primary with a live replica waits for it: the table's "pending replica deletion" is like "pending deletion".
@pytest.mark.parametrize("name,expected", [
    (name, row[2])
    for name, row in TABLE.items()
    # Nobody made a ciphertext while it could.
    if row[2] == STATE and name not in ("decrypt", "re_encrypt")
])
def test_what_waits_for_its_replicas_refuses_the_same(kms, name, expected):
    alias = "alias/buzz-tutor/retired-global"
    key = kms.describe_key(KeyId=alias)["KeyMetadata"]
    assert key["KeyState"] == "PendingReplicaDeletion"
    assert "DeletionDate" not in key
    arguments = {"KeyId": key["KeyId"]} | EXTRA.get(name, {})
    if name in ("create_alias", "update_alias"):
        arguments = {"AliasName": f"alias/judge/{name}", "TargetKeyId": key["KeyId"]}
    if name == "update_alias":
        kms.create_alias(AliasName="alias/judge/update_alias", TargetKeyId=key_in(kms, "Enabled"))
    assert answer(kms, name, arguments) == expected


def test_cancelling_a_deletion_leaves_the_key_disabled(kms):
    key = key_in(kms, "PendingDeletion")
    assert kms.cancel_key_deletion(KeyId=key)["KeyId"].endswith(key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.enable_key(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Enabled"]


def test_rotation_reads_off_while_deletion_is_pending_and_comes_back(kms):
    key = key_in(kms, "Enabled")
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)


def test_a_ciphertext_outlives_a_rotation(kms):
    key = key_in(kms, "Enabled")
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    before = kms.decrypt(CiphertextBlob=blob)
    kms.rotate_key_on_demand(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"
    after = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert before["KeyMaterialId"] != after["KeyMaterialId"]


def test_the_26th_rotation_on_demand_is_refused(account):
    # botocore takes this code for throttling and would try again.
    kms = account.new_client("kms", attempts=1)
    key = key_in(kms, "Enabled")
    for _ in range(25):
        kms.rotate_key_on_demand(KeyId=key)
    assert answer(kms, "rotate_key_on_demand", {"KeyId": key}) == "LimitExceededException"
    rotations = kms.get_paginator("list_key_rotations").paginate(KeyId=key, PaginationConfig={"PageSize": 10})
    kinds = [rotation["RotationType"] for page in rotations for rotation in page["Rotations"]]
    assert kinds == ["ON_DEMAND"] * 25


# It lets a role do everything, and shuts out whoever puts it.
LOCKS_OUT = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:role/BuzzTutorApp-production"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
)


@pytest.mark.parametrize(
    "name,arguments,code",
    [
        ("describe_key", {"KeyId": "11111111-2222-3333-4444-555555555555"}, "NotFoundException"),
        ("describe_key", {"KeyId": "alias/nobody"}, "NotFoundException"),
        ("disable_key", {"KeyId": "not-a-key-id"}, "NotFoundException"),
        ("disable_key", {"KeyId": "arn:aws:kms:eu-west-1:nonsense"}, "InvalidArnException"),
        ("schedule_key_deletion", {"KeyId": "KEY", "PendingWindowInDays": 3}, "ValidationException"),
        ("schedule_key_deletion", {"KeyId": "KEY", "PendingWindowInDays": 31}, "ValidationException"),
        ("encrypt", {"KeyId": "KEY", "Plaintext": b"x", "DryRun": True}, "DryRunOperationException"),
        ("decrypt", {"CiphertextBlob": b"no ciphertext of KMS"}, "InvalidCiphertextException"),
        ("list_keys", {"Marker": "nonsense"}, "InvalidMarkerException"),
        ("create_alias", {"AliasName": "alias/aws/mine", "TargetKeyId": "KEY"}, "NotAuthorizedException"),
        ("create_alias", {"AliasName": "alias/buzz-tutor/spare", "TargetKeyId": "KEY"}, "AlreadyExistsException"),
        ("update_alias", {"AliasName": "alias/nobody", "TargetKeyId": "KEY"}, "NotFoundException"),
        ("put_key_policy", {"KeyId": "KEY", "Policy": "not json"}, "MalformedPolicyDocumentException"),
        ("put_key_policy", {"KeyId": "KEY", "Policy": LOCKS_OUT}, "MalformedPolicyDocumentException"),
        ("enable_key_rotation", {"KeyId": "KEY", "RotationPeriodInDays": 2561}, "ValidationException"),
        ("revoke_grant", {"KeyId": "KEY", "GrantId": "0" * 64}, "NotFoundException"),
    ],
)
def test_errors_carry_the_codes_of_aws(kms, name, arguments, code):
    if "KEY" in arguments.values():
        key = key_in(kms, "Enabled")
        arguments = {k: key if v == "KEY" else v for k, v in arguments.items()}
    assert answer(kms, name, arguments) == code
