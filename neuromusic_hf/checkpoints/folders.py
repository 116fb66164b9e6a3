"""Checkpoint folders of a run: which are whole, which is the last."""

import json
import logging
import re
import shlex
import zipfile
from collections.abc import Iterator
from pathlib import Path

import yaml
from safetensors import SafetensorError, safe_open
from transformers import TrainerState

from .state_files import SHARD_INDEX_NAME, check_deepspeed, check_shards

logger = logging.getLogger(__name__)

PROGRESS_NAME = "progress.json"
"""What the state of the Trainer leaves out: [`MusicTrainer`] writes it beside the state."""

STREAM_NAME = "stream_{process}.json"
"""Where a process of a run that streams its corpus is in it."""

TRAINER_STATE_NAME = "trainer_state.json"
OPTIMIZER_NAME = "optimizer.pt"
FSDP_NAMES = (
    ("pytorch_model_fsdp.bin", "optimizer.bin"),
    tuple(f"{folder}/{SHARD_INDEX_NAME}" for folder in ("pytorch_model_fsdp_0", "optimizer_0")),
)
"""What FSDP goes on with: states that are whole, or in shards."""

DEEPSPEED_NAME = "latest"
"""Names the folder of the states of DeepSpeed."""

SCHEDULER_NAME = "scheduler.pt"
WEIGHTS_NAMES = ("model.safetensors", "pytorch_model.bin", "adapter_model.safetensors", "adapter_model.bin")
INDEX_NAMES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
NEEDED_NAMES = ("tokenizer.json", "tokenizer_config.json", "processor_config.json", TRAINER_STATE_NAME)


def checkpoint_step(folder: Path) -> int | None:
    """Optimizer steps behind a checkpoint, by its name; none for other folders."""
    match = re.fullmatch(r"checkpoint-(\d+)", folder.name)
    return int(match[1]) if match and folder.is_dir() else None


def find_checkpoints(output_dir: str | Path) -> list[Path]:
    """Checkpoint folders of a run, whole or not, by steps."""
    folders = Path(output_dir).iterdir() if Path(output_dir).is_dir() else ()
    return sorted((path for path in folders if checkpoint_step(path) is not None), key=checkpoint_step)


def last_checkpoint(output_dir: str | Path) -> Path | None:
    """
    The newest whole checkpoint of a run, or none.

    A folder that lacks files was never finished, or half deleted: it is passed over with a warning.

    Raises:
        `ValueError`: a file of the newest one cannot be read.
    """
    for checkpoint in reversed(find_checkpoints(output_dir)):
        missing = missing_parts(checkpoint)
        if not missing:
            refuse_damage(checkpoint)
            return checkpoint
        logger.warning("%s is incomplete and passed over: %s missing.", checkpoint, _listed(missing))
    return None


def given_checkpoint(folder: str | Path) -> Path:
    """
    The checkpoint that a user names, once it is known to be whole.

    Raises:
        `ValueError`: it is not there, no checkpoint, incomplete, or damaged.
    """
    checkpoint = Path(folder)
    if not checkpoint.is_dir():
        raise ValueError(f"There is no checkpoint {checkpoint}: give the folder of one, or `last`.")
    missing = missing_parts(checkpoint)
    if not (checkpoint / TRAINER_STATE_NAME).exists() and (inside := find_checkpoints(checkpoint)):
        raise ValueError(f"{checkpoint} is no checkpoint, but holds some: give {inside[-1]}, or `last`.")
    if missing:
        raise ValueError(f"{checkpoint} is no whole checkpoint: {_listed(missing)} missing.{_way_out(checkpoint)}")
    refuse_damage(checkpoint)
    return checkpoint


def newest_whole(output_dir: str | Path, before: int | None = None) -> Path | None:
    """The newest checkpoint that lacks nothing and can be read, of those of less than `before` steps; no warnings."""
    for checkpoint in reversed(find_checkpoints(output_dir)):
        early = before is None or checkpoint_step(checkpoint) < before
        if early and not missing_parts(checkpoint) and not any(damaged_parts(checkpoint)):
            return checkpoint
    return None


def missing_parts(checkpoint: Path) -> list[str]:
    """Files that a whole checkpoint has and this one has not, or without a byte in them."""
    adapter = (checkpoint / "adapter_config.json").exists()
    names = ["adapter_config.json" if adapter else "config.json", *NEEDED_NAMES]
    missing = [name for name in names if not _is_filled(checkpoint / name)]
    if TRAINER_STATE_NAME not in missing and not _is_finished(checkpoint):
        missing.append(f"the end of {TRAINER_STATE_NAME}")
    return missing + _missing_weights(checkpoint) + _missing_optimizer(checkpoint) + _missing_streams(checkpoint)


def has_optimizer(checkpoint: Path) -> bool:
    """Whether training can go on exactly; a checkpoint of `save_only_model` holds weights alone."""
    return (checkpoint / SCHEDULER_NAME).exists() or (checkpoint / DEEPSPEED_NAME).exists()


def number_of_processes(checkpoint: Path) -> int | None:
    """How many processes wrote it, by their random states; unknown without them."""
    if (checkpoint / "rng_state.pth").exists():
        return 1
    return len(list(checkpoint.glob("rng_state_*.pth"))) or None


def _is_filled(path: Path) -> bool:
    return path.is_dir() or (path.is_file() and path.stat().st_size > 0)


