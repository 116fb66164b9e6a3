"""Measures continuation by a Llama beside llama.cpp, on the same weights in float32.

    pip install xllamacpp gguf
    python benchmarks/llama_cpp.py

README.md says what each figure means.
"""

import argparse
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import gguf
import torch
import xllamacpp
from continuation import SIZES, generate_as_we_do, make_model, read_bandwidth, step_bytes, timed, warm_up
from measuring import RESULTS, alternating, answer_task, run_fresh, save_result, spread
from transformers import PreTrainedModel

OURS, LLAMA_CPP = "ours", "llama_cpp"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="full", choices=SIZES)
    parser.add_argument("--batches", default="1,16", help="rows, joined by commas")
    parser.add_argument("--prompt_length", type=int, default=512, help="tokens")
    parser.add_argument("--new_tokens", type=int, default=512)
    parser.add_argument("--repetitions", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS / "llama_cpp.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    shape = {name: getattr(args, name) for name in ("size", "prompt_length", "new_tokens")}
    runs = {int(batch): [] for batch in args.batches.split(",")}
    for repetition, batch in alternating(list(runs), args.repetitions):
        runs[batch].append(
            run_fresh(__file__, {"batch": batch, "ours_first": repetition % 2 == 0, **shape}, {}).result
        )
    rows = {f"batch {batch}": figures(found) for batch, found in runs.items()}
    for name, row in rows.items():
        print(f"{name}: a step takes {row['step_to_llama_cpp']:.2f} times as long as llama.cpp's")
    versions = {name: version(name) for name in ("xllamacpp", "gguf")}
    settings = {**shape, "sizes": SIZES[args.size], "repetitions": args.repetitions, **versions}
    save_result(args.output, "llama_cpp", {"settings": settings, "runs": rows})


def figures(runs: list[dict]) -> dict:
    """Milliseconds of a step, floors it takes, seconds of the prompts; ours to llama.cpp's."""
    row = {way: {name: spread([run[way][name] for run in runs]) for name in runs[0][way]} for way in (OURS, LLAMA_CPP)}
    medians = [row[way]["milliseconds"]["median"] for way in (OURS, LLAMA_CPP)]
    prompts = [row[way]["prompt_seconds"]["median"] for way in (OURS, LLAMA_CPP)]
    return {
        **row,
        "gigabytes_per_second": spread([speed for run in runs for speed in run["gigabytes_per_second"]]),
        "step_to_llama_cpp": medians[0] / medians[1],
        "prompt_to_llama_cpp": prompts[0] / prompts[1],
        "same_tokens": sum(run["same_tokens"] for run in runs) / len(runs),
    }


def run_task(batch: int, ours_first: bool, size: str, prompt_length: int, new_tokens: int) -> dict:
    """One run, in its own process: greedy generation by both."""
    torch.manual_seed(0)
    model = make_model("llama", size, prompt_length + new_tokens)
    prompts = torch.randint(3, model.config.vocab_size, (batch, prompt_length))
    warm_up(model, prompts)
    floor_bytes = step_bytes(model, batch, prompt_length + new_tokens / 2)
    with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as folder:
        path = Path(folder, "model.gguf")
        write_gguf(model, path)
        server = start_llama_cpp(path, batch, prompt_length + new_tokens)
        complete(server, prompts[:1, :8], 4)
        ways = {
            OURS: lambda: ours(model, prompts, new_tokens),
            LLAMA_CPP: lambda: complete(server, prompts, new_tokens),
        }
        bandwidths, found, rows = [read_bandwidth()], {}, {}
        for name in [OURS, LLAMA_CPP] if ours_first else [LLAMA_CPP, OURS]:
            found[name], rows[name] = ways[name]()
            bandwidths.append(read_bandwidth())
            floor = floor_bytes / (sum(bandwidths[-2:]) / 2) / 1e6
            found[name]["to_floor"] = found[name]["milliseconds"] / floor
    return {**found, "gigabytes_per_second": bandwidths, "same_tokens": same_rows(*rows.values())}


def same_rows(ours: list[list[int]], others: list[list[int]]) -> float:
    """The part of the rows that are the same."""
    return sum(row == other for row, other in zip(ours, others, strict=True)) / len(ours)


def ours(model: PreTrainedModel, prompts: torch.Tensor, new_tokens: int) -> tuple[dict, list[list[int]]]:
    """Times and new ids of [`generate_rows`]."""
    found, rows = timed(generate_as_we_do, model, prompts, new_tokens)
    del found["tokens_per_second"]
    return found, rows[:, prompts.shape[1] :].tolist()


def complete(server: xllamacpp.Server, prompts: torch.Tensor, new_tokens: int) -> tuple[dict, list[list[int]]]:
    """Times and new ids of llama.cpp, all prompts at once; a batch takes as long as its slowest row."""
    request = {"n_predict": new_tokens, "temperature": 0, "ignore_eos": True, "cache_prompt": False}
    with ThreadPoolExecutor(len(prompts)) as pool:
        requests = [{"prompt": prompt, **request} for prompt in prompts.tolist()]
        answers = list(pool.map(server.handle_completions, requests))
    timings = [answer["timings"] for answer in answers]
    found = {
        "prompt_seconds": max(row["prompt_ms"] for row in timings) / 1000,
        "milliseconds": max(row["predicted_ms"] for row in timings) / (new_tokens - 1),
    }
    ids = [[int(index) for index in re.findall(r"\d+", answer["choices"][0]["text"])] for answer in answers]
    return found, ids


def start_llama_cpp(path: Path, batch: int, context_length: int) -> xllamacpp.Server:
    """llama.cpp with our threads, a place for every row, and a cache in float32."""
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel, params.n_ctx = batch, batch * context_length
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = torch.get_num_threads()
    params.kv_unified = False  # otherwise every row attends to the keys of all
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.verbosity = -1
    return xllamacpp.Server(params)


def write_gguf(model: PreTrainedModel, path: Path):
    """Writes a Llama as llama.cpp reads it; the text of a token is its id."""
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f" {index}" for index in range(config.vocab_size)])
    writer.add_token_scores([0.0] * config.vocab_size)
    writer.add_token_types([gguf.TokenType.NORMAL] * config.vocab_size)
    writer.add_add_bos_token(False)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, tensor in model.state_dict().items():
        num_heads = heads.get(name.split(".")[-2])
        tensor = tensor if num_heads is None else interleaved(tensor, num_heads)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), tensor.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def interleaved(weight: torch.Tensor, num_heads: int) -> torch.Tensor:
    """llama.cpp rotates neighbouring channels of a head, transformers those half a head apart."""
    return weight.unflatten(0, (num_heads, 2, -1)).transpose(1, 2).flatten(0, 2)


if __name__ == "__main__":
    main()
