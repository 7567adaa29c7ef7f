"""Django: REST framework in its three ways to page, JSON:API, and GraphQL connections, all over one table.

    /page/<shelf>/  /limit/<shelf>/  /cursor/<shelf>/  /jsonapi/<shelf>/  /graphql/

`python -m tests.real.programs.django_app DATABASE` prints its URL and serves until it is ended.
"""
# pyright: basic, reportAttributeAccessIssue=false
# Django's classes are made while it runs, and come without types.

import sys
from collections.abc import Iterable
from typing import Any

import django
import strawberry
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import path
from strawberry import relay
from strawberry.django.views import GraphQLView
from strawberry.scalars import JSON

from tests.real.programs.serving import serve_wsgi
from tests.real.records import PAGE

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
    INSTALLED_APPS=["django.contrib.contenttypes", "rest_framework", "rest_framework_json_api"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
    ROOT_URLCONF=__name__,
)
django.setup()

from django.db import models  # noqa: E402 — these want the settings above
from rest_framework import generics, pagination, renderers, serializers  # noqa: E402
from rest_framework_json_api.pagination import JsonApiPageNumberPagination  # noqa: E402
from rest_framework_json_api.renderers import JSONRenderer as JsonApiRenderer  # noqa: E402

CAP = 50
"""The most that is given at once, whatever is asked for."""


class Thing(models.Model):
    id = models.IntegerField(primary_key=True)
    name = models.TextField()
    big = models.BigIntegerField()
    score = models.FloatField()
    note = models.TextField(null=True)
    shelf = models.TextField()
    nested = models.JSONField()

    class Meta:
        app_label = "things"
        db_table = "thing"
        managed = False


class ThingSerializer(serializers.ModelSerializer):
    class Meta:
        model = Thing
        fields = ("id", "name", "big", "score", "note", "shelf", "nested")


class Pages(pagination.PageNumberPagination):
    page_size = PAGE
    page_size_query_param = "page_size"
    max_page_size = CAP


class Limits(pagination.LimitOffsetPagination):
    default_limit = PAGE
    max_limit = CAP


class Cursors(pagination.CursorPagination):
    page_size = PAGE
    page_size_query_param = "page_size"
    max_page_size = CAP
    ordering = "id"


class JsonApiPages(JsonApiPageNumberPagination):
    page_size = PAGE
    max_page_size = CAP


def _view(paged_by: type, rendered_by: type = renderers.JSONRenderer) -> Any:
    class Things(generics.ListAPIView):
        serializer_class = ThingSerializer
        pagination_class = paged_by
        renderer_classes = (rendered_by,)
        resource_name = "things"

        def get_queryset(self) -> Any:
            return Thing.objects.filter(shelf=self.kwargs["shelf"]).order_by("id")

    return Things.as_view()


@strawberry.type(name="Thing")
class Node(relay.Node):
    number: relay.NodeID[int]
    name: str
    score: float
    note: str | None
    nested: JSON


@strawberry.type
class Query:
    @relay.connection(relay.ListConnection[Node])
    def things(self, shelf: str) -> Iterable[Node]:
        for thing in Thing.objects.filter(shelf=shelf).order_by("id"):
            yield Node(number=thing.id, name=thing.name, score=thing.score, note=thing.note, nested=thing.nested)


urlpatterns = [
    path("page/<shelf>/", _view(Pages)),
    path("limit/<shelf>/", _view(Limits)),
    path("cursor/<shelf>/", _view(Cursors)),
    path("jsonapi/<shelf>/", _view(JsonApiPages, JsonApiRenderer)),
    path("graphql/", GraphQLView.as_view(schema=strawberry.Schema(query=Query))),
]

if __name__ == "__main__":
    serve_wsgi(get_wsgi_application())
