"""Score an imported model and its own interpreter on the same pictures of PASCAL VOC, by the same protocol.

Usage: python benchmarks/imported_models.py MODEL.tflite VOC2012 [--count N]
Protocol: each picture of val is stretched to the size of the file (bilinear), labelled, and its labels are brought back
to the picture's own size (nearest); one confusion matrix over all, void ignored. Truth is in SegmentationClassAug.
The interpreter is scored with both sets of its kernels: XNNPACK's, which are its default, and its own.
Needs LiteRT (the extra `dev`).
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from atrous import import_weights
from atrous.evaluation.confusion import ConfusionMatrix
from atrous.evaluation.metrics import scores
from atrous.images import read_image, read_mask
from atrous.inference.predictor import Predictor
from atrous.networks import build_network
from atrous.weights.known_labels import known_labels


def interpreter_of(path: Path, kernels: OpResolverType) -> Any:
    """The reference interpreter, ready."""
    interpreter = Interpreter(str(path), num_threads=1, experimental_op_resolver_type=kernels)
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
    kernels = (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreters = [interpreter_of(arguments.model, kind) for kind in kernels]
    height, width = (int(side) for side in interpreters[0].get_input_details()[0]["shape"][1:3])
    matrices = [ConfusionMatrix(labels) for _ in range(3)]
    agreement = []
    names = (arguments.voc / "ImageSets/Segmentation/val.txt").read_text().split()[: arguments.count]
    for name in names:
        image = read_image(arguments.voc / f"JPEGImages/{name}.jpg")
        truth = read_mask(arguments.voc / f"SegmentationClassAug/{name}.png")
        stretched = np.asarray(cv2.resize(image, (width, height)))
        masks = [predictor(stretched).mask, *(labels_of(interpreter, stretched) for interpreter in interpreters)]
        agreement.append([float((masks[a] == masks[b]).mean()) for a, b in ((0, 1), (0, 2), (1, 2))])
        for matrix, mask in zip(matrices, masks, strict=True):
            matrix.add(truth, cv2.resize(mask, truth.shape[::-1], interpolation=cv2.INTER_NEAREST))
    for name, matrix in zip(("atrous", "LiteRT, XNNPACK", "LiteRT, own kernels"), matrices, strict=True):
        score = scores(matrix.matrix, labels)
        print(f"{name}: mIoU {100 * (score.mean_iou or 0):.2f}, pixel accuracy {100 * (score.pixel_accuracy or 0):.2f}")
    first, second, among = 100 * np.mean(agreement, axis=0)
    print(
        f"{len(names)} pictures; our labels agree with XNNPACK's on {first:.2f} % of the pixels, with those of the "
        f"interpreter's own kernels on {second:.2f} %, these two on {among:.2f} %"
    )


if __name__ == "__main__":
    main()
