"""Kinto, with all in memory, open to everyone.

`python -m tests.real.programs.kinto_app` prints its URL and serves until it is ended.
"""
# pyright: basic
# Kinto comes without types.

import kinto

from tests.real.programs.serving import serve_wsgi
from tests.real.records import PAGE

if __name__ == "__main__":
    serve_wsgi(
        kinto.main(
            {},
            bucket_create_principals="system.Everyone",
            cache_backend="kinto.core.cache.memory",
            paginate_by=str(PAGE),
            permission_backend="kinto.core.permission.memory",
            storage_backend="kinto.core.storage.memory",
            userid_hmac_secret="no secret",
        )
    )
