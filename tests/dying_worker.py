"""Runs a script in one of several processes, of which the second dies where it comes to a method.

python tests/dying_worker.py module Class.method script ...
"""

import importlib
import os
import runpy
import sys


def main():
    module, method = sys.argv[1:3]
    owner, _, name = method.partition(".")
    if os.environ["RANK"] == "1":
        setattr(getattr(importlib.import_module(module), owner), name, lambda *_, **__: os._exit(9))
    sys.argv = sys.argv[3:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
