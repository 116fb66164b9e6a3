"""What goes wrong on the way to a Hub, as a test orders it."""

import re
import time
from dataclasses import dataclass


@dataclass
class Fault:
    """
    Something that happens to the next requests of a kind.

    Args:
        path (`str`): pattern of their paths, anywhere in it.
        method (`str`, *optional*): theirs; all if not given.
        times (`int`, *optional*, defaults to 1): how many of them.
    """

    path: str
    method: str | None = None
    times: int = 1

    def takes(self, method: str, path: str) -> bool:
        if self.times < 1 or self.method not in (None, method) or not re.search(self.path, path):
            return False
        self.times -= 1
        return True


@dataclass
class Status(Fault):
    """The request is answered with an error."""

    status: int = 503
    message: str = "out of order"


@dataclass
class Cut(Fault):
    """The connection ends after so many bytes of the content; that of an upload, before it is taken."""

    after: int = 100


@dataclass
class Slow(Fault):
    """The content comes in pieces, with a pause before each."""

    seconds: float = 0.05
    pieces: int = 4

    def send(self, write, data: bytes):
        size = max(1, len(data) // self.pieces)
        for start in range(0, len(data), size):
            time.sleep(self.seconds)
            write(data[start : start + size])


@dataclass
class WrongEtag(Fault):
    """The content is another than its hash says."""

    content: bytes = b"something else"
