"""moto as a server: S3, which speaks XML, and DynamoDB, which is asked by POST."""

import hashlib
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from tests.real.process import Site, client, started
from tests.real.records import HUGE, SIZES, records

SIGNED = "AWS4-HMAC-SHA256 Credential=nobody/20200101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
"""moto looks for the name of the service in it, and believes the rest."""
SECRETS = {"AWS_AUTHORIZATION": SIGNED.format("dynamodb")}
"""Environment in which the crawl file of DynamoDB finds what it names."""
TARGET = "DynamoDB_20120810"


@contextmanager
def moto(place: Path) -> Generator[Site]:
    """The collections are buckets and tables of their names."""
    program = Path(sys.executable).with_name("moto_server")
    with started([program, "-H", "127.0.0.1", "-p", "0"], place / "moto.log") as origin:
        with client(origin) as http:
            objects = {name: _load_bucket(http, name) for name in SIZES}
            items = {name: _load_table(http, name) for name in SIZES}
        yield Site(origin, lambda crawl, collection: (items if crawl == "moto-dynamodb" else objects)[collection])


def _load_bucket(http: httpx.Client, bucket: str) -> list[Any]:
    """Objects as a listing shows them."""
    http.put(f"/{bucket}").raise_for_status()
    return [_put(http, bucket, f"{one['id']:04} {one['name']}", one["note"] or "") for one in records(bucket)]


def _put(http: httpx.Client, bucket: str, key: str, text: str) -> dict[str, Any]:
    path, content = f"/{bucket}/{quote(key)}", text.encode()
    http.put(path, content=content).raise_for_status()
    modified = parsedate_to_datetime(http.head(path, headers=_signed("s3")).headers["last-modified"]).astimezone(UTC)
    return {
        "Key": [key],
        "LastModified": [modified.strftime("%Y-%m-%dT%H:%M:%S.000Z")],
        "ETag": [f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'],
        "Size": [str(len(content))],
        "StorageClass": ["STANDARD"],
    }


def _load_table(http: httpx.Client, table: str) -> list[Any]:
    """One partition, so that the order is that of the numbers."""
    schema = {"part": ("S", "HASH"), "id": ("N", "RANGE")}
    _dynamodb(
        http,
        "CreateTable",
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": kind} for n, (kind, _) in schema.items()],
        KeySchema=[{"AttributeName": name, "KeyType": key} for name, (_, key) in schema.items()],
    )
    items = [_item(one) for one in records(table)]
    for start in range(0, len(items), 25):
        writes = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        _dynamodb(http, "BatchWriteItem", RequestItems={table: writes})
    return items


def _item(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "part": {"S": "+/ é"},
        "id": {"N": str(record["id"])},
        "name": {"S": record["name"]},
        "big": {"N": str(HUGE + record["id"])},
        "note": {"NULL": True} if record["note"] is None else {"S": record["note"]},
        "list": {"L": [{"BOOL": True}, {"M": {"é": {"N": str(record["score"])}}}]},
    }


def _dynamodb(http: httpx.Client, action: str, **said: Any) -> None:
    headers = {
        **_signed("dynamodb"),
        "X-Amz-Target": f"{TARGET}.{action}",
        "Content-Type": "application/x-amz-json-1.0",
    }
    http.post("/", headers=headers, json=said).raise_for_status()


def _signed(service: str) -> dict[str, str]:
    return {"Authorization": SIGNED.format(service)}
