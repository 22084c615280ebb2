"""Each state of a KMS key against each call: AWS's own answers, as botocore names them."""

import pytest

OK = None
DISABLED = "DisabledException"
STATE = "KMSInvalidStateException"
UNSUPPORTED = "UnsupportedOperationException"

# The developer guide's key state table. Rows: call; columns: state.
STATES = ["Enabled", "Disabled", "PendingDeletion", "PendingImport"]
TABLE = {
    "encrypt": [OK, DISABLED, STATE, STATE],
    "generate_data_key": [OK, DISABLED, STATE, STATE],
    "decrypt": [OK, DISABLED, STATE, STATE],
    "enable_key": [OK, OK, STATE, STATE],
    "disable_key": [OK, OK, STATE, STATE],
    "cancel_key_deletion": [STATE, STATE, OK, STATE],
    "schedule_key_deletion": [OK, OK, STATE, OK],
    "enable_key_rotation": [OK, DISABLED, STATE, UNSUPPORTED],
    "disable_key_rotation": [OK, DISABLED, STATE, UNSUPPORTED],
    "get_key_rotation_status": [OK, OK, OK, OK],
    "list_key_rotations": [OK, OK, OK, OK],
    "rotate_key_on_demand": [OK, DISABLED, STATE, STATE],
    "create_grant": [OK, DISABLED, STATE, STATE],
    "list_grants": [OK, OK, OK, OK],
    "describe_key": [OK, OK, OK, OK],
    "get_key_policy": [OK, OK, OK, OK],
    "put_key_policy": [OK, OK, OK, OK],
    "list_resource_tags": [OK, OK, OK, OK],
    "create_alias": [OK, OK, STATE, OK],
}
EXTRA = {
    "encrypt": {"Plaintext": b"x"},
    "generate_data_key": {"KeySpec": "AES_256"},
    "schedule_key_deletion": {"PendingWindowInDays": 7},
    "create_grant": {"GranteePrincipal": "arn:aws:iam::111122223333:user/oncall-a", "Operations": ["Decrypt"]},
    "get_key_policy": {"PolicyName": "default"},
    "put_key_policy": {"PolicyName": "default"},
}


def key_in(kms, state):
    """A key of its own in this state, and a ciphertext made while it could."""
    if state == "PendingImport":
        return kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"], None
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    if state == "Disabled":
        kms.disable_key(KeyId=key)
    if state == "PendingDeletion":
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == state
    return key, blob


def call(kms, name, key, blob):
    arguments = {"KeyId": key} | EXTRA.get(name, {})
    if name == "decrypt":
        arguments["CiphertextBlob"] = blob
    if name == "put_key_policy":
        arguments["Policy"] = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    if name == "create_alias":
        arguments = {"AliasName": f"alias/judge/{key}", "TargetKeyId": key}
    return getattr(kms, name)(**arguments)


CELLS = [
    (name, state, expected)
    for name, row in TABLE.items()
    for state, expected in zip(STATES, row)
    if not (name == "decrypt" and state == "PendingImport")
]


@pytest.mark.parametrize("name,state,expected", CELLS)
def test_state_by_call(account, name, state, expected):
    kms = account.client("kms")
    key, blob = key_in(kms, state)
    try:
        call(kms, name, key, blob)
        answer = OK
    except kms.exceptions.ClientError as error:
        answer = error.response["Error"]["Code"]
    assert answer == expected


def test_cancelling_a_deletion_leaves_the_key_disabled(account):
    kms = account.client("kms")
    key, _ = key_in(kms, "PendingDeletion")
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"


def test_a_ciphertext_outlives_a_rotation(account):
    kms = account.client("kms")
    key, blob = key_in(kms, "Enabled")
    before = kms.decrypt(CiphertextBlob=blob)
    kms.rotate_key_on_demand(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"
    after = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert before["KeyMaterialId"] != after["KeyMaterialId"]


def test_the_26th_rotation_on_demand_is_refused(account):
    kms = account.client("kms")
    key, _ = key_in(kms, "Enabled")
    for _ in range(25):
        kms.rotate_key_on_demand(KeyId=key)
    with pytest.raises(kms.exceptions.LimitExceededException):
        kms.rotate_key_on_demand(KeyId=key)


@pytest.mark.parametrize(
    "name,arguments,code",
    [
        ("describe_key", {"KeyId": "11111111-2222-3333-4444-555555555555"}, "NotFoundException"),
        ("describe_key", {"KeyId": "alias/nobody"}, "NotFoundException"),
        ("disable_key", {"KeyId": "not-a-key-id"}, "NotFoundException"),
        ("schedule_key_deletion", {"KeyId": "KEY", "PendingWindowInDays": 3}, "ValidationException"),
        ("schedule_key_deletion", {"KeyId": "KEY", "PendingWindowInDays": 31}, "ValidationException"),
        ("enable_key_rotation", {"KeyId": "KEY", "RotationPeriodInDays": 89}, "ValidationException"),
        ("encrypt", {"KeyId": "KEY", "Plaintext": b"x", "DryRun": True}, "DryRunOperationException"),
        ("list_keys", {"Marker": "nonsense"}, "InvalidMarkerException"),
        ("create_alias", {"AliasName": "alias/aws/mine", "TargetKeyId": "KEY"}, "NotAuthorizedException"),
    ],
)
def test_errors_carry_the_codes_of_aws(account, name, arguments, code):
    kms = account.client("kms")
    if "KEY" in arguments.values():
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        arguments = {k: key if v == "KEY" else v for k, v in arguments.items()}
    with pytest.raises(kms.exceptions.ClientError) as refused:
        getattr(kms, name)(**arguments)
    assert refused.value.response["Error"]["Code"] == code
