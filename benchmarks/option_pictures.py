"""The picture of optimizers: validation by tokens, and by processor time."""

from matplotlib.figure import Figure


def plot_learning(models: dict[str, dict]) -> Figure:
    """
    A row of panels a model: nats per note over tokens trained on, and over processor seconds of steps.

    Args:
        models (`dict`): by name, from `optimizers` of training_options.py.
    """
    figure = Figure(figsize=(11, 4 * len(models)), dpi=110, layout="constrained")
    for (model, found), (by_tokens, by_time) in zip(
        models.items(), figure.subplots(len(models), 2, squeeze=False, sharey="row"), strict=True
    ):
        for number, (name, row) in enumerate(found["optimizers"].items()):
            label = f"{name}, {row['learning_rate']}: {row['nats_per_note']:.2f}"
            for curve in row["curves"].values():
                steps = [int(step) for step in curve]
                tokens = [step * found["batch_tokens"] / 1e6 for step in steps]
                seconds = [step * row["cpu_seconds"]["median"] for step in steps]
                by_tokens.plot(tokens, [*curve.values()], f"C{number}.-", label=label)
                by_time.plot(seconds, [*curve.values()], f"C{number}.-")
                label = None
        by_tokens.set(title=model, xlabel="tokens trained on (millions)", ylabel="validation, nats per note")
        by_time.set(title=model, xlabel="processor seconds of steps")
        by_tokens.legend()
        for axes in (by_tokens, by_time):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:.3g}")
            axes.yaxis.set_minor_formatter("{x:.3g}")
            axes.grid(alpha=0.3, which="both")
    return figure
