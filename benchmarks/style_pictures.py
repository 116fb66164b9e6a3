"""The picture of a style: validation while it is learned, and what was won and forgotten."""

from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter


def plot_style(figures: dict) -> Figure:
    """
    Left, validation by step; right, nats per note of the clean test pieces of the style and of what the base knew.

    Args:
        figures (`dict`): of a style, from styles.py.
    """
    figure = Figure(figsize=(11, 4.2), dpi=110, layout="constrained")
    curves, bars = figure.subplots(1, 2)
    models = list(figures["test"])
    for model, training in figures["trainings"].items():
        curve, hue, kept = dict(training["validation"]), color(models, model), training["kept_step"]
        curves.plot([*curve], [*curve.values()], marker=".", label=model, color=hue)
        curves.plot([kept], [curve[kept]], marker="o", markersize=9, fillstyle="none", color=hue)
    curves.set(title=figures["title"], xlabel="optimizer steps", ylabel="validation, nats per note")
    curves.set_yscale("log")  # a new model begins far above all others
    for axis in (curves.yaxis.set_major_formatter, curves.yaxis.set_minor_formatter):
        axis(ScalarFormatter())
    curves.grid(alpha=0.3, which="both")
    curves.legend()
    corpora, width = list(figures["test"][models[0]]), 0.8 / len(models)
    for number, model in enumerate(models):
        found = [figures["test"][model][name]["nats_per_note"] for name in corpora]
        places = [place + (number - (len(models) - 1) / 2) * width for place in range(len(corpora))]
        drawn = bars.bar(places, found, width, label=model, color=color(models, model))
        bars.bar_label(drawn, fmt="{:.2f}", fontsize=7)
    bars.set_xticks(range(len(corpora)), corpora)
    bars.set(title="clean test pieces", ylabel="nats per note")
    bars.margins(y=0.15)
    bars.legend(loc="upper center", ncols=len(models))
    return figure


def color(models: list[str], model: str) -> str:
    """The same for a model in both halves."""
    return f"C{models.index(model)}"
