"""boto3 and the AWS CLI read the same account: paging, agreement, errors, events, quotas."""

import collections
import concurrent.futures
import datetime
import json
import time

import pytest
from botocore.exceptions import ClientError

from conftest import AWS, Served, until

ROLE = "arn:aws:iam::111122223333:role/"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:buzz-tutor-alerts"
GRANTEE = "arn:aws:iam::111122223333:user/oncall-a"


def pages(client, operation, field, size, **arguments):
    """Every item, by botocore's own paginator, with pages of this size."""
    found = client.get_paginator(operation).paginate(**arguments, PaginationConfig={"PageSize": size})
    return [item for page in found for item in page[field]]


def code(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def once(items):
    items = list(items)
    assert not [item for item, count in collections.Counter(items).items() if count > 1]
    return sorted(items)


def test_every_key_and_alias_comes_once_whatever_the_page_size(fresh_account):
    kms = fresh_account.client("kms")
    keys = once(key["KeyArn"] for key in pages(kms, "list_keys", "Keys", 1000))
    assert len(keys) >= 12
    for size in (1, 3):
        assert once(key["KeyArn"] for key in pages(kms, "list_keys", "Keys", size)) == keys
    aliases = once(alias["AliasName"] for alias in pages(kms, "list_aliases", "Aliases", 100))
    assert once(alias["AliasName"] for alias in pages(kms, "list_aliases", "Aliases", 2)) == aliases
    by_cli = fresh_account.aws("kms", "list-keys", "--page-size", "4", "--query", "Keys[].KeyArn")
    assert once(by_cli) == keys
    by_cli = fresh_account.aws("kms", "list-aliases", "--page-size", "5", "--query", "Aliases[].AliasName")
    assert once(by_cli) == aliases


def test_grants_and_tags_come_once(kms):
    tags = [{"TagKey": f"tag-{n}", "TagValue": str(n)} for n in range(5)]
    key = kms.create_key(Tags=tags)["KeyMetadata"]["KeyId"]
    made = [
        kms.create_grant(KeyId=key, GranteePrincipal=GRANTEE, Operations=["Decrypt"], Name=f"g{n}")["GrantId"]
        for n in range(7)
    ]
    assert once(grant["GrantId"] for grant in pages(kms, "list_grants", "Grants", 2, KeyId=key)) == sorted(made)
    kms.revoke_grant(KeyId=key, GrantId=made[0])
    assert once(grant["GrantId"] for grant in pages(kms, "list_grants", "Grants", 3, KeyId=key)) == sorted(made[1:])
    assert sorted(pages(kms, "list_resource_tags", "Tags", 2, KeyId=key), key=lambda tag: tag["TagKey"]) == tags


def test_the_cli_describes_each_key_as_boto3_does(fresh_account):
    kms = fresh_account.client("kms")
    keys = [key["KeyId"] for key in pages(kms, "list_keys", "Keys", 100)]

    def both(key):
        try:
            metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException"
            return None
        return fresh_account.aws("kms", "describe-key", "--key-id", key)["KeyMetadata"], metadata

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for by_cli, by_boto3 in filter(None, pool.map(both, keys[:8])):
            # The CLI prints times as seconds, boto3 reads them to dates.
            seconds = {k: v.timestamp() for k, v in by_boto3.items() if isinstance(v, datetime.datetime)}
            assert by_cli == by_boto3 | {name: pytest.approx(at) for name, at in seconds.items()}


def test_the_cli_tells_a_refusal_by_its_code(account):
    key = account.client("kms").describe_key(KeyId="alias/buzz-tutor/legacy")["KeyMetadata"]
    assert key["KeyState"] == "PendingDeletion"
    refused = account.run(AWS, "kms", "enable-key", "--key-id", key["KeyId"], check=False)
    assert refused.returncode == 255
    assert f"(KMSInvalidStateException) when calling the EnableKey operation: {key['Arn']} is pending deletion." in (
        refused.stderr
    )


def test_a_call_becomes_an_event_of_the_true_shape(account):
    kms, trail = account.client("kms"), account.client("cloudtrail")
    key = kms.create_key()["KeyMetadata"]
    kms.disable_key(KeyId=key["KeyId"])
    with pytest.raises(kms.exceptions.DisabledException):
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    by_key = [{"AttributeKey": "ResourceName", "AttributeValue": key["Arn"]}]

    def seen():
        found = pages(trail, "lookup_events", "Events", 2, LookupAttributes=by_key)
        events = {event["EventName"]: event for event in found}
        return events if {"CreateKey", "DisableKey", "Encrypt"} <= set(events) else None

    events = until(20, seen)
    assert events, "the events of this key were not delivered"
    disabled = events["DisableKey"]
    record = json.loads(disabled["CloudTrailEvent"])
    assert disabled["EventId"] == record["eventID"]
    assert (disabled["ReadOnly"], disabled["EventSource"]) == ("false", "kms.amazonaws.com")
    assert disabled["AccessKeyId"] == account.env["AWS_ACCESS_KEY_ID"]
    assert record["requestParameters"] == {"keyId": key["KeyId"]}
    assert record["responseElements"] == {"keyId": key["Arn"]}
    assert [resource["ARN"] for resource in record["resources"]] == [key["Arn"]]
    assert record["userIdentity"]["userName"] == "platform"
    assert "Boto3" in record["userAgent"]
    refused = json.loads(events["Encrypt"]["CloudTrailEvent"])
    assert (refused["errorCode"], refused["eventName"]) == ("DisabledException", "Encrypt")


def test_three_weeks_of_events_page_newest_first_each_once(account):
    trail = account.client("cloudtrail")
    # An end keeps what happens meanwhile out of it.
    end = time.time() - 3600
    writes = [{"AttributeKey": "ReadOnly", "AttributeValue": "false"}]
    of_a_day = pages(trail, "lookup_events", "Events", 50, StartTime=end - 86_400, EndTime=end)
    of_all_weeks = pages(trail, "lookup_events", "Events", 50, LookupAttributes=writes, EndTime=end)
    assert len(of_a_day) > 100
    assert of_all_weeks[-1]["EventTime"].timestamp() < end - 14 * 86_400
    for events in (of_a_day, of_all_weeks):
        once(event["EventId"] for event in events)
        times = [event["EventTime"] for event in events]
        assert times == sorted(times, reverse=True)
    by_sevens = pages(trail, "lookup_events", "Events", 7, LookupAttributes=writes, EndTime=end)
    assert [event["EventId"] for event in by_sevens] == [event["EventId"] for event in of_all_weeks]


def test_lookup_takes_one_attribute(account):
    two = [
        {"AttributeKey": "EventName", "AttributeValue": "DisableKey"},
        {"AttributeKey": "ReadOnly", "AttributeValue": "false"},
    ]
    trail = account.client("cloudtrail")
    assert code(trail.lookup_events, LookupAttributes=two) == "InvalidLookupAttributesException"


def test_lookups_are_throttled_at_two_a_second(tmp_path):
    served = Served(tmp_path)
    try:
        trail = served.new_client("cloudtrail", attempts=1)

        def lookup(_):
            try:
                trail.lookup_events(MaxResults=1)
            except ClientError as error:
                return error.response
            return None

        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lookup, range(12)))
        seconds = time.monotonic() - started
        refused = [answer for answer in answers if answer]
        assert len(answers) - len(refused) <= 2 + 2 * seconds
        assert refused, f"12 lookups in {seconds:.1f} s, none refused"
        for answer in refused:
            assert answer["Error"]["Code"] == "ThrottlingException"
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
        # botocore's own retries get through.
        patient = served.new_client("cloudtrail", attempts=8)
        assert all(patient.lookup_events(MaxResults=1)["Events"] for _ in range(4))
    finally:
        served.stop()


