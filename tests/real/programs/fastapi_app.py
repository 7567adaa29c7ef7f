"""FastAPI with fastapi-pagination, over the records themselves.

    /pages/<name>   items, total, page, size, pages          /links/<name>   the same with relative links in the body
    /offset/<name>  items, total, limit, offset              /linked/<name>  links in the Link header

`python -m tests.real.programs.fastapi_app` prints its URL and serves until it is ended.
"""

from typing import Any, cast

from fastapi import FastAPI
from fastapi_pagination import LimitOffsetPage, Page, add_pagination, paginate
from fastapi_pagination.customization import CustomizedPage
from fastapi_pagination.links import Page as LinkedPage
from fastapi_pagination.links import UseHeaderLinks

from tests.real.programs.serving import serve_asgi
from tests.real.records import records

Record = dict[str, Any]
Headed = CustomizedPage[Page[Record], UseHeaderLinks()]
app = FastAPI()


@app.get("/pages/{name}")
async def pages(name: str) -> Page[Record]:
    return cast(Page[Record], paginate(records(name)))


@app.get("/offset/{name}")
async def offset(name: str) -> LimitOffsetPage[Record]:
    return cast(LimitOffsetPage[Record], paginate(records(name)))


@app.get("/links/{name}")
async def links(name: str) -> LinkedPage[Record]:
    return cast(LinkedPage[Record], paginate(records(name)))


@app.get("/linked/{name}")
async def linked(name: str) -> Headed:
    return cast(Headed, paginate(records(name)))


add_pagination(app)

if __name__ == "__main__":
    serve_asgi(app)
