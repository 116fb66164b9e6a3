import gc
import logging

import pytest
import symusic
from drawn_musicxml import draw_musicxml, zipped

from neuromusic_hf.corpora import BachCorpus, MonteverdiCorpus
from neuromusic_hf.corpora.embedded import _ask_music21
from neuromusic_hf.corpora.musicxml import BeyondReader, Work, read_work
from neuromusic_hf.music import RefusedFile

WORKS = {
    "bwv113.8": "programs by names",
    "bwv165.6": "gaps at the end, which Finale makes",
    "bwv248.23-2": "two voices in a part",
    "bwv248.9-1": "chords",
    "bwv274": "singers",
    "bwv299": "grace notes",
    "bwv8.6": "two endings",
    "bwv846": "two staves",
    "madrigal.3.1": "pianos, a chord symbol, articulations",
    "madrigal.3.16": "lyrics with elisions",
    "madrigal.4.3": "a wavy line",
}
PLAIN = (
    '<score-partwise><part-list><score-part id="P1"><part-name>Alto</part-name></score-part></part-list><part id="P1">'
    "<measure><attributes><divisions>4</divisions></attributes>{}</measure></part></score-partwise>"
)
ENTITY = '<!DOCTYPE a [<!ENTITY b "c">]>'
NOTE = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>16</duration>{}</note>"
ARTICULATED = "<notations><articulations>{}</articulations></notations>"
SPICCATO = NOTE.format(ARTICULATED.format("<spiccato/>"))
CHORD_SYMBOL = "<harmony><root><root-step>E</root-step></root><kind>major</kind></harmony>"


@pytest.fixture
def save_work(tmp_path):
    """Writes a work as a compressed file."""

    def save(musicxml):
        path = tmp_path / "work.mxl"
        path.write_bytes(zipped(musicxml))
        return path

    return save


@pytest.fixture
def bach_of(tmp_path, monkeypatch):
    """Pieces of a Bach corpus that has the files given."""

    def read(files):
        (tmp_path / "bach").mkdir()
        for name, content in files.items():
            (tmp_path / "bach" / name).write_bytes(content)
        monkeypatch.setattr(BachCorpus, "_folder", lambda self: tmp_path)
        builder = BachCorpus(str(tmp_path / "cache"))
        return list(builder.read_pieces(builder.list_pieces()))

    return read


def notes_of(piece):
    return [note for track in symusic.Score.from_midi(piece.data).tracks for note in track.notes]


@pytest.mark.parametrize("name", sorted(WORKS))
def test_works_are_the_very_files_that_music21_writes(name, tmp_path):
    corpus = (MonteverdiCorpus if "madrigal" in name else BachCorpus)(str(tmp_path))
    path = corpus._folder() / corpus.FOLDER / f"{name}.mxl"
    ours, theirs = read_work(path), _ask_music21(path)
    assert ours.midi == theirs.midi and corpus.title_of(ours, name) == corpus.title_of(theirs, name)


@pytest.mark.parametrize("first", range(0, 40, 10))
@pytest.mark.filterwarnings("ignore")
def test_drawn_works_are_the_very_files_that_music21_writes(first, save_work):
    for seed in range(first, first + 10):
        path = save_work(draw_musicxml(seed))
        assert read_work(path).midi == _ask_music21(path).midi, f"seed {seed}"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (SPICCATO, "spiccato"),
        (NOTE.format(ARTICULATED.format("<accent/><tenuto/>")), "accent, tenuto"),
        (NOTE.format("<lyric><text>a</text><text>b</text></lyric>"), "elisions"),
        (NOTE.format("<time-modification/>"), "time-modification"),
        (NOTE.replace(">16<", ">1.1<").format(""), "duration '1.1'"),
        (NOTE.replace("<note", '<note dynamics="120"').format(""), "dynamics"),
        (NOTE.replace("</pitch>", "</pitch><chord/>").format(""), "without a note before it"),
        (NOTE.replace("<step>C", "<step>H").format(""), "step 'H'"),
        (NOTE.format("<accidental>quarter-sharp</accidental>"), "quarter-sharp"),
        (NOTE.format('<tie type="let-ring"/>'), "let-ring"),
        ("<attributes><divisions>11</divisions></attributes>" + NOTE.format(""), "a duration of 16"),
        ("<attributes><transpose/></attributes>" + NOTE.format(""), "transpose"),
        ("<attributes><time><senza-misura/></time></attributes>" + NOTE.format(""), "senza-misura"),
        ("<direction><direction-type><dynamics/></direction-type></direction>" + NOTE.format(""), "dynamics"),
        (
            "<direction><direction-type><words>D.C. al fine</words></direction-type></direction>" + NOTE.format(""),
            "jump",
        ),
        ('<barline location="left"><repeat direction="forward"/></barline>' + NOTE.format(""), "does not end"),
        ('<barline location="right"><repeat direction="backward" times="3"/></barline>', "times"),
        ('<sound tempo="0"/>' + NOTE.format(""), "tempo '0'"),
        ("<harmony><function/></harmony>", "harmony"),
        ("<figured-bass/>", "figured-bass"),
    ],
)
def test_what_is_not_known_is_beyond_the_reader(content, named, save_work):
    with pytest.raises(BeyondReader, match=named):
        read_work(save_work(PLAIN.format(content)))


