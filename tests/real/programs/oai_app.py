"""An OAI-PMH repository (oai_repo) over a table: each shelf is a set.

`python -m tests.real.programs.oai_app DATABASE` prints its URL and serves `/oai` until it is ended.
"""
# pyright: basic
# oai_repo's arguments are None where its types say that they are not.

import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import oai_repo
from flask import Flask, Response, request
from lxml import etree

from tests.real.programs.serving import serve_wsgi
from tests.real.records import PAGE

DC = "http://purl.org/dc/elements/1.1/"
OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"


class Archive(oai_repo.DataInterface):
    limit = PAGE

    def __init__(self, database: str, url: str) -> None:
        self._database = database
        self._url = url

    def get_identify(self) -> oai_repo.Identify:
        return oai_repo.Identify(
            repository_name="Things",
            base_url=self._url,
            admin_email=["things@example.org"],
            earliest_datestamp="2020-01-01T00:00:00Z",
            deleted_record="no",
            granularity="YYYY-MM-DDThh:mm:ssZ",
        )

    def is_valid_identifier(self, identifier: str) -> bool:
        return bool(self._rows("select 1 from thing where id = ?", _number(identifier)))

    def get_metadata_formats(self, identifier: str | None = None) -> list[oai_repo.MetadataFormat]:
        schema = "http://www.openarchives.org/OAI/2.0/oai_dc.xsd"
        return [oai_repo.MetadataFormat(metadata_prefix="oai_dc", schema=schema, metadata_namespace=OAI_DC)]

    def get_record_header(self, identifier: str) -> oai_repo.RecordHeader:
        ((shelf,),) = self._rows("select shelf from thing where id = ?", _number(identifier))
        moment = datetime.fromtimestamp(1577836800 + _number(identifier), UTC)
        return oai_repo.RecordHeader(identifier=identifier, datestamp=moment, setspecs=[shelf])

    def get_record_metadata(self, identifier: str, metadataprefix: str) -> Any:
        ((name, big, note),) = self._rows("select name, big, note from thing where id = ?", _number(identifier))
        record = etree.Element(f"{{{OAI_DC}}}dc", nsmap={"oai_dc": OAI_DC, "dc": DC})
        for member, text in [("title", name), ("identifier", str(big)), ("description", note)]:
            if text is not None:
                etree.SubElement(record, f"{{{DC}}}{member}").text = text
        return record

    def get_record_abouts(self, identifier: str) -> list[Any]:
        return []

    def list_set_specs(self, identifier: str | None = None, cursor: int = 0) -> tuple[Any, ...]:
        shelves = [shelf for (shelf,) in self._rows("select distinct shelf from thing order by shelf")]
        return shelves, len(shelves), None

    def get_set(self, setspec: str) -> oai_repo.Set:
        return oai_repo.Set(spec=setspec, name=setspec, description=[])

    def list_identifiers(
        self,
        metadataprefix: str,
        filter_from: datetime | None = None,
        filter_until: datetime | None = None,
        filter_set: str | None = None,
        cursor: int = 0,
    ) -> tuple[Any, ...]:
        found = self._rows("select id from thing where shelf = coalesce(?, shelf) order by id", filter_set)
        return [f"oai:things:{number}" for (number,) in found[cursor : cursor + self.limit]], len(found), None

    def _rows(self, query: str, *values: str | int | None) -> list[Any]:
        with closing(sqlite3.connect(self._database)) as connection:
            return connection.execute(query, values).fetchall()


def _number(identifier: str) -> int:
    return int(identifier.rpartition(":")[2])


def _app(database: str) -> Flask:
    app = Flask(__name__)

    @app.route("/oai")
    def answer() -> Response:
        repository = oai_repo.OAIRepository(Archive(database, request.base_url))
        return Response(bytes(repository.process(request.args.to_dict())), content_type="text/xml; charset=utf-8")

    return app


if __name__ == "__main__":
    serve_wsgi(_app(sys.argv[1]))
