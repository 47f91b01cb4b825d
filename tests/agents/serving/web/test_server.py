"""The HTTP server as others see it: over a real connection, with rows as the source keeps them."""

import asyncio
import base64
import gzip
import json
import re
from urllib.parse import quote

import aiohttp
import jsonschema
import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser
from web_worker import BEGAN, MINUTE, OWNED, PARTITIONS, RULES, Worker

from agents.serving.web import HttpError
from streams.audience import Row, Tombstone, encode
from streams.events import ViewerEvent
from streams.routing import partition_for

FIGURES = [
    *("platform", "broadcast", "run", "venue", "programme", "title", "status"),
    *("started_at", "ended_at", "peak", "peak_at", "peak_held", "waiting_peak", "first_minute"),
    *("first_audience", "first_audience_at"),
    *("viewer_minutes", "minutes_observed", "minutes_carried", "minutes_live"),
    *("coverage", "average", "joins", "views", "events", "late"),
    *("viewers", "peak_5m", "peak_1h", "fresh", "newest_at", "partition"),
]


@pytest.fixture
async def worker():
    async with Worker() as running:
        running.add_scope("world", 5)
        yield running


ONE = "/v1/broadcasts/{platform}/{broadcast}"
SCOPE = "/v1/scopes/{scope}/{name}"


# -- broadcasts ------------------------------------------------------------------------------------


async def test_gives_all_figures_of_a_broadcast_in_the_contract_s_forms(worker):
    partition = worker.add(
        "fliggy:louvre-1",
        380_000,
        minutes=3,
        venue="louvre",
        programme="night",
        title="Night “at” the <Louvre>",
        joins=5,
        views=9,
    )
    told = await worker.json("/v1/broadcasts/fliggy/louvre-1", operation=ONE)
    assert list(told) == FIGURES
    assert told == {
        "platform": "fliggy",
        "broadcast": "louvre-1",
        "run": None,
        "venue": "louvre",
        "programme": "night",
        "title": "Night “at” the <Louvre>",
        "status": "live",
        "started_at": "2019-06-08T13:20:00Z",
        "ended_at": None,
        "peak": 380_000,
        "peak_at": "2019-06-08T13:20:00Z",
        "peak_held": 380_000,
        "waiting_peak": None,
        "first_minute": 380_000,
        "first_audience": 380_000,
        "first_audience_at": "2019-06-08T13:20:00Z",
        "viewer_minutes": 1_140_000,
        "minutes_observed": 3,
        "minutes_carried": 0,
        "minutes_live": 3,
        "coverage": 1,
        "average": 380_000,
        "joins": 15,
        "views": 9,
        "events": 3,
        "late": 0,
        "viewers": 380_000,
        "peak_5m": 380_000,
        "peak_1h": 380_000,
        "fresh": True,
        "newest_at": "2019-06-08T13:22:00Z",
        "partition": partition,
    }


async def test_what_is_unknown_is_null_and_what_ended_says_so(worker):
    worker.add("kick:quiet", kind="ended")
    told = await worker.json("/v1/broadcasts/kick/quiet", operation=ONE)
    assert told["status"] == "ended"
    assert told["ended_at"] == "2019-06-08T13:20:00Z"
    assert told["venue"] == "unknown"
    assert [name for name in FIGURES if told[name] is None] == [
        *("run", "programme", "title", "peak", "peak_at", "peak_held", "waiting_peak"),
        *("first_minute", "first_audience", "first_audience_at", "average", "views"),
        *("viewers", "peak_5m", "peak_1h"),
    ]


@pytest.mark.parametrize(
    "broadcast",
    [
        *("a/b", "a:b:c", "/", "a//b/", "..", "a/../b", "100%", "%2F", "{}"),
        *("qu\u00e8?#&+ =;", "\u535a\u7269\u9986", "\U0001f41d"),
    ],
)
async def test_a_broadcast_is_found_whatever_its_name(worker, broadcast):
    worker.add(f"kick:{broadcast}", 5)
    path = f"/v1/broadcasts/kick/{quote(broadcast, safe='')}"
    assert (await worker.json(path, operation=ONE))["broadcast"] == broadcast


async def test_slash_and_colon_may_stand_as_they_are(worker):
    worker.add("kick:2020/03:1", 5)
    assert await worker.json("/v1/broadcasts/kick/2020/03:1", operation=ONE)


