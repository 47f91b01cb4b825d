"""What can go wrong, by what is to be done about it."""


class ExactError(Exception):
    """The root of this layer's errors."""


class Refusal(ExactError):
    """Going on would lie: the process ends, and the message says what to do."""


class SessionLost(ExactError):
    """This session with Kafka is over; a new one restores from what Kafka holds and goes on.

    Raised where nothing is wrong that a fresh start from the last commit would not mend: a fenced
    producer, a broker that went away, a commit of unknown outcome.

    Attributes:
        in_transaction: Whether it happened while a batch was being committed.
    """

    in_transaction = False


class Fenced(SessionLost):
    """Another worker owns the partition now: its producer took over the transactional id."""


class NewerFormat(Refusal):
    """State was written by a newer version of the program than this one."""
