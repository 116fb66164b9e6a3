"""A small folder with all that can happen to a file, and what one process makes of it."""

import pytest
from music import make_score, make_song

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.music import Midi
from neuromusic_hf.preparation import prepare_corpus


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """60 files: songs, songs in another key, copies, files that are refused, mended and ignored."""
    folder = tmp_path_factory.mktemp("source")
    files = {f"songs/{seed:02d}.mid": make_song(seed, bars=8) for seed in range(34)}
    files |= {
        f"twins/{seed:02d}.mid": make_song(seed, bars=8, harmony=100 + seed).shift_pitch(3) for seed in range(10)
    }
    files |= {f"copies/{seed:02d}.mid": make_song(seed, bars=8) for seed in range(20, 25)}
    files |= {f"scores/{seed:02d}.mid": make_score(seed, 40) for seed in range(5)}
    data = {name: score.dumps_midi() for name, score in files.items()}
    data |= {f"twins/mended{seed}.mid": data[f"songs/{seed:02d}.mid"] + b"more" for seed in range(2)}
    data |= {"broken.mid": b"Dear all,", "cut.mid": data["songs/00.mid"][:30], "empty.mid": b"", "readme.txt": b"text"}
    for name, content in data.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def shares():
    return 0.5, 0.25, 0.25


@pytest.fixture(scope="session")
def one_process(source, shares, tmp_path_factory):
    """What `load_corpus` makes of it."""
    return load_corpus(source, split_shares=shares, cache_dir=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def prepare(shares):
    """Prepares a corpus in this process, which is quick, and gives the folder."""

    def prepare(source, output, tasks=4, **options):
        options = {"split_shares": shares, "executor_options": {"workers": 1}, **options}
        assert prepare_corpus(source, output, tasks=tasks, **options)
        return output

    return prepare


@pytest.fixture
def rows_of():
    """The rows of each split, as they are stored."""

    def rows(corpus):
        return {split: each.cast_column("midi", Midi(decode=False))[:] for split, each in corpus.items()}

    return rows
