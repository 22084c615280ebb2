"""Starts the simulated account as a process of its own and hands the judges their clients."""

import json
import os
import re
import shlex
import signal
import subprocess
import threading
from pathlib import Path

import boto3
import pytest

BIN = os.environ["PORTCULLIS_BIN"]
START_SECONDS = 30


class Served:
    """A `simulator serve` process and the environment that points clients at it."""

    def __init__(self, folder: Path, *flags: str):
        self.env_file = folder / "sim.env"
        self.process = subprocess.Popen(
            [BIN, "simulator", "serve", "--env-file", str(self.env_file), *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # The first line says that it is ready; a timer ends the wait if it never comes.
        timer = threading.Timer(START_SECONDS, self.process.kill)
        timer.start()
        first = self.process.stdout.readline()
        timer.cancel()
        assert "ready" in first, first + self.process.stdout.read()
        self.env = dict(_exports(self.env_file.read_text()))

    def client(self, service: str, region: str | None = None):
        return boto3.client(
            service,
            endpoint_url=self.env["AWS_ENDPOINT_URL"],
            region_name=region or self.env["AWS_REGION"],
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
            config=boto3.session.Config(retries={"max_attempts": 8, "mode": "standard"}),
        )

    def run(self, *words: str, state_dir: Path | None = None, check: bool = True, **kwargs):
        """Runs a program (portcullis or the AWS CLI) pointed at this account."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PORTCULLIS_"))}
        env |= self.env
        if state_dir:
            env["PORTCULLIS_STATE_DIR"] = str(state_dir)
        return subprocess.run(list(words), env=env, capture_output=True, text=True, check=check, timeout=120, **kwargs)

    def keys(self, *flags: str):
        return json.loads(self.run(BIN, "keys", "--format", "json", *flags).stdout)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)


def _exports(text: str):
    for line in text.splitlines():
        match = re.fullmatch(r"export (\w+)=(.*)", line)
        if match:
            yield match[1], "".join(shlex.split(match[2]))


@pytest.fixture(scope="session")
def account(tmp_path_factory):
    """The seeded account. Tests that change it put it back or make keys of their own."""
    served = Served(tmp_path_factory.mktemp("account"), "--no-quotas")
    yield served
    served.stop()


@pytest.fixture
def fresh_account(tmp_path):
    """A seeded account for one test alone."""
    served = Served(tmp_path, "--no-quotas")
    yield served
    served.stop()
