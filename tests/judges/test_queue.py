"""A queue fed by EventBridge: boto3 judges the simulator's, and moto's queue judges our client."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

import boto3
import pytest
from botocore.exceptions import ClientError

from conftest import BIN, Process, Served, run, stranger_env, until

QUEUE = "portcullis-events"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "eu-west-1"}
SETTINGS = """
[environments.moto]
regions = ["eu-west-1"]
endpoint = "{endpoint}"
trail = {{ queue = "{queue}" }}
"""


@pytest.fixture(scope="module")
def late_account(tmp_path_factory):
    """An account whose events CloudTrail delivers after an hour, so that only the queue can have brought them."""
    served = Served(tmp_path_factory.mktemp("late"), "--no-quotas", "--trail-delay", "3600")
    yield served
    served.stop()


def code(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def test_an_event_is_in_the_queue_within_seconds_and_of_eventbridges_shape(late_account):
    sqs, kms = late_account.client("sqs"), late_account.client("kms")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    key = kms.create_key()["KeyMetadata"]
    kms.disable_key(KeyId=key["KeyId"])
    begun, found, seen = time.monotonic(), None, []
    while not found and time.monotonic() < begun + 20:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5, MessageSystemAttributeNames=["All"]
        )
        for message in answer.get("Messages", []):
            event = json.loads(message["Body"])
            seen.append(message)
            if event["detail"]["eventName"] == "DisableKey":
                found = event
    assert found and time.monotonic() - begun < 10
    assert (found["detail-type"], found["source"]) == ("AWS API Call via CloudTrail", "aws.kms")
    assert (found["account"], found["region"]) == (found["detail"]["recipientAccountId"], "eu-west-1")
    assert found["detail"]["resources"][0]["ARN"] == key["Arn"]
    assert all(message["Attributes"]["ApproximateReceiveCount"] == "1" for message in seen)
    entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(seen[:10])]
    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    assert len(deleted["Successful"]) == len(entries) and not deleted.get("Failed")


def test_refusals_carry_both_names(late_account):
    sqs = late_account.client("sqs")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.receive_message(QueueUrl=url + "-gone")
    assert code(sqs.get_queue_url, QueueName="gone") == "AWS.SimpleQueueService.NonExistentQueue"
    assert code(sqs.delete_message, QueueUrl=url, ReceiptHandle="x") == "ReceiptHandleIsInvalid"
    assert code(sqs.delete_message_batch, QueueUrl=url, Entries=[]) == "AWS.SimpleQueueService.EmptyBatchRequest"


def test_a_long_poll_waits_and_no_longer_than_asked(late_account):
    sqs = late_account.client("sqs")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    until(20, lambda: not sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"))
    begun = time.monotonic()
    sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2, MaxNumberOfMessages=1)
    assert time.monotonic() - begun < 4


class Console:
    """`portcullis watch` in a terminal of its own."""

    def __init__(self, env: dict[str, str]):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(BIN, [BIN, "watch"], env | {"TERM": "xterm-256color"})
        self.rows, self.said, self.ended = 45, "", False
        self.redraw()

    def redraw(self):
        """Another size has all of the screen drawn anew, and not what differs alone."""
        self.rows ^= 1
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, 160, 0, 0))

    def listen(self):
        if select.select([self.terminal], [], [], 0.1)[0]:
            try:
                self.said += os.read(self.terminal, 1 << 16).decode(errors="replace")
            except OSError:  # Nobody is at the other end any more.
                self.ended = True

    def shows(self, pattern: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        look = 0.0
        while not re.search(pattern, self.said) and time.monotonic() < deadline and not self.ended:
            if time.monotonic() > look:
                self.redraw()
                look = time.monotonic() + 1
            self.listen()
        return bool(re.search(pattern, self.said))

    def press(self, keys: str):
        os.write(self.terminal, keys.encode())

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while not self.ended and time.monotonic() < deadline:
            self.listen()
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


def test_the_console_shows_what_only_the_queue_can_have_brought(late_account, tmp_path):
    kms = late_account.client("kms")
    key = kms.create_key(Description="watched")["KeyMetadata"]
    console = Console(stranger_env() | late_account.env | {"XDG_STATE_HOME": str(tmp_path)})
    try:
        assert console.shows("READ-ONLY", 30)
        console.press("2/name:UpdateKey\r")
        kms.update_key_description(KeyId=key["KeyId"], Description="seen at once")
        assert console.shows("platform.*UpdateKeyDesc", 30), console.said[-3000:]
    finally:
        console.stop()


def test_motos_queue_is_emptied_its_events_shown_and_its_poison_counted(tmp_path):
    """moto has no LookupEvents: all there is comes from the queue, and the console goes on without the trail."""
    moto = Process([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"], r"Running on (http://127\.0\.0\.1:\d+)")
    try:
        endpoint = moto.found[1]
        sqs = boto3.client(
            "sqs", endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        url = sqs.create_queue(QueueName="portcullis")["QueueUrl"]
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        for n in range(25):
            name = "DisableKeyRotation" if n == 0 else "Decrypt"
            detail = {
                "eventID": f"00000000-0000-4000-8000-{n:012}", "eventTime": when, "eventName": name,
                "eventSource": "kms.amazonaws.com", "awsRegion": "eu-west-1", "readOnly": n > 0,
                "userIdentity": {"type": "IAMUser", "userName": "moto-judge"},
            }
            envelope = {"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.kms", "detail": detail}
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(envelope))
        sqs.send_message(QueueUrl=url, MessageBody="poison")
        settings = tmp_path / "settings.toml"
        settings.write_text(SETTINGS.format(endpoint=endpoint, queue=url))
        env = stranger_env() | CREDENTIALS
        env |= {"PORTCULLIS_CONFIG": str(settings), "PORTCULLIS_ENVIRONMENT": "moto", "XDG_STATE_HOME": str(tmp_path)}
        assert run([BIN, "config", "check"], env).returncode == 0

        def counts():
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            return [int(told[name]) for name in names]

        console = Console(env)
        try:
            assert console.shows("READ-ONLY", 30), console.said[-3000:]
            console.press("2")
            assert console.shows("DisableKeyRotation", 30), console.said[-3000:]
            assert console.shows("moto-judge", 5)
            console.press("5")
            assert console.shows("queue portcullis", 10) and console.shows("records not understood", 10)
            assert until(30, lambda: counts() == [0, 0]), counts()
        finally:
            console.stop()
    finally:
        moto.stop()
