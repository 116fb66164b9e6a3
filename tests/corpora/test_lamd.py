import hashlib

import huggingface_hub
import pytest

from neuromusic_hf.corpora import load_corpus


@pytest.fixture
def members(make_midi):
    files = []
    for seed in range(60):
        data = make_midi(seed)
        name = hashlib.md5(data).hexdigest()
        files.append((f"MIDIs/{name[0]}/{name}.mid", data))
    files.append(("META_DATA/LAMDa_META_DATA_0.pickle", b"cos\nsystem\n(S'false'\ntR."))
    files.append(("CODE/example.mid", make_midi(999)))
    return files


def check(corpus):
    assert sum(corpus.num_rows.values()) == 60
    assert corpus.num_rows["train"] < 48  # 0.6, not 0.8
    assert corpus.quarantine.refused == {} and corpus.quarantine.ignored == {".pickle": 1, ".mid": 1}


def test_only_midi_files_under_midis_are_read(make_zip, members, cache_dir):
    check(load_corpus("lamd", make_zip(members), cache_dir=cache_dir))


def test_a_folder_will_do_even_midis_itself(members, tmp_path, cache_dir):
    for name, data in members:
        (tmp_path / "lamd" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lamd" / name).write_bytes(data)
    check(load_corpus("lamd", tmp_path / "lamd", cache_dir=cache_dir))
    inside = load_corpus("lamd", tmp_path / "lamd" / "MIDIs", cache_dir=cache_dir)
    assert sum(inside.num_rows.values()) == 60


def test_without_data_dir_it_comes_from_the_hub(make_zip, members, cache_dir, monkeypatch):
    asked = []

    def fake_download(*args, **kwargs):
        asked.append((args, kwargs))
        return str(make_zip(members))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fake_download)
    check(load_corpus("lamd", cache_dir=cache_dir, num_proc=2, token="hf_mine"))
    check(load_corpus("lamd", cache_dir=cache_dir))
    repository = "projectlosangeles/Los-Angeles-MIDI-Dataset"
    file = "Los-Angeles-MIDI-Dataset-Ver-3-1-CC-BY-NC-SA.zip"
    assert asked == [((repository, file), {"repo_type": "dataset", "token": "hf_mine"})]
