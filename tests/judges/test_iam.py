"""The shipped IAM policies: what each role may do, by an evaluator that is not ours and by the simulated account."""

import base64
import hashlib
import hmac
import itertools
import json
import struct
import subprocess
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

HERE = Path(__file__).parent
POLICIES = HERE.parent.parent / "assets" / "iam"
ACCOUNT = "111122223333"
DUTIES = ["emergency-key-admin", "key-recovery-admin", "key-management-admin", "audit"]
ROLES = {
    "emergency-key-admin": "BuzzTutorEmergencyKeyAdmin-production",
    "key-recovery-admin": "BuzzTutorKeyRecoveryAdmin-production",
    "key-management-admin": "BuzzTutorKeyManagementAdmin-production",
    "audit": "BuzzTutorAuditLogger",
}
ANY_CALLER = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        }
    ],
}
# The requirement that portcullis comes from, word for word but for the key's ARN.
ORIGINAL_EMERGENCY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["kms:DisableKey", "kms:ScheduleKeyDeletion", "kms:RevokeGrant", "kms:RetireGrant"],
            "Resource": f"arn:aws:kms:*:{ACCOUNT}:key/*",
            "Condition": {"StringEquals": {"aws:RequestTag/EmergencyAccess": "true"}},
        }
    ],
}
TAGS = [
    {},
    {"Environment": "production"},
    {"Environment": "production", "EmergencyAccess": "true"},
    {"Environment": "production", "EmergencyAccess": "false"},
    {"Environment": "staging", "EmergencyAccess": "true"},
]
NO_GRANT = "0" * 64
# Action, the client's method, what it needs beside the key, condition keys of the request.
KEY_ACTIONS = [
    ("kms:DescribeKey", "describe_key", {}, {}),
    ("kms:GetKeyPolicy", "get_key_policy", {}, {}),
    ("kms:GetKeyRotationStatus", "get_key_rotation_status", {}, {}),
    ("kms:ListGrants", "list_grants", {}, {}),
    ("kms:Encrypt", "encrypt", {"Plaintext": b"x", "DryRun": True}, {}),
    ("kms:GenerateDataKey", "generate_data_key", {"KeySpec": "AES_256"}, {}),
    ("kms:EnableKey", "enable_key", {}, {}),
    ("kms:EnableKeyRotation", "enable_key_rotation", {}, {}),
    ("kms:RotateKeyOnDemand", "rotate_key_on_demand", {}, {}),
    ("kms:DisableKeyRotation", "disable_key_rotation", {}, {}),
    ("kms:TagResource", "tag_resource", {"Tags": [{"TagKey": "Owner", "TagValue": "x"}]}, {}),
    ("kms:RevokeGrant", "revoke_grant", {"GrantId": NO_GRANT}, {}),
    ("kms:PutKeyPolicy", "put_key_policy", {}, {"kms:BypassPolicyLockoutSafetyCheck": "false"}),
    (
        "kms:PutKeyPolicy",
        "put_key_policy",
        {"BypassPolicyLockoutSafetyCheck": True},
        {"kms:BypassPolicyLockoutSafetyCheck": "true"},
    ),
    ("kms:DisableKey", "disable_key", {}, {}),
    (
        "kms:ScheduleKeyDeletion",
        "schedule_key_deletion",
        {"PendingWindowInDays": 7},
        {"kms:ScheduleKeyDeletionPendingWindowInDays": "7"},
    ),
    (
        "kms:ScheduleKeyDeletion",
        "schedule_key_deletion",
        {"PendingWindowInDays": 30},
        {"kms:ScheduleKeyDeletionPendingWindowInDays": "30"},
    ),
    ("kms:CancelKeyDeletion", "cancel_key_deletion", {}, {}),
]


