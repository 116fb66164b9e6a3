"""Options of the Trainer that a run takes: each trains, and measures what a plain run measures."""

import pytest
from datasets import Dataset
from transformers import GPT2Config, GPT2LMHeadModel, set_seed

from neuromusic_hf.evaluation.language_modeling import METRICS
from neuromusic_hf.tokenization import BlockCollator
from neuromusic_hf.training import LanguageModelingMetrics, MusicTrainer, RunArguments, row_statistics


@pytest.fixture
def metrics(tmp_path):
    def train(**options):
        set_seed(0)
        dropouts = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
        config = GPT2Config(vocab_size=8, n_embd=8, n_layer=1, n_head=1, n_positions=8, **dropouts)
        rows = Dataset.from_dict({"input_ids": [[1, 2, 3, 4, 5]] * 6 + [[3, 2, 1]]})
        batches = {"per_device_train_batch_size": 7, "per_device_eval_batch_size": 4}
        lengths = {"max_steps": 1, "eval_steps": 1, "save_strategy": "no", "learning_rate": 0.0, "disable_tqdm": True}
        trainer = MusicTrainer(
            model=GPT2LMHeadModel(config),
            args=RunArguments(output_dir=str(tmp_path), bf16=False, **(batches | lengths | options)),
            train_dataset=rows,
            eval_dataset=rows,
            data_collator=BlockCollator(0, 8),
            compute_metrics=LanguageModelingMetrics(4.0),
            preprocess_logits_for_metrics=row_statistics,
        )
        trainer.train()
        found = trainer.evaluate()
        return {name: found[f"eval_{name}"] for name in METRICS}

    return train


WORKING = [
    {"label_smoothing_factor": 0.3},
    {"neftune_noise_alpha": 5.0},
    {"include_for_metrics": ["inputs", "loss"]},
    {"eval_accumulation_steps": 1},
    {"eval_do_concat_batches": False},
    {"eval_use_gather_object": True},
    {"eval_on_start": True},
    {"eval_delay": 5},
    {"train_sampling_strategy": "group_by_length"},
    {"train_sampling_strategy": "batch_rebalance"},
    {"remove_unused_columns": True},
    {"auto_find_batch_size": True},
    {"activation_checkpointing": True},
    {"accelerator_config": {"split_batches": True}},
    {"data_seed": 3},
]


def test_an_option_that_is_taken_changes_nothing_of_what_is_measured(metrics):
    """Label smoothing included: the loss of an evaluation is that of the predictions."""
    plain = metrics()
    for options in WORKING:
        assert metrics(**options) == pytest.approx(plain), options
