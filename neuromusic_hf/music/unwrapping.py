"""The standard MIDI file inside what it came in."""

from .limits import SanityLimits, exceeds
from .refusals import RefusedFile


def check_size(size: int, limits: SanityLimits) -> None:
    """Raise `RefusedFile("too_large")` if a file of `size` bytes is above the limit."""
    if exceeds(size, limits.max_file_bytes):
        raise RefusedFile("too_large", f"{size} bytes, limit {limits.max_file_bytes}")


def unwrap_riff(data: bytes) -> bytes:
    """Give the standard MIDI file inside a RIFF (`.rmi`) wrapping; other bytes come back as they are.

    Raises:
        RefusedFile: `not_midi` if the RIFF file is no MIDI one or has no `data` chunk.
    """
    if data[:4] != b"RIFF":
        return data
    if data[8:12] != b"RMID":
        raise RefusedFile("not_midi", f"a RIFF file of type {data[8:12]!r}, not 'RMID'")
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if data[position : position + 4] == b"data":
            return data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
    raise RefusedFile("not_midi", "a RIFF MIDI file without a 'data' chunk")
