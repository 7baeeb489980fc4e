"""Score an imported model and its own interpreter on the same pictures of PASCAL VOC, by the same protocol.

Usage: python benchmarks/imported_models.py MODEL.tflite VOC2012 [--count N]
Protocol: each picture of val is stretched to the size of the file (bilinear), labelled, and its labels are brought back
to the picture's own size (nearest); one confusion matrix over all, void ignored. Truth is in SegmentationClassAug.
Needs LiteRT (the extra `dev`).
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter

from atrous import import_weights
from atrous.evaluation.confusion import ConfusionMatrix
from atrous.evaluation.metrics import scores
from atrous.images import read_image, read_mask
from atrous.inference.predictor import Predictor
from atrous.networks import build_network
from atrous.weights.known_labels import known_labels


def interpreter_of(path: Path) -> Any:
    """The reference interpreter, ready."""
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def labels_of(interpreter: Any, image: Any) -> Any:
    """Its labels, uint8, for a picture of its size; of logits the largest."""
    given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.set_tensor(
        given["index"], image[None] if given["dtype"] == np.uint8 else image[None] / np.float32(127.5) - 1
    )
    interpreter.invoke()
    answer = interpreter.get_tensor(wanted["index"])[0]
    return (answer.argmax(-1) if answer.ndim == 3 else answer).astype(np.uint8)


def main() -> None:
    """Score both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("voc", type=Path)
    parser.add_argument("--count", type=int, default=None)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    imported, labels = import_weights(arguments.model), known_labels("voc")
    network = build_network(imported.config, imported.num_classes)
    network.load_state_dict(imported.tensors)
    predictor = Predictor(network, labels, name="imported", device=torch.device("cpu"))
    interpreter = interpreter_of(arguments.model)
    height, width = (int(side) for side in interpreter.get_input_details()[0]["shape"][1:3])
    ours, theirs, agreement = ConfusionMatrix(labels), ConfusionMatrix(labels), []
    names = (arguments.voc / "ImageSets/Segmentation/val.txt").read_text().split()[: arguments.count]
    for name in names:
        image = read_image(arguments.voc / f"JPEGImages/{name}.jpg")
        truth = read_mask(arguments.voc / f"SegmentationClassAug/{name}.png")
        stretched = np.asarray(cv2.resize(image, (width, height)))
        both = predictor(stretched).mask, labels_of(interpreter, stretched)
        agreement.append(float((both[0] == both[1]).mean()))
        for matrix, mask in zip((ours, theirs), both, strict=True):
            matrix.add(truth, cv2.resize(mask, truth.shape[::-1], interpolation=cv2.INTER_NEAREST))
    for name, matrix in (("atrous", ours), ("LiteRT", theirs)):
        score = scores(matrix.matrix, labels)
        print(f"{name}: mIoU {100 * (score.mean_iou or 0):.2f}, pixel accuracy {100 * (score.pixel_accuracy or 0):.2f}")
    print(f"{len(names)} pictures; labels agree on {100 * np.mean(agreement):.2f} % of the pixels")


if __name__ == "__main__":
    main()
