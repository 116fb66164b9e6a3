"""Files are known by their content, in order."""

import hashlib

import pytest

from neuromusic_hf.disk import hash_files
from neuromusic_hf.disk.hashing import BLOCK_BYTES


def test_files_are_hashed_as_if_they_were_one(tmp_path):
    contents = [b"", bytes(range(256)) * (BLOCK_BYTES // 256) + b"more than a block", b"last"]
    paths = [tmp_path / f"{number}.bin" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    assert hash_files(map(str, paths)) == hashlib.sha256(b"".join(contents)).hexdigest()
    assert hash_files(paths[1:]) == hash_files(paths) != hash_files(paths[::-1])
    assert hash_files([]) == hashlib.sha256().hexdigest()
    with pytest.raises(FileNotFoundError, match="absent"):
        hash_files([tmp_path / "absent"])