@pytest.mark.parametrize("read", [read_work, _ask_music21])
def test_chord_symbols_are_not_played(read, save_work):
    notes = NOTE.format("") + CHORD_SYMBOL + NOTE.format("")
    with_symbol, without = (read(save_work(PLAIN.format(each))).midi for each in (notes, NOTE.format("") * 2))
    assert with_symbol == without


def test_music21_reads_what_is_beyond_the_reader(bach_of, caplog):
    with caplog.at_level(logging.WARNING):
        loud, plain = bach_of(
            {"a.mxl": zipped(PLAIN.format(SPICCATO)), "b.mxl": zipped(PLAIN.format(NOTE.format("")))}
        )
    assert [note.velocity for piece in (loud, plain) for note in notes_of(piece)] == [103, 90]
    [message] = caplog.messages
    assert "a.mxl" in message and "spiccato" in message


def test_damaged_works_are_refused(bach_of):
    whole = zipped(PLAIN.format(NOTE.format("")))
    damaged = {
        "cut.mxl": whole[:-30],
        "empty.mxl": b"",
        "xml.mxl": zipped("<score-partwise><part>"),
        "entity.mxl": zipped(ENTITY + PLAIN.format(NOTE.format(""))),
        "utf16.mxl": zipped((ENTITY + PLAIN.format(NOTE.format("")).replace("Alto", "&b;")).encode("utf-16")),
        "parameter.mxl": zipped('<!DOCTYPE a [<!ENTITY % b "c">]>' + PLAIN.format(NOTE.format(""))),
    }
    pieces = bach_of(damaged | {"whole.mxl": whole})
    assert {piece.path for piece in pieces if piece.refused} == {f"bach/{name}" for name in damaged}
    assert all(piece.refused.reason == "unreadable" for piece in pieces if piece.refused)


@pytest.mark.parametrize("read", [read_work, _ask_music21])
def test_works_that_state_rights_are_refused(read, save_work):
    stated = "<identification><rights>(c) An  Edition</rights></identification><part-list>"
    path = save_work(PLAIN.replace("<part-list>", stated).format(NOTE.format("")))
    with pytest.raises(RefusedFile, match=r"rights_reserved: .* \(c\) An Edition"):
        read(path)


def test_works_that_have_been_replaced_are_refused(bach_of):
    whole = zipped(PLAIN.format(NOTE.format("")))
    pieces = bach_of({name: whole for name in ("a.mxl", "a_old.mxl", "b_old.mxl")})
    refused = {piece.path: piece.refused.reason for piece in pieces if piece.refused}
    assert refused == {"bach/a_old.mxl": "replaced"}


def test_works_that_unpack_to_too_much_are_refused(bach_of, monkeypatch):
    monkeypatch.setattr("neuromusic_hf.corpora.musicxml.work.MOST_BYTES", 1000)
    [piece] = bach_of({"large.mxl": zipped(PLAIN.format(NOTE.format("") * 20))})
    assert piece.refused.reason == "too_large"


def test_titles_are_those_of_the_work_unless_they_name_a_file(bach_of):
    named = PLAIN.format(NOTE.format("")).replace("<part-list>", "<work><work-title>{}</work-title></work><part-list>")
    pieces = bach_of({f"{name[:1]}.mxl": zipped(named.format(name)) for name in ("Chorale", "bwv1.mxl")})
    assert [piece.metadata["title"] for piece in pieces] == ["Chorale", "b"]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(enabled, save_work, monkeypatch):
    monkeypatch.setattr(gc, "isenabled", lambda: enabled)
    switched = []
    monkeypatch.setattr(gc, "enable", lambda: switched.append("on"))
    monkeypatch.setattr(gc, "disable", lambda: switched.append("off"))
    with pytest.raises(BeyondReader):
        read_work(save_work(PLAIN.format("<figured-bass/>")))
    assert switched == (["off", "on"] if enabled else ["off"])


@pytest.mark.parametrize(
    ("version", "fast"), [("9.9.0", True), ("10.5.1", True), ("10.5.2b1", False), ("10.6", False)]
)
def test_music21_newer_than_the_proof_reads_itself(version, fast, bach_of, monkeypatch, caplog):
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    monkeypatch.setattr("neuromusic_hf.corpora.embedded._ask_music21", lambda path: Work(b"asked", ()))
    pieces = bach_of({f"{name}.mxl": zipped(PLAIN.format(NOTE.format(""))) for name in ("a", "b")})
    assert [piece.data == b"asked" for piece in pieces] == [not fast] * 2
    assert len(caplog.records) == (0 if fast else 1)
    assert fast or f"music21 {version} itself" in caplog.text
