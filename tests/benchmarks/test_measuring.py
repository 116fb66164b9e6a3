"""benchmarks/measuring.py starts each measured process anew; the other tests of benchmarks fork them."""

import os

import pytest

TASK = """
import json, os, sys

task = json.loads(sys.argv[sys.argv.index("--task") + 1])
print("not the result")
print(json.dumps({"pid": os.getpid(), "forked": "torch" in sys.modules, "said": os.environ["SAID"], **task}))
sys.exit(task["status"])
"""


def test_a_measured_process_is_a_fresh_one(load_benchmark, tmp_path):
    run_fresh, script = load_benchmark("measuring").run_fresh, tmp_path / "task.py"
    script.write_text(TASK)
    run = run_fresh(script, {"status": 0}, {"SAID": "yes"})
    assert run.result == {"pid": run.result["pid"], "forked": False, "said": "yes", "status": 0}
    assert run.result["pid"] != os.getpid() and run.seconds > 0 and run.peak_memory_mib[0] > 1
    with pytest.raises(RuntimeError, match="exit status 3"):
        run_fresh(script, {"status": 3}, {"SAID": "yes"})
