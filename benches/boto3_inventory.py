"""What somebody would write with boto3 to read every KMS key of a Region: `boto3_inventory.py THREADS SAMPLE MODE`.

The calls are those that portcullis makes for its table: ListKeys, ListAliases, DescribeKey, and for each key its
tags and, where its kind can rotate, its rotation status and rotations. SAMPLE keys, or all of them for 0. MODE is
`standard`, boto3's usual three tries, or `adaptive`, which slows down when it is throttled and here tries until it has
its answer. Prints the seconds to all states, to the whole table, and how many calls were given up.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.exceptions import ClientError

THREADS, SAMPLE, MODE = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
RETRIES = {"standard": {"mode": "standard"}, "adaptive": {"mode": "adaptive", "total_max_attempts": 100}}
CONFIG = boto3.session.Config(retries=RETRIES[MODE], max_pool_connections=THREADS)
kms = boto3.client("kms", config=CONFIG)
given_up = 0


def asked(call, **words):
    global given_up
    try:
        return call(**words)
    except ClientError as refused:
        if refused.response["Error"]["Code"] == "ThrottlingException":
            given_up += 1
        return None


def facts(key):
    words = {"KeyId": key["Arn"]}
    answers = [asked(kms.list_resource_tags, **words)]
    if key["KeySpec"] == "SYMMETRIC_DEFAULT" and key["Origin"] in ("AWS_KMS", "EXTERNAL"):
        answers.append(asked(kms.get_key_rotation_status, **words))
        answers.append(asked(kms.list_key_rotations, IncludeKeyMaterial="ALL_KEY_MATERIAL", **words))
    return answers


def all_of(work, items):
    if THREADS == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, items))


begun = time.monotonic()
keys = [key["KeyArn"] for page in kms.get_paginator("list_keys").paginate() for key in page["Keys"]]
listed = time.monotonic() - begun
keys = keys[: SAMPLE or None]
begun = time.monotonic()
answers = all_of(lambda arn: asked(kms.describe_key, KeyId=arn), keys)
states = time.monotonic() - begun
if not SAMPLE:
    states += listed
    aliases = [alias for page in kms.get_paginator("list_aliases").paginate() for alias in page["Aliases"]]
all_of(facts, [answer["KeyMetadata"] for answer in answers if answer])
print(states, time.monotonic() - begun + (0 if SAMPLE else listed), given_up)