def simulated(simulations):
    """What the independent evaluator says to each: whether it is allowed."""
    done = subprocess.run(
        ["node", str(HERE / "node" / "iam.js")],
        input=json.dumps(simulations),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [answer == "Allowed" for answer in json.loads(done.stdout)]


def simulation(principal, action, resource, context, identity, resource_policy=None, session_policy=None):
    asked = {
        "request": {
            "principal": principal,
            "action": action,
            "resource": {"resource": resource, "accountId": ACCOUNT},
            "contextVariables": context,
        },
        "identityPolicies": [{"name": "its own", "policy": identity}],
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
    }
    if resource_policy:
        asked["resourcePolicy"] = resource_policy
    if session_policy:
        asked["sessionPolicy"] = session_policy
    return asked


def allowed(call, **arguments):
    """Whether the simulated account lets it pass; other refusals come after that."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException")
    return True


def code_at(seed, second):
    """RFC 6238: SHA-1, 30 seconds, 6 digits."""
    digest = hmac.new(base64.b32decode(seed), struct.pack(">Q", int(second) // 30), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


class Account:
    """The served account, a client for each caller, and the policies as it has them."""

    def __init__(self, served):
        self.served = served
        self.platform_with_mfa = self.with_mfa("platform")

    def who(self, name):
        prefix = "PORTCULLIS_SIM_" + name.upper().replace("-", "_")
        return {
            field: self.served.env.get(f"{prefix}_{field}")
            for field in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "MFA_SERIAL", "MFA_SEED")
        }

    def plain(self, name):
        who = self.who(name)
        return {
            "aws_access_key_id": who["ACCESS_KEY_ID"],
            "aws_secret_access_key": who["SECRET_ACCESS_KEY"],
        }

    def with_mfa(self, name):
        """A session of the user's own, opened with a code."""
        who = self.who(name)
        sts = self.served.new_client("sts", **self.plain(name))
        given = sts.get_session_token(
            SerialNumber=who["MFA_SERIAL"], TokenCode=code_at(who["MFA_SEED"], time.time())
        )
        return keys_of(given["Credentials"])

    def session(self, role, mfa, tags, policy=None):
        """A session of a role that trusts anybody."""
        caller = self.platform_with_mfa if mfa else self.plain("platform")
        more = {"Policy": json.dumps(policy)} if policy else {}
        given = self.served.new_client("sts", **caller).assume_role(
            RoleArn=role, RoleSessionName="judge", Tags=tag_list(tags), **more
        )
        return keys_of(given["Credentials"])


def keys_of(credentials):
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


def tag_list(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def role_arn(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def shipped(document, roles=ROLES):
    """A shipped policy, filled in as the simulated account has it."""
    words = {
        "account": ACCOUNT,
        "environment": "production",
        "responder-1": "oncall-a",
        "responder-2": "oncall-b",
        "manager-1": "platform",
        "manager-2": "oncall-a",
        "auditor-1": "auditor",
        "alert-topic": "buzz-tutor-alerts",
        "emergency-role": role_arn(roles["emergency-key-admin"]),
        "recovery-role": role_arn(roles["key-recovery-admin"]),
        "management-role": role_arn(roles["key-management-admin"]),
        "audit-role": role_arn(roles["audit"]),
    }
    text = (POLICIES / document).read_text()
    for word, value in words.items():
        text = text.replace("{{" + word + "}}", value)
    assert "{{" not in text, document
    return json.loads(text)


@pytest.fixture(scope="module")
def iam(account):
    return Account(account)


@pytest.fixture(scope="module")
def judged(iam):
    """Roles with the shipped permissions and a trust in everybody: so that the permissions alone decide."""
    admin = iam.served.client("iam")
    names = {duty: f"judge-{duty}" for duty in DUTIES}
    for duty, name in names.items():
        admin.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ANY_CALLER))
        policy = json.dumps(shipped(f"{duty}.permissions.json"))
        admin.put_role_policy(RoleName=name, PolicyName="shipped", PolicyDocument=policy)
    return names


@pytest.fixture(scope="module")
def keys(iam, judged):
    """Keys by a word: their ARN, their tag and their policy."""
    kms = iam.served.client("kms")
    own = shipped("key-policy.json", judged)
    # Without the statement that hands the decision to IAM: the rest has to suffice.
    own["Statement"] = [s for s in own["Statement"] if s["Sid"] != "IamPoliciesDecide"]
    made = {}
    for word, tag, policy in [
        ("production", "production", None),
        ("staging", "staging", None),
        ("untagged", None, None),
        ("own policy", "production", own),
    ]:
        more = {"Tags": [{"TagKey": "Environment", "TagValue": tag}]} if tag else {}
        if policy:
            more |= {"Policy": json.dumps(policy), "BypassPolicyLockoutSafetyCheck": True}
        arn = kms.create_key(**more)["KeyMetadata"]["Arn"]
        policy = policy or json.loads(kms.get_key_policy(KeyId=arn)["Policy"])
        made[word] = (arn, tag, policy)
    return made


def ask_both(iam, role, permissions, keys, cases, session_policy=None):
    """What both say: {(mfa, tags, key, action and its arguments): (ours, theirs)}."""
    asked, ours, theirs = [], [], []
    for mfa, tags in cases:
        # A session each: boto3's clients are dear.
        session = iam.session(role_arn(role), mfa, tags, session_policy)
        kms = iam.served.new_client("kms", attempts=1, **session)
        principal = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/judge"
        for word, (arn, tag, policy) in keys.items():
            for action, method, arguments, more in KEY_ACTIONS:
                if action == "kms:PutKeyPolicy":
                    arguments = arguments | {"Policy": json.dumps(policy)}
                context = {"aws:MultiFactorAuthPresent": str(mfa).lower(), "aws:PrincipalArn": role_arn(role)}
                context |= more | {f"aws:PrincipalTag/{key}": value for key, value in tags.items()}
                if tag:
                    context["aws:ResourceTag/Environment"] = tag
                if action == "kms:TagResource":
                    context |= {"aws:RequestTag/Owner": "x", "aws:TagKeys": ["Owner"]}
                asked.append((mfa, tuple(tags.items()), word, action, tuple(more.values())))
                ours.append(allowed(getattr(kms, method), KeyId=arn, **arguments))
                theirs.append(
                    simulation(principal, action, arn, context, permissions, policy, session_policy)
                )
    return dict(zip(asked, zip(ours, simulated(theirs), strict=True), strict=True))


@pytest.mark.parametrize("duty", DUTIES)
def test_each_role_may_do_what_the_evaluator_says_and_nothing_else(iam, judged, keys, duty):
    cases = list(itertools.product([False, True], TAGS))
    both = ask_both(iam, judged[duty], shipped(f"{duty}.permissions.json"), keys, cases)
    different = {case: answers for case, answers in both.items() if answers[0] != answers[1]}
    assert not different, "(ours, theirs)"
    # That they agree means something only where each says yes and no at the right places.
    may = {case for case, (ours, _) in both.items() if ours}
    changes = {case for case in may if not case[3].startswith(("kms:Describe", "kms:Get", "kms:List"))}
    assert may and len(may) < len(both)
    if duty == "audit":
        assert not changes
        return
    assert changes and all(mfa for mfa, *_ in changes), "no change without MFA"
    assert {word for _, _, word, *_ in changes} == {"production", "own policy"}, "its own environment's keys alone"
    assert all(dict(tags)["Environment"] == "production" for _, tags, *_ in changes)
    done = {action for *_, action, _ in changes}
    wanted = {
        "emergency-key-admin": {
            "kms:DisableKey",
            "kms:Encrypt",
            "kms:PutKeyPolicy",
            "kms:RevokeGrant",
            "kms:ScheduleKeyDeletion",
        },
        "key-recovery-admin": {"kms:EnableKey", "kms:CancelKeyDeletion", "kms:Encrypt"},
        "key-management-admin": {
            "kms:CancelKeyDeletion",
            "kms:DisableKey",
            "kms:DisableKeyRotation",
            "kms:EnableKey",
            "kms:EnableKeyRotation",
            "kms:Encrypt",
            "kms:PutKeyPolicy",
            "kms:RotateKeyOnDemand",
            "kms:ScheduleKeyDeletion",
        },
    }[duty]
    assert done == wanted
    assert not {case for case in may if case[4] in (("7",), ("true",))}, "deletion in 7 days, lockout check bypassed"
    if duty == "emergency-key-admin":
        assert all(dict(tags).get("EmergencyAccess") == "true" for _, tags, *_ in changes)


@pytest.mark.parametrize("duty", DUTIES)
def test_an_instance_is_started_in_the_recovery_role_alone(iam, judged, duty):
    """By MFA, tags and the instance's own tag."""
    permissions = shipped(f"{duty}.permissions.json")
    described = iam.served.client("rds").describe_db_instances()["DBInstances"]
    tagged = {
        one["DBInstanceIdentifier"]: {tag["Key"]: tag["Value"] for tag in one["TagList"]}.get("Environment")
        for one in described
    }
    assert set(tagged.values()) > {"production"}, "an instance of another environment too"
    asked, ours, theirs = [], [], []
    for mfa, tags in itertools.product([False, True], TAGS):
        rds = iam.served.new_client("rds", attempts=1, **iam.session(role_arn(judged[duty]), mfa, tags))
        for instance, tag in tagged.items():
            context = {"aws:MultiFactorAuthPresent": str(mfa).lower()}
            context |= {f"aws:PrincipalTag/{key}": value for key, value in tags.items()}
            if tag:
                context["aws:ResourceTag/Environment"] = tag
            principal = f"arn:aws:sts::{ACCOUNT}:assumed-role/{judged[duty]}/judge"
            arn = f"arn:aws:rds:eu-west-1:{ACCOUNT}:db:{instance}"
            asked.append((mfa, tuple(tags.items()), instance))
            ours.append(allowed(rds.start_db_instance, DBInstanceIdentifier=instance))
            theirs.append(simulation(principal, "rds:StartDBInstance", arn, context, permissions))
    both = dict(zip(asked, zip(ours, simulated(theirs), strict=True), strict=True))
    assert not {case: answers for case, answers in both.items() if answers[0] != answers[1]}
    may = {case for case, (yes, _) in both.items() if yes}
    if duty == "key-recovery-admin":
        assert {(mfa, dict(tags)["Environment"], tagged[instance]) for mfa, tags, instance in may} == {
            (True, "production", "production")
        }
    else:
        assert not may


def test_a_session_policy_leaves_one_change_to_one_key(iam, judged, keys):
    arn = keys["production"][0]
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["kms:DisableKey", "kms:DescribeKey"], "Resource": arn}],
    }
    both = ask_both(
        iam,
        judged["emergency-key-admin"],
        shipped("emergency-key-admin.permissions.json"),
        keys,
        [(True, TAGS[2])],
        policy,
    )
    assert not {case: answers for case, answers in both.items() if answers[0] != answers[1]}
    may = {(word, action) for (_, _, word, action, _), (ours, _) in both.items() if ours}
    assert may == {("production", "kms:DisableKey"), ("production", "kms:DescribeKey")}


