"""The page stands alone, shows names as text, and holds pictures and sounds that decode."""

import io
import shutil
import subprocess
from dataclasses import replace

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from html_page import Page, decode
from music import make_score

from neuromusic_hf import load_corpus
from neuromusic_hf.metrics import COMPARISONS
from neuromusic_hf.rendering import read_audio, save_audio
from neuromusic_hf.reports import ScoringOptions, score_run, write_report
from neuromusic_hf.reports import showcase as showcase_module
from neuromusic_hf.reports.showcase import MOST_SECONDS, choose_exhibits
from neuromusic_hf.runs import OutputSettings, read_run

ALONE = ScoringOptions(num_proc=1)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def page(scored):
    return Page(scored.page.read_text(encoding="utf-8"))


def report(run_folder, folder):
    run = read_run(run_folder)
    return Page(write_report(run, score_run(run, ALONE), folder).read_text(encoding="utf-8"))


def test_nothing_is_fetched_and_nothing_runs(page):
    (policy,) = [meta["content"] for meta in page.attributes("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:;") and "script-src" not in policy
    for _, attributes in page.tags:
        assert not attributes.keys() & {"href", "srcset", "onerror", "onload"}
        assert attributes.get("src", "data:").startswith("data:")
    assert not page.attributes("script") and not page.attributes("link")


def test_names_are_text_whatever_they_hold(page, scored):
    assert "007 <b>short</b>" in page.text
    assert len(page.attributes("b")) == 1 + len(COMPARISONS)  # for its reason, and for that of each score
    shown = [scored.run.records[number].name for _, number in choose_exhibits(scored.scores.table)]
    assert [words for tag, words in page.words if tag == "h3"] == shown
    assert any(set(name) & set('<>&"') for name in shown)


def test_scores_and_what_is_left_out_are_on_the_page(page, scored):
    for score in scored.record["scores"].values():
        assert f"{score['score']:.3f} {score['interval'][0]:.3f} to {score['interval'][1]:.3f}" in page.text
        assert f"{score['noise_floor_95']:.3f}" in page.text
    assert page.text.count("generated: no_notes (1): 003 Über Café") == len(COMPARISONS)
    assert "Not available: no training corpus was named (--train_corpus)." in page.text


def test_the_piece_that_shares_the_longest_run_with_training_is_named(make_run, midi_folder, tmp_path):
    generated = [make_score(100), load_corpus(midi_folder)["train"][0]["midi"], make_score(102)]
    run = read_run(make_run(tmp_path / "run", generated))
    scores = score_run(run, ScoringOptions(train_corpus=str(midi_folder), num_proc=1))
    page = Page(write_report(run, scores, tmp_path / "report").read_text(encoding="utf-8"))
    novelty = scores.record["novelty"]
    longest = f"{novelty['longest_generated']} at most, in {run.labels[1]} (originals: {novelty['longest_original']})."
    assert '"' in longest and longest in page.text
    assert f"Compared with {novelty['num_training_pieces']} training pieces." in page.text


def test_pictures_decode(page, scored):
    pictures = [decode(image["src"], "image/png") for image in page.attributes("img")]
    assert len(pictures) == 2 + 3
    assert pictures[1] == (scored.folder / "distances.png").read_bytes()
    for picture in pictures:
        pixels = matplotlib.image.imread(io.BytesIO(picture))
        assert min(pixels.shape[:2]) > 100 and pixels[..., :3].std() > 0.01


def test_sounds_decode_or_say_why_there_are_none(make_run, monkeypatch, tmp_path):
    def no_engine(*arguments, **settings):
        raise ImportError("No audio engine is installed.")

    folder = make_run(tmp_path / "run", [make_score(100 + index) for index in range(3)])
    monkeypatch.setattr(showcase_module, "render_audio", no_engine)
    silent = report(folder, tmp_path / "silent")
    assert not silent.attributes("audio") and silent.text.count("No sound: No audio engine is installed.") == 3
    monkeypatch.setattr(showcase_module, "render_audio", lambda score, **_: np.full((2, 22050), 0.25, np.float32))
    for audio in report(folder, tmp_path / "heard").attributes("audio"):
        assert "controls" in audio
        samples, rate = read_audio(io.BytesIO(decode(audio["src"], "audio/wav")))
        assert samples.shape == (1, 22050) and rate == 22050 and abs(samples.mean() - 0.25) < 1e-4


def test_a_piece_that_cannot_be_read_again_is_still_on_the_page(make_run, tmp_path):
    folder = make_run(tmp_path / "run", [make_score(100)])
    next(folder.glob("*.full.mid")).write_bytes(b"no MIDI")
    page = report(folder, tmp_path / "report")
    assert "No sound: Cannot read the MIDI file" in page.text and len(page.attributes("img")) == 2


def with_sound(run, name):
    """The run with that file as the sound of every piece."""
    return replace(run, records=[replace(each, files=replace(each.files, audio=name)) for each in run.records])


@pytest.mark.parametrize(("rate", "expected"), [(8000, 8000), (44100, 22050), (48000, 16000)])
def test_sound_of_the_run_is_taken_over_and_long_pieces_are_cut_around_the_continuation(
    make_run, tmp_path, rate, expected
):
    folder = make_run(tmp_path / "run", [make_score(100)])
    time = np.arange(90 * rate) / rate
    save_audio(folder / "000.wav", 0.5 * np.sin(2 * np.pi * 440 * time), rate)
    run = with_sound(read_run(folder), "000.wav")
    scores = score_run(run, ALONE)
    page = write_report(run, scores, tmp_path / "report")
    assert page.stat().st_size < 5e6
    (audio,) = Page(page.read_text(encoding="utf-8")).attributes("audio")
    samples, found = read_audio(io.BytesIO(decode(audio["src"], "audio/wav")))
    assert found == expected and samples.shape == (1, MOST_SECONDS * expected)
    assert abs(np.argmax(np.abs(np.fft.rfft(samples[0, :expected]))) - 440) <= 1
    assert "The sound is cut" in page.read_text(encoding="utf-8")


def test_best_median_and_worst_are_chosen_once_each():
    def chosen(*ranks):
        return choose_exhibits(pd.DataFrame({"mean_rank": ranks}, dtype="float64"))

    assert chosen(3, 1, None, 5, 2, 4) == [("best", 1), ("median", 0), ("worst", 3)]
    assert chosen(2, 1) == [("best, median", 1), ("worst", 0)]
    assert chosen(1) == [("best, median, worst", 0)]
    assert chosen(None) == chosen() == []


def test_runs_without_pieces_or_notes_have_a_page(make_run, tmp_path):
    silent = make_score(100)
    silent.tracks = []
    for name, generated in (("nothing", []), ("silence", [silent, silent])):
        text = report(make_run(tmp_path / name, generated, ["short"]), tmp_path / f"{name} report").text
        assert "so there is no score" in text and "there is none to rank" in text
        assert "too_short (1)" in text

        assert ("recorded it of no piece" in text) == (name == "nothing")


def test_a_browser_shows_the_page_and_fetches_nothing(make_run, tmp_path):
    """The page as it is, but for a script that waits for pictures and sounds and writes down what it sees."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium, chromium-browser or google-chrome on PATH")
    folder = make_run(tmp_path / "run", [make_score(100 + index) for index in range(3)], [], OutputSettings())
    save_audio(folder / "sound.wav", np.sin(np.arange(8000) / 10), 8000)
    run = with_sound(read_run(folder), "sound.wav")
    page = write_report(run, score_run(run, ALONE), tmp_path / "report")
    text = page.read_text(encoding="utf-8")
    assert "'unsafe-inline'\"" in text
    watched = text.replace("style-src", "script-src 'unsafe-inline'; style-src") + WATCH
    (tmp_path / "watched.html").write_text(watched, encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--virtual-time-budget=20000", "--dump-dom", (tmp_path / "watched.html").as_uri()]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300)
    seen = Page(finished.stdout)
    assert seen.attributes("body")[0]["data-seen"] == "pictures 5 of 5, sounds 1.0 1.0 1.0, fetched none, blocked none"


WATCH = """<script>
const blocked = [];
document.addEventListener("securitypolicyviolation", event => blocked.push(event.blockedURI));
window.addEventListener("load", async () => {
  const sounds = [...document.querySelectorAll("audio")];
  await Promise.all(sounds.map(sound => sound.readyState > 0 || new Promise(resolve => {
    sound.addEventListener("loadedmetadata", resolve); sound.addEventListener("error", resolve); sound.load();
  })));
  const pictures = [...document.images], shown = pictures.filter(one => one.naturalWidth > 100 && one.width > 100);
  const resources = performance.getEntriesByType("resource").map(one => one.name);
  const fetched = resources.filter(name => !name.startsWith("data:"));
  document.body.dataset.seen = `pictures ${shown.length} of ${pictures.length}, sounds `
    + sounds.map(sound => sound.duration.toFixed(1)).join(" ")
    + `, fetched ${fetched.join(" ") || "none"}, blocked ${blocked.join(" ") || "none"}`;
});
</script>
"""


def test_what_the_tokenizer_changed_is_told_with_the_pieces_that_lost_most(scored, page):
    changed = scored.record["changed_by_tokenizer"]
    assert (changed["pieces"], changed["changed"]) == (7, 6)
    assert changed["total"]["dropped_drum_keys"] == 21 and changed["lost_share"] == 10.5 / 420
    assert [piece["lost_share"] for piece in changed["worst"]] == [0.5 * index / 60 for index in (6, 5, 4, 3, 2)]
    assert "lost 2.50% of sounding time; 21 drum keys dropped, 2 meters replaced" in page.text
    assert "4 drum keys dropped, 2 meters replaced" in page.text
