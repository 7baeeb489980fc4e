"""Files of Keras with random weights, written by h5py, and what Keras answered to them."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FILES = Path(__file__).parents[1] / "files/keras"
Floats = NDArray[np.float32]
Layers = list[tuple[str, list[tuple[str, list[int]]]]]


class KerasCase(NamedTuple):
    """A model of Keras: its layers with names and shapes of weights, an input, and every `step`-th value it answers."""

    layers: Layers
    pixels: Floats
    shape: tuple[int, ...]
    answer: Floats


def keras_case(name: str) -> KerasCase:
    content = json.loads((FILES / f"{name}.json").read_text())
    x = pixels(content["input"][1:])
    return KerasCase(content["layers"], x, tuple(content["shape"]), np.array(content["answer"], np.float32))


def pixels(shape: tuple[int, ...]) -> Floats:
    return np.random.default_rng(1).uniform(-1, 1, (1, *shape)).astype(np.float32)


def drawn(layers: Layers) -> dict[str, Floats]:
    """Weights by `layer/role` that keep the signal's size."""
    random = np.random.default_rng(0)
    weights = {}
    for layer, named in layers:
        for name, shape in named:
            owner, role = f"{layer}/{name}".split(":")[0].split("/")[-2:]
            weights[f"{owner}/{role}"] = _draw(f"{owner}/{role}", tuple(shape), random).astype(np.float32)
    return weights


def _draw(name: str, shape: tuple[int, ...], random: np.random.Generator) -> Any:
    role = name.split("/")[-1]
    if role in ("gamma", "moving_variance"):
        return random.uniform(0.5, 1.5, shape)
    if role in ("beta", "moving_mean", "bias"):
        return random.normal(0, 0.2, shape)
    depthwise = role == "depthwise_kernel" or "depthwise" in name or "conv_dw" in name
    fan_in = np.prod(shape[:2] if depthwise else shape[:-1])
    return random.normal(0, (2 / fan_in) ** 0.5, shape)


def write_keras_h5(path: Path, layers: Layers, *, whole_model: bool = False) -> dict[str, Floats]:
    """Write weights as `save_weights`, or `save`, of Keras does; return them by `layer/role`."""
    import h5py

    weights = drawn(layers)
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights") if whole_model else file
        if whole_model:
            file.attrs["model_config"] = json.dumps({"class_name": "Functional"})
        group.attrs["layer_names"] = np.array([layer for layer, _ in layers], dtype="S")
        for layer, named in layers:
            place = group.create_group(layer)
            place.attrs["weight_names"] = np.array([name for name, _ in named], dtype="S")
            for name, _ in named:
                owner, role = f"{layer}/{name}".split(":")[0].split("/")[-2:]
                place[name] = weights[f"{owner}/{role}"]
    return weights
