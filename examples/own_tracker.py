"""
A tracker of your own: a diary in Markdown, of curves and of continuations tested while a model trains.

    python examples/own_tracker.py recipes/small.yaml --output_dir runs/diary

It trains as scripts/train.py does, from Python, and writes runs/diary/diary.md.
"""

import sys
from pathlib import Path

from transformers import TrainerCallback

from neuromusic_hf import MidiProcessor, build_model, load_corpus
from neuromusic_hf.monitoring import Media, register_tracker, watch_continuations
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.training import TrainingBlocks, create_trainer, parse_recipe


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
    corpus = load_corpus(**data_args.corpus_arguments)
    processor = MidiProcessor.from_tokenization(model_args.tokenization)
    tokens = tokenize_corpus(corpus, processor)
    blocks = TrainingBlocks.from_tokens(tokens, data_args, args.seed)
    sizes = {"context_length": data_args.context_length, **model_args.sizes}
    trainer = create_trainer(build_model(model_args.model, processor, **sizes), processor, blocks, data_args, args, {})
    watch_continuations(trainer, corpus["validation"], tokens["validation"], data_args)
    diary = Diary(args.output_dir)
    trainer.add_callback(diary)
    trainer.train()
    print(diary.path.read_text(encoding="utf-8").count("!["), "pictures in", diary.path)


if __name__ == "__main__":
    main()