async def test_a_404_says_whether_another_worker_has_it(worker):
    here = next(f"n{i}" for i in range(99) if partition_for(f"kick:n{i}".encode(), PARTITIONS) < 4)
    there = next(f"n{i}" for i in range(99) if partition_for(f"kick:n{i}".encode(), PARTITIONS) > 3)

    told = await worker.json(f"/v1/broadcasts/kick/{here}", 404, operation=ONE)
    assert told["partitions"] == list(OWNED)
    assert told["partition"] in OWNED
    assert "nothing is known" in told["detail"]

    told = await worker.json(f"/v1/broadcasts/kick/{there}", 404, operation=ONE)
    assert told["partitions"] == list(OWNED)
    assert told["partition"] == partition_for(f"kick:{there}".encode(), PARTITIONS)
    assert "another worker has it" in told["detail"]

    worker.known_partitions = None
    told = await worker.json(f"/v1/broadcasts/kick/{there}", 404, operation=ONE)
    assert "partition" not in told
    assert "another worker may have it" in told["detail"]


async def test_a_404_under_any_partitioner_promises_nothing():
    async with Worker(partitioner="any") as worker:
        told = await worker.json("/v1/broadcasts/kick/n", 404, operation=ONE)
        assert "another worker may have it" in told["detail"]


async def test_a_final_broadcast_is_found_but_not_listed(worker):
    worker.add("kick:b", 5, kind="started", venue="louvre")
    row = worker.live.find(b"kick:b").row
    row.final, row.contribution, row.run = True, None, BEGAN
    worker.commit("kick:b", row)
    assert await names(worker) == []
    told = await worker.json("/v1/broadcasts/kick/b", operation=ONE)
    assert (told["status"], told["run"]) == ("final", "2019-06-08T13:20:00Z")
    assert (told["viewers"], told["peak"]) == (5, 5)


async def test_where_a_row_is_gone_the_404_says_where_its_summary_is(worker):
    partition = worker.add("kick:b", 5)
    worker.commit("kick:b", Tombstone(last_minute=BEGAN, expires=1))
    told = await worker.json("/v1/broadcasts/kick/b", 404, operation=ONE)
    assert told["partition"] == partition
    assert "broadcast-summaries" in told["detail"]


async def test_dots_may_be_encoded_so_that_clients_leave_them_alone(worker):
    worker.add("kick:..", 5)
    assert await worker.json("/v1/broadcasts/kick/%2E%2E", operation=ONE)


async def test_bytes_that_are_no_text_name_no_broadcast(worker):
    answer, _ = await worker.get("/v1/broadcasts/kick/%FF%FE", 404)
    assert answer.content_type == "application/problem+json"


# -- pages -----------------------------------------------------------------------------------------


async def names(worker, query=""):
    told = await worker.json(f"/v1/broadcasts{query}")
    return [one["broadcast"] for one in told["broadcasts"]]


async def test_lists_the_largest_first_and_unknown_last(worker):
    for name, viewers in {"b": 20, "a": 20, "c": 30, "none": None, "zero": 0}.items():
        worker.add(f"kick:{name}", viewers)
    told = await worker.json("/v1/broadcasts")
    assert [one["broadcast"] for one in told["broadcasts"]] == ["c", "a", "b", "none", "zero"]
    assert told["next"] is None
    assert told["partitions"] == list(OWNED)
    assert list(told["broadcasts"][0]) == FIGURES


async def test_pages_follow_one_another_without_a_gap(worker):
    for number in range(23):
        worker.add(f"kick:{number:02}", number // 4)
    everything = await names(worker, "?limit=1000")
    assert len(everything) == 23
    seen, cursor = [], ""
    while cursor is not None:
        told = await worker.json(f"/v1/broadcasts?limit=5{cursor and '&cursor=' + cursor}")
        seen += [one["broadcast"] for one in told["broadcasts"]]
        assert len(told["broadcasts"]) == min(5, 23 - (len(seen) - len(told["broadcasts"])))
        cursor = told["next"]
    assert seen == everything


async def test_a_page_that_ends_with_the_last_has_no_next(worker):
    for number in range(4):
        worker.add(f"kick:{number}", number)
    told = await worker.json("/v1/broadcasts?limit=4")
    assert len(told["broadcasts"]) == 4
    assert told["next"] is None


async def test_filters_by_platform_venue_and_status(worker):
    worker.add("kick:a", 5, venue="louvre")
    worker.add("kick:b", 4, venue="orsay", kind="ended")
    worker.add("kick-2:c", 3, venue="louvre")
    worker.add("ivs:d", 2)
    assert await names(worker, "?platform=kick") == ["a", "b"]
    assert await names(worker, "?venue=louvre") == ["a", "c"]
    assert await names(worker, "?venue=unknown") == ["d"]
    assert await names(worker, "?status=live") == ["a", "c", "d"]
    assert await names(worker, "?status=ended") == ["b"]
    assert await names(worker, "?platform=kick&venue=louvre&status=ended") == []
    told = await worker.json("/v1/broadcasts?venue=louvre&limit=1")
    assert await names(worker, f"?venue=louvre&cursor={told['next']}") == ["c"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("limit=-1", "limit"),
        ("limit=%D9%A3", "limit"),
        ("platform=Kick", "platform"),
        ("venue=a%0Ab", "venue"),
        ("status=final", "status"),
        ("cursor=%21", "cursor"),
        ("cursor=" + base64.urlsafe_b64encode(b"many:kick:a").decode(), "cursor"),
        ("cursor=" + base64.urlsafe_b64encode(b"5").decode(), "cursor"),
        ("cursor=a", "cursor"),
        ("sort=peak", "sort"),
        ("limit=1&limit=2", "limit"),
    ],
)
async def test_a_wrong_parameter_is_named(worker, query, named):
    told = await worker.json(f"/v1/broadcasts?{query}", 400)
    assert told["detail"].startswith(f"{named}: ")


