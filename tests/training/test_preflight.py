"""What cannot work is refused before the corpus is read."""

import re

import pytest
from tiny import ONE_LAYER

from neuromusic_hf import MidiProcessor, build_model


@pytest.fixture
def refused(monkeypatch, call_script, tmp_path):
    """Runs the script on a corpus that must not be touched, and returns what it raised."""

    def untouched(*args, **kwargs):
        raise AssertionError("the corpus is read")

    def run(*options, kind=ValueError, output_dir=tmp_path / "run"):
        monkeypatch.setattr("neuromusic_hf.training.run_data.load_corpus", untouched)
        with pytest.raises(kind) as error:
            call_script("train", "--output_dir", output_dir, *options)
        return str(error.value)

    return run


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--model gpt3000", "No model 'gpt3000'"),
        ("--model ./nowhere", "No model './nowhere'"),
        ("--model my_package.Missing", "No model 'my_package.Missing'"),
        ("--model music_transformer --hidden_size 30 --num_attention_heads 4", "multiple of num_attention_heads"),
        ("--model gpt2 --hidden_size 30 --num_attention_heads 4", "divisible by num_heads.*30"),
        ("--model llama --hidden_size 32 --num_attention_heads 33", "No llama can be made with.*33"),
        ("--model gpt2 --model_config {\"no_such\":1}", "no no_such"),
        ("--model llama --model_config {\"hidden_act\":\"foo\"}", "No llama can be made with.*foo"),
        ("--tokenization Nonsense", "Nonsense"),
        ("--vocab_size 10", "vocab_size=10 leaves nothing to learn"),
        ("--vocabulary_model Foo --vocab_size 1100", "vocabulary-model: invalid choice: 'Foo'"),
        ("--report_to nonsense", "report_to=nonsense"),
        ("--torch_compile_backend foo", "torch_compile_backend=foo"),
        ("--lr_scheduler_type linear --lr_scheduler_kwargs {\"foo\":1}", "lr_scheduler_kwargs=.*foo"),
        ("--eval_continuations_steps 5 --eval_prompt_length 999 --eval_continue_length 26", "eval_prompt_length 999"),
        ("--eval_continuations_steps 5 --eval_comparisons own_comparisons.NUMBER", "own_comparisons.NUMBER"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(refused, options, words):
    assert re.search(words, refused(*options.split(" ")))


def test_what_is_not_there_is_refused(refused):
    assert "nowhere" in refused("--eval_continuations_steps", 5, "--eval_harmony_embedding", "./nowhere", kind=OSError)
    assert "liger" in refused("--use_liger_kernel", kind=ImportError)
    assert "bitsandbytes" in refused("--optim", "adamw_bnb_8bit", kind=(ImportError, ValueError))
    assert "nowhere" in refused("--tokenization", "./nowhere", kind=(OSError, ValueError))


def test_an_output_folder_that_is_a_file_is_refused(refused, tmp_path):
    (tmp_path / "file").write_text("")
    assert "Cannot write to the folder" in refused(output_dir=tmp_path / "file")
    assert "Cannot write to the folder" in refused(output_dir=tmp_path / "file" / "below")


def test_saved_weights_that_do_not_fit_are_refused(refused, tmp_path):
    processor = MidiProcessor.from_tokenization("TSD")
    build_model("gpt2", processor, context_length=64, **ONE_LAYER).save_pretrained(tmp_path / "model")
    model = ("--model", tmp_path / "model")
    assert "the processor" in refused(*model, "--context_length", 64)
    assert "ids" in refused(*model, "--context_length", 64, "--tokenization", "TSD", "--vocab_size", 1100)
    assert "reads 64 tokens at most" in refused(*model, "--tokenization", "TSD")
    for size in ONE_LAYER:
        assert "weights of other sizes" in refused(*model, "--tokenization", "TSD", f"--{size}", 4)


def test_a_fitting_run_goes_on_to_its_corpus(refused, tmp_path):
    assert refused("--model", "gpt2", "--vocab_size", 1100, kind=AssertionError) == "the corpus is read"
