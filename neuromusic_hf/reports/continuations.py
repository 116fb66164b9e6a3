"""Test runs as repositories of the Hub: continued pieces, their manifest and report, and a card of them."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from huggingface_hub import CommitInfo

from ..bundles.card_records import citation, scores, versions
from ..bundles.facts import BundleFacts
from ..bundles.licences import strictest
from ..corpora import Provenance, provenance_of
from ..disk import write_json, write_whole
from ..hub import TAGS, Card, Section, code_block, escape, link_to, push_folder, table
from ..models.origin import PIPELINE_TASK
from ..runs import FinishedRun, PieceRecord, read_run
from ..runs.run_folder import MANIFEST_NAME
from .page import DISTANCES_NAME, PAGE_NAME
from .publishing import FinishedReport, read_report
from .pushing import REPORT_NAME
from .run_scores import SCORES_NAME, TABLE_STEM
from .shareable import PublicNames
from .showcase import choose_exhibits

TABLE_NAME = f"{TABLE_STEM}.parquet"

PIECE_FILES = tuple(f"[0-9][0-9][0-9]*_*.{kind}" for kind in ("mid", "tokens.txt", "png", "wav"))
FILES = (MANIFEST_NAME, *PIECE_FILES, f"{REPORT_NAME}/*")
"""What is pushed, and what of an earlier push makes place for it."""

SHOWN_WITHOUT_REPORT = 3

USE = """\
from huggingface_hub import snapshot_download
from neuromusic_hf.reports import score_run
from neuromusic_hf.runs import read_run

