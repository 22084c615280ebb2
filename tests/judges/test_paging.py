"""More keys, aliases and grants than a page holds: as boto3's own paginators list them, and as portcullis does."""

import json

import pytest

from conftest import BIN, Served, run
from test_aws_clients import GRANTEE, once, pages
from test_moto import house  # noqa: F401 (a fixture)

MANY = 1200


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    served = Served(tmp_path_factory.mktemp("company"), "--no-quotas", "--keys", str(MANY), "--pairs", "2400")
    yield served
    served.stop()


def listed(rows):
    """Every key that these rows show, and its aliases; key paths that lead to none are left out."""
    return {row["key_arn"]: sorted(row["aliases"]) for row in rows if row["kms_state"]}


def boto3_lists(kms):
    """The same, by boto3's paginators. AWS's own keys wrap no column keys, and no row shows them."""
    keys = once(key["KeyArn"] for page in kms.get_paginator("list_keys").paginate() for key in page["Keys"])
    aliases = [a for page in kms.get_paginator("list_aliases").paginate() for a in page["Aliases"]]
    names = {}
    for alias in aliases:
        if "TargetKeyId" in alias and not alias["AliasName"].startswith("alias/aws/"):
            names.setdefault(alias["TargetKeyId"], []).append(alias["AliasName"].removeprefix("alias/"))
    return {arn: sorted(names.get(arn.rsplit("/", 1)[1], [])) for arn in keys}


def test_every_key_and_alias_of_many_pages(company):
    kms = company.client("kms")
    target = pages(kms, "list_keys", "Keys", 1000)[0]["KeyId"]
    for n in range(MANY):
        kms.create_alias(AliasName=f"alias/one-of-many/{n:04}", TargetKeyId=target)
    theirs = boto3_lists(kms)
    assert len(theirs) == MANY
    assert max(len(names) for names in theirs.values()) > MANY
    rows = company.keys()
    assert listed(rows) == theirs
    assert sum(row["kind"] == "pair" for row in rows) == 2400


def test_every_grant_of_many_pages(company):
    # That portcullis reads each of 1,200 grants is shown where its reads are (src/cloud): no row lists them.
    kms = company.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    words = {"KeyId": key, "GranteePrincipal": GRANTEE, "Operations": ["Decrypt"]}
    made = sorted(kms.create_grant(Name=f"g{n}", **words)["GrantId"] for n in range(MANY))
    by_page = kms.get_paginator("list_grants").paginate(KeyId=key)
    assert once(grant["GrantId"] for page in by_page for grant in page["Grants"]) == made
    for size in (37, 100):
        assert once(g["GrantId"] for g in pages(kms, "list_grants", "Grants", size, KeyId=key)) == made


def test_a_kms_that_ignores_paging_gives_the_same(house):  # noqa: F811
    kms = house.client("kms")
    for n in range(250):
        key = kms.create_key(KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]
        kms.create_alias(AliasName=f"alias/unpaged/{n:03}", TargetKeyId=key["KeyId"])
    rows = json.loads(run([BIN, "keys", "--format", "json"], house.env).stdout)
    theirs = boto3_lists(kms)
    assert len(theirs) >= 250
    assert listed(rows) == theirs
