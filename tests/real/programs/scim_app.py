"""SCIM 2.0 (scim2-server) with all in memory, a tenant for each first segment of a path; also in pages with cursors.

`python -m tests.real.programs.scim_app` prints its URL and serves `/<tenant>/v2/Users` until it is ended.
"""

from scim2_models import Pagination, ScimProvider
from scim2_server.applications.wsgi import TenantDispatcher, WSGIApplication
from scim2_server.memory import InMemoryStorage
from scim2_server.service import ScimService
from scim2_server.utils import (
    load_default_resource_types,
    load_default_schemas,
    load_default_service_provider_config,
)

from tests.real.programs.serving import serve_wsgi
from tests.real.records import PAGE

if __name__ == "__main__":
    config = load_default_service_provider_config()
    config.pagination = Pagination(cursor=True, index=True, default_page_size=PAGE, max_page_size=2 * PAGE)
    provider = ScimProvider.from_discovery(
        load_default_schemas().values(), load_default_resource_types().values(), config=config
    )
    service = ScimService(provider, secret="of its cursors")
    serve_wsgi(TenantDispatcher(lambda _: WSGIApplication(InMemoryStorage(), provider, service)))