def test_the_emergency_policy_of_the_requirement_denies_everything(iam, keys):
    admin = iam.served.client("iam")
    admin.create_role(RoleName="judge-original", AssumeRolePolicyDocument=json.dumps(ANY_CALLER))
    policy = json.dumps(ORIGINAL_EMERGENCY)
    admin.put_role_policy(RoleName="judge-original", PolicyName="original", PolicyDocument=policy)
    cases = list(itertools.product([False, True], TAGS))
    both = ask_both(iam, "judge-original", ORIGINAL_EMERGENCY, keys, cases)
    tag_resource = {case for case in both if case[3] == "kms:TagResource"}
    assert all(answers == (False, False) for case, answers in both.items()), tag_resource


@pytest.mark.parametrize("duty", DUTIES)
def test_each_role_is_assumed_only_as_its_trust_policy_says(iam, duty):
    role = role_arn(ROLES[duty])
    trust = shipped(f"{duty}.trust.json")
    own = {
        "oncall-a": shipped("responder.permissions.json"),
        "platform": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
        "auditor": shipped("audit.permissions.json"),
    }
    callers = [(name, False, iam.plain(name)) for name in own]
    callers += [("platform", True, iam.platform_with_mfa), ("oncall-a", True, mfa_of_oncall(iam))]
    names = [None, "oncall-a", "platform", "auditor"]
    asked, ours, theirs = [], [], []
    for (name, mfa, credentials), tags, source in itertools.product(callers, TAGS, names):
        sts = iam.served.new_client("sts", attempts=1, **credentials)
        more = {"SourceIdentity": source} if source else {}
        context = {"aws:username": name, "sts:RoleSessionName": "judge"}
        context |= {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        if mfa:
            context |= {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "5"}
        if tags:
            context["aws:TagKeys"] = list(tags)
        if source:
            context["sts:SourceIdentity"] = source
        actions = ["sts:AssumeRole"] + ["sts:TagSession"] * bool(tags) + ["sts:SetSourceIdentity"] * bool(source)
        asked.append((name, mfa, tuple(tags.items()), source, len(actions)))
        ours.append(allowed(sts.assume_role, RoleArn=role, RoleSessionName="judge", Tags=tag_list(tags), **more))
        user = f"arn:aws:iam::{ACCOUNT}:user/{name}"
        theirs += [simulation(user, action, role, context, own[name], trust) for action in actions]
    answers = iter(simulated(theirs))
    theirs = [all([next(answers) for _ in range(case[4])]) for case in asked]
    different = [case for case, a, b in zip(asked, ours, theirs, strict=True) if a != b]
    assert not different
    trusted = [case for case, yes in zip(asked, ours, strict=True) if yes]
    assert trusted and all(name == source for name, _, _, source, _ in trusted), "in their own names"
    if duty != "audit":
        assert all(mfa for _, mfa, *_ in trusted)
        managers = {"platform"} if duty == "key-management-admin" else set()
        assert {name for name, *_ in trusted} == {"oncall-a"} | managers


_oncall = {}


def mfa_of_oncall(iam):
    """One session for all: a code works once."""
    if not _oncall:
        _oncall.update(iam.with_mfa("oncall-a"))
    return _oncall
