import copy
import pickle
import subprocess
import sys

import datasets
import pyarrow as pa
import pytest
import symusic
import torch
from datasets import Dataset, Features, Value

from neuromusic_hf.music import Midi

PLAIN = {"bytes": Value("binary"), "path": Value("string")}

LOAD_WITHOUT_PACKAGE = """
import sys
import datasets

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("neuromusic_hf"):
            raise ImportError("this process must not import neuromusic_hf")

sys.meta_path.insert(0, Refuse())
loaded = {
    "parquet": datasets.load_dataset("parquet", data_files="saved.parquet", split="train", cache_dir="cache"),
    "stream": datasets.load_dataset("parquet", data_files="saved.parquet", split="train", streaming=True),
    "disk": datasets.load_from_disk("saved"),
    "arrow": datasets.Dataset.from_file("saved.arrow"),
}
for kind, rows in loaded.items():
    row = next(iter(rows))
    assert row["midi"]["bytes"][:4] == b"MThd", row
    print(kind, *sorted(row["midi"]))
assert "neuromusic_hf" not in sys.modules
"""


@pytest.fixture
def dataset(make_score, make_midi):
    rows = {"midi": [make_score(1), make_midi(2), {"bytes": make_midi(3), "path": "three.mid"}], "n": [1, 2, 3]}
    return Dataset.from_dict(rows, features=Features({"midi": Midi(), "n": Value("int32")}))


def test_every_kind_of_value_decodes_to_the_same_score(make_score, tmp_path):
    score = make_score(5)
    path = tmp_path / "five.mid"
    path.write_bytes(score.dumps_midi())
    values = [score, score.to("second"), score.to("quarter"), path, str(path), path.read_bytes(), {"path": str(path)}]
    rows = Dataset.from_dict({"midi": values[:1]}, features=Features({"midi": Midi()}))
    expected = rows[0]["midi"]
    assert expected.note_num() == score.note_num()
    for value in values:
        decoded = Midi().decode_example(Midi().encode_example(value))
        assert decoded.tracks[0].notes == expected.tracks[0].notes, value


@pytest.mark.parametrize(
    "value, error",
    [({"bytes": None, "path": None}, ValueError), ({}, ValueError), ({"bytes": "MThd"}, TypeError), (3, TypeError)],
)
def test_a_value_that_is_no_midi_is_refused(value, error):
    with pytest.raises(error):
        Midi().encode_example(value)


@pytest.mark.parametrize("path", ["own file", "file:// own file", "https://127.0.0.1:9/a.mid", "hf://datasets/a/b/c"])
@pytest.mark.parametrize("form", ["parquet", "disk", "streamed", "generated", "mapped"])
def test_a_stored_row_opens_nothing_but_its_own_bytes(make_midi, tmp_path, path, form):
    (tmp_path / "ours.mid").write_bytes(make_midi(1))
    path = path.replace("own file", str(tmp_path / "ours.mid")).replace(" ", "")
    rows = Dataset.from_dict({"midi": [{"bytes": None, "path": path}]}, features=Features({"midi": PLAIN}))
    decoding = Features({"midi": Midi()})
    with pytest.raises(ValueError, match="own bytes"):
        if form == "disk":
            rows.save_to_disk(tmp_path / "disk")
            rows = datasets.load_from_disk(tmp_path / "disk")
        elif form == "generated":
            rows = datasets.IterableDataset.from_generator(list(rows).__iter__, features=decoding)
        elif form == "mapped":
            rows = rows.map(lambda row: row, features=decoding)
        else:
            rows.to_parquet(tmp_path / "rows.parquet")
            options = {"split": "train", "cache_dir": str(tmp_path / "cache"), "streaming": form == "streamed"}
            rows = datasets.load_dataset("parquet", data_files=str(tmp_path / "rows.parquet"), **options)
        next(iter(rows.cast_column("midi", Midi())))


def test_undecodable_bytes_name_the_file():
    with pytest.raises(RuntimeError, match="broken.mid"):
        Midi().decode_example({"bytes": b"MThd....", "path": "broken.mid"})


def test_the_serialised_form_is_a_plain_struct():
    features = Features({"midi": Midi(decode=False), "nested": datasets.List(Midi())})
    plain = Features({"midi": PLAIN, "nested": datasets.List(PLAIN)})
    assert features.to_dict() == plain.to_dict()
    assert Features.from_dict(features.to_dict()) == plain
    assert features.arrow_schema == plain.arrow_schema
    assert features._to_yaml_list() == plain._to_yaml_list()


def test_the_decode_flag_survives_copies_and_counts_in_equality():
    for feature in (Midi(), Midi(decode=False)):
        copies = [copy.copy(feature), copy.deepcopy(feature), pickle.loads(pickle.dumps(feature))]
        for copied in copies:
            assert copied == feature and hash(copied) == hash(feature) and copied.decode == feature.decode
    assert Midi() != Midi(decode=False)


def test_without_decoding_a_row_is_bytes_and_path(dataset):
    row = dataset.cast_column("midi", Midi(decode=False))[2]["midi"]
    assert row["bytes"][:4] == b"MThd" and row["path"] == "three.mid"