async def test_a_list_over_more_than_one_chunk_is_right(worker):
    rows = worker.rows[0]
    row = Row.new(ViewerEvent("kick", "b", "", viewers=1), BEGAN * MINUTE, 0, RULES)
    keys = [b"kick:%05d" % number for number in range(5_000)]
    rows.commit(dict.fromkeys(keys, row), dict.fromkeys(keys, encode(row)))
    worker.live.committed(0, dict.fromkeys(keys, row))
    worker.add("kick:large", 2)
    assert await names(worker, "?limit=3") == ["large", "00000", "00001"]


# -- health ----------------------------------------------------------------------------------------


async def test_health_says_what_is_missing(worker):
    assert await worker.json("/healthz") == {"status": "ok"}
    assert await worker.json("/readyz") == {"status": "ok"}
    worker.unready = "partitions of viewer-events not at work yet: {3: 'restoring'}"
    worker.unhealthy = "the loop has stood still for 60 s"
    assert (await worker.json("/readyz", 503))["detail"] == worker.unready
    assert (await worker.json("/healthz", 503))["detail"] == worker.unhealthy


# -- metrics ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("openmetrics", [False, True])
async def test_metrics_come_in_the_format_that_was_asked_for(worker, openmetrics, compressed):
    for number in range(900):
        worker.add(f"kick:{number}", number)
    answer, body = await worker.get(
        "/metrics",
        Accept="application/openmetrics-text;version=1.0.0" if openmetrics else "text/plain",
        **{"Accept-Encoding": "gzip" if compressed else "identity"},
    )
    if compressed:
        assert answer.headers["Content-Encoding"] == "gzip"
        body = gzip.decompress(body)
    assert answer.headers["Content-Type"] == (
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
        if openmetrics
        else "text/plain; version=0.0.4; charset=utf-8"
    )
    reader = openmetrics_parser if openmetrics else parser
    families = {f.name: f for f in reader.text_string_to_metric_families(body.decode())}
    assert len(families["audience_viewers"].samples) == 900
    assert families["audience_exported_broadcasts"].samples
    assert "process_cpu_seconds" in families
    assert "python_gc_collections" in families


async def test_a_scrape_that_fails_half_way_is_cut_off(worker, monkeypatch, logged):
    async def half(*, openmetrics):
        yield b"audience_viewers 1\n"
        raise RuntimeError(openmetrics)

    monkeypatch.setattr(worker.exposition, "chunks", half)
    with pytest.raises(aiohttp.ClientError):
        await worker.get("/metrics")
    [entry] = logged
    assert "internal error in a scrape" in entry["event"]
    assert "RuntimeError" in entry["exception"]


async def test_a_scrape_that_fails_at_once_is_a_500_that_tells_no_secrets(
    worker, monkeypatch, logged
):
    async def none(*, openmetrics):
        raise RuntimeError("secret", openmetrics)
        yield

    monkeypatch.setattr(worker.exposition, "chunks", none)
    told = await worker.json("/metrics", 500)
    assert "secret" not in json.dumps(told)
    [entry] = logged
    assert "secret" in entry["exception"]  # the log has all of it


async def test_a_scraper_that_goes_away_harms_nothing(worker):
    for number in range(900):
        worker.add(f"kick:{number}", number)
    port = int(worker.server.url.rpartition(":")[2])
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
        writer.transport.abort()
    await asyncio.sleep(0.1)
    await worker.get("/metrics")