def test_an_alert_can_be_published(account):
    sns = account.client("sns")
    assert TOPIC in [topic["TopicArn"] for topic in pages(sns, "list_topics", "Topics", None)]
    sent = [sns.publish(TopicArn=TOPIC, Subject="Gate", Message=f"dropped {n}")["MessageId"] for n in range(2)]
    assert sent[0] != sent[1]
    assert code(sns.publish, TopicArn=TOPIC + "-nobody", Message="x") == "NotFound"
    assert code(sns.publish, TopicArn=TOPIC, Message="") == "InvalidParameter"


def test_databases_name_the_key_of_their_storage(account):
    rds, kms = account.client("rds"), account.client("kms")
    instances = pages(rds, "describe_db_instances", "DBInstances", 20)
    assert {"buzz-prod-1", "buzz-staging-1"} <= {instance["DBInstanceIdentifier"] for instance in instances}
    for instance in instances:
        assert kms.describe_key(KeyId=instance["KmsKeyId"])["KeyMetadata"]["Arn"] == instance["KmsKeyId"]
    assert code(rds.describe_db_instances, DBInstanceIdentifier="nobody") == "DBInstanceNotFound"


def test_sts_knows_its_callers_and_refuses_strangers(account):
    identity = account.client("sts").get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == ("111122223333", "arn:aws:iam::111122223333:user/platform")
    assert account.aws("sts", "get-caller-identity")["UserId"] == identity["UserId"]
    forged = {"aws_secret_access_key": "not the secret"}
    stranger = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"}
    assert code(account.new_client("sts", **forged).get_caller_identity) == "SignatureDoesNotMatch"
    assert code(account.new_client("kms", **forged).list_keys) == "InvalidSignatureException"
    assert code(account.new_client("sts", **stranger).get_caller_identity) == "InvalidClientTokenId"
    assert code(account.new_client("kms", **stranger).list_keys) == "UnrecognizedClientException"