run = read_run(snapshot_download("{repo_id}", repo_type="dataset"))
print(len(run.records), "pieces, such as", run.path(run.records[0].files.generated))
scores = score_run(run).record["scores"]"""


FILES_SAID = """\
| file | what it holds |
| --- | --- |
| `*.prompt.mid` | what was continued |
| `*.generated.mid`, `*.tokens.txt` | what the model wrote, as MIDI and as ids |
| `*.original.mid` | how the piece itself goes on |
| `*.full.mid`, `*.png`, `*.wav` | prompt and continuation; to see and to hear, where that was asked for |
| `manifest.json` | model, settings and pieces |"""
"""What a card says of them."""


def push_continuations(
    continuations: str | Path, repo_id: str, report: str | Path | None = None, **pushing: Any
) -> CommitInfo:
    """
    Pushes a finished test run to a dataset repository of the Hub, in one commit: its pieces, its report, and a card.

    What an earlier push left there of another run goes; other files stay, as do the words that you wrote into the card
    there. No path of this machine is pushed.

    Args:
        continuations (`str` or `Path`): that `scripts/continue_midi.py` wrote.
        repo_id (`str`): repository; made if missing.
        report (`str` or `Path`, *optional*): that `scripts/score_continuations.py` wrote of it.
        pushing:
            Of [`push_folder`]: `private`, `revision` (a branch, made if missing), `token`, `create_pr`, `tag`,
            `commit_message` and `commit_description`.

    Returns:
        [`~huggingface_hub.CommitInfo`]: with the commit and its address.

    Raises:
        `FileNotFoundError`: there is no run, or no report.
        `ValueError`: they do not belong to each other, or are damaged.
        [`~huggingface_hub.errors.HfHubHTTPError`]: the Hub refuses, or cannot be reached.

    Example:
    ```py
    >>> from neuromusic_hf.reports import push_continuations
    >>> push_continuations("runs/x/continuations", "user/x-continuations", "runs/x/report")
    ```
    """
    run = read_run(continuations)
    found = None if report is None else read_report(report, run)
    names = PublicNames(run.settings, [str(run.folder)]) if found is None else found.names
    with tempfile.TemporaryDirectory() as staging:
        _stage(run, found, names, Path(staging))
        return push_folder(
            staging,
            repo_id,
            FILES,
            replaces=FILES,
            card=_RunCard(read_run(staging), found, _origins(run)).card,
            repo_type="dataset",
            **{"commit_message": "Upload continuations"} | pushing,
        )


def _stage(run: FinishedRun, report: FinishedReport | None, names: PublicNames, folder: Path) -> None:
    """Puts together what is pushed."""
    manifest = json.loads((run.folder / MANIFEST_NAME).read_text(encoding="utf-8-sig"))
    write_json(folder / MANIFEST_NAME, names.replace_in(manifest))
    for record in run.records:
        for name in _files(record):
            shutil.copyfile(run.folder / name, folder / name)
    if report is None:
        return
    (folder / REPORT_NAME).mkdir()
    write_json(folder / REPORT_NAME / SCORES_NAME, report.public_record, ascii_only=False)
    for name in (TABLE_NAME, DISTANCES_NAME):
        if (report.folder / name).is_file():
            shutil.copyfile(report.folder / name, folder / REPORT_NAME / name)
    if (page := report.folder / PAGE_NAME).is_file():
        text = names.replace_in_page(page.read_text(encoding="utf-8"), report.record)
        write_whole(folder / REPORT_NAME / PAGE_NAME, text)


def _files(record: PieceRecord) -> list[str]:
    return [name for name in asdict(record.files).values() if name is not None]


def _origins(run: FinishedRun) -> list[Provenance | None]:
    """Where the pieces come from; `None` of files and folders, and of what cannot be told."""
    found: list[Provenance | None] = []
    for source in run.settings.pieces.sources:
        try:
            found += provenance_of(source)
        except (OSError, ValueError):
            found.append(None)
    return found


@dataclass(frozen=True)
class _RunCard:
    """
    The card of a test run.

    Args:
        run ([`FinishedRun`]): as it is pushed.
        report ([`FinishedReport`], *optional*): of it.
        origins (list of [`Provenance`]): of its pieces, `None` where they are not known.
    """

    run: FinishedRun
    report: FinishedReport | None
    origins: Sequence[Provenance | None]

    def card(self, repo_id: str) -> Card:
        """For a repository of this id."""
        facts = self._facts()
        texts = {
            "about": self._about(),
            "use": f"## Use\n\n{code_block(USE.format(repo_id=repo_id), 'python')}\n\n{self._table_use(repo_id)}",
            "scores": scores(facts) if self.report else "",
            "examples": self._examples(),
            "data": self._data(),
            "versions": versions(facts) if self.report else "",
            "citation": citation(facts),
        }
        sections = [Section(name, text.strip()) for name, text in texts.items() if text]
        return Card(escape(repo_id.rpartition("/")[2]), self._metadata(), sections)

    def _facts(self) -> BundleFacts:
        """Those that cards of bundles tell as well."""
        record = self.report.public_record if self.report else {}
        known = [asdict(origin) for origin in self.origins if origin]
        run = {"corpora": known, "versions": record.get("versions", {})}
        config = {"model_type": record.get("model", {}).get("model_type")}
        return BundleFacts(self.run.folder, config=config, run=run, scores=record)

    def _metadata(self) -> dict[str, Any]:
        viewer: dict[str, Any] = {"viewer": False}
        if self.report:
            viewer = {"configs": [{"config_name": "pieces", "data_files": f"{REPORT_NAME}/{TABLE_NAME}"}]}
        licences = [origin and origin.licence for origin in self.origins] or [None]
        return {"license": strictest(licences), "tags": [*TAGS, PIPELINE_TASK], **viewer}

    def _about(self) -> str:
        run, how = self.run, self.run.settings.continuation
        model = escape(run.model.name) if run.model.is_of_folder else link_to(run.model.name)
        at = "" if run.model.is_of_folder else f" at `{run.model.revision[:12]}`"
        said = [f"Pieces of music, continued by {model}{at} with neuromusic_hf: {len(run.records):,} of them."]
        if how is not None:
            constrained = "held to" if how.constrained else "free of"
            said.append(
                f"After {how.prompt_length:,} tokens come at most {how.continue_length:,}, {constrained} the "
                f"tokenizer's grammar; seed {how.seed}."
            )
            if how.sampling:
                words = ", ".join(f"{escape(str(key))} {escape(str(value))}" for key, value in how.sampling.items())
                said.append(f"Sampling: {words}.")
        if run.left_out:
            reasons = sorted({piece.reason for piece in run.left_out})
            said.append(f"Left out: {len(run.left_out):,} ({', '.join(map(escape, reasons))}).")
        return " ".join(said) + "\n\n" + FILES_SAID

    def _table_use(self, repo_id: str) -> str:
        if self.report is None:
            return ""
        code = f'from datasets import load_dataset\n\npieces = load_dataset("{repo_id}", split="train")'
        said = f"[{PAGE_NAME}]({REPORT_NAME}/{PAGE_NAME}) holds the report: download it, and open it in a browser."
        return f"A table of the pieces, with their distances:\n\n{code_block(code, 'python')}\n\n{said}"

    def _examples(self) -> str:
        shown = [("", number) for number in range(min(SHOWN_WITHOUT_REPORT, len(self.run.records)))]
        if self.report:
            shown = choose_exhibits(self.report.table)
        parts = []
        for place, number in shown:
            files = self.run.records[number].files
            title = f"**{escape(self.run.records[number].label)}**" + (f" ({place})" if place else "")
            picture = f"![Piano roll of prompt and continuation]({quote(files.picture)})" if files.picture else ""
            sound = f'<audio controls src="{quote(files.audio)}"></audio>' if files.audio else ""
            midi = f"[MIDI]({quote(files.full)})" if files.full else ""
            parts.append("\n\n".join(part for part in (title, picture, sound, midi) if part))
        return "\n\n".join(["## Examples", *parts]) if parts else ""

    def _data(self) -> str:
        known = [origin for origin in self.origins if origin]
        if not known:
            return ""
        rows = [
            [
                escape(origin.name),
                escape(origin.licence or "not known"),
                link_to(origin.dataset, "dataset") if origin.dataset else "",
            ]
            for origin in known
        ]
        split = self.run.settings.pieces.split
        said = f"Prompts and originals are of these corpora{f', {escape(split)} split' if split else ''}."
        listed = table(["corpus", "licence", "where"], rows)
        return f"## Pieces\n\n{said} Their licence binds what holds them.\n\n{listed}"
