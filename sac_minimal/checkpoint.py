"""A run's folder: configuration, metrics, checkpoint, replay. Nothing in it is ever unpickled."""

import fcntl
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from estimators.files import whole
from sac_minimal.sac import SAC

VERSION = 3


@contextmanager
def locked(run: Path, wait: bool = False) -> Iterator[None]:
    """One process at a time: the second waits, or gets a ValueError. It dies with its process."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            raise ValueError(f"another process is at work in {run}") from None
        yield


def save(path: Path, agent: SAC, rest: dict[str, Any]) -> None:
    """Networks, targets, optimisers, and `rest` (arrays and JSON values); all or nothing.

    OSError, with the file named and the last checkpoint intact, if the disk is full.
    """
    arrays = {key: tensor.detach().numpy() for key, tensor in _tensors(agent).items()}
    arrays |= {f"rest.{k}": v for k, v in rest.items() if isinstance(v, np.ndarray)}
    plain = {k: v for k, v in rest.items() if not isinstance(v, np.ndarray)}
    arrays["json"] = np.array(json.dumps({"version": VERSION, **plain}))
    data = io.BytesIO()
    np.savez(data, allow_pickle=False, **arrays)
    try:
        with whole(path) as part, part.open("wb") as file:
            file.write(data.getvalue())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(f"cannot write {path} ({error.strerror}); the last one is intact") from None


def load(path: Path, agent: SAC) -> dict[str, Any]:
    """Puts a checkpoint into the agent and returns `rest`; ValueError if it is not one of ours."""
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a checkpoint: it is no archive of arrays (npz)")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        rest: Any = json.loads(str(arrays.pop("json")))
    except KeyError:
        raise ValueError(f"{path} is not a checkpoint of ours: it has no entry json") from None
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a checkpoint: {error}") from None
    if not isinstance(rest, dict):
        raise ValueError(f"{path} is not a checkpoint of ours: json holds no names")
    if rest.get("version") != VERSION:
        raise ValueError(f"{path} has version {rest.get('version')}, this is {VERSION}")
    for key, tensor in _tensors(agent).items():
        if key not in arrays:
            raise ValueError(f"{path} lacks {key}: it belongs to another configuration")
        if arrays[key].shape != tuple(tensor.shape):
            shapes = f"{arrays[key].shape}, not {tuple(tensor.shape)}"
            raise ValueError(f"{path}: {key} has shape {shapes}")
        if arrays[key].dtype != tensor.detach().numpy().dtype or not np.isfinite(arrays[key]).all():
            raise ValueError(f"{path}: {key} does not hold finite numbers of type {tensor.dtype}")
    with torch.no_grad():
        for key, tensor in _tensors(agent).items():
            tensor.copy_(torch.from_numpy(arrays[key]))
    return rest | {k.removeprefix("rest."): v for k, v in arrays.items() if k[:5] == "rest."}


def _tensors(agent: SAC) -> dict[str, Tensor]:
    """Everything that learning changes, by name."""
    groups = dict(agent.trained)
    groups |= {f"target.{name}": network for name, network in agent.targets.items()}
    for name, adam in agent.optimisers.items():
        groups |= {f"adam.{name}.m": adam.m, f"adam.{name}.v": adam.v}
        groups[f"adam.{name}.steps"] = adam.steps
    return {f"{name}.{i}": x for name, tensors in groups.items() for i, x in enumerate(tensors)}
