"""Reads a Keras file in a process of its own: HDF5 is a large library in C, which a hostile file may crash or halt.

Usage: python keras_h5_child.py SOURCE TARGET. It writes the weights to TARGET as safetensors and prints one JSON
object: `names` of the weights in the order of the model, and `config`, the text of the model's description if there is
one; or `error`, why the file is refused.
"""

import json
import re
import sys
from typing import Any

import h5py
import numpy as np
from safetensors.numpy import save_file

MEMORY = 6 * 2**30
"""Bytes of address space that this process may have."""
MOST_BYTES = 2**31
"""Of all weights together: ten times what the largest network of the family has."""


class RefusedError(Exception):
    """The file is no file of weights."""


def main(source: str, target: str) -> dict[str, Any]:
    """Read one file; return what is printed."""
    try:
        with h5py.File(source, "r") as file:
            if "_layer_checkpoint_dependencies" in file or "layers" in file:
                raise RefusedError(
                    "it is a .weights.h5 of Keras 3, which does not name its layers: load it in Keras and save the "
                    "model with model.save('model.h5')"
                )
            weights = weights_of(_below(file, "model_weights") or file)
            save_file(weights, target)
            config = file.attrs.get("model_config")
    except (RefusedError, OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError, MemoryError) as error:
        return {"error": " ".join(str(error).split())[:300] or type(error).__name__}
    return {"names": list(weights), "config": _text(config) if isinstance(config, bytes | str) else None}


def weights_of(group: h5py.Group) -> dict[str, np.ndarray[Any, Any]]:
    """Return the weights by `layer/role`, in the order of the model.

    Raises:
        RefusedError: If there are none, they are more than `MOST_BYTES`, or lie anywhere but in this file.
    """
    weights: dict[str, np.ndarray[Any, Any]] = {}
    total = 0
    for layer in _names(group, "layer_names"):
        place = _below(group, layer)
        names = [] if place is None else _names(place, "weight_names")
        for name in names:
            dataset = _dataset(place, name)
            total += dataset.nbytes
            if total > MOST_BYTES:
                raise RefusedError("it claims more than 2 GiB of weights")
            *_, owner, role = (layer, *name.split("/"))
            # The layers of a model within the model have names of their own; Keras 2 numbers those of others again.
            same = re.fullmatch(re.escape(layer) + r"(_\d+)?", owner)
            key = f"{layer if same else owner}/{role.split(':')[0]}"
            if key in weights:
                raise RefusedError(f"it holds {key} twice")
            weights[key] = np.asarray(dataset[()])
    if not weights:
        raise RefusedError("it lists no weights of layers")
    return weights


def _dataset(group: h5py.Group | None, name: str) -> h5py.Dataset:
    place: Any = group
    for part in name.split("/"):
        place = _below(place, part)
    if not isinstance(place, h5py.Dataset):
        raise RefusedError(f"it lacks the weights {name!r} that it lists")
    if place.dtype.kind != "f" or place.ndim > 5:
        raise RefusedError(f"{name!r} is no array of real numbers")
    if place.external or place.is_virtual:
        raise RefusedError(f"{name!r} lies in another file")
    return place


def _below(place: Any, name: str) -> Any:
    """What lies in a group under a name, and nowhere else; none where there is nothing."""
    if not isinstance(place, h5py.Group) or name not in ("", *place):
        return None
    if not isinstance(place.get(name, getlink=True), h5py.HardLink):
        raise RefusedError(f"{name!r} lies in another place")
    return place[name]


def _names(group: Any, attribute: str) -> list[str]:
    """A list of names, which Keras cuts into numbered pieces where it is long."""
    if attribute in group.attrs:
        pieces = [group.attrs[attribute]]
    else:
        pieces = []
        while f"{attribute}{len(pieces)}" in group.attrs:
            pieces.append(group.attrs[f"{attribute}{len(pieces)}"])
    return [_text(name) for piece in pieces for name in np.asarray(piece).ravel().tolist()]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def limit_memory() -> None:
    """Bound the memory of this process, where the system can."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    limit_memory()
    print(json.dumps(main(sys.argv[1], sys.argv[2])))
