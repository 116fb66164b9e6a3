"""The pieces of a test run as the metrics compare them."""

from ..metrics import ComparedPiece
from ..runs import FinishedRun


def compared_pieces(run: FinishedRun) -> list[ComparedPiece]:
    """Prompt, original and generated of each continued piece; paths, so that nothing is read yet."""
    files = [record.files for record in run.records]
    paths = [(run.folder / each.prompt, run.folder / each.original, run.folder / each.generated) for each in files]
    return [ComparedPiece(label, *parts) for label, parts in zip(run.labels, paths, strict=True)]
