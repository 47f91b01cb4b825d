from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import SettingsError
from streams.settings import Settings, format_duration, load, parse_duration
from streams.settings.allowed import allowed
from streams.settings.display import env_name, shown


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No setting comes from the environment or a file of this machine."""
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields:
        monkeypatch.delenv(env_name(field), raising=False)


def wrong(*assignments):
    with pytest.raises(SettingsError) as caught:
        load(assignments)
    return caught.value.problems


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("500ms", 0.5),
            ("90s", 90),
            ("15m", 900),
            ("2h", 7200),
            ("7d", 604_800),
            ("1h30m", 5400),
            ("0", 0),
            (" 5m ", 300),
        ],
    )
    def test_is_read(self, text, seconds):
        assert parse_duration(text).total_seconds() == seconds

    @pytest.mark.parametrize(
        "text", ["", "5", "-5m", "5 m", "1.5h", "m", "5x", "5m5", "\u0665m", "99999999d", "1e3s"]
    )
    def test_is_refused(self, text):
        with pytest.raises(ValueError, match=r"not a duration|longer than"):
            parse_duration(text)

    @given(st.integers(0, 10**12))
    def test_reads_back_as_written(self, milliseconds):
        duration = timedelta(milliseconds=milliseconds)
        assert parse_duration(format_duration(duration)) == duration


class TestDefaults:
    def test_are_those_of_the_contract(self):
        settings = load().settings
        assert {
            field: shown(settings, field)
            for field in Settings.model_fields
            if shown(settings, field)
        } == {
            "brokers": "localhost:9092",
            "security": "PLAINTEXT",
            "security_mechanism": "PLAIN",
            "partitions": "8",
            "replication": "1",
            "retention": "7d",
            "rejected_retention": "30d",
            "minutes": "off",
            "minutes_retention": "35d",
            "partitioner": "murmur2",
            "group": "live-audience",
            "session_timeout": "10s",
            "rebalance_timeout": "1m",
            "http_host": "127.0.0.1",
            "http_port": "9630",
            "http_connections": "128",
            "http_timeout": "2m",
            "query_timeout": "3s",
            "http_anonymous": "none",
            "lateness": "15m",
            "carry": "2m",
            "future": "2m",
            "stale": "5m",
            "final_margin": "1m",
            "tombstone": "35d",
            "end_tolerance": "10m",
            "restart_gap": "1h",
            "run_gap": "12h",
            "scope_history": "8d",
            "top_broadcasts": "1000",
            "top_scopes": "1000",
            "batch_records": "20000",
            "batch_bytes": "16777216",
            "fetch_bytes": "8388608",
            "transaction_timeout": "1m",
            "deadline": "30s",
            "drain": "10s",
            "patience": "5m",
            "compiled": "yes",
            "log_level": "info",
            "log_format": "auto",
            "data": ".live-audience",
        }

    def test_are_right_by_their_own_rules(self):
        assert load([f"{field}=" for field in Settings.model_fields]).settings == load().settings


GOOD = {
    "brokers": ["a", "a:1,b:65535", " a:9 , b ", "[::1]:9092", "10.0.0.1:9092"],
    "topic_prefix": ["x.", "team_a-", "a" * 100],
    "output_prefix": ["x.", "team_a-", "a" * 100],
    "partitions": ["1", "10000"],
    "replication": ["1", "3"],
    "retention": ["1s", "7d"],
    "rejected_retention": ["90d"],
    "minutes": ["on", "OFF"],
    "minutes_retention": ["1s", "90d"],
    "partitioner": ["murmur2", "crc32", "any", "CRC32"],
    "group": ["a", "live-audience_2"],
    "instance": ["pod-0", ""],
    "session_timeout": ["6s", "45s"],
    "rebalance_timeout": ["11s", "1h"],
    "http_host": ["0.0.0.0", "::1"],
    "http_port": ["0", "65535"],
    "http_connections": ["8", "10000"],
    "http_timeout": ["1s", "1h"],
    "advertised_url": ["http://worker-1:9630", "https://[fd00::1]:443/audience", ""],
    "query_timeout": ["100ms", "1m"],
    "http_anonymous": ["none", "METRICS", "all"],
    "lateness": ["1m", "120s", "2h"],
    "lateness_by_platform": ["ivs=2h", "ivs=2h, kick=5m", ""],
    "carry_by_platform": ["youtube=5m", "youtube=60m,kick=0m", ""],
    "end_tolerance": ["0m", "1h"],
    "end_tolerance_by_platform": ["youtube=0m", "youtube=1h", ""],
    "restart_gap": ["10m", "12h"],
    "restart_gap_by_platform": ["kick=10m", ""],
    "run_gap": ["1h", "30d"],
    "run_gap_by_platform": ["kick=1h", "kick=3d", ""],
    "carry": ["0", "0m", "10m", "1h"],
    "future": ["0", "1h"],
    "stale": ["1s"],
    "silence": ["", "15m"],
    "final_margin": ["0", "5m"],
    "tombstone": ["169h", "30d"],
    "scope_history": ["8d", "30d"],
    "top_broadcasts": ["0", "1000000"],
    "top_scopes": ["0", "5"],
    "batch_records": ["1", "1000000"],
    "batch_bytes": ["65536", "1073741824"],
    "fetch_bytes": ["1024"],
    "transaction_timeout": ["30s", "15m"],
    "deadline": ["100ms", "60s"],
    "drain": ["0", "59s"],
    "patience": ["1s"],
    "compiled": ["yes", "NO"],
    "log_level": ["debug", "INFO", "warning", "error"],
    "log_format": ["auto", "pretty", "json"],
    "data": ["/somewhere/else"],
    "security": ["PLAINTEXT", "ssl"],
    "security_mechanism": ["PLAIN", "scram-sha-256", "SCRAM-SHA-512"],
}

BAD = {
    "brokers": [",", "a:0", "a:65536", "a:b", "a b:1", "http://a:1", ":9092", "a,,b"],
    "topic_prefix": ["a b", "ä", "a/b", "a" * 101],
    "output_prefix": ["a b", "ä", "a/b", "a" * 101],
    "partitions": ["0", "-1", "1.5", "many", "10001"],
    "replication": ["0", "33"],
    "retention": ["0", "7", "forever", "-1"],
    "rejected_retention": ["0s"],
    "minutes": ["yes"],
    "minutes_retention": ["0"],
    "partitioner": ["md5", "random"],
    "group": [".", "a.b", "a b", "a" * 101],
    "instance": ["a b"],
    "session_timeout": ["0", "31m", "10"],
    "rebalance_timeout": ["1s", "2h"],
    "http_port": ["-1", "65536", "http"],
    "http_connections": ["7", "10001", "many"],
    "http_timeout": ["0", "999ms", "61m"],
    "advertised_url": ["worker-1:9630", "http://", "http://a:1/", "http://a b", "http://u@a:1"],
    "query_timeout": ["99ms", "61s"],
    "http_anonymous": ["some"],
    "http_password_hash": ["secret", f"scrypt:18:8:1:{'a' * 22}:{'b' * 43}"],
    "http_proxy_header": ["X User", "1"],
    "http_proxies": ["10.0.0.7/8", "proxy"],
    "http_token_file": ["/nonexistent/token"],
    "metrics_token_file": ["/nonexistent/token"],
    "http_certificate": ["/nonexistent/cert.pem"],
    "http_key": ["/nonexistent/key.pem"],
    "http_ca": ["/nonexistent/ca.pem", "/"],
    "lateness": ["0", "30s", "90s", "15", "-1m"],
    "lateness_by_platform": ["ivs", "ivs=", "ivs=0m", "ivs=90s", "IVS=2h", "a=1m,a=2m", "=5m"],
    "carry_by_platform": ["youtube", "youtube=61m", "youtube=90s"],
    "end_tolerance": ["121m", "90s", "-1m"],
    "end_tolerance_by_platform": ["youtube=121m", "youtube=90s"],
    "restart_gap": ["90s", "x"],
    "restart_gap_by_platform": ["kick=90s"],
    "run_gap": ["90s", "x"],
    "run_gap_by_platform": ["kick=90s"],
    "carry": ["30s", "-1m", "two", "61m"],
    "future": ["-1m", "2"],
    "stale": ["0"],
    "silence": ["0", "never"],
    "final_margin": ["-1s"],
    "tombstone": ["0", "7d"],
    "scope_history": ["0", "90s"],
    "top_broadcasts": ["-1", "1000001"],
    "top_scopes": ["x"],
    "batch_records": ["0", "1000001"],
    "batch_bytes": ["65535", "1073741825"],
    "fetch_bytes": ["1023", "8MiB"],
    "transaction_timeout": ["0", "16m"],
    "deadline": ["0", "99ms", "61s"],
    "drain": ["60s", "x"],
    "patience": ["0"],
    "compiled": ["on", "true", "0"],
    "log_level": ["trace", "warn"],
    "log_format": ["xml"],
    "security": ["TLS", "SASL_SSL"],
    "security_mechanism": ["GSSAPI"],
    "security_password_file": ["/nonexistent/password"],
    "security_token_file": ["/nonexistent/token"],
    "security_key_password_file": ["/nonexistent/password"],
    "security_ca": ["/nonexistent/ca.pem", "/"],
    "security_certificate": ["/nonexistent/cert.pem"],
    "security_key": ["/nonexistent/key.pem"],
}


def pairs(table):
    return [(field, text) for field, texts in table.items() for text in texts]


class TestEach:
    @pytest.mark.parametrize(("field", "text"), pairs(GOOD))
    def test_good_value_is_taken_and_shows_as_one_that_reads_back(self, field, text):
        settings = load([f"{field}={text}"]).settings
        again = load([f"{field}={shown(settings, field)}"]).settings
        assert getattr(again, field) == getattr(settings, field)

    @pytest.mark.parametrize(("field", "text"), pairs(BAD))
    def test_bad_value_is_named_with_what_is_allowed(self, field, text):
        problems = wrong(f"{field}={text}")
        assert any(problem.startswith(env_name(field)) for problem in problems)
        assert all(
            "must be" in problem or "needs" in problem or "which?" in problem
            for problem in problems
        )

    @pytest.mark.parametrize("field", Settings.model_fields)
    def test_says_what_it_is_and_what_is_allowed(self, field):
        assert Settings.model_fields[field].description
        assert allowed(field)

    def test_every_setting_is_tried(self):
        assert set(GOOD) | set(BAD) | {
            "security_user",
            "security_password",
            "security_key_password",
            "security_token_command",
            "security_region",
            "http_host",
            "http_user",
            "http_token",
            "metrics_token",
            "client_rack",
            "gateway",
        } == set(Settings.model_fields)

    def test_wrong_value_shows_as_it_was_given(self):
        assert wrong("lateness=90s") == (
            (
                "AUDIENCE_LATENESS=90s: must be a duration in whole minutes such as 5m or 2h, "
                "1m or more"
            ),
        )

    def test_platform_that_is_wrong_is_pointed_at(self):
        assert "`kick` has `5`" in wrong("lateness_by_platform=ivs=2h,kick=5")[0]


class TestSources:
    def test_set_wins_over_environment_wins_over_file_wins_over_default(
        self, monkeypatch, tmp_path
    ):
        (tmp_path / ".env").write_text(
            "AUDIENCE_PARTITIONS=1\nAUDIENCE_GROUP=file\nAUDIENCE_CARRY=3m\nOTHER=1\n"
        )
        monkeypatch.setenv("AUDIENCE_PARTITIONS", "2")
        monkeypatch.setenv("AUDIENCE_GROUP", "environment")
        loaded = load(["AUDIENCE_PARTITIONS=3"])
        settings = loaded.settings
        assert (settings.partitions, settings.group) == (3, "environment")
        assert settings.carry == timedelta(minutes=3)
        assert {
            field: loaded.origins[field] for field in ("partitions", "group", "carry", "lateness")
        } == {
            "partitions": "--set",
            "group": "environment",
            "carry": ".env",
            "lateness": "default",
        }
        assert loaded.warnings == ()

    def test_empty_is_as_good_as_none(self, monkeypatch, tmp_path):
        (tmp_path / ".env").write_text("AUDIENCE_PARTITIONS=4\nAUDIENCE_GROUP=\n")
        monkeypatch.setenv("AUDIENCE_PARTITIONS", "")
        settings = load().settings
        assert (settings.partitions, settings.group) == (4, "live-audience")

    def test_set_to_nothing_asks_for_the_default(self, monkeypatch):
        monkeypatch.setenv("AUDIENCE_SILENCE", "1h")
        assert load(["AUDIENCE_SILENCE="]).settings.silence is None

    def test_last_set_wins_and_the_prefix_may_be_left_out(self):
        assert load(["AUDIENCE_PARTITIONS=1", "partitions=2"]).settings.partitions == 2

    def test_unknown_name_is_warned_of_with_the_nearest(self, monkeypatch, tmp_path):
        monkeypatch.setenv("AUDIENCE_PARTITONS", "3")
        (tmp_path / ".env").write_text("AUDIENCE_QUUX=1\n")
        assert load().warnings == (
            "AUDIENCE_PARTITONS (environment) is no setting; did you mean AUDIENCE_PARTITIONS?",
            "AUDIENCE_QUUX (.env) is no setting",
        )

    @pytest.mark.parametrize(
        ("assignment", "said"),
        [
            ("AUDIENCE_PARTITONS=3", "did you mean AUDIENCE_PARTITIONS?"),
            ("partitions", "must be NAME=VALUE"),
            ("quux=1", "--set quux: is no setting"),
        ],
    )
    def test_unknown_set_is_wrong(self, assignment, said):
        assert said in wrong(assignment)[0]

    def test_file_that_is_no_text_is_told(self, tmp_path):
        (tmp_path / ".env").write_bytes(b"AUDIENCE_GROUP=\xff\n")
        assert wrong()[0].startswith(".env: ")


HASH = f"scrypt:15:8:3:{'a' * 22}:{'b' * 43}"


class TestWhoMayLook:
    def test_is_read(self, tmp_path):
        file = tmp_path / "tokens"
        file.write_text("first\nsecond\n")
        settings = load(
            [
                f"http_token_file={file}",
                "metrics_token=third",
                "http_user=curator",
                f"http_password_hash={HASH}",
                "http_proxy_header=X-Forwarded-User",
                "http_proxies=10.0.0.7, fd00::/8",
            ]
        ).settings
        assert settings.http_tokens() == ["first", "second"]
        assert settings.metrics_tokens() == ["third"]
        assert shown(settings, "http_proxies") == "10.0.0.7/32,fd00::/8"
        assert shown(settings, "http_password_hash") == "***"

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (["http_user=a", "http_token=t"], "AUDIENCE_HTTP_PASSWORD_HASH is empty"),
            (["http_proxies=10.0.0.7", "http_token=t"], "AUDIENCE_HTTP_PROXY_HEADER is empty"),
            (["http_user=a", f"http_password_hash={HASH}"], "AUDIENCE_HTTP_TOKEN_FILE is empty"),
            (["http_token=t", "http_token_file=/etc/hostname"], "give one of them"),
        ],
    )
    def test_what_does_not_go_together(self, given, said):
        assert any(said in problem for problem in wrong(*given))

    def test_beyond_this_machine_somebody_must_be_named(self):
        for assigned, warned in (
            (["http_host=0.0.0.0"], True),
            (["http_host=::"], True),
            (["http_host=0.0.0.0", "http_anonymous=metrics"], True),
            (["http_host=0.0.0.0", "http_anonymous=all"], False),
            (["http_host=0.0.0.0", "http_token=t"], False),
            (["http_host=localhost"], False),
            (["http_host=::1"], False),
            (["http_token=t", "http_anonymous=all"], True),
        ):
            assert bool(load(assigned).warnings) is warned, assigned


class TestTogether:
    def test_all_wrong_ones_are_told_at_once(self, monkeypatch):
        monkeypatch.setenv("AUDIENCE_PARTITIONS", "0")
        monkeypatch.setenv("AUDIENCE_SECURITY", "SASL_SSL")
        problems = wrong("lateness=30s", "quux=1", "tombstone=1h", "drain=2m")
        assert [problem.split("=")[0].split(" is ")[0].split(":")[0] for problem in problems] == [
            "--set quux",
            "AUDIENCE_PARTITIONS",
            "AUDIENCE_LATENESS",
            "AUDIENCE_TOMBSTONE",
            "AUDIENCE_DRAIN",
            "AUDIENCE_SECURITY_USER",
            "AUDIENCE_SECURITY_PASSWORD",
        ]

    def test_a_wrong_one_is_not_held_against_the_others(self):
        # 10 s is too short beside the default session timeout, but that is not what was asked for.
        assert len(wrong("session_timeout=x", "rebalance_timeout=10s", "drain=5s")) == 1

    @pytest.mark.parametrize(
        "assignments",
        [
            ["session_timeout=60s"],
            ["session_timeout=60s", "rebalance_timeout=60s"],
            ["retention=35d"],
            ["end_tolerance=61m"],
            ["restart_gap=13h"],
            ["run_gap=59m"],
            ["end_tolerance_by_platform=kick=90m"],
            ["restart_gap=5m"],
            ["run_gap_by_platform=kick=30m"],
            ["drain=60s"],
            ["deadline=61s"],
            ["security=SASL_SSL", "security_user=u"],
            ["security=SASL_SSL", "security_password=p"],
            ["security=SASL_SSL", "security_mechanism=OAUTHBEARER"],
            [
                "security=SASL_SSL",
                "security_mechanism=OAUTHBEARER",
                "security_token_command='unbalanced",
            ],
            ["security=SASL_SSL", "security_mechanism=OAUTHBEARER", "security_token_command= "],
            ["security=SASL_SSL", "security_mechanism=AWS_MSK_IAM"],
            [
                "security=SASL_PLAINTEXT",
                "security_mechanism=AWS_MSK_IAM",
                "security_region=eu-west-1",
            ],
        ],
    )
    def test_what_does_not_fit_is_wrong(self, assignments):
        assert wrong(*assignments)

    @pytest.mark.parametrize(
        ("assignments", "name"),
        [
            (["scope_history=7d"], "AUDIENCE_SCOPE_HISTORY"),
            (["silence=10m"], "AUDIENCE_SILENCE"),
            (["lateness_by_platform=ivs=8d"], "AUDIENCE_SCOPE_HISTORY"),
            (
                ["security=SASL_PLAINTEXT", "security_user=u", "security_password=p"],
                "AUDIENCE_SECURITY",
            ),
            (["security_user=u"], "AUDIENCE_SECURITY_USER"),
            (["security_token_command=x"], "AUDIENCE_SECURITY_TOKEN_COMMAND"),
            (["security_region=eu-west-1"], "AUDIENCE_SECURITY_REGION"),
            (
                [
                    "security=SASL_PLAINTEXT",
                    "security_mechanism=OAUTHBEARER",
                    "security_token_command=x",
                ],
                "AUDIENCE_SECURITY=SASL_PLAINTEXT",
            ),
        ],
    )
    def test_what_is_seldom_meant_is_warned_of(self, assignments, name):
        (warning,) = load(assignments).warnings
        assert warning.startswith(name)

    def test_made_directly_they_are_checked_too(self):
        with pytest.raises(ValueError, match="AUDIENCE_TOMBSTONE"):
            Settings(tombstone="1d")
        with pytest.raises(ValueError, match="extra_forbidden"):
            Settings(partitons=3)


class TestSecrets:
    def test_are_never_shown(self, tmp_path):
        loaded = load(["security_password=hunter2", "security_key_password=hunter3"])
        assert "hunter" not in repr(loaded) + str(loaded)
        assert shown(loaded.settings, "security_password") == "***"

    def test_are_not_shown_when_something_is_wrong(self):
        told = "\n".join(wrong("security_password=hunter2", "security_user=u", "partitions=0"))
        assert "hunter2" not in told

    def test_are_not_shown_when_the_equals_sign_is_missing(self):
        assert wrong("security_password:hunter2") == (
            "--set security_password: must be NAME=VALUE",
        )

    def test_password_comes_from_its_file(self, tmp_path):
        file = tmp_path / "password"
        file.write_text("hunter2\n")
        settings = load(
            ["security=SASL_SSL", "security_user=u", f"security_password_file={file}"]
        ).settings
        assert settings.password() == "hunter2"
        file.unlink()
        with pytest.raises(SettingsError, match="AUDIENCE_SECURITY_PASSWORD_FILE"):
            settings.password()

    def test_an_empty_password_file_is_told(self, tmp_path):
        file = tmp_path / "password"
        file.write_text("\n")
        settings = Settings(
            security="SASL_SSL", security_user="u", security_password_file=str(file)
        )
        with pytest.raises(SettingsError, match="is empty"):
            settings.password()

    def test_a_token_is_of_one_source(self, tmp_path):
        file = tmp_path / "token"
        file.write_text("x")
        problem = wrong(
            "security=SASL_SSL",
            "security_mechanism=OAUTHBEARER",
            f"security_token_file={file}",
            "security_token_command=x",
        )
        assert "give one of them" in problem[0]

    def test_password_and_file_are_one_too_many(self, tmp_path):
        file = tmp_path / "password"
        file.write_text("x")
        (problem,) = wrong("security_password=y", f"security_password_file={file}")
        assert "give one of them" in problem

    def test_key_needs_its_certificate(self, tmp_path):
        file = tmp_path / "key.pem"
        file.write_text("x")
        (problem,) = wrong(f"security_key={file}")
        assert problem.startswith("AUDIENCE_SECURITY_CERTIFICATE")


class TestByPlatform:
    def test_lateness(self):
        settings = Settings(lateness="10m", lateness_by_platform="ivs=2h,kick=5m")
        assert [settings.lateness_minutes(each) for each in ("ivs", "kick", "fliggy")] == [
            120,
            5,
            10,
        ]

    def test_silence_unset_is_the_longer_of_15_minutes_and_the_lateness(self):
        settings = Settings(lateness="10m", lateness_by_platform="ivs=2h,kick=5m")
        assert [settings.silence_seconds(each) for each in ("ivs", "kick", "fliggy")] == [
            7200,
            900,
            900,
        ]

    def test_silence_set_is_the_same_for_all(self):
        settings = Settings(lateness_by_platform="ivs=2h", silence="3h")
        assert [settings.silence_seconds(each) for each in ("ivs", "kick")] == [10800, 10800]

    def test_rules(self):
        rules = Settings(lateness_by_platform="ivs=2h", carry="3m").rules("ivs")
        assert (rules.lateness, rules.carry) == (120, 3)
