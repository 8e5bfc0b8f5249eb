"""Checks every case in the environment it is run in; one JSON line for each. See run.py."""

import json
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent.parent))
warnings.simplefilter("ignore")

import torch  # noqa: E402

from estimators import check  # noqa: E402


def main(only):
    from cases_jax import CASES as of_jax
    from cases_storchastic import CASES as of_storchastic
    from cases_torch import CASES as of_torch

    for case in of_torch + of_storchastic + of_jax:
        if only not in f"{case.library} {case.name}":
            continue
        start = time.perf_counter()
        verdict = check(case.subject, case.policy, case.objective, name=case.name, **case.options)
        row = {"library": case.library, "version": version(case.library), **verdict.to_dict()}
        row |= {"expected": case.expected, "delta": case.options.get("delta", 0.01)}
        print(json.dumps(row | {"seconds": time.perf_counter() - start}), flush=True)
        print(f"{case.library} {verdict}\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1])
