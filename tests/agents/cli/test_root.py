import pytest

COMMANDS = [
    "broker",
    "config",
    "correct",
    "demo",
    "rejected",
    "replay",
    "summaries",
    "topics",
    "worker",
]
UNREACHABLE = ("--set", "AUDIENCE_BROKERS=127.0.0.1:1")


def test_help_lists_every_command(call):
    result = call("--help")
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.output


@pytest.mark.parametrize(
    "command", [*([name] for name in COMMANDS), ["topics", "create"], ["topics", "check"], []]
)
def test_help_at_every_level_has_examples_and_needs_no_settings(call, monkeypatch, command):
    monkeypatch.setenv("AUDIENCE_PARTITIONS", "wrong")
    for option in ("--help", "-h"):
        result = call(*command, option)
        assert result.exit_code == 0
        assert f"Examples:\n  live-audience {' '.join(command)}".rstrip() in result.output
        assert "--set NAME=VALUE" in result.output or command == ["topics"]


def test_version(call):
    result = call("--version")
    assert result.exit_code == 0
    assert result.output.startswith("live-audience, version ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["wrong"],
        ["--wrong"],
        ["topics", "wrong"],
        ["replay"],
        ["replay", "/nonexistent/file"],
        ["replay", "--speed", "-1", "-"],
        ["replay", "--rejected", "--now"],
        ["replay", "--rejected", "--speed", "0"],
        ["replay", "--rejected", "--reason", "mood"],
        ["replay", "--reason", "late", "-"],
        ["replay", "--rejected", "-"],
        ["rejected", "--since", "yesterday"],
        ["rejected", "--reason", "mood"],
        ["rejected", "--since", "1h", "--until", "2h"],
        ["rejected", "--count", "--jsonl"],
        ["summaries", "--scopes", "--platform", "a", "--venue", "b"],
        ["config", "--set", "AUDIENCE_PARTITIONS=0"],
        ["--set", "AUDIENCE_PARTITIONS=0", "topics", "check"],
        ["worker", "--set", "partitions"],
        ["demo", "--set", "quux=1"],
        ["broker", "--port", "65536"],
    ],
)
def test_misuse_ends_with_2(call, arguments):
    result = call(*arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [["topics", "create"], ["topics", "check"], ["replay", "--rejected"], ["summaries"]],
)
def test_no_broker_is_one_line_that_names_the_setting(call, arguments):
    result = call(*UNREACHABLE, *arguments)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "AUDIENCE_BROKERS=127.0.0.1:1" in line
    assert "Connect call failed" in line


def test_process_ends_with_the_code_and_no_stack_trace(run):
    failed = run(*UNREACHABLE, "topics", "check")
    assert (failed.returncode, failed.stdout) == (1, b"")
    assert failed.stderr.count(b"\n") == 1
    misused = run("topics", "check", env={"AUDIENCE_PARTITIONS": "0", "AUDIENCE_CARRY": "90s"})
    assert misused.returncode == 2
    assert misused.stderr.decode().splitlines() == [
        "Error: 2 settings are wrong:",
        "  AUDIENCE_PARTITIONS=0: must be a whole number from 1 to 10000",
        "  AUDIENCE_CARRY=90s: must be a duration in whole minutes such as 5m or 2h from 0s to 1h",
    ]
    done = run("config")
    assert (done.returncode, done.stderr) == (0, b"")


def test_doubts_are_warned_of_and_the_command_goes_on(call):
    result = call("config", "--set", "AUDIENCE_SCOPE_HISTORY=1d")
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: AUDIENCE_SCOPE_HISTORY=1d is not longer than")
