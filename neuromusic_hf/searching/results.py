"""What a search leaves: its trials as a record and a table, the recipe of the best one, and its bundle."""

import math
import shutil
from importlib.metadata import version

import yaml
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from ..bundles import BUNDLE_NAME
from ..bundles.files import RECIPE_NAME
from ..checkpoints.folders import find_checkpoints
from ..checkpoints.saving import PARTIAL_NAME, link_or_copy, replace_bundle
from ..disk import staged_folder, write_json, write_whole
from ..training.run_record import hardware, versions
from .plan import SearchPlan
from .study import REASON, best_trial, direction

RECORD_FILE = "search.json"
TABLE_FILE = "trials.md"
BEST_FILE = "best.yaml"

STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.RUNNING: "running"}
"""What trials are called; one that Optuna calls failed may have been stopped from outside."""


def write_results(plan: SearchPlan, study: Study):
    """
    Writes what the trials have come to, whole or not at all, as often as it is called.

    Args:
        plan ([`SearchPlan`]): of the search.
        study ([`~optuna.study.Study`]): of it.
    """
    record = search_record(plan, study)
    write_json(plan.folder / RECORD_FILE, record)
    write_whole(plan.folder / TABLE_FILE, trials_table(record))
    best = best_trial(study)
    if best is not None:
        write_whole(plan.folder / BEST_FILE, best_recipe(plan, best))


def search_record(plan: SearchPlan, study: Study) -> dict:
    """A search as plain data: what it looked for, in which space, on which machine, and all of its trials."""
    best = best_trial(study)
    trials = [trial for trial in study.trials if trial.state != TrialState.WAITING]
    return {
        "metric": plan.metric,
        "direction": direction(plan.metric),
        "best": None if best is None else _trial_record(best),
        "trials": [_trial_record(trial) for trial in trials],
        "space": plan.space.described(),
        "recipe": plan.recipe,
        "versions": versions() | {"optuna": version("optuna")},
        "hardware": hardware(),
    }


def _trial_record(trial: FrozenTrial) -> dict:
    failed = "failed" if REASON in trial.user_attrs else "stopped"
    return {
        "trial": trial.number,
        "state": STATES.get(trial.state, failed),
        "value": trial.value if trial.state == TrialState.COMPLETE else None,
        "values": trial.params,
        "parameters": trial.user_attrs.get("parameters"),
        "seconds": None if trial.duration is None else round(trial.duration.total_seconds(), 1),
        "evaluations": {str(step): _finite(value) for step, value in trial.intermediate_values.items()},
        "reason": trial.user_attrs.get(REASON),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def trials_table(record: dict) -> str:
    """The trials of a search as a Markdown table, the best first, then those without a value."""
    names = list(record["space"])
    with_value = [trial for trial in record["trials"] if trial["value"] is not None]
    others = [trial for trial in record["trials"] if trial["value"] is None]
    ordered = sorted(with_value, key=lambda trial: trial["value"], reverse=record["direction"] == "maximize")
    lines = [["trial", record["metric"], *names, "parameters", "seconds", "state"]]
    lines.append(["---"] * len(lines[0]))
    for trial in [*ordered, *others]:
        values = [_shown(trial["values"].get(name)) for name in names]
        measured = [_shown(trial[name]) for name in ("parameters", "seconds")]
        state = f"{trial['state']}: {trial['reason']}" if trial["reason"] else trial["state"]
        lines.append([str(trial["trial"]), _shown(trial["value"]), *values, *measured, state])
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _shown(value) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def best_recipe(plan: SearchPlan, best: FrozenTrial) -> str:
    """
    The recipe of the best trial, which `scripts/train.py` runs as it is.

    It gives that run again, in the folder of the recipe that was searched with.
    """
    recipe = yaml.safe_load((plan.trial_folder(best.number) / RECIPE_NAME).read_text(encoding="utf-8"))
    recipe["output_dir"] = plan.recipe["output_dir"]
    told = f"# The best of a search by {plan.metric}: {best.value:.6g}, of trial {best.number}.\n"
    return told + yaml.safe_dump(recipe, sort_keys=False)


def keep_best(plan: SearchPlan, study: Study, *, keep_bundles: bool):
    """
    Makes the bundle of the best trial that of the search. Weights of the other trials go, unless they are to be kept.

    Args:
        plan ([`SearchPlan`]): of the search.
        study ([`~optuna.study.Study`]): of it; none of its trials may be running.
        keep_bundles (`bool`): whether all weights stay in the folders of their trials.
    """
    best = best_trial(study)
    if best is not None and (bundle := plan.trial_folder(best.number) / BUNDLE_NAME).exists():
        target = plan.folder / BUNDLE_NAME
        with staged_folder(plan.folder / PARTIAL_NAME / BUNDLE_NAME, target) as staging:
            for path in bundle.iterdir():
                link_or_copy(path, staging / path.name)
            replace_bundle(staging, target)
    if keep_bundles:
        return
    for folder in plan.trials_folder.glob("*"):
        for weights in [*find_checkpoints(folder), folder / BUNDLE_NAME]:
            shutil.rmtree(weights, ignore_errors=True)
