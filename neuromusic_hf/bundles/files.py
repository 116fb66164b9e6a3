"""The files of a bundle: what is pushed of a folder, and what of an earlier push makes place for it."""

from pathlib import Path

from transformers.dynamic_module_utils import get_relative_imports
from transformers.utils import ADAPTER_CONFIG_NAME, CONFIG_NAME, PROCESSOR_NAME

from ..hub import files_in
from ..hub.bounds import read_object
from ..models.adapter_files import MUSIC_CONFIG_NAME

RECIPE_NAME = "recipe.yaml"
RUN_NAME = "run.json"
"""The record of a finished run; it stands beside a whole bundle only."""

SCORES_NAME = "scores.json"
EXAMPLES_NAME = "examples"
REPORT_NAMES = (SCORES_NAME, EXAMPLES_NAME)
"""What a report of the model adds: another model's are not its own."""

RECORDS = (RECIPE_NAME, RUN_NAME, SCORES_NAME, *(f"{EXAMPLES_NAME}/*.{kind}" for kind in ("png", "wav", "mid")))
"""They tell of the very weights that they stand beside."""

WEIGHTS = ("model*.safetensors", "adapter_model*.safetensors")
INDEX_OF_WEIGHTS = "model*.safetensors.index.json"
PICKLED_WEIGHTS = ("pytorch_model*.bin", "adapter_model*.bin", "*.bin.index.json")

WEIGHTS_PATTERNS = (*WEIGHTS, INDEX_OF_WEIGHTS, *PICKLED_WEIGHTS)
"""All files that hold weights: an old one of these beside new ones would be loaded in their place."""

BESIDE_WEIGHTS = ("*config.json", "tokenizer.json", "*tokens*.json", "*.py")
"""Files that decide about the notes, as weights do."""

BUNDLE_FILES = (
    *WEIGHTS,
    "config.json",
    "generation_config.json",
    INDEX_OF_WEIGHTS,
    "adapter_config.json",
    MUSIC_CONFIG_NAME,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "processor_config.json",
    *RECORDS,
    "README.md",
)
"""Names of a bundle's files, beside the code that its configs name."""

OF_EARLIER_PUSHES = (*BUNDLE_FILES, *PICKLED_WEIGHTS, "training_args.bin")
"""What a bundle stands in place of: other weights would be loaded in its place, and `training_args.bin` can hold a
token. README.md is merged."""

CONFIGS = (CONFIG_NAME, PROCESSOR_NAME, "tokenizer_config.json")
"""They name code."""


def bundle_files(folder: str | Path) -> list[str]:
    """
    The files of a folder that are a bundle's, relative to it, in order.

    Args:
        folder (`str` or `Path`): of a bundle, or of an adapter.

    Raises:
        `ValueError`: it holds neither model nor adapter nor processor, or a config is damaged.
    """
    folder = Path(folder)
    chosen = sorted({*files_in(folder, BUNDLE_FILES), *code_files(folder)})
    if not {CONFIG_NAME, ADAPTER_CONFIG_NAME, PROCESSOR_NAME} & {*chosen}:
        raise ValueError(f"{folder} holds no bundle: no {CONFIG_NAME}, {ADAPTER_CONFIG_NAME} or {PROCESSOR_NAME}.")
    return chosen


def code_files(folder: str | Path) -> list[str]:
    """
    The Python files of a folder that its configs name, and those which these import from beside them.

    Raises:
        `ValueError`: a config is damaged.
    """
    folder, found = Path(folder), set()
    waiting = [module for name in CONFIGS for module in _named_modules(folder / name)]
    while waiting:
        path = folder / f"{waiting.pop()}.py"
        if path.name not in found and path.is_file():
            found.add(path.name)
            waiting += [module for module in get_relative_imports(path) if module.isidentifier()]
    return sorted(found)


def _named_modules(config: Path) -> list[str]:
    if not config.is_file():
        return []
    try:
        said = read_object(config)
        classes = [*said.get("auto_map", {}).values()]
        classes += [task.get("impl") for task in said.get("custom_pipelines", {}).values()]
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{config} is damaged: {error}") from error
    flat = [each for entry in classes for each in (entry if isinstance(entry, list) else [entry])]
    modules = [each.rpartition(".")[0] for each in flat if isinstance(each, str)]  # of another repository: "a/b--c.D"
    return [module for module in modules if module.isidentifier()]
