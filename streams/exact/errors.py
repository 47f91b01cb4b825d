"""What can go wrong, by what is to be done about it."""


class ExactError(Exception):
    """The root of this layer's errors."""


class Unrecoverable(ExactError):
    """Going on would lie: the process ends, and the message says what to do.

    Attributes:
        is_expected: It is no defect of the program: whoever logs it needs no stack trace.
    """

    is_expected = True


class SessionLost(ExactError):
    """What was under way is over; a fresh start restores from what Kafka holds and goes on.

    Raised where nothing is wrong that a fresh start from the last commit would not mend: a fenced
    producer, a broker that went away, a commit of unknown outcome. Raised by the work of one
    partition, that partition alone begins anew; else the session with Kafka does.

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


class NewerFormat(Unrecoverable):
    """State was written by a newer version of the program than this one."""


class SessionEnded(SessionLost):
    """What one session began with no longer holds: it ends for all of its partitions."""


def release_frames(error: BaseException | None) -> None:
    """Let go of what the frames of an error and of its causes hold.

    A batch's error knows the frames it came through, and these know the batch and the error: a
    circle that would keep the batch in memory until the garbage collector comes by.
    """
    waiting, seen = [error], set[int]()
    while waiting:
        found = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        # The frames are not cleared: one of them may be a coroutine's that has caught the error and
        # waits for something else by now, and clearing would end it.
        found.__traceback__ = None
        waiting += [found.__cause__, found.__context__]
        if isinstance(found, BaseExceptionGroup):
            waiting += found.exceptions
