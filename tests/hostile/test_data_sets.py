"""Data sets of a stranger: only their own Parquet files are read, and of these no more than they can hold."""

import gzip
import json
import pickle
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Audio, Dataset, DatasetDict, Features, Image, Value
from music import make_score

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.corpora.builder import FACT_FEATURES
from neuromusic_hf.music.midi_feature import PLAIN_MIDI

SHARES = (0.4, 0.3, 0.3)


def parquet(rows, compression="snappy") -> bytes:
    table = rows if isinstance(rows, pa.Table) else pa.table(rows)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression=compression)
    return sink.getvalue().to_pybytes()


def card(**metadata) -> bytes:
    return f"---\n{json.dumps(metadata)}\n---\n# Songs\n".encode()


def configs(data_files, **more) -> bytes:
    return card(configs=[{"config_name": "default", "data_files": data_files, **more}])


@pytest.fixture(scope="session")
def songs():
    return parquet({"midi": [make_score(seed).dumps_midi() for seed in range(20)]})


class Pickled:
    def __reduce__(self):
        return (open, ("it_ran", "w"))


@pytest.fixture
def elsewhere():
    """Another server on loopback, and what was asked of it."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    assert not asked


@pytest.fixture(params=["hub", "streamed", "folder"])
def load(request, hub, tmp_path):
    """Has files of a stranger loaded: from the Hub, streamed from there, and from a folder that was downloaded."""

    def load(files, **options):
        options = {"split_shares": SHARES, **options}
        if request.param != "folder":
            hub.put("bob/songs", files, kind="dataset")
            return load_corpus("bob/songs", streaming=request.param == "streamed", **options)
        for name, content in files.items():
            path = tmp_path / "bob-songs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return load_corpus(tmp_path / "bob-songs", **options)

    return load


def rows_of(corpus):
    return [row for split in corpus.values() for row in split]


PATHS = [
    "{folder}/secret.parquet",
    "../secret.parquet",
    "data/../../secret.parquet",
    "file://{folder}/secret.parquet",
    "~/secret.parquet",
    "{url}/secret.parquet",
    "zip://secret.parquet::{url}/songs.zip",
    "hf://datasets/alice/private/data.parquet",
    "C:\\secret.parquet",
    "data\0.parquet",
]
FORMS = ["text", "list", "split", "splits", "folder"]
"""In which a card can name files."""


@pytest.mark.parametrize(
    ("path", "form"), [*zip(PATHS, FORMS * 2, strict=True), *zip(PATHS, FORMS[::-1] * 2, strict=True)]
)
def test_a_card_names_no_files_but_its_own(load, hub, refused, tmp_path, songs, elsewhere, path, form):
    (tmp_path / "secret.parquet").write_bytes(songs)
    hub.put("alice/private", {"data.parquet": songs}, kind="dataset", private=True)
    path = path.format(folder=tmp_path, url=elsewhere[0])
    if form == "folder":
        readme = card(configs=[{"config_name": "default", "data_dir": path}])
    else:
        forms = {
            "text": path,
            "list": ["data/train.parquet", path],
            "split": {"train": "data/train.parquet", "test": [path]},
            "splits": [{"split": "train", "path": path}],
        }
        readme = configs(forms[form])
    hub.requests.clear()
    with refused("bob", "README.md", repr(path), "only files of its own"):
        load({"data/train.parquet": songs, "README.md": readme})
    assert not [path for _, path, _ in hub.requests if "private" in path]


@pytest.mark.parametrize(
    ("readme", "parts"),
    [
        (configs({"../../train": "train.parquet"}), ["split '../../train'"]),
        (configs([{"split": ["train"], "path": "train.parquet"}]), ["split ['train']"]),
        (configs("nowhere/*.parquet"), ["'nowhere/*.parquet'", "does not hold"]),
        (configs("*.json"), ["'*.json'", "rows.json", "only Parquet"]),
        (configs({"train": [["train.parquet"]]}), ["['train.parquet']", "only files of its own"]),
        (card(configs={"default": "train.parquet"}), ["no list of configurations"]),
        (b"---\na: &a [1]\nb: *a\n---\n", ["stands for a list"]),
        (b"---\na: &a [1, 1]\nb: &b [*a, *a]\nconfigs: [*b, *b]\n---\n", ["stands for a list"]),
        (b"---\na: " + b"[" * 200 + b"]" * 200 + b"\n---\n", ["deeper than 20"]),
        (b"---\na: !!python/object/apply:os.system ['touch it_ran']\n---\n", ["cannot be read"]),
        (b"---\na: [\n---\n", ["cannot be read"]),
        (b"---\n- a\n---\n", ["'key: value'"]),
        (b"---\ndataset_info: [" + b"{features: x}," * 100_000 + b"]\n---\n", ["letters, limit"]),
        (b"# Songs\n" * (1 << 20), ["bytes, limit"]),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value[0],
)
def test_a_card_that_is_none_is_refused(load, refused, songs, readme, parts):
    with refused("bob", "README.md", *parts):
        load({"train.parquet": songs, "rows.json": b"{}", "README.md": readme})


@pytest.mark.parametrize(
    "name",
    ["songs.py", "songs.pkl", "songs.pt", "train.tar", "train.json", "train.csv", "train.arrow", "a.mid", "x.zip"],
)
def test_nothing_but_parquet_is_read_of_a_data_set_on_the_hub(hub, refused, name):
    """Scripts, pickles, tables of links, archives: the one form is checked as it is read."""
    hub.put("bob/songs", {name: pickle.dumps(Pickled()), "README.md": card(license="mit")}, kind="dataset")
    for streaming in (False, True):
        with refused("'bob/songs'", f".{name.partition('.')[2]}", "only Parquet files are read"):
            load_corpus("bob/songs", streaming=streaming)
    assert not [path for _, path, _ in hub.requests if name in path]


def test_other_files_beside_parquet_are_left_alone(load, hub, songs, tmp_path):
    files = {"train.parquet": songs, "songs.py": b"open('it_ran', 'w')", "dataset_infos.json": b"[" * 10_000}
    files |= {".huggingface.yaml": b"a: &a [*a]", "train.pkl": pickle.dumps(Pickled())}
    assert len(rows_of(load(files))) == 20 and not (tmp_path / "it_ran").exists()
    assert not [path for _, path, _ in hub.requests if "resolve" in path and not path.endswith("train.parquet")]


def test_rows_open_and_fetch_nothing(load, hub, songs, secret, elsewhere):
    """Null bytes and a path; and columns that a stranger says hold images and sounds."""
    paths = [
        "/etc/passwd",
        str(secret),
        f"file://{secret}",
        f"{elsewhere[0]}/a.mid",
        "hf://datasets/alice/a/b.mid",
        None,
    ]
    own = [{"bytes": make_score(seed).dumps_midi(), "path": str(secret)} for seed in range(20)]
    rows = own + [{"bytes": None, "path": path} for path in paths]
    shown = [{"bytes": None, "path": f"{elsewhere[0]}/a.png"}] * len(rows)
    table = Dataset.from_dict({"midi": rows, "cover": shown, "sound": shown}).data.table
    stored = {"bytes": Value("binary"), "path": Value("string")}
    said = Features({"midi": stored, "cover": Image(), "sound": Audio()}).arrow_schema
    corpus = load({"train.parquet": parquet(table.cast(said))})
    assert len(rows_of(corpus)) == 20 and rows_of(corpus)[0]["cover"] == shown[0]
    if isinstance(corpus, DatasetDict):
        assert corpus.quarantine.refused == {"missing": 6}


def test_a_bomb_in_a_row_is_quarantined(load):
    bombs = [gzip.compress(bytes(40 << 20), 9), b"MThd" + b"\xff" * 50, b"PK\3\4" + bytes(90), b"", None]
    rows = [make_score(seed).dumps_midi() for seed in range(20)] + bombs
    corpus = load({"train.parquet": parquet({"midi": rows})})
    assert len(rows_of(corpus)) == 20
    if isinstance(corpus, DatasetDict):
        assert sum(corpus.quarantine.refused.values()) == 5 and corpus.quarantine.refused["too_large"] == 1


def bad_utf8():
    names = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.array([0, 2], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe")]
    )
    midi = pa.array([make_score(0).dumps_midi()])
    return parquet(pa.table({"midi": pa.StructArray.from_arrays([midi, names], ["bytes", "path"])}))


def a_value_in_all_rows(bytes_of_value, rows):
    """The value is stored once, and is larger than all that the file may hold."""
    value = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([bytes(bytes_of_value)]))
    sink = pa.BufferOutputStream()
    how = {"compression": "zstd", "use_dictionary": True, "dictionary_pagesize_limit": 2**31 - 1}
    pq.write_table(pa.table({"midi": value}), sink, store_schema=False, **how)
    return sink.getvalue().to_pybytes()


BAD_PARQUET = {
    "more rows than bytes": (lambda: parquet({"midi": pa.nulls(3_000_000, pa.binary())}), "rows in"),
    "dictionary of a large value": (lambda: parquet({"midi": [bytes(1 << 16)] * 130}), "unpacks to more than"),
    "a large value in all rows": (lambda: a_value_in_all_rows(80 << 20, 16), "unpacks to more than"),
    "other text than UTF-8": (bad_utf8, "damaged"),
    "no Parquet": (lambda: b"PAR1 no Parquet PAR1", "not whole Parquet"),
    "no MIDI": (lambda: parquet({"text": ["a"]}), "needs one column of MIDI"),
    "a map": (
        lambda: parquet({"midi": pa.array([[(b"a", 1)]], pa.map_(pa.binary(), pa.int8()))}),
        "of a type that is not read",
    ),
}


@pytest.mark.parametrize("name", BAD_PARQUET)
def test_parquet_that_holds_more_than_it_can_is_refused(load, refused, name, monkeypatch):
    monkeypatch.setattr("neuromusic_hf.corpora.parquet.FREE_BYTES", 1 << 20)
    make, problem = BAD_PARQUET[name]
    with refused("bob", problem):
        rows_of(load({"train.parquet": make()}))


def test_a_bomb_is_not_unpacked_to_be_measured(tmp_path):
    (tmp_path / "train.parquet").write_bytes(a_value_in_all_rows(80 << 20, 16))
    before = pa.total_allocated_bytes(), pa.default_memory_pool().max_memory()
    with pytest.raises(ValueError, match="unpacks to more than"):
        load_corpus(tmp_path)
    assert pa.default_memory_pool().max_memory() <= max(before[1], before[0] + (200 << 20))


@pytest.mark.parametrize("name", ["train.parquet", "README.md", "dataset_info.json"])
def test_a_link_in_a_folder_leads_to_no_file_elsewhere(name, songs, tmp_path, refused):
    folder, outside = tmp_path / "bob", tmp_path / "outside"
    if name == "dataset_info.json":
        Dataset.from_dict({"midi": [b"MThd"]}).save_to_disk(folder)
        shutil.move(folder / name, outside)
    else:
        folder.mkdir()
        (folder / "test.parquet").write_bytes(songs)
        outside.write_bytes(songs)
    (folder / name).symlink_to(outside)
    with refused(str(folder / name), "link"):
        load_corpus(folder)


def test_files_of_other_columns_and_missing_shards_are_refused(load, refused, songs):
    with refused("bob", "train.parquet", "other columns"):
        rows_of(load({"test.parquet": songs, "train.parquet": parquet({"midi": [b"a"], "more": [1]})}))
    with refused("bob", "not whole", "data/train-*-of-00003"):
        load({"data/train-00000-of-00003.parquet": songs})


def test_a_path_out_of_the_repository_is_refused(hub, refused, songs):
    for number, name in enumerate(
        ("../songs.parquet", "data/../../songs.parquet", "/songs.parquet", "C:/songs.parquet")
    ):
        hub.put(f"bob/{number}", {name: songs}, kind="dataset")
        with refused(f"'bob/{number}'", repr(name), "no path in a repository"):
            load_corpus(f"bob/{number}")


def test_what_a_card_says_of_columns_does_not_count(load, songs, secret):
    columns = [{"name": "midi", "dtype": "image"}, {"name": "other", "_type": "Midi"}]
    info = {"features": columns, "splits": [{"name": "train", "num_examples": 10**12, "num_bytes": 10**15}]}
    assert len(rows_of(load({"train.parquet": songs, "README.md": card(dataset_info=info)}))) == 20


def test_columns_with_the_names_of_ours_do_not_count(load):
    """A stranger does not say what is refused here, or in which split it is."""
    midi = [make_score(seed).dumps_midi() for seed in range(20)]
    rows = {
        "midi": midi,
        "official_split": ["test"] * 20,
        "refused_reason": ["no"] * 20,
        "content_hash": ["f" * 32] * 20,
    }
    found = rows_of(load({"train.parquet": parquet(rows)}))
    assert len({row["content_hash"] for row in found}) == 20


def test_facts_that_cannot_be_so_are_found_out_anew(load):
    """A stranger's rows that claim to be inspected already."""
    claims = Features({"midi": PLAIN_MIDI, **FACT_FEATURES})

    def split(name, value, first):
        """Five rows, the first of which lies."""
        midi = [make_score(seed).dumps_midi() for seed in range(first, first + 5)]
        rows = {"midi": [{"bytes": data, "path": "a.mid"} for data in midi], "instruments": [["Drums"]] * 5}
        rows |= {"duration": [1.0] * 5, "num_notes": [3] * 5, "content_hash": [f"{index:032x}" for index in range(5)]}
        told = {**rows, name: [value, *rows[name][1:]]}
        return parquet(Dataset.from_dict(told, features=claims).data.table)

    lies = {"train": ("duration", float("nan")), "validation": ("num_notes", -1), "test": ("content_hash", "../../x")}
    files = {f"{name}.parquet": split(*lie, 5 * at) for at, (name, lie) in enumerate(lies.items())}
    large = {"train.parquet": split("midi", {"bytes": bytes(17 << 20), "path": "b.mid"}, 0)}
    for part, accepted in ((files, 15), (large, 14)):
        found = rows_of(load(part, split_shares=None))
        assert len(found) == accepted
        assert all(row["num_notes"] > 0 and row["duration"] > 0 and "." not in row["content_hash"] for row in found)