# -- all paths -------------------------------------------------------------------------------------

PATHS = [
    *(
        "/",
        "/api",
        "/metrics",
        "/healthz",
        "/readyz",
        "/v1/broadcasts",
        "/v1/scopes",
        "/v1/scopes/world",
    ),
    "/openapi.json",
]


@pytest.mark.parametrize("path", [*PATHS, "/nowhere", "/v1/broadcasts/kick/none"])
async def test_every_answer_tells_browsers_to_be_careful(worker, path):
    answer, _ = await worker.get(path, 404 if path not in PATHS else 200)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    # The board's page is asked for each time, but need not come again.
    assert answer.headers["Cache-Control"] == ("no-cache" if path == "/" else "no-store")
    assert answer.headers["Server"] == "live-audience"


@pytest.mark.parametrize("path", PATHS)
async def test_head_is_get_without_a_body(worker, path):
    got, body = await worker.get(path)
    head, nothing = await worker.get(path, method="HEAD")
    assert body
    assert not nothing
    assert head.headers["Content-Type"] == got.headers["Content-Type"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", PATHS)
async def test_everything_is_read_only(worker, path, method):
    answer, body = await worker.get(path, 405, method=method)
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Allow"] == "GET,HEAD"
    assert "read-only" in json.loads(body)["detail"]


@pytest.mark.parametrize("path", ["/nowhere", "/v1", "/v1/broadcasts/kick", "/table/x", "//"])
async def test_what_there_is_not_is_a_404(worker, path):
    assert "no such path" in (await worker.json(path, 404))["detail"]


async def test_the_list_of_paths_is_whole_and_links_to_all(worker):
    answer, body = await worker.get("/api")
    page = body.decode()
    assert answer.content_type == "text/html"
    assert '<html lang="en">' in page
    linked = re.findall(r'href="([^"]+)"', page)
    assert len(set(linked)) == len(linked)
    assert {"/api", *linked} == {*PATHS, "/v1/live", "/v1/scopes/world/minutes"}
    assert "/v1/broadcasts/{platform}/{broadcast}" in page
    assert "/v1/scopes/{scope}/{name}" in page
    assert "http" not in page.replace("http-equiv", "")  # nothing from elsewhere


async def test_the_openapi_document_describes_every_path(worker):
    _, body = await worker.get("/openapi.json")
    document = json.loads(body)
    assert document["openapi"].startswith("3.1.")
    more = {f"{path}/minutes" for path in (ONE, SCOPE, "/v1/scopes/world")} | {"/v1/live"}
    assert set(document["paths"]) == {*PATHS, ONE, SCOPE, "/board/{file}"} | more
    identifiers = [path["get"]["operationId"] for path in document["paths"].values()]
    assert len(set(identifiers)) == len(identifiers)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for path, item in document["paths"].items():
        within = {p["name"] for p in item["get"].get("parameters", ()) if p["in"] == "path"}
        assert within == set(re.findall(r"{(\w+)}", path))


# -- the server itself -----------------------------------------------------------------------------


async def test_a_port_in_use_names_the_setting(worker):
    port = int(worker.server.url.rpartition(":")[2])
    with pytest.raises(HttpError, match=f"AUDIENCE_HTTP_PORT={port}: the port is in use"):
        await Worker(port=port).__aenter__()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_a_wrong_host_names_the_setting(host):
    with pytest.raises(HttpError, match=f"AUDIENCE_HTTP_HOST={host}"):
        await Worker(host=host).__aenter__()


async def test_stopping_frees_the_port_and_may_be_repeated():
    async with Worker() as worker:
        port = int(worker.server.url.rpartition(":")[2])
    await worker.server.stop()
    async with Worker(port=port) as again:
        await again.json("/healthz")


# -- an exposition in parts ------------------------------------------------------------------------


async def test_a_part_of_a_scrape_that_is_empty_is_not_its_end(worker, monkeypatch):
    """Where what is written of broadcasts fills its chunks exactly, its last one has nothing."""

    async def chunks(*, openmetrics):
        del openmetrics
        for chunk in (b"a 1\n", b"", b"b 2\n"):
            yield chunk

    monkeypatch.setattr(worker.exposition, "chunks", chunks)
    for encoding in ("identity", "gzip"):
        _, body = await worker.get("/metrics", **{"Accept-Encoding": encoding})
        assert (gzip.decompress(body) if encoding == "gzip" else body) == b"a 1\nb 2\n"
