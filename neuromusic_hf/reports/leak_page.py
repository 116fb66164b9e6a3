"""The leak report as files: numbers, pictures, MIDI and sound of the worst pairs, and a page that needs no other."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from ..corpora import Corpus
from ..disk import remove_folder, user_path, write_file, write_json, write_whole
from ..ranges import check_ranges
from .leak_exhibits import LeakExhibit, choose_pairs, make_leak_exhibit
from .leak_records import LeakReport
from .options import LEAK_RANGES
from .pictures import plot_leaks
from .sentences import describe_families, describe_leak, describe_splits
from .templates import png, render_page

LEAKS_NAME = "leaks.json"
LEAK_PAGE_NAME = "report.html"
PAIRS_NAME = "pairs"
TEMPLATE_NAME = "leaks.html"
ROWS_SHOWN = 300


def write_leaks(
    report: LeakReport,
    folder: str | Path,
    corpus: Corpus,
    against: Corpus | None = None,
    *,
    max_pairs: int = 12,
    audio: bool = False,
) -> Path:
    """
    Writes a leak report: `leaks.json`, `report.html`, and in `pairs/` the worst pairs as pictures and MIDI.

    Shown is of each family on two sides the pair that shares most notes, 10 s of each piece at most. The page holds
    its pictures and sounds, runs no script, and forbids the browser to fetch anything. Nothing that is written holds a
    path of this machine.

    Args:
        report ([`LeakReport`]): from [`report_leaks`].
        folder (`str` or `Path`): where to write; made if missing. What another report left in `pairs/` goes.
        corpus ([`Corpus`]): that is reported.
        against ([`Corpus`], *optional*): the other one, where there is one.
        max_pairs (`int`, *optional*, defaults to 12): pairs to show.
        audio (`bool`, *optional*, defaults to `False`): render their sound, into the page too.

    Returns:
        `Path`: of the page.

    Raises:
        `ValueError`: `max_pairs` is below 0, or these are not the corpora of the report.
    """
    check_ranges({"max_pairs": max_pairs}, LEAK_RANGES)
    folder = user_path(folder)
    chosen = choose_pairs(report.pairs, max_pairs)
    shown = [make_leak_exhibit(pair, corpus, against, audio) for pair in tqdm(chosen, desc="Showing", unit="pair")]
    pairs, page = folder / PAIRS_NAME, folder / LEAK_PAGE_NAME
    remove_folder(pairs)
    folder.mkdir(parents=True, exist_ok=True)
    for number, exhibit in enumerate(shown, 1):
        pairs.mkdir(exist_ok=True)
        _write_pair(exhibit, pairs / f"{number:02d}")
    write_json(folder / LEAKS_NAME, report, ascii_only=False)
    write_whole(page, _render(report, shown))
    return page


def _write_pair(exhibit: LeakExhibit, stem: Path) -> None:
    write_file(stem.with_suffix(".png"), exhibit.picture)
    for name, midi in zip(("first", "second"), exhibit.midi, strict=True):
        write_file(stem.with_name(f"{stem.name}-{name}.mid"), midi)
    if exhibit.sound is not None:
        write_file(stem.with_suffix(".wav"), exhibit.sound)


def _render(report: LeakReport, shown: list[LeakExhibit]) -> str:
    corpora = report.corpus.corpora + ([] if report.against is None else report.against.corpora)
    partial = [pair.notes for pair in report.pairs if not pair.is_copy]
    copies = [pair.notes for pair in report.pairs if pair.is_copy]
    other = None if report.against is None else report.against.name
    return render_page(
        TEMPLATE_NAME,
        report=report,
        splits=describe_splits(corpora),
        sentences=[describe_leak(leak, other) for leak in report.leaks],
        families=describe_families(report.families, "several splits" if other is None else "both corpora"),
        picture=png(plot_leaks(report.families.sizes, partial, copies)) if report.families.count else None,
        shown=shown,
        pairs=report.pairs[:ROWS_SHOWN],
        leaks_name=LEAKS_NAME,
        pairs_name=PAIRS_NAME,
    )
