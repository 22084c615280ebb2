"""Starts the simulated account as a process of its own and hands the judges their clients."""

import functools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import pytest

BIN = os.environ["PORTCULLIS_BIN"]
AWS = str(Path(sys.executable).with_name("aws"))
START_SECONDS = 60
RUN_SECONDS = 120


class Process:
    """A server of ours, ready once a line of its output holds `ready`; ended with SIGINT."""

    def __init__(self, words: list[str], ready: str, env: dict[str, str] | None = None):
        self.process = subprocess.Popen(
            words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        # A timer ends the wait if the line never comes.
        timer = threading.Timer(START_SECONDS, self.process.kill)
        timer.start()
        said = []
        for line in self.process.stdout:
            said.append(line)
            if found := re.search(ready, line):
                self.found = found
                break
        timer.cancel()
        if self.process.poll() is not None or not said or not re.search(ready, said[-1]):
            self.process.kill()
            raise RuntimeError(f"{words[0]} did not get ready:\n{''.join(said)}")
        # Whatever it says later must not fill the pipe and stop it.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class Served:
    """A `simulator serve` process and the environment that points clients at it."""

    def __init__(self, folder: Path, *flags: str):
        self.folder = folder
        env_file = folder / "sim.env"
        words = [BIN, "simulator", "serve", "--env-file", str(env_file), *flags]
        self.process = Process(words, "^ready", env=stranger_env())
        self.env = dict(_exports(env_file.read_text()))
        self.client = functools.cache(self.new_client)

    def new_client(self, service: str, region: str | None = None, attempts: int = 8, **credentials: str):
        """boto3, at this account. `attempts` 1 tries only once."""
        given = {
            "aws_access_key_id": self.env["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.env["AWS_SECRET_ACCESS_KEY"],
        } | credentials
        return boto3.client(
            service,
            endpoint_url=self.env["AWS_ENDPOINT_URL"],
            region_name=region or self.env["AWS_REGION"],
            config=boto3.session.Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
            **given,
        )

    def run(self, *words: str, check: bool = True, **more: str):
        """Runs a program (portcullis or the AWS CLI) pointed at this account."""
        home = {"XDG_STATE_HOME": str(self.folder / "state"), "XDG_CONFIG_HOME": str(self.folder / "config")}
        return run(list(words), stranger_env() | home | self.env | more, check)

    def aws(self, *words: str):
        """What the AWS CLI says, read as JSON."""
        return json.loads(self.run(AWS, *words, "--output", "json").stdout)

    def aws_many(self, commands: list[list[str]]):
        """What the AWS CLI says to each: `{"answer": …}` or `{"error": …}`. One process, to save its start."""
        script = str(Path(__file__).with_name("aws_many.py"))
        done = run([sys.executable, script], stranger_env() | self.env, input=json.dumps(commands))
        return json.loads(done.stdout)

    def keys(self, *flags: str):
        """The rows of `portcullis keys`."""
        return json.loads(self.run(BIN, "keys", "--format", "json", *flags).stdout)

    def stop(self):
        self.process.stop()


def run(words: list[str], env: dict[str, str], check: bool = True, input: str | None = None):
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=RUN_SECONDS, input=input)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def stranger_env() -> dict[str, str]:
    """This process' environment without anything that could lead to a real account or somebody's settings."""
    ours = ("AWS_", "PORTCULLIS_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_PAGER": ""}
    return env | nowhere


def until(seconds: float, ask):
    """Asks again until the answer is true, for so long at most; the answer."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.05)  # Nothing announces it; the deadline bounds the asking.
    return answer


def _exports(text: str):
    for line in text.splitlines():
        match = re.fullmatch(r"export (\w+)=(.*)", line)
        if match:
            yield match[1], "".join(shlex.split(match[2]))


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """The seeded account, events delivered at once, for one file of tests, which make the keys they change."""
    served = Served(tmp_path_factory.mktemp("account"), "--no-quotas", "--trail-delay", "0")
    yield served
    served.stop()


@pytest.fixture
def fresh_account(tmp_path):
    """A seeded account for one test alone."""
    served = Served(tmp_path, "--no-quotas")
    yield served
    served.stop()


@pytest.fixture
def kms(account):
    return account.client("kms")
