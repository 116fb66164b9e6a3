"""Code that a repository ships: where transformers finds a class of this package, if the repository is trusted."""

SHIPPED_CODE = '''\
"""{name} of the package neuromusic_hf, where transformers finds it."""

try:
    from {module} import {name}
except ModuleNotFoundError as error:
    raise ImportError(
        "{name} is code of the package neuromusic_hf: install that in this environment (pip install . in a checkout "
        f"of it). {{error}}. Without it, AutoTokenizer, AutoModelForCausalLM and text-generation work on token text."
    ) from error

__all__ = ["{name}"]
'''
"""transformers answers "pip install neuromusic_hf" where an import stands outside of `try`."""


def shipped_code(module: str, name: str) -> str:
    """
    The text of a file that gives a class of this package, or says what to install.

    Args:
        module (`str`): of the class.
        name (`str`): of the class.
    """
    return SHIPPED_CODE.format(module=module, name=name)
