"""Expected errors: each says in one line what is wrong, and with which exit code the command ends.

Whatever derives from `LiveAudienceError` is shown to people as its message alone. Everything else
is a defect of this system and is shown with its stack trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class LiveAudienceError(Exception):
    """Something expected went wrong; the message is meant for people.

    Attributes:
        exit_code: what the command ends with: 1 failed, 2 misuse.
    """

    exit_code: ClassVar[int] = 1


class MisuseError(LiveAudienceError):
    """The command was called in a way that cannot work."""

    exit_code: ClassVar[int] = 2


class SettingsError(MisuseError):
    """One or more settings are wrong.

    Attributes:
        problems: one line for each wrong setting: its name, its value and what is allowed.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "1 setting is wrong" if count == 1 else f"{count} settings are wrong"
        super().__init__("\n".join([f"{head}:", *(f"  {problem}" for problem in self.problems)]))


class BrokerUnreachableError(LiveAudienceError):
    """No broker of AUDIENCE_BROKERS answered in time, or none let us in."""


class AccessError(LiveAudienceError):
    """Kafka does not allow what is needed; the message names the rights that are missing."""


class BrokerUnfitError(LiveAudienceError):
    """The broker answers, but lacks what exactly-once needs: transactions, a recent version."""


class TopicsError(LiveAudienceError):
    """A topic is missing or is set up in a way that the pipeline cannot work with."""


class PackagesMissingError(LiveAudienceError):
    """A Python package is not installed without which some records cannot be read."""


class InputError(LiveAudienceError):
    """A file that was given cannot be read, or holds what cannot be sent."""