def test_what_is_saved_loads_where_the_package_is_absent(dataset, tmp_path):
    dataset.to_parquet(tmp_path / "saved.parquet")
    dataset.save_to_disk(tmp_path / "saved")
    mapped = dataset.map(lambda row: {"more": 1}, cache_file_name=str(tmp_path / "saved.arrow"))
    assert mapped[0]["more"] == 1
    command = [sys.executable, "-c", LOAD_WITHOUT_PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{kind} bytes path" for kind in ("parquet", "stream", "disk", "arrow")]


def test_paths_are_read_so_the_files_may_go(make_midi, tmp_path):
    file = tmp_path / "one.mid"
    file.write_bytes(make_midi(1))
    dataset = Dataset.from_dict({"midi": [str(file), None]}, features=Features({"midi": Midi()}))
    expected = file.read_bytes()
    file.unlink()
    dataset.to_parquet(tmp_path / "one.parquet")
    loaded = Dataset.from_parquet(str(tmp_path / "one.parquet"), cache_dir=str(tmp_path / "cache"))
    assert loaded.features["midi"] == PLAIN
    assert loaded[0]["midi"] == {"bytes": expected, "path": str(file)}
    assert loaded[1]["midi"] is None
    assert isinstance(loaded.cast_column("midi", Midi())[0]["midi"], symusic.core.ScoreTick)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a.mid", None]),
        pa.array([b"MThd", None]),
        pa.array([b"MThd", None], pa.large_binary()),
        pa.array([b"MThd", None], pa.binary_view()),
        pa.array([b"MThd", None], pa.binary(4)),
        pa.array([list(b"MThd"), None], pa.list_(pa.uint8())),
        pa.array(
            [{"bytes": list(b"MThd"), "name": "a"}, None],
            pa.struct({"bytes": pa.large_list(pa.uint8()), "name": pa.string()}),
        ),
        pa.array([{"path": "a.mid"}, None]),
        pa.array([{"path": "a.mid", "bytes": b"MThd"}, None]),
    ],
)
@pytest.mark.parametrize("start", [0, 1])
def test_storage_casts_to_bytes_and_path_and_keeps_nulls(column, start):
    cast = Midi().cast_storage(pa.concat_arrays([column[:start], column])[start:])
    assert cast.type == Midi.pa_type
    first, second = cast.to_pylist()
    assert first["bytes"] in (b"MThd", None) and first["path"] in ("a.mid", None) and any(first.values())
    assert second is None


def test_iterable_datasets_decode(dataset):
    stream = dataset.to_iterable_dataset()
    assert isinstance(next(iter(stream))["midi"], symusic.core.ScoreTick)
    assert next(iter(stream.decode(False)))["midi"]["bytes"][:4] == b"MThd"


FORMATS = ["numpy", "torch", "jax", "tensorflow", "pandas"]


@pytest.mark.parametrize("name", [*FORMATS, "arrow"])
def test_every_format_hands_out_scores_and_its_own_numbers(name, make_midi):
    """As `datasets` has it for sound: what is no number stays as it is; Arrow gives what is stored."""
    values = {"midi": [make_midi(1), None], "many": [[make_midi(2)], []], "n": [1, 2]}
    features = Features({"midi": Midi(), "many": datasets.List(Midi()), "n": Value("int32")})
    rows = Dataset.from_dict(values, features=features)
    try:
        formatted = rows.with_format(name)
    except ValueError as error:
        pytest.skip(str(error))
    stream = rows.to_iterable_dataset().with_format(name)
    ways = [formatted[:1], formatted[[0]], next(iter(formatted.iter(1))), next(iter(stream.iter(1)))]
    ways += [formatted[0], next(iter(formatted)), next(iter(stream)), formatted.select([1, 0])[1]]
    for way in ways:
        values = {column: way[column] for column in ("midi", "many")}
        if name == "arrow":
            assert values["midi"][0].as_py()["bytes"][:4] == b"MThd"
            continue
        score = values["midi"] if isinstance(values["midi"], symusic.core.ScoreTick) else values["midi"][0]
        many = values["many"][0]
        many = many if isinstance(many, symusic.core.ScoreTick) else many[0]
        assert score.note_num() == 24 and isinstance(many, symusic.core.ScoreTick)
        assert type(way["n"]) is type(rows.select_columns(["n"]).with_format(name)[:1]["n"]) or way["n"] == 1
    assert formatted["midi"][1] is None or name == "arrow"


def test_a_loader_of_torch_takes_rows_with_scores(dataset):
    loader = torch.utils.data.DataLoader(dataset.with_format("torch"), batch_size=2, collate_fn=list)
    rows = [row for batch in loader for row in batch]
    assert [row["n"].item() for row in rows] == [1, 2, 3] and all(row["midi"].note_num() == 24 for row in rows)


def test_a_path_without_a_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.mid"):
        Midi().encode_example(tmp_path / "absent.mid")


def test_flatten_needs_decoding_off(dataset):
    with pytest.raises(ValueError, match="decode=False"):
        dataset.flatten()
    assert "midi.bytes" in dataset.cast_column("midi", Midi(decode=False)).flatten().column_names
