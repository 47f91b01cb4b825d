"""A worker's HTTP server over a real connection, with rows as the sources keep them.

Every answer that the API gives is held against its own OpenAPI document.
"""

import json

import aiohttp
import jsonschema

from agents.entries import broadcast_rows, scope_rows
from agents.serving.live import LiveBroadcasts, LiveScopes
from agents.serving.metrics import Metrics
from agents.serving.web import HttpServer, Stage
from agents.serving.web.stage import NoOthers
from streams.audience import Row, Rules, encode
from streams.audience.scope import ScopeHead
from streams.audience.scope_codec import encode_scope
from streams.clock import ManualClock
from streams.events import ViewerEvent
from streams.routing import partition_for

MINUTE = 60_000_000
BEGAN = 26_000_000  # 2019-06-08T13:20Z
RULES = Rules(lateness=15, carry=2)
PARTITIONS = 8
OWNED = (0, 1, 2, 3)
#: Of the scopes, the world's among them.
OWNED_SCOPES = (0, 2, 4, 6)


class Table:
    """Who owns which partition, kept by hand: what GroupOwners has from Kafka."""

    def __init__(self):
        self.urls = {}
        self.expired = 0

    async def current(self):
        return dict(self.urls)

    def expire(self):
        self.expired += 1


class Worker:
    """A worker with HTTP, but without Kafka: batches are made durable by hand."""

    def __init__(
        self,
        port=0,
        host="127.0.0.1",
        partitioner="murmur2",
        limits=None,
        owned=OWNED,
        owned_scopes=OWNED_SCOPES,
        owners=None,
        seconds=3.0,
        **options,
    ):
        self.owned, self.owned_scopes = owned, owned_scopes
        self.current = True
        self.unhealthy = None
        self.unready = None
        self.known_partitions = PARTITIONS
        self.live = LiveBroadcasts()
        self.scopes = LiveScopes()
        self.scope_rows = {number: scope_rows() for number in owned_scopes}
        self.rows = {number: broadcast_rows() for number in owned}
        metrics = Metrics(
            self.live,
            self.scopes,
            top=1_000,
            top_scopes=1_000,
            assigned=lambda: len(owned),
            not_ready_reason=self.not_ready_reason,
            clock=ManualClock(BEGAN * 60.0),
        )
        self.exposition = metrics.exposition
        self.closed = []
        broadcasts, scopes = owners or (NoOthers(), NoOthers())
        self.server = HttpServer(
            host,
            port,
            broadcasts=Stage(self.live, self.count, self.is_current, broadcasts),
            scopes=Stage(self.scopes, self.count, self.is_current, scopes),
            exposition=metrics.exposition,
            health=self,
            partitioner=partitioner,
            limits=limits,
            closed=self.closed.append,
            seconds=seconds,
            **options,
        )

    def count(self):
        return self.known_partitions

    def is_current(self):
        return self.current

    def unhealthy_reason(self):
        return self.unhealthy

    def not_ready_reason(self):
        return self.unready

    async def __aenter__(self):
        for number, rows in self.rows.items():
            self.live.restored(number, rows)
        await self.live.indexed()
        for number, rows in self.scope_rows.items():
            self.scopes.restored(number, rows)
        await self.scopes.indexed()
        await self.server.start()
        self.session = aiohttp.ClientSession(auto_decompress=False)
        return self

    async def __aexit__(self, *error):
        await self.session.close()
        await self.server.stop()

    def commit(self, key, row):
        key = key.encode()
        number = partition_for(key, PARTITIONS)
        if number not in self.rows:  # as under another partitioner
            number = self.owned[0]
        self.rows[number].commit({key: row}, {key: encode(row)})
        self.live.committed(number, {key: row})
        return number

    def add_scope(self, name, viewers=None, **figures):
        """A scope's figures, durable at once; where it lies."""
        now = {} if viewers is None else {"viewers_sum": viewers, "contributing": 1, "fresh": 1}
        key, head = name.encode(), ScopeHead(minute=BEGAN, **{"live": 1, **now, **figures})
        number = partition_for(key, PARTITIONS)
        assert number in self.scope_rows, name
        self.scope_rows[number].commit({key: head}, {key: encode_scope(head)})
        self.scopes.committed(number, {key: head})
        return number

    def add(self, key, viewers=None, *, minutes=1, **fields):
        """A broadcast with one event a minute, durable at once."""
        platform, _, broadcast = key.partition(":")
        event = ViewerEvent(platform, broadcast, "", viewers=viewers, **fields)
        events = [(event, at * MINUTE, at * 60_000) for at in range(BEGAN, BEGAN + minutes)]
        row, _ = Row.begin(events, RULES)
        # As the agent has it: what its scopes were told counts and is exported.
        row.contribution = viewers if row.is_live else None
        return self.commit(key, row)

    async def get(self, path, status=200, method="GET", *, whole=False, **headers):
        if path.startswith("/v1/") and not whole and "local=" not in path:
            path += ("&" if "?" in path else "?") + "local=true"
        url = aiohttp.client.URL(self.server.url + path, encoded=True)
        async with self.session.request(method, url, headers=headers) as answer:
            body = await answer.read()
            assert answer.status == status, body
            return answer, body

    async def json(self, path, status=200, operation=None, *, whole=False):
        """A JSON answer that is as the OpenAPI document says; this worker's own but if `whole`."""
        answer, body = await self.get(path, status, whole=whole)
        told = json.loads(body)
        kind = "application/json" if status < 400 else "application/problem+json"
        assert answer.content_type == kind
        _, document = await self.get("/openapi.json")
        check(json.loads(document), operation or path.partition("?")[0], status, kind, told)
        if status >= 400:
            assert told["status"] == status
        return told


def check(document, operation, status, kind, told):
    """Hold an answer against the document."""
    responses = document["paths"].get(operation, {"get": {"responses": {}}})["get"]["responses"]
    if operation in document["paths"]:
        described = responses.get(str(status)) or responses["default"]
        schema = described["content"][kind]["schema"]
    else:
        schema = {"$ref": "#/components/schemas/Problem"}
    jsonschema.Draft202012Validator(
        {**schema, "components": document["components"], "unevaluatedProperties": False},
        format_checker=jsonschema.FormatChecker(),
    ).validate(told)
    properties = set()
    for reference in schema.get("anyOf", [schema]):
        struct = document["components"]["schemas"][reference["$ref"].rpartition("/")[2]]
        properties.update(struct["properties"])
    assert told.keys() <= properties
