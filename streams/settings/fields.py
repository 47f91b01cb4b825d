"""Every setting of the system, with its default and its limits."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.settings.durations import minutes
from streams.settings.secret_values import PREFIX, SecretValues
from streams.settings.types import (
    Anonymous,
    Brokers,
    ByPlatform,
    CarryByPlatform,
    Duration,
    Group,
    HeaderName,
    HttpUrl,
    Instance,
    LogFormat,
    LogLevel,
    Mechanism,
    Minutes,
    Networks,
    OptionalDuration,
    Partitioner,
    PasswordHash,
    Security,
    Switch,
    ToleranceByPlatform,
    TopicPrefix,
    YesNo,
)

if TYPE_CHECKING:
    from streams.audience import Rules

_MS: Final = timedelta(milliseconds=1)
_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


class Fields(SecretValues, BaseSettings):
    """Every setting by itself; each field `x` is `AUDIENCE_X` outside. See `Settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        validate_default=False,
    )

    brokers: Brokers = Field(("localhost:9092",), description="the Kafka brokers to ask first")
    security: Security = Field("PLAINTEXT", description="how to speak to the brokers")
    security_mechanism: Mechanism = Field("PLAIN", description="how to log in (SASL_*)")
    security_user: str = Field("", description="the user to log in with (SASL_*)")
    security_password: SecretStr = Field(SecretStr(""), description="that user's password")
    security_password_file: Path | None = Field(
        None, description="a file that holds the password, instead"
    )
    security_token_file: Path | None = Field(
        None, description="a file that holds the token to log in with (OAUTHBEARER)"
    )
    security_token_command: str = Field(
        "", description="a command that prints such a token; run without a shell"
    )
    security_region: str = Field("", description="the AWS region of the brokers (AWS_MSK_IAM)")
    security_ca: Path | None = Field(
        None, description="certificates to trust (PEM); without it, the machine's own"
    )
    security_certificate: Path | None = Field(
        None, description="our certificate (PEM), for brokers that ask for one"
    )
    security_key: Path | None = Field(
        None, description="the key of our certificate (PEM), if not in the same file"
    )
    security_key_password: SecretStr = Field(SecretStr(""), description="the password of that key")
    security_key_password_file: Path | None = Field(
        None, description="a file that holds the key's password, instead"
    )

    gateway: Path | None = Field(
        None, description="the TOML file of the gateway: which webhooks it takes (docs/gateway.md)"
    )
    client_rack: str = Field(
        "",
        max_length=249,
        description="the rack or zone of this worker: it then reads from the nearest copy",
    )

    topic_prefix: TopicPrefix = Field("", description="put in front of every topic's name, as is")
    output_prefix: TopicPrefix = Field(
        "",
        description="the same for the topics that are written alone; empty: AUDIENCE_TOPIC_PREFIX",
    )
    partitions: int = Field(8, ge=1, le=10_000, description="partitions of each topic")
    replication: int = Field(1, ge=1, le=32, description="copies of each partition")
    retention: Duration = Field(
        7 * _DAY, ge=_SECOND, description="how long Kafka keeps the viewer events"
    )
    rejected_retention: Duration = Field(
        30 * _DAY, ge=_SECOND, description="how long Kafka keeps refused events"
    )
    minutes: Switch = Field(
        "off", description="`on`: each sealed minute of a broadcast goes to broadcast-minutes"
    )
    minutes_retention: Duration = Field(
        35 * _DAY, ge=_SECOND, description="how long Kafka keeps these minutes"
    )
    partitioner: Partitioner = Field(
        "murmur2", description="how producers choose the partition of a key; `any`: unchecked"
    )
    group: Group = Field(
        "live-audience", description="part of the names of consumer groups and internal topics"
    )
    instance: Instance = Field(
        "", description="this worker's lasting name in the group (static membership)"
    )
    session_timeout: Duration = Field(
        10 * _SECOND,
        ge=_SECOND,
        le=30 * _MINUTE,
        description="silence after which the group takes a worker for dead",
    )
    rebalance_timeout: Duration = Field(
        60 * _SECOND,
        ge=2 * _SECOND,
        le=_HOUR,
        description="time that each worker has to join again in a rebalance",
    )

    http_host: str = Field("127.0.0.1", min_length=1, description="the address that HTTP binds")
    http_port: int = Field(9630, ge=0, le=65_535, description="the port of HTTP; 0: any free one")
    advertised_url: HttpUrl = Field(
        "",
        description="where other workers find this one's HTTP; empty: its address and port",
    )
    query_timeout: Duration = Field(
        3 * _SECOND,
        ge=100 * _MS,
        le=_MINUTE,
        description="time that all workers together have for one answer; what is missing is told",
    )
    http_connections: int = Field(
        128,
        ge=8,
        le=10_000,
        description="most HTTP connections at once; for another, the least needed is closed",
    )
    http_timeout: Duration = Field(
        2 * _MINUTE,
        ge=_SECOND,
        le=_HOUR,
        description="time that an answer may take, however slowly it is read",
    )

    http_token: SecretStr = Field(
        SecretStr(""), description="who shows this token may look; workers show it to each other"
    )
    http_token_file: Path | None = Field(
        None, description="a file of such tokens instead, one a line; the first one is shown"
    )
    http_user: str = Field("", description="the user whose password may look")
    http_password_hash: PasswordHash = Field(
        SecretStr(""), description="the hash of that password, as `live-audience password` makes it"
    )
    http_proxy_header: HeaderName = Field(
        "", description="the header in which a proxy says who is logged in"
    )
    http_proxies: Networks = Field((), description="whose word is taken for that")
    http_anonymous: Anonymous = Field(
        "none", description="what anybody may see beyond this machine, besides health"
    )
    metrics_token: SecretStr = Field(
        SecretStr(""), description="who shows this token may see the metrics, and nothing else"
    )
    metrics_token_file: Path | None = Field(
        None, description="a file of such tokens instead, one a line"
    )
    http_certificate: Path | None = Field(
        None, description="the certificate of HTTP (PEM); without it, HTTP has no TLS"
    )
    http_key: Path | None = Field(
        None, description="the key of that certificate (PEM), if not in the same file"
    )
    http_ca: Path | None = Field(
        None, description="certificates to trust in other workers (PEM); without it, the machine's"
    )

    lateness: Minutes = Field(
        15 * _MINUTE, ge=_MINUTE, description="how long a minute stays open behind the newest"
    )
    lateness_by_platform: ByPlatform = Field(
        default_factory=dict, description="the same for single platforms"
    )
    carry: Minutes = Field(
        2 * _MINUTE,
        ge=0 * _MINUTE,
        le=_HOUR,  # what is kept of a broadcast grows with it
        description="minutes that a sample stands for if none follows",
    )
    carry_by_platform: CarryByPlatform = Field(
        default_factory=dict, description="the same for single platforms"
    )
    end_tolerance: Minutes = Field(
        10 * _MINUTE,
        ge=0 * _MINUTE,
        le=2 * _HOUR,
        description="how long after an end viewers do not undo it",
    )
    end_tolerance_by_platform: ToleranceByPlatform = Field(
        default_factory=dict, description="the same for single platforms"
    )
    restart_gap: Minutes = Field(
        _HOUR,
        ge=_MINUTE,
        description="time after an end from which the same id is a new run of its broadcast",
    )
    restart_gap_by_platform: ByPlatform = Field(
        default_factory=dict, description="the same for single platforms"
    )
    run_gap: Minutes = Field(
        12 * _HOUR,
        ge=_MINUTE,
        description="the same without an end: since it last told viewers other than 0",
    )
    run_gap_by_platform: ByPlatform = Field(
        default_factory=dict, description="the same for single platforms"
    )
    future: Duration = Field(
        2 * _MINUTE, description="how far an event's time may be ahead of its Kafka timestamp"
    )
    stale: Duration = Field(
        5 * _MINUTE,
        ge=_SECOND,
        description="age of the newest record that tells viewers from which they do not count in "
        "scopes; at least carry and a minute",
    )
    silence: OptionalDuration = Field(
        None,
        ge=_SECOND,
        description="silence after which a broadcast is final; empty: the longer of 15m and its "
        "platform's lateness",
    )
    final_margin: Duration = Field(_MINUTE, description="waited on top of that, for good measure")
    tombstone: Duration = Field(
        35 * _DAY, ge=_SECOND, description="how long a removed broadcast refuses old events"
    )
    scope_history: Minutes = Field(
        8 * _DAY, ge=_MINUTE, description="minutes of a scope that can still change its peak"
    )
    top_broadcasts: int = Field(
        1_000, ge=0, le=1_000_000, description="broadcasts that a worker exports one by one"
    )
    top_scopes: int = Field(
        1_000, ge=0, le=1_000_000, description="scopes that a worker exports one by one"
    )

    batch_records: int = Field(
        20_000, ge=1, le=1_000_000, description="most records of one batch and transaction"
    )
    batch_bytes: int = Field(
        16 * 1024 * 1024,
        ge=64 * 1024,
        le=1024 * 1024 * 1024,
        description="about the most bytes of one batch, decompressed",
    )
    fetch_bytes: int = Field(
        8 * 1024 * 1024,
        ge=1024,
        le=1024 * 1024 * 1024,
        description="most bytes fetched of one partition at a time",
    )
    transaction_timeout: Duration = Field(
        60 * _SECOND,
        ge=_SECOND,
        le=15 * _MINUTE,  # a broker's own limit, unless its owner raised it
        description="age at which the broker aborts an open transaction",
    )
    deadline: Duration = Field(
        30 * _SECOND, ge=100 * _MS, le=_HOUR, description="for each start, write and commit"
    )
    drain: Duration = Field(
        10 * _SECOND, le=_HOUR, description="time to finish open batches when told to stop"
    )
    patience: Duration = Field(
        5 * _MINUTE,
        ge=_SECOND,
        le=_DAY,
        description="how long a partition may fail again and again before the worker ends",
    )

    compiled: YesNo = Field(
        "yes", description="`no`: the arithmetic runs from its source where it is compiled, too"
    )
    log_level: LogLevel = Field("info", description="the least that is logged")
    log_format: LogFormat = Field(
        "auto", description="`auto`: pretty on a terminal, JSON elsewhere"
    )
    data: Path = Field(
        Path(".live-audience"), description="the folder of the demo and of the embedded broker"
    )

    def lateness_minutes(self, platform: str) -> int:
        """Whole minutes that a minute of this platform's broadcasts stays open, at least 1."""
        return minutes(self.lateness_by_platform.get(platform, self.lateness))

    def stale_seconds(self, carry: int) -> float:
        """Seconds after which told viewers do not count any more.

        Args:
            carry: Whole minutes that a sample of the broadcast is carried.
        """
        return max(self.stale.total_seconds(), 60.0 * (carry + 1))

    def platforms(self) -> list[str]:
        """The platforms that have rules of their own, and the empty one for all others."""
        named = (
            self.lateness_by_platform,
            self.carry_by_platform,
            self.end_tolerance_by_platform,
            self.restart_gap_by_platform,
            self.run_gap_by_platform,
        )
        return ["", *sorted({platform for each in named for platform in each})]

    def silence_seconds(self, platform: str) -> float:
        """Seconds without a record after which a broadcast is final, the margin not included."""
        if self.silence is not None:
            return self.silence.total_seconds()
        return float(60 * max(15, self.lateness_minutes(platform)))

    def rules(self, platform: str) -> "Rules":
        """What the arithmetic needs to know of a platform."""
        # Imported here, for the settings are read by parts that need no arithmetic.
        from streams.audience import Rules  # noqa: PLC0415 - see above

        def of(default: timedelta, by_platform: Mapping[str, timedelta]) -> int:
            return minutes(by_platform.get(platform, default))

        return Rules(
            lateness=self.lateness_minutes(platform),
            carry=of(self.carry, self.carry_by_platform),
            tolerance=of(self.end_tolerance, self.end_tolerance_by_platform),
            restart_gap=of(self.restart_gap, self.restart_gap_by_platform),
            run_gap=of(self.run_gap, self.run_gap_by_platform),
        )
