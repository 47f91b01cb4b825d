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


class TooLarge(ExactError):
    """What comes of a batch is larger than a topic takes.

    Attributes:
        topic: The topic.
        size: How many bytes, of one record with its frame or of a produced batch.
        is_record: Whether it is a single record; else smaller batches may do.
        in_transaction: Whether the broker said so: the ledger is then not used again.
    """

    def __init__(
        self, topic: str, size: int, limit: int | None, *, is_record: bool, in_transaction: bool
    ) -> None:
        takes = "it takes" if limit is None else f"the {limit} it takes"
        what = "a record" if is_record else "a batch"
        super().__init__(
            f"{what} of {size} bytes for {topic} is larger than {takes}: see its max.message.bytes"
        )
        self.topic = topic
        self.size = size
        self.is_record = is_record
        self.in_transaction = in_transaction


class Abandoned(ExactError):
    """Nobody waits for a batch any more: the agent leaves its `with batch:`, which takes this."""


class NewerFormat(Refusal):
    """State was written by a newer version of the program than this one."""
