"""How long the runs are that continuations share with training pieces, run beside run, guarded or not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .pictures import GENERATED_COLOR, HISTOGRAM_INCHES, ORIGINAL_COLOR, leftmost, make_panels, set_title, shortened

PICTURE_NAME = "shared_runs.png"

MOST_SHOWN = 48
"""Notes; longer runs are counted in the last bar."""


@dataclass(frozen=True)
class SharedRuns:
    """
    The longest shared runs of a scored run.

    Args:
        original (`dict[str, int]`): how many originals have a longest run of so many notes.
        generated (`dict[str, int]`): how many continuations.
        max_run (`int`, *optional*): notes that its copy guard let be shared in a row, if it had one.
    """

    original: Mapping[str, int] = field(default_factory=dict)
    generated: Mapping[str, int] = field(default_factory=dict)
    max_run: int | None = None

    def share_beyond(self, notes: int) -> float | None:
        """Of the continuations, those with a longer run; `None` where there are none."""
        total = sum(self.generated.values())
        return sum(count for run, count in self.generated.items() if int(run) > notes) / total if total else None


def guarded_length(runs: Iterable[SharedRuns]) -> int | None:
    """The notes that the strictest of the guarded runs let be shared in a row; `None` where none was guarded."""
    return min((run.max_run for run in runs if run.max_run is not None), default=None)


def plot_shared_runs(runs: Mapping[str, SharedRuns]) -> Figure:
    """
    Histograms of the longest shared runs of originals and continuations, one panel for each scored run.

    A line stands at the length that the strictest guard among them allows, in every panel.

    Args:
        runs (`dict[str, SharedRuns]`): by the label of each; at least one.

    Returns:
        `matplotlib.figure.Figure`, which belongs to no global state and needs no closing.
    """
    figure, panels = make_panels(len(runs), HISTOGRAM_INCHES, sharey=True)
    limit = guarded_length(runs.values())
    longest = max((int(run) for each in runs.values() for run in [*each.original, *each.generated]), default=1)
    edges = np.arange(0.5, min(longest, MOST_SHOWN) + 1)
    for axes, (label, each) in zip(panels, runs.items(), strict=True):
        guard = "no copy guard" if each.max_run is None else f"copy guard at {each.max_run} notes"
        set_title(axes, f"{shortened(label)}: {guard}", pad=24)
        shown = [[min(int(run), MOST_SHOWN) for run in of] for of in (each.original, each.generated)]
        counts = [*each.original.values()]
        axes.hist(shown[0], edges, weights=counts, color=ORIGINAL_COLOR, alpha=0.5, label="originals")
        share = "" if limit is None or not each.generated else f", {each.share_beyond(limit):.1%} over {limit} notes"
        counts, line = [*each.generated.values()], {"histtype": "step", "color": GENERATED_COLOR, "linewidth": 2}
        axes.hist(shown[1], edges, weights=counts, label=f"continuations{share}", **line)
        if limit is not None:
            axes.axvline(limit + 0.5, color="#333333", linestyle="--", linewidth=1.2)
        axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.1)
        axes.set_xlabel("Notes of the longest shared run" + ("; the last bar: or more" * (longest > MOST_SHOWN)))
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    for axes in leftmost(panels):
        axes.set_ylabel("Pieces")
    return figure
