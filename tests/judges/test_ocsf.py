"""What `events --format ocsf` prints, judged by the OCSF models of the Prowler project (py-ocsf-models).

They have Detection Finding (2004) whole. API Activity (6003) they lack: it is put together here from their own base
event and objects, with the attributes that the published class (schema.ocsf.io, 1.5.0) requires.
"""

import json
from typing import Literal, Optional

import pytest
from pydantic import BaseModel, model_validator

from conftest import BIN, run, stranger_env
from py_ocsf_models.events.base_event import BaseEvent
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from py_ocsf_models.objects.cloud import Cloud
from py_ocsf_models.objects.resource_details import ResourceDetails


class Actor(BaseModel):
    """At least one of the attributes that the published object names has to be there."""

    user: Optional[dict] = None
    session: Optional[dict] = None
    invoked_by: Optional[str] = None

    @model_validator(mode="after")
    def names_somebody(self):
        assert self.user or self.session or self.invoked_by
        return self


class Endpoint(BaseModel):
    ip: Optional[str] = None
    name: Optional[str] = None
    svc_name: Optional[str] = None
    interface_uid: Optional[str] = None

    @model_validator(mode="after")
    def names_a_place(self):
        assert self.ip or self.name or self.svc_name or self.interface_uid
        return self


class Service(BaseModel):
    """The models ask for `uid` and `version`; the published object asks for `name` or `uid`."""

    name: str


class Api(BaseModel):
    operation: str
    service: Service
    response: Optional[dict] = None


class ApiActivity(BaseEvent):
    activity_id: Literal[0, 1, 2, 3, 4, 99]
    category_uid: Literal[6]
    class_uid: Literal[6003]
    type_uid: int
    time: int
    api: Api
    actor: Actor
    src_endpoint: Endpoint
    cloud: Cloud
    resources: Optional[list[ResourceDetails]] = None
    status_id: Literal[0, 1, 2, 99]

    @model_validator(mode="after")
    def type_follows_from_class_and_activity(self):
        assert self.type_uid == self.class_uid * 100 + self.activity_id
        return self


KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OPEN = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}


def record(number: int, name: str, **more) -> dict:
    """A CloudTrail record, as trail files hold them."""
    return {
        "eventVersion": "1.11",
        "eventID": f"00000000-0000-4000-8000-{number:012}",
        "eventTime": f"2026-11-23T14:00:{number:02}Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.66",
        "userAgent": "Boto3/1.38",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
        "resources": [{"ARN": KEY, "accountId": "111122223333", "type": "AWS::KMS::Key"}],
        "requestParameters": {"keyId": KEY},
        "userIdentity": {
            "type": "IAMUser",
            "userName": "contractor-dev",
            "arn": "arn:aws:iam::111122223333:user/contractor-dev",
            "accountId": "111122223333",
            "accessKeyId": "AKIAEXAMPLE",
        },
    } | more


RECORDS = [
    record(1, "DisableKey"),
    record(2, "ScheduleKeyDeletion", requestParameters={"keyId": KEY, "pendingWindowInDays": 7}),
    record(3, "PutKeyPolicy", requestParameters={"keyId": KEY, "policy": json.dumps(OPEN)}),
    record(4, "StopLogging", eventSource="cloudtrail.amazonaws.com", resources=None),
    record(5, "Encrypt", readOnly=True, vpcEndpointId="vpce-1", sourceIPAddress="2001:db8::7"),
    record(6, "DeleteKey", eventType="AwsServiceEvent", sourceIPAddress="AWS Internal",
           userIdentity={"accountId": "111122223333", "invokedBy": "AWS Internal"}),
    record(7, "GenerateDataKey", sourceIPAddress="rds.amazonaws.com",
           userIdentity={"type": "AWSService", "invokedBy": "rds.amazonaws.com"}),
    {"eventID": "bare", "eventTime": "2026-11-23T14:00:08Z", "eventName": "SomethingNew"},
] + [record(10 + n, "Decrypt", errorCode="AccessDenied", errorMessage="no", readOnly=True) for n in range(6)]


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """The lines for these records, and for the findings in them."""
    home = {"HOME": str(tmp_path_factory.mktemp("home"))}

    def lines(*words):
        words = [BIN, "events", "--from", "-", "--format", "ocsf", *words]
        done = run(words, stranger_env() | home, input="\n".join(map(json.dumps, RECORDS)))
        return [json.loads(line) for line in done.stdout.splitlines()]

    return {"events": lines(), "findings": lines("--findings")}


def test_each_event_is_an_api_activity(printed):
    assert len(printed["events"]) == len(RECORDS)
    for record in printed["events"]:
        ApiActivity.model_validate(record)


def test_each_finding_is_a_detection_finding(printed):
    assert {finding["finding_info"]["analytic"]["uid"] for finding in printed["findings"]} >= {
        "kms-key-disabled",
        "kms-key-deletion-scheduled",
        "kms-key-policy-public",
        "kms-key-deleted",
        "kms-denied-burst",
        "trail-stopped",
    }
    for record in printed["findings"]:
        finding = DetectionFinding.model_validate(record)
        assert finding.type_uid == 200401
        assert finding.finding_info.uid == finding.metadata.uid
        assert finding.finding_info.analytic.uid.replace("-", "").isalnum()


def test_a_record_without_what_is_required_is_refused(printed):
    """The judges do judge."""
    for kind, judge, field in [("events", ApiActivity, "api"), ("findings", DetectionFinding, "finding_info")]:
        record = dict(printed[kind][0])
        del record[field]
        with pytest.raises(ValueError):
            judge.model_validate(record)
