"""datatrove, which runs the stages; it comes with the extra `prepare`."""

try:
    from datatrove.executor import LocalPipelineExecutor, RayPipelineExecutor, SlurmPipelineExecutor
    from datatrove.executor.base import PipelineExecutor
    from datatrove.pipeline.base import PipelineStep
except ImportError as error:
    raise ImportError(
        f"datatrove prepares a corpus in several processes, and cannot be imported ({error}): "
        "pip install neuromusic_hf[prepare]"
    ) from error

__all__ = [
    "LocalPipelineExecutor",
    "PipelineExecutor",
    "PipelineStep",
    "RayPipelineExecutor",
    "SlurmPipelineExecutor",
]
