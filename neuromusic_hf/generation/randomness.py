"""Random numbers of each row, which depend on its seed and leave those of the process alone."""

from collections.abc import Callable, Sequence

import torch
from torch.overrides import TorchFunctionMode
from transformers import LogitsProcessor

FACTORIES = {torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal}
LIKE = {torch.rand_like: torch.rand, torch.randn_like: torch.randn}
OF_TENSORS = {
    torch.bernoulli, torch.multinomial, torch.Tensor.bernoulli, torch.Tensor.bernoulli_, torch.Tensor.cauchy_,
    torch.Tensor.exponential_, torch.Tensor.geometric_, torch.Tensor.log_normal_, torch.Tensor.multinomial,
    torch.Tensor.normal_, torch.Tensor.random_, torch.Tensor.uniform_,
}  # fmt: skip


class RowNoise(LogitsProcessor):
    """
    Turns scores so that the largest of a row is a sample of it (Gumbel's trick), from a random stream of the row.

    Args:
        seeds (sequence of `int`): one a row.
    """

    def __init__(self, seeds: Sequence[int]):
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Probabilities of shape `(rows, ids)`, divided by noise."""
        noise = torch.stack([torch.empty(scores.shape[1]).exponential_(generator=row) for row in self.generators])
        return scores.softmax(dim=-1) / noise.to(scores.device)


class OwnRandomness(TorchFunctionMode):
    """
    Whatever draws random numbers in this thread while it is on, draws from streams of its own.

    Draws by a matrix of probabilities have one for each row or prompt, all others have the first.

    Args:
        seeds (sequence of `int`): one a row that is generated.
        rows_per_prompt (`int`): rows that belong to one prompt.
    """

    def __init__(self, seeds: Sequence[int], rows_per_prompt: int):
        super().__init__()
        self.seeds = seeds
        streams = range(len(seeds))
        self.streams_by_rows = {len(seeds) // rows_per_prompt: streams[::rows_per_prompt], len(seeds): streams}
        self.generators = {}

    def call(self, function: Callable, /, **arguments):
        """Calls a function with this on."""
        with self:
            return function(**arguments)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if kwargs.get("generator") is not None:
            return func(*args, **kwargs)
        if func in (torch.multinomial, torch.Tensor.multinomial):
            return self._multinomial(*args, **kwargs)
        if func in LIKE:
            like, *rest = args
            kwargs = {"dtype": like.dtype, "device": like.device, **kwargs}
            kwargs.pop("memory_format", None)
            func, args = LIKE[func], (like.shape, *rest)
        if func in FACTORIES:
            device = next((each.device for each in args if isinstance(each, torch.Tensor)), kwargs.get("device"))
            kwargs["generator"] = self._generator(device or torch.get_default_device())
        elif func in OF_TENSORS:
            kwargs["generator"] = self._generator(args[0].device)
        return func(*args, **kwargs)

    def _multinomial(self, probabilities: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        device = probabilities.device
        streams = self.streams_by_rows.get(len(probabilities)) if probabilities.dim() == 2 else None
        if streams is None:
            return torch.multinomial(probabilities, *args, **kwargs | {"generator": self._generator(device)})
        rows = zip(probabilities, streams, strict=True)
        drawn = [
            torch.multinomial(row, *args, **kwargs | {"generator": self._generator(device, stream)})
            for row, stream in rows
        ]
        return torch.stack(drawn)

    def _generator(self, device: torch.device | str | int, stream: int = 0) -> torch.Generator:
        key = stream, torch.device(device)
        if key not in self.generators:
            self.generators[key] = torch.Generator(device).manual_seed(self.seeds[stream])
        return self.generators[key]
