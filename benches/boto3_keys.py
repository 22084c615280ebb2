"""What somebody without portcullis would write: every key and every column key, one request after the other.

The same reads as `portcullis keys`: KMS in each Region (ListAliases, ListKeys, then seven reads a key), RDS, and
the Always Encrypted catalog of every database; joined by key path and printed as JSON. Points where the
environment of `portcullis simulator serve --env-file` points it.
"""

import json
import os
import sys

import boto3
import pymssql
from botocore.exceptions import ClientError

REGIONS = ["eu-west-1", "us-east-1"]
CATALOG = {
    "master_keys": "SELECT column_master_key_id, name, key_store_provider_name, key_path, create_date, modify_date "
    "FROM sys.column_master_keys ORDER BY column_master_key_id",
    "column_keys": "SELECT column_encryption_key_id, name, create_date, modify_date "
    "FROM sys.column_encryption_keys ORDER BY column_encryption_key_id",
    "values": "SELECT column_encryption_key_id, column_master_key_id, encryption_algorithm_name, encrypted_value "
    "FROM sys.column_encryption_key_values ORDER BY column_encryption_key_id, column_master_key_id",
    "columns": "SELECT s.name, t.name, c.name, c.column_encryption_key_id, c.encryption_type FROM sys.columns AS c "
    "JOIN sys.tables AS t ON t.object_id = c.object_id JOIN sys.schemas AS s ON s.schema_id = t.schema_id "
    "WHERE c.column_encryption_key_id IS NOT NULL ORDER BY s.name, t.name, c.column_id",
}


def asked(call, **words):
    """The answer, or why there is none."""
    try:
        return call(**words)
    except ClientError as refused:
        return {"refused": refused.response["Error"]["Code"]}


def pages(kms, operation, field, **words):
    try:
        return [item for page in kms.get_paginator(operation).paginate(**words) for item in page[field]]
    except ClientError as refused:
        return {"refused": refused.response["Error"]["Code"]}


def keys(region):
    # With boto3's own patience a throttled script would simply fail.
    patient = boto3.session.Config(retries={"mode": "standard", "total_max_attempts": 10})
    kms = boto3.client("kms", region_name=region, config=patient)
    aliases = pages(kms, "list_aliases", "Aliases")
    for listed in pages(kms, "list_keys", "Keys"):
        key = {"KeyId": listed["KeyArn"]}
        yield listed["KeyArn"], {
            "key": asked(kms.describe_key, **key),
            "aliases": [a["AliasName"] for a in aliases if a.get("TargetKeyId") == listed["KeyId"]],
            "tags": pages(kms, "list_resource_tags", "Tags", **key),
            "rotation": asked(kms.get_key_rotation_status, **key),
            "rotations": pages(kms, "list_key_rotations", "Rotations", **key),
            "grants": pages(kms, "list_grants", "Grants", **key),
            "policy": asked(kms.get_key_policy, **key),
            "last_use": asked(kms.get_key_last_usage, **key),
        }


def catalog(name, address):
    host, port = address.rsplit(":", 1)
    with pymssql.connect(
        server=host,
        port=port,
        user=os.environ["PORTCULLIS_SIM_SQL_USER"],
        password=os.environ["PORTCULLIS_SIM_SQL_PASSWORD"],
        encryption="require",
        tds_version="7.4",
        autocommit=True,
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT name, database_id, state_desc, HAS_DBACCESS(name) FROM sys.databases ORDER BY name")
        databases = [row[0] for row in cursor.fetchall() if row[1] > 4 and row[2] == "ONLINE" and row[3] == 1]
        for database in databases:
            cursor.execute(f"USE [{database.replace(']', ']]')}]")
            found = {"server": name, "database": database}
            for what, statement in CATALOG.items():
                cursor.execute(statement)
                found[what] = cursor.fetchall()
            yield found


def pairs(keys, catalogs):
    for found in catalogs:
        masters = {row[0]: row for row in found["master_keys"]}
        names = {row[0]: row[1] for row in found["column_keys"]}
        for column_key, master_key, algorithm, value in found["values"]:
            master = masters.get(master_key)
            yield {
                "server": found["server"],
                "database": found["database"],
                "column_key": names.get(column_key),
                "master_key": master and master[1],
                "key_path": master and master[3],
                "algorithm": algorithm,
                "value_bytes": len(value),
                "columns": [row[:3] for row in found["columns"] if row[3] == column_key],
                "kms": keys.get(master and master[3]),
            }


def main():
    found = {arn: key for region in REGIONS for arn, key in keys(region)}
    for region in REGIONS:
        asked(boto3.client("rds", region_name=region).describe_db_instances)
    servers = [pair.split("=", 1) for pair in os.environ["PORTCULLIS_SIM_SQL_SERVERS"].split(",")]
    catalogs = [database for server in servers for database in catalog(*server)]
    json.dump(list(pairs(found, catalogs)), sys.stdout, default=str)


if __name__ == "__main__":
    main()
