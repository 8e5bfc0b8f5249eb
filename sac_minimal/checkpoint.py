"""A run's folder: configuration, metrics, checkpoint, replay. Nothing in it is ever unpickled."""

import fcntl
import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sac_minimal.sac import SAC

VERSION = 1


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """One process at a time: ValueError for the second. The lock dies with its process."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"another process is training in {run}") from None
        yield


def save(path: Path, agent: SAC, rest: dict[str, Any]) -> None:
    """Networks, optimisers, generator, and `rest` (arrays and JSON values); all or nothing.

    OSError, with the file named and the last checkpoint intact, if the disk is full.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, tensors in {**agent.parameters(), "targets": agent.targets}.items():
        for i, tensor in enumerate(tensors):
            arrays[f"{name}.{i}"] = tensor.detach().numpy()
    for name, optimiser in agent.optimisers.items():
        for i, state in optimiser.state_dict()["state"].items():
            for key, value in state.items():
                arrays[f"adam.{name}.{i}.{key}"] = value.numpy()
    arrays["generator"] = agent.rng.generator.get_state().numpy()
    plain = {"version": VERSION}
    for key, value in rest.items():
        if isinstance(value, np.ndarray):
            arrays[f"rest.{key}"] = value
        else:
            plain[key] = value
    arrays["json"] = np.array(json.dumps(plain))
    data = io.BytesIO()
    np.savez(data, allow_pickle=False, **arrays)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(data.getvalue())
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(f"cannot write {path} ({error.strerror}); the last one is intact") from None


def load(path: Path, agent: SAC) -> dict[str, Any]:
    """Puts a checkpoint into the agent and returns `rest`; ValueError if it is not one of ours."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        rest: dict[str, Any] = json.loads(str(arrays.pop("json")))
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a checkpoint: {error}") from None
    if rest.get("version") != VERSION:
        raise ValueError(f"{path} has version {rest.get('version')}, this is {VERSION}")
    with torch.no_grad():
        for name, tensors in {**agent.parameters(), "targets": agent.targets}.items():
            for i, tensor in enumerate(tensors):
                tensor.copy_(_take(arrays, f"{name}.{i}", tensor.shape, path))
    for name, optimiser in agent.optimisers.items():
        state: dict[int, dict[str, torch.Tensor]] = {}
        for i, tensor in enumerate(agent.parameters()[name]):
            if f"adam.{name}.{i}.step" in arrays:
                state[i] = {
                    key: _take(arrays, f"adam.{name}.{i}.{key}", shape, path)
                    for key, shape in (
                        ("step", torch.Size()),
                        ("exp_avg", tensor.shape),
                        ("exp_avg_sq", tensor.shape),
                    )
                }
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": state, "param_groups": groups})
    generator = _take(arrays, "generator", agent.rng.generator.get_state().shape, path)
    agent.rng.generator.set_state(generator)
    rest.update({k.removeprefix("rest."): v for k, v in arrays.items() if k.startswith("rest.")})
    return rest


def _take(arrays: dict[str, np.ndarray], key: str, shape: torch.Size, path: Path) -> torch.Tensor:
    if key not in arrays:
        raise ValueError(f"{path} lacks {key}: it belongs to another configuration")
    if arrays[key].shape != tuple(shape):
        raise ValueError(f"{path}: {key} has shape {arrays[key].shape}, not {tuple(shape)}")
    return torch.from_numpy(arrays[key])
