"""`replay` and `summaries` on a real Apache Kafka."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner
from kafka_tools import admin_client, alter_topic, consume_all, produce_all

import agents
from agents.cli import main
from agents.cli.refused import Refused
from agents.topics.admin import create_topics
from streams.events import read
from streams.routing import partition_for
from streams.settings import Settings
from streams.summaries import BroadcastSummary, ScopeSummary, encode
from streams.topics import Topics

pytestmark = pytest.mark.kafka

START = datetime(2020, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def settings(brokers, topic_prefix):
    return Settings(brokers=brokers, topic_prefix=topic_prefix, partitions=3)


@pytest.fixture(autouse=True)
def topics(settings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDIENCE_BROKERS", settings.brokers[0])
    monkeypatch.setenv("AUDIENCE_TOPIC_PREFIX", settings.topic_prefix)
    monkeypatch.setattr("agents.logs.configure", lambda settings: None)
    asyncio.run(create_topics(settings))
    return Topics.of(settings)


def call(*arguments):
    return CliRunner().invoke(main, arguments)


def event(broadcast, seconds, **fields):
    at = (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    return {"platform": "fliggy", "broadcast": str(broadcast), "at": at, **fields}


def write(tmp_path, lines):
    path = tmp_path / "events.jsonl"
    path.write_bytes(
        b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    )
    return str(path)


@pytest.fixture
def started():
    """Start the command as a process; it is ended with the test."""
    root = str(Path(agents.__file__).parent.parent)
    with contextlib.ExitStack() as stack:

        def start(*arguments, stdin=subprocess.PIPE):
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", "from agents.cli import main; main()", *arguments],
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env={**os.environ, "PYTHONPATH": root},
                )
            )
            stack.callback(process.kill)
            return process

        yield start


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def there(settings, topic):
    return asyncio.run(consume_all(settings.brokers[0], topic.name))


class TestFile:
    def test_each_line_is_there_as_it_was_by_key_and_in_order(self, settings, topics, tmp_path):
        lines = [event(number % 50, number, viewers=number) for number in range(5_000)]
        result = call("replay", write(tmp_path, lines))
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("sent 5,000 records in ")
        records = there(settings, topics.events)
        assert sorted(record.value for record in records) == sorted(
            json.dumps(line).encode() for line in lines
        )
        for number in range(50):
            own = [record for record in records if record.key == f"fliggy:{number}".encode()]
            assert [json.loads(record.value)["viewers"] for record in own] == list(
                range(number, 5_000, 50)
            )
        now = time.time() * 1000
        assert all(now - 60_000 < record.timestamp <= now for record in records)

    @pytest.mark.parametrize("partitioner", ["murmur2", "crc32"])
    def test_keys_lie_where_the_partitioner_puts_them(
        self, settings, topics, tmp_path, partitioner
    ):
        path = write(tmp_path, [event(number, 0) for number in range(100)])
        call("--set", f"AUDIENCE_PARTITIONER={partitioner}", "replay", path)
        for record in there(settings, topics.events):
            assert record.partition == partition_for(record.key, 3, partitioner)

    def test_any_partitioner_is_murmur2_here(self, settings, topics, tmp_path):
        path = write(tmp_path, [event(number, 0) for number in range(20)])
        result = call("--set", "AUDIENCE_PARTITIONER=any", "replay", path)
        assert result.exit_code == 0, result.output
        records = there(settings, topics.events)
        assert len(records) == 20
        for record in records:
            assert record.partition == partition_for(record.key, 3, "murmur2")

    @pytest.mark.parametrize("speed", ["0", "120", "0.5"])
    def test_now_moves_all_by_the_same_whole_minutes(self, settings, topics, tmp_path, speed):
        """But at speed 1, so that the last happens now: nothing that is yet to come is sent."""
        seconds = (1, 2) if speed == "0.5" else (68, -120)
        lines = [event(1, 0.25, viewers=1, x={"y": None}), *(event(1, each) for each in seconds)]
        before = time.time()
        result = call("replay", write(tmp_path, lines), "--now", "--speed", speed)
        assert result.exit_code == 0, result.output
        records = there(settings, topics.events)
        moved = [read(record.value)[1] / 1_000_000 for record in records]
        shift = moved[0] - START.timestamp() - 0.25
        assert shift % 60 == 0
        assert before - 60 < max(moved) <= time.time()
        assert [each - moved[0] for each in moved] == pytest.approx(
            [0, *(each - 0.25 for each in seconds)]
        )
        assert json.loads(records[0].value)["x"] == {"y": None}
        for record, at in zip(records, moved, strict=True):
            assert at * 1000 <= record.timestamp + 1

    def test_now_at_speed_1_moves_so_that_the_first_happens_now(self, settings, topics, tmp_path):
        lines = [event(1, 7.25), event(1, 8), event(1, -120)]
        before = time.time()
        result = call("replay", write(tmp_path, lines), "--now")
        assert result.exit_code == 0, result.output
        records = there(settings, topics.events)
        moved = [read(record.value)[1] / 1_000_000 for record in records]
        assert before - 60 < moved[0] <= time.time()
        assert [each - moved[0] for each in moved] == pytest.approx([0, 0.75, -127.25])
        for record, at in zip(records, moved, strict=True):
            assert at * 1000 <= record.timestamp + 1

    def test_lines_are_numbered_and_told_once_where_the_file_is_read_twice(self, tmp_path):
        lines = [event(1, 0), b"garbage", event(1, 400 * 86_400), event(1, 60)]
        result = call("replay", write(tmp_path, lines), "--now", "--speed", "0")
        assert result.exit_code == 1
        assert result.stderr.count("line 2 is no event") == 1
        assert result.stderr.count("Warning: line 3: the time of fliggy:1 jumps by 400 days") == 1
        assert result.stderr.count("jumps") == 1

    def test_a_time_that_jumps_is_warned_of_and_sent_all_the_same(self, settings, topics, tmp_path):
        lines = [event(1, 0), event(2, 0), event(1, 366 * 86_400), event(1, 60), event(2, 60)]
        result = call("replay", write(tmp_path, lines))
        assert result.exit_code == 0, result.output
        assert result.stderr.count("Warning: ") == 1
        assert "Warning: line 3: the time of fliggy:1 jumps by 366 days" in result.stderr
        assert len(there(settings, topics.events)) == 5

    def test_of_many_jumps_some_are_told(self, tmp_path):
        lines = [event(1, number * 3 * 86_400) for number in range(100)]
        result = call("replay", write(tmp_path, lines))
        assert result.exit_code == 0, result.output
        assert result.stderr.count("Warning: ") == 20
        assert result.stderr.count("more such jumps are not told") == 1

    def test_speed_keeps_the_pace(self, settings, topics, tmp_path):
        lines = [event(1, seconds) for seconds in (0, 30, 60, 45)]
        result = call("replay", write(tmp_path, lines), "--speed", "60")
        assert result.exit_code == 0, result.output
        stamps = [record.timestamp for record in there(settings, topics.events)]
        assert [each - stamps[0] for each in stamps] == pytest.approx([0, 500, 1000, 1000], abs=250)

    def test_bad_lines_are_told_and_not_sent(self, settings, topics, tmp_path):
        lines = [event(1, 0), b"", b"garbage", event(2, 0, viewers="5"), event(3, 0)]
        result = call("replay", write(tmp_path, lines))
        assert result.exit_code == 1
        assert "line 3 is no event: malformed" in result.stderr
        assert "line 4 is no event: invalid: viewers" in result.stderr
        assert "Error: 2 of 4 lines are no events and were not sent" in result.stderr
        assert len(there(settings, topics.events)) == 2

    def test_many_bad_lines_are_only_counted(self, tmp_path):
        result = call("replay", write(tmp_path, [b"garbage"] * 1_000))
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) < 30
        assert "1,000 of 1,000 lines" in result.stderr

    def test_raw_sends_bad_lines_as_they_are(self, settings, topics, tmp_path):
        result = call("replay", write(tmp_path, [b"garbage\xff", event(1, 0)]), "--raw")
        assert result.exit_code == 0
        records = there(settings, topics.events)
        assert (None, b"garbage\xff") in [(record.key, record.value) for record in records]

    def test_missing_topic_is_told(self, tmp_path):
        result = call(
            "--set", "AUDIENCE_TOPIC_PREFIX=nowhere.", "replay", write(tmp_path, [event(1, 0)])
        )
        assert result.exit_code == 1
        assert "live-audience topics create" in result.stderr

    def test_many_batches_that_the_broker_refuses_are_one_error(
        self, settings, topics, tmp_path, started
    ):
        async def refuse():
            async with admin_client(settings.brokers[0]) as client:
                await alter_topic(
                    client, topics.events.name, {**topics.events.config, "max.message.bytes": "500"}
                )

        asyncio.run(refuse())
        # Several batches a partition, so that several fail.
        lines = [event(number % 9, 0, title=os.urandom(90).hex()) for number in range(6_000)]
        process = started("replay", write(tmp_path, lines))
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert output.startswith(b"sent ")
        assert b"MessageSizeTooLargeError" in errors.splitlines()[-1]
        assert b"never retrieved" not in errors


class TestProcess:
    """As a process of its own, where input is a pipe and Ctrl-C a signal."""

    def test_standard_input_is_sent_as_it_comes(self, settings, topics, started):
        process = started("replay", "-")
        process.stdin.write(json.dumps(event(1, 0)).encode() + b"\n")
        process.stdin.flush()
        wait_for(lambda: len(there(settings, topics.events)) == 1)
        process.stdin.write(json.dumps(event(2, 0)).encode())
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert output.startswith(b"sent 2 records in ")

    def test_from_a_pipe_the_last_is_not_known(self, started):
        process = started("replay", "-", "--now", "--speed", "10")
        # Its input stays open: it must say so at once.
        assert process.wait(timeout=15) == 2
        assert b"of a pipe the last is not known" in process.stderr.read()

    def test_a_file_as_standard_input_is_no_pipe(self, settings, topics, tmp_path, started):
        path = write(tmp_path, [event(1, 0), event(1, 600)])
        with open(path, "rb") as file:  # noqa: PTH123 - its descriptor is what counts
            process = started("replay", "-", "--now", "--speed", "0", stdin=file)
            output, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        assert output.startswith(b"sent 2 records in ")
        first, last = (read(each.value)[1] / 1e6 for each in there(settings, topics.events))
        assert last - first == 600
        assert time.time() - 120 < last <= time.time()

    def test_ctrl_c_ends_it_at_once_and_says_how_far_it_came(self, settings, topics, started):
        process = started("replay", "-")
        process.stdin.write(json.dumps(event(1, 0)).encode() + b"\n")
        process.stdin.flush()
        wait_for(lambda: len(there(settings, topics.events)) == 1)
        process.send_signal(signal.SIGINT)
        # Its input stays open: it must not wait for more of it.
        assert process.wait(timeout=15) == 1
        assert process.stdout.read().startswith(b"sent 1 records in ")
        errors = process.stderr.read()
        assert b"Aborted!" in errors
        assert b"Traceback" not in errors

    def test_following_ends_well_by_ctrl_c(self, settings, topics, started):
        process = started("summaries", "--follow")
        first = encode(summary("fliggy", "1", 10))
        brokers, name = settings.brokers[0], topics.broadcast_summaries.name
        asyncio.run(produce_all(brokers, name, [(b"fliggy:1", first)]))
        assert process.stdout.readline() == first + b"\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=15)
        assert (process.returncode, output) == (0, b"")
        assert b"Traceback" not in errors

    def test_reader_that_leaves_is_no_defect(self, settings, topics, started):
        records = [
            (b"%d" % number, encode(summary("fliggy", str(number), number)))
            for number in range(2_000)
        ]
        asyncio.run(produce_all(settings.brokers[0], topics.broadcast_summaries.name, records))
        process = started("summaries", "--jsonl")
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) in (0, 1)
        assert b"Traceback" not in process.stderr.read()


class TestRejected:
    async def fill(self, settings, topics, refused):
        """Each a reason, a key, a value and further headers, some in a transaction."""
        async with AIOKafkaProducer(
            bootstrap_servers=settings.brokers[0],
            transactional_id=f"{settings.topic_prefix}test",
        ) as producer:
            for commit in (True, False):
                await producer.begin_transaction()
                for reason, key, value, more in refused:
                    headers = [("reason", reason.encode()), *more] if reason else []
                    await producer.send(
                        topics.rejected.name, value, key, partition=1, headers=headers
                    )
                await (producer.commit_transaction if commit else producer.abort_transaction)()

    REFUSED = (
        ("late", b"fliggy:1", b"late", []),
        ("error", b"fliggy:2", b"error", []),
        ("misrouted", None, b"misrouted", []),
        ("malformed", b"fliggy:3", b"cut off", [("truncated", b"600000")]),
        ("malformed", b"fliggy:4", None, []),
        ("future", b"fliggy:5", b"future", []),
        (None, b"fliggy:6", b"of no reason", []),
    )

    def test_all_but_late_and_future_by_default(self, settings, topics):
        asyncio.run(self.fill(settings, topics, self.REFUSED))
        result = call("replay", "--rejected")
        assert result.exit_code == 0, result.output
        records = there(settings, topics.events)
        assert {(record.key, record.value) for record in records} == {
            (b"fliggy:2", b"error"),
            (None, b"misrouted"),
            (b"fliggy:4", None),
        }
        assert len(records) == 3, "what was aborted is not there"
        for record in records:
            if record.key:
                assert record.partition == partition_for(record.key, 3, "murmur2")
        assert "sent 3 records again: 1 error, 1 malformed, 1 misrouted" in result.stdout
        assert "3 were refused for other reasons" in result.stdout
        assert "1 were too large to be kept whole" in result.stderr

    def test_reasons_can_be_chosen(self, settings, topics):
        asyncio.run(self.fill(settings, topics, self.REFUSED))
        result = call("replay", "--rejected", "--reason", "late", "--reason", "future")
        assert result.exit_code == 0, result.output
        assert {record.value for record in there(settings, topics.events)} == {b"late", b"future"}

    def test_they_are_listed_from_a_time_on_without_reading_what_is_older(self, settings, topics):
        hour, now = 3_600_000, time.time_ns() // 1_000_000
        ages = {0: range(200, 0, -1), 2: range(100, 0, -1)}  # hours

        async def fill():
            async with AIOKafkaProducer(bootstrap_servers=settings.brokers[0]) as producer:
                for partition, hours in ages.items():
                    for age in hours:
                        reason = b"late" if age % 2 else b"invalid"
                        await producer.send(
                            topics.rejected.name,
                            b'{"platform": "kuaishou"}' if age < 3 else b"\xff{",
                            b"fliggy:%d" % age,
                            partition=partition,
                            timestamp_ms=now - age * hour,
                            headers=[
                                ("reason", reason),
                                ("detail", b"of %d\x1b hours ago" % age),
                                ("source", b"viewer-events/%d/%d" % (partition, age)),
                                *([("records", b"40")] if age == 4 else []),
                            ],
                        )

        asyncio.run(fill())
        read = []
        real = Refused.of
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Refused, "of", lambda record: read.append(record) or real(record))
            result = call("rejected", "--since", "5h30m", "--jsonl")
        assert result.exit_code == 0, result.output
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        assert len(lines) == len(read) == 10, "what is older was not even read"
        assert {line["source"] for line in lines} == {
            f"viewer-events/{partition}/{age}" for partition in ages for age in range(1, 6)
        }
        newest = next(line for line in lines if line["source"] == "viewer-events/0/1")
        assert newest == {
            "at": f"{datetime.fromtimestamp((now - hour) / 1000, UTC).isoformat()[:-9]}Z",
            "reason": "late",
            "platform": "kuaishou",
            "detail": "of 1\x1b hours ago",
            "source": "viewer-events/0/1",
            "records": 1,
            "key": "fliggy:1",
            "value": '{"platform": "kuaishou"}',
        }
        assert {line["value"] for line in lines if line["platform"] == "fliggy"} == {"\\xff{"}
        chosen = ("--platform", "fliggy", "--reason", "invalid", "--until", "3h30m")
        result = call("rejected", "--since", "8h30m", *chosen)
        assert result.exit_code == 0, result.output
        rows = [line.split("│") for line in result.stdout.splitlines() if "hours ago" in line]
        counted, *shown = [[cell.strip() for cell in row if cell.strip()] for row in rows]
        assert counted[:3] == ["invalid", "fliggy", "84"], "40 that cannot be told apart count"
        assert [row[2] for row in shown] == [f"fliggy:{age}" for age in (8, 8, 6, 6, 4, 4)]
        assert "\x1b" not in result.stdout
        assert shown[-2:] == [row[:5] for row in shown if row[3].endswith("/4")], (
            "the newest come last"
        )
        only = call("rejected", "--since", "8h30m", "--last", "3", *chosen).stdout
        assert only.count("hours ago") == 1 + 3
        assert call("rejected", "--since", "8h30m", "--count", *chosen).stdout.count("ago") == 1
        none = call("rejected", "--since", "20m")
        assert (none.exit_code, none.stdout[:22]) == (0, "None was refused since")

    def test_nothing_there_is_nothing_sent(self):
        result = call("replay", "--rejected")
        assert (result.exit_code, result.stdout) == (0, "sent 0 records again\n")


def summary(platform, broadcast, peak, **fields):
    values = {
        "run": None,
        "venue": "louvre",
        "programme": None,
        "title": None,
        "status": "final",
        "started_at": "2020-03-01T12:00:00Z",
        "ended_at": "2020-03-01T14:00:00Z",
        "peak": peak,
        "peak_at": "2020-03-01T13:00:00Z",
        "peak_held": peak,
        "waiting_peak": None,
        "first_minute": 1,
        "first_audience": 1,
        "first_audience_at": "2020-03-01T12:00:00Z",
        "viewer_minutes": 45_600_000,
        "minutes_observed": 119,
        "minutes_carried": 1,
        "minutes_live": 120,
        "coverage": 0.9916,
        "average": 380_000,
        "joins": 5,
        "views": None,
        "events": 7,
        "late": 0,
    }
    return BroadcastSummary(platform=platform, broadcast=broadcast, **{**values, **fields})


class TestSummaries:
    @pytest.fixture(autouse=True)
    def filled(self, settings, topics):
        records = [
            (b"fliggy:1", encode(summary("fliggy", "1", 10, status="ended"))),
            (b"fliggy:1", encode(summary("fliggy", "1", 20, title="a\x1b[31m[red]"))),
            (b"twitch:2", encode(summary("twitch", "2", 380_000, venue="versailles"))),
            (b"twitch:3", encode(summary("twitch", "3", None))),
            (b"twitch/20200302T1900:3", encode(summary("twitch", "3", None))),
            (b"gone:4", encode(summary("gone", "4", 5))),
            (b"gone:4", None),
            (b"odd:5", b"no summary"),
        ]
        scopes = [
            (
                name.encode(),
                encode(
                    ScopeSummary(
                        scope,
                        name,
                        "2020-03-01T13:00:00Z",
                        1,
                        peak,
                        "2020-03-01T13:00:00Z",
                        3,
                        4,
                        5,
                        6,
                        7,
                        8,
                    )
                ),
            )
            for scope, name, peak in (
                ("world", "", 30),
                ("platform", "fliggy", 20),
                ("venue", "louvre", 10),
            )
        ]
        brokers = settings.brokers[0]
        asyncio.run(produce_all(brokers, topics.broadcast_summaries.name, records))
        asyncio.run(produce_all(brokers, topics.scope_summaries.name, scopes))

    def lines(self, *arguments):
        result = call("summaries", "--jsonl", *arguments)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    def test_the_last_of_each_by_peak(self):
        lines = self.lines()
        assert [(line["broadcast"], line["peak"]) for line in lines] == [
            ("2", 380_000),
            ("1", 20),
            ("3", None),
            ("3", None),
        ]
        assert lines[0] == json.loads(encode(summary("twitch", "2", 380_000, venue="versailles")))

    def test_filters(self):
        assert [line["broadcast"] for line in self.lines("--platform", "twitch")] == ["2", "3", "3"]
        assert [line["broadcast"] for line in self.lines("--venue", "louvre")] == ["1", "3", "3"]
        assert self.lines("--platform", "fliggy", "--venue", "versailles") == []

    def test_table_is_safe_to_look_at(self):
        result = call("summaries")
        assert result.exit_code == 0, result.output
        assert "380,000" in result.stdout
        assert "760,000" in result.stdout
        assert "twitch/20200302T1900:3" in result.stdout
        assert "[31m[red]" in result.stdout
        assert "\x1b" not in result.stdout
        assert "1 records were no summaries" in result.stderr

    def test_scopes(self):
        assert [line["scope"] for line in self.lines("--scopes")] == ["world", "platform", "venue"]
        assert [line["name"] for line in self.lines("--scopes", "--venue", "louvre")] == ["louvre"]
        assert "world" in call("summaries", "--scopes").stdout

    def test_none_yet_is_said(self, settings):
        prefix = f"{settings.topic_prefix}x."
        asyncio.run(create_topics(settings.model_copy(update={"topic_prefix": prefix})))
        result = call("summaries", "--set", f"topic_prefix={prefix}")
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("There are no summaries")
