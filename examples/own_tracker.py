"""
A tracker of your own: a diary in Markdown, of curves and of continuations tested while a model trains.

    python examples/own_tracker.py recipes/small.yaml --output_dir runs/diary

It trains as scripts/train.py does, from Python, and writes runs/diary/diary.md.
"""

import sys
from pathlib import Path

from transformers import TrainerCallback

from neuromusic_hf.monitoring import Media, register_tracker, watch_continuations
from neuromusic_hf.training import (
    create_trainer,
    parse_recipe,
    prepare_data,
    prepare_model,
    resolved_recipe,
    settle_infill_share,
)


class Diary(TrainerCallback):
    """A line for each log of the Trainer, which holds numbers."""

    def __init__(self, folder: str):
        self.path = Path(folder, "diary.md")

    def on_log(self, args, state, control, logs=None, **kwargs):
        if state.is_world_process_zero:
            figures = ", ".join(f"{name} {value:.4g}" for name, value in logs.items() if isinstance(value, float))
            self.write(f"Step {state.global_step}: {figures}")

    def write(self, line: str):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n\n")


def write_media(diary: Diary, media: Media, step: int):
    """Pictures, sounds and histograms come apart from numbers, after each test of continuations."""
    for name, path in media.pictures.items():
        diary.write(f"![{name} at step {step}]({path.resolve()})")
    for name, distances in media.histograms.items():
        diary.write(f"{name}: {distances.mean():.3f} in the mean of {len(distances)} pieces")


register_tracker(Diary, write_media)


def main():
    model_args, data_args, args = parse_recipe(sys.argv[1:])
    infill_asked = settle_infill_share(model_args, data_args, args)
    data = prepare_data(model_args, data_args, args, infill_asked=infill_asked)
    model = prepare_model(model_args, data_args, data)
    recipe = resolved_recipe(model_args, data_args, args)
    trainer = create_trainer(model, data.processor, data.blocks, data_args, args, recipe)
    watch_continuations(trainer, data.corpus["validation"], data.tokens["validation"], data_args)
    diary = Diary(args.output_dir)
    trainer.add_callback(diary)
    trainer.train()
    print(diary.path.read_text(encoding="utf-8").count("!["), "pictures in", diary.path)


if __name__ == "__main__":
    main()