def _is_finished(checkpoint: Path) -> bool:
    """A Trainer that writes to the checkpoint itself writes the state last: killed, it leaves half of it."""
    if (checkpoint / PROGRESS_NAME).exists():
        return True
    try:
        json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True


def _missing_weights(checkpoint: Path) -> list[str]:
    if any(_is_filled(checkpoint / name) for name in WEIGHTS_NAMES):
        return []
    for name in INDEX_NAMES:
        if _is_filled(checkpoint / name):
            return [shard for shard in _shards(checkpoint / name) if not _is_filled(checkpoint / shard)]
    parts = any(checkpoint.glob("model-*-of-*.safetensors"))
    return [INDEX_NAMES[0] if parts else WEIGHTS_NAMES[0]]


def _shards(index: Path) -> list[str]:
    try:
        return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        return []  # An index that cannot be read is damage, and found as such.


def _missing_optimizer(checkpoint: Path) -> list[str]:
    states = {name: _is_filled(checkpoint / name) for name in _names_of_states(checkpoint)}
    states |= _random_states(checkpoint)
    none_there = not any(states.values()) and not _needs_optimizer(checkpoint)
    return [] if none_there else [name for name, found in states.items() if not found]


def _names_of_states(checkpoint: Path) -> list[str]:
    """Of optimizer and schedule, as the engine calls them that wrote them."""
    latest = checkpoint / DEEPSPEED_NAME
    if latest.exists():
        return [latest.read_text(encoding="utf-8").strip() or DEEPSPEED_NAME]
    of_fsdp = (names for names in FSDP_NAMES if any((checkpoint / name).exists() for name in names))
    return [*next(of_fsdp, (OPTIMIZER_NAME,)), SCHEDULER_NAME]


def _random_states(checkpoint: Path) -> dict[str, bool]:
    processes = read_progress(checkpoint).get("processes")
    if processes is None:
        numbers = [int(path.stem.rpartition("_")[2]) for path in checkpoint.glob("rng_state_*.pth")]
        processes = max(numbers, default=0) + 1 if numbers else 1
    alone = processes == 1 and not (checkpoint / "rng_state_0.pth").exists()
    names = ["rng_state.pth"] if alone else [f"rng_state_{index}.pth" for index in range(processes)]
    return {name: _is_filled(checkpoint / name) for name in names}


def _missing_streams(checkpoint: Path) -> list[str]:
    """Where the processes of a run that streams its corpus were in it."""
    progress = read_progress(checkpoint)
    if not (progress.get("train") or {}).get("streamed"):
        return []
    names = [STREAM_NAME.format(process=process) for process in range(progress.get("processes", 1))]
    return [name for name in names if not _is_filled(checkpoint / name)]


def _needs_optimizer(checkpoint: Path) -> bool:
    return bool(read_progress(checkpoint).get("optimizer", False))


def read_progress(checkpoint: Path) -> dict:
    """What [`MusicTrainer`] wrote beside the state of the Trainer; nothing for a checkpoint of another Trainer."""
    try:
        progress = json.loads((checkpoint / PROGRESS_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return progress if isinstance(progress, dict) else {}


def refuse_damage(checkpoint: Path):
    """
    Refuses a checkpoint of which a file cannot be read.

    Raises:
        `ValueError`: naming the file, and what to delete.
    """
    for path, reason in damaged_parts(checkpoint):
        raise ValueError(f"{checkpoint} is damaged: {path.name} {reason}.{_way_out(checkpoint)}")


def _way_out(checkpoint: Path) -> str:
    before = newest_whole(checkpoint.parent, checkpoint_step(checkpoint))
    next_one = f"goes on from {before.name}" if before else "begins at the first step, as there is no other checkpoint"
    return f" Delete it (rm -r {shlex.quote(str(checkpoint))}): `--resume_from_checkpoint last` then {next_one}."


def damaged_parts(checkpoint: Path) -> Iterator[tuple[Path, str]]:
    """Files of a checkpoint that cannot be read, with the reason. Headers and ends are read, not the weights."""
    for path in sorted(checkpoint.rglob("*")):
        reader = _READERS.get(path.suffix or path.name)
        if reader is None or not path.is_file():
            continue
        try:
            reader(path)
        except (ValueError, TypeError, RecursionError, yaml.YAMLError, zipfile.BadZipFile, SafetensorError) as error:
            yield path, f"cannot be read ({_first_line(error)})"
        except OSError as error:
            yield path, f"cannot be read ({error.strerror or error})"


def _read_json(path: Path):
    content = json.loads(path.read_text(encoding="utf-8"))
    if path.name == TRAINER_STATE_NAME and not isinstance(TrainerState(**content).global_step, int):
        raise ValueError("it names no step")


def _read_yaml(path: Path):
    if not isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict):
        raise ValueError("it holds no 'key: value' lines")


def _read_safetensors(path: Path):
    with safe_open(path, framework="pt"):
        pass


def _read_archive(path: Path):
    """What torch.save writes is a zip archive, whose directory stands at its end."""
    with zipfile.ZipFile(path):
        pass
    if (path.parent.parent / DEEPSPEED_NAME).exists():
        check_deepspeed(path)


_READERS = {".json": _read_json, ".yaml": _read_yaml, ".safetensors": _read_safetensors}
_READERS[SHARD_INDEX_NAME] = check_shards
_READERS |= dict.fromkeys((".pt", ".pth", ".bin"), _read_archive)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _listed(names: list[str]) -> str:
    return ", ".join(names) + (" are" if len(names) > 1 else " is")