@pytest.fixture
def saved(tmp_path):
    """What save_to_disk wrote."""
    rows = Dataset.from_dict({"midi": [make_score(seed).dumps_midi() for seed in range(20)]})
    DatasetDict(train=rows, test=rows).save_to_disk(tmp_path / "saved")
    return tmp_path / "saved"


def edit(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("file", "values", "part"),
    [
        ("dataset_dict.json", {"splits": ["train", "../other"]}, "'../other'"),
        ("train/state.json", {"_data_files": [{"filename": "../../other/data.arrow"}]}, "'../../other/data.arrow'"),
        ("train/state.json", {"_data_files": [{"filename": "/etc/passwd"}]}, "'/etc/passwd'"),
        ("train/dataset_info.json", {"features": {"midi": {"_type": "stranger.Midi"}}}, "stranger.Midi"),
        ("train/dataset_info.json", {"features": {"midi": {"_type": "partial", "func": "os.system"}}}, "saved"),
    ],
)
def test_a_folder_of_save_to_disk_names_no_files_but_its_own(saved, refused, stranger, file, values, part):
    shutil.copytree(saved / "train", saved.parent / "other")
    edit(saved / file, **values)
    with refused(str(saved), part):
        load_corpus(saved)


def test_an_arrow_file_that_points_out_of_itself_is_refused(saved, refused):
    (path,) = (saved / "train").glob("*.arrow")
    data = bytearray(path.read_bytes())
    length = sum(len(make_score(seed).dumps_midi()) for seed in range(20))
    place = data.index(length.to_bytes(4, "little"))
    data[place : place + 4] = (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    with refused(str(saved)):
        load_corpus(saved)


def test_datasets_itself_is_not_asked_to_find_out_what_a_repository_is(hub, songs, monkeypatch):
    monkeypatch.setattr(datasets, "load_dataset", None)
    hub.put("bob/songs", {"train.parquet": songs}, kind="dataset")
    assert len(rows_of(load_corpus("bob/songs", split_shares=SHARES))) == 20