def assumed(account, sts, role, **more):
    given = sts.assume_role(RoleArn=ROLE + role, RoleSessionName="INC-2026-0142", **more)["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }


def test_roles_ask_for_a_device_of_the_callers_own(account):
    sts = account.client("sts")
    manager = {"RoleArn": ROLE + "BuzzTutorKeyManagementAdmin-production", "RoleSessionName": "INC-2026-0142"}
    tags = {"Tags": [{"Key": "Environment", "Value": "production"}], "SourceIdentity": "platform"}
    assert code(sts.assume_role, **manager, **tags) == "AccessDenied", "no MFA"
    team = account.new_client("sts", **assumed(account, sts, "BuzzTutorSecurityTeam"))
    arn = team.get_caller_identity()["Arn"]
    assert arn == "arn:aws:sts::111122223333:assumed-role/BuzzTutorSecurityTeam/INC-2026-0142"
    device = {"SerialNumber": "arn:aws:iam::111122223333:mfa/oncall-a", "TokenCode": "000000"}
    assert code(team.assume_role, **manager, **tags, **device) == "AccessDenied", "somebody else's device"


def test_a_session_may_do_no_more_than_its_role(account):
    sts, kms = account.client("sts"), account.client("kms")
    logger = code(sts.assume_role, RoleArn=ROLE + "BuzzTutorAuditLogger", RoleSessionName="judge")
    assert logger == "AccessDenied"
    theirs = account.new_client("kms", **assumed(account, sts, "BuzzTutorDevOps"))
    production = kms.describe_key(KeyId="alias/buzz-tutor/spare")["KeyMetadata"]["KeyId"]
    assert theirs.describe_key(KeyId=production)["KeyMetadata"]["KeyId"] == production
    assert code(theirs.disable_key, KeyId=production) == "AccessDeniedException"
    assert kms.describe_key(KeyId=production)["KeyMetadata"]["Enabled"]
