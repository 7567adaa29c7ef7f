"""Each preset with its model, the least that a user must add, and what the API behind it refuses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.dialects import business, engines, portals, scholarly, web
from tests.dialects.model import Model

Fields = Mapping[str, Any]
ENVIRONMENT = {"TOKEN": "hunter2", "BASIC": "aHVudGVyMg=="}
BEARER = {"headers": {"Authorization": "Bearer env:TOKEN"}}
BASIC = {"headers": {"Authorization": "Basic env:BASIC"}}
STRANGER = {"headers": {"Authorization": "Bearer env:BASIC"}}
REPOSITORIES = "data.viewer.repositories"
GRAPHQL = {
    "body": {"query": "query($after: String) { viewer { repositories(after: $after) { nodes { id } pageInfo } } }"},
    "documents": f"{REPOSITORIES}.nodes",
    "paginate": {"next": f"{REPOSITORIES}.pageInfo.endCursor", "more": f"{REPOSITORIES}.pageInfo.hasNextPage"},
}
GENERATOR = {"generator": "categorymembers", "gcmtitle": "Category:X", "gcmlimit": 500, "prop": "coordinates"}


@dataclass(frozen=True)
class Case:
    """`adds` is what a crawl file says beside `preset` and `url`; with each of `wrong` on top the API refuses.

    `silence` is the doubt that an API leaves which does not say where the total of an empty list is (no-total).
    """

    model: type[Model]
    adds: Fields = field(default_factory=dict[str, Any])
    wrong: Sequence[Fields] = ()
    silence: str = ""

    def doubts(self, count: int) -> list[str]:
        """What speaks against a crawl of so many documents."""
        return [self.silence] if count == 0 and self.silence else []


def params(**more: Any) -> Fields:
    return {"params": more}


def body(**more: Any) -> Fields:
    return {"body": more}


CASES: Mapping[str, Case] = {
    "airtable": Case(business.Airtable, BEARER, [params(pageSize=101), STRANGER]),
    "arcgis": Case(portals.ArcGis, {}, [params(where="wrong"), {"paginate": {"param": "offset"}}]),
    "arxiv": Case(scholarly.Arxiv, params(search_query="cat:cs.DL"), [params(search_query="wrong")]),
    "atom": Case(web.Atom),
    "biorxiv": Case(scholarly.Biorxiv, {}, [{"paginate": {"param": "cursor"}}], silence="no-total"),
    "bluesky": Case(web.Bluesky, params(actor="bsky.app"), [params(limit=101)]),
    "ckan": Case(portals.Ckan, {}, [{"paginate": {"param": "offset"}}]),
    "couchdb-all-docs": Case(engines.CouchAllDocs, {}, [{"paginate": {"param": "startkey"}}]),
    "couchdb-changes": Case(engines.CouchChanges, {}, [{"paginate": {"start": "7-x"}}]),
    "crossref": Case(scholarly.Crossref, params(mailto="a@b"), [params(rows=1001), {"paginate": {"start": "x"}}]),
    "datacite": Case(scholarly.DataCite, {}, [params(**{"page[size]": 1001}), params(**{"page[cursor]": 2})]),
    "datasette": Case(portals.Datasette, {}, [params(_size=2000), params(_shape="arrays")]),
    "drf": Case(web.Drf),
    "dropbox": Case(
        business.Dropbox, BEARER, [STRANGER, body(cursor="x"), {"paginate": {"then": {"body": {"path": ""}}}}]
    ),
    "dynamodb-scan": Case(engines.DynamoDbScan, body(TableName="t"), [{"headers": {"X-Amz-Target": "x"}}]),
    "elasticsearch-scroll": Case(
        engines.ElasticsearchScroll,
        {},
        [
            params(size=10),
            {"paginate": {"then": {"body": {"size": 10}}}},
            {"paginate": {"then": {"params": {"scroll": "5m"}}}},
        ],
    ),
    "elasticsearch-search-after": Case(
        engines.ElasticsearchSearchAfter,
        body(sort=[{"created": "asc"}, {"id": "asc"}]),
        [body(sort=[{"created": "asc"}])],
    ),
    "europepmc": Case(scholarly.EuropePmc, params(query="x"), [params(pageSize=1001), {"paginate": {"start": "x"}}]),
    "gbif": Case(portals.Gbif, params(taxonKey=1), [{"paginate": {"limit": 301}}]),
    "github": Case(
        web.GitHub,
        BEARER,
        [params(per_page=101), {"headers": {"Accept": "application/json"}}, STRANGER],
    ),
    "github-graphql": Case(web.GitHubGraphql, {**BEARER, **GRAPHQL}, [STRANGER, body(query="{ viewer }")]),
    "gitlab": Case(
        web.GitLab,
        {"headers": {"PRIVATE-TOKEN": "env:TOKEN"}},
        [params(order_by="name"), params(pagination="legacy")],
    ),
    "hn-algolia": Case(portals.HnAlgolia, params(tags="story"), [{"paginate": {"size": 1001}}]),
    "hubspot": Case(business.HubSpot, BEARER, [params(limit=101), STRANGER]),
    "hubspot-search": Case(
        business.HubSpotSearch, {**BEARER, **body(filterGroups=[])}, [body(limit=201), params(limit=1)]
    ),
    "inaturalist": Case(portals.INaturalist, params(taxon_id=1), [params(order="desc"), params(per_page=201)]),
    "internet-archive": Case(scholarly.InternetArchive, params(q="x"), [params(count=50), params(count=5000)]),
    "jira": Case(business.Jira, {**BASIC, **params(jql="project = A")}, [STRANGER]),
    "kubernetes": Case(web.Kubernetes, BEARER, [STRANGER, params(limit=0)]),
    "mastodon": Case(web.Mastodon, {}, [params(limit="x")]),
    "mediawiki": Case(web.MediaWiki, params(**GENERATOR), [params(gcmtitle="lag"), params(gcmlimit=501)]),
    "notion": Case(business.Notion, BEARER, [STRANGER, body(page_size=101), params(start_cursor="x")]),
    "oai-pmh": Case(web.OaiPmh, {}, [params(metadataPrefix="marc")]),
    "odata": Case(portals.OData, {}, [{"headers": {"Prefer": "x"}}]),
    "ogc-features": Case(portals.OgcFeatures, {}, [params(f="html")]),
    "openalex": Case(
        scholarly.OpenAlex, params(api_key="env:TOKEN"), [params(per_page=101), params(api_key="env:BASIC")]
    ),
    "pubmed": Case(scholarly.PubMed, params(term="x"), [params(retmode="xml")]),
    "s3-list": Case(engines.S3List, {}, [params(**{"list-type": 1})]),
    "salesforce": Case(business.Salesforce, {**BEARER, **params(q="SELECT Id FROM Account")}, [STRANGER]),
    "scim": Case(business.Scim, BEARER, [STRANGER, {"paginate": {"start": 0}}]),
    "semantic-scholar-bulk": Case(
        scholarly.SemanticScholarBulk,
        {**params(query="x"), "headers": {"x-api-key": "env:TOKEN"}},
        [{"headers": {"x-api-key": "env:BASIC"}}, params(token="x")],
    ),
    "shopify": Case(
        business.Shopify,
        {"headers": {"X-Shopify-Access-Token": "env:TOKEN"}, "documents": "products"},
        [params(limit=251), {"headers": {"X-Shopify-Access-Token": "env:BASIC"}}],
    ),
    "slack": Case(business.Slack, {**BEARER, **params(channel="C0123456789")}, [STRANGER, params(channel="C0")]),
    "socrata": Case(portals.Socrata, {}, [params(**{"$order": "name"})]),
    "solr": Case(engines.Solr, {}, [params(sort="score desc"), params(start=0)]),
    "stac": Case(portals.Stac, body(collections=["x"]), [params(limit=10), body(limit=0)]),
    "stripe": Case(business.Stripe, BEARER, [params(limit=101), params(starting_after="ch_x")]),
    "wordpress": Case(web.WordPress, {}, [{"paginate": {"size": 101}}]),
    "zendesk": Case(business.Zendesk, {**BASIC, "documents": "tickets"}, [STRANGER, params(**{"page[size]": 101})]),
    "zenodo": Case(scholarly.Zenodo, params(q="x"), [params(size=100)]),
}
