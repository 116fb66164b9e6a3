"""What W&B writes where it is offline: records in the log format of LevelDB, which its own library reads no more."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

BLOCK = 2**15
HEADER = 7
FULL, FIRST, MIDDLE, LAST = range(1, 5)


def read_records(path: Path) -> Iterator:
    """All records of a `.wandb` file, as messages of W&B's protocol."""
    from wandb.proto.wandb_internal_pb2 import Record

    for content in _contents(path.read_bytes()):
        record = Record()
        record.ParseFromString(content)
        yield record


def read_rows(path: Path) -> list[dict]:
    """What was logged, a row for each call of `wandb.log`."""
    rows = []
    for record in read_records(path):
        if record.WhichOneof("record_type") == "history":
            rows.append({})
            for item in record.history.item:
                *outer, last = item.nested_key or [item.key]
                place = rows[-1]
                for name in outer:
                    place = place.setdefault(name, {})
                place[last] = json.loads(item.value_json)
    return rows


def read_run(path: Path):
    """The record of the run itself: its id, name, group, tags."""
    return next(record.run for record in read_records(path) if record.WhichOneof("record_type") == "run")


def read_config(path: Path) -> dict:
    """The configuration of the run, of all records together."""
    config = {}
    for record in read_records(path):
        kind = record.WhichOneof("record_type")
        updates = {"run": record.run.config.update, "config": record.config.update}.get(kind, ())
        config |= {"/".join(each.nested_key) or each.key: json.loads(each.value_json) for each in updates}
    return config


def _contents(data: bytes) -> Iterator[bytes]:
    assert data.startswith(b":W&B"), "no file of W&B"
    place, parts = HEADER, []
    while place + HEADER <= len(data):
        if BLOCK - place % BLOCK < HEADER:  # what is left of a block is empty
            place += BLOCK - place % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        if not kind:
            place += BLOCK - place % BLOCK
            continue
        parts.append(data[place + HEADER : place + HEADER + length])
        place += HEADER + length
        if kind in (FULL, LAST):
            yield b"".join(parts)
            parts = []
