"""The rights of a worker as they are told to people."""

from agents.topics.access import commands, useful_rights, worker_rights
from streams.settings import Settings
from streams.topics import Topics


def concerns(right, name):
    return name.startswith(right.name) if right.prefixed else name == right.name


def test_every_topic_has_rights_and_none_is_for_the_whole_cluster():
    settings = Settings(topic_prefix="x.", group="g")
    rights = worker_rights(settings)
    for topic in Topics.of(settings):
        for table in (rights, useful_rights(settings)):
            own = [right for right in table if right.kind == "topic"]
            assert any(concerns(right, topic.name) for right in own), topic.name
    assert {right.kind for right in rights} == {"topic", "group", "transactional-id"}
    # What is prefixed is the deployment's own, and no other's: the name ends with its dot.
    assert {right.name for right in rights if right.prefixed} == {"x.audience.g."}


def test_the_commands_give_all_of_them():
    settings = Settings(brokers="k:9093", topic_prefix="x.", group="g")
    lines = list(commands(settings, "User:CN=audience"))
    assert len(lines) == len(set(lines)) == 8
    for right in (*worker_rights(settings), *useful_rights(settings)):
        (line,) = [line for line in lines if f"--{right.kind} {right.name} " in f"{line} "]
        assert f"--operation {right.operation}" in line
        assert ("--resource-pattern-type prefixed" in line) == right.prefixed
        assert line.startswith("kafka-acls.sh --bootstrap-server k:9093 --add --allow-principal ")
        assert "'User:CN=audience'" in line
