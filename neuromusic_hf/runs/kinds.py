"""The kinds of test runs there are."""

from dataclasses import dataclass

from .infill_records import InfillManifest, InfillRecord, InfillRunSettings
from .records import Manifest, PieceRecord, RunSettings, RunSums


@dataclass(frozen=True)
class RunKind:
    """
    A kind of test run: who writes it, and what its files hold.

    Args:
        script (`str`): that writes it.
        settings (`type`): of `settings.json`.
        piece (`type`): of the record of a piece that was not left out.
        manifest (`type`): of `manifest.json`.
        music (`str`): the files to listen to.
    """

    script: str
    settings: type
    piece: type
    manifest: type[RunSums]
    music: str

    @property
    def of_run(self) -> str:
        """Whose files they are, for errors."""
        return f"of a run of {self.script}"


CONTINUATIONS = RunKind("scripts/continue_midi.py", RunSettings, PieceRecord, Manifest, "*.full.mid")
INFILLS = RunKind("scripts/infill_midi.py", InfillRunSettings, InfillRecord, InfillManifest, "*.infilled.mid")
