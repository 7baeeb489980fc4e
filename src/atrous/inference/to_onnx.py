"""A network as an ONNX file of any batch, height and width, which describes itself."""

import logging
import warnings
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from atrous.errors import ConfigError
from atrous.files import replacing
from atrous.inference.exported_file import METADATA_KEY, ExportCard
from atrous.inference.folding import folded
from atrous.networks.layers import resize_bilinear
from atrous.networks.segmentation import SegmentationNetwork
from atrous.weights.checkpoint import CheckpointInfo

OPSET = 18
TRACED = (2, 3, 161, 193)
"""An input of no special size, lest the exporter take a coincidence for a rule."""

Output = Literal["logits", "labels"]


class Answer(nn.Module):
    """A network that gives what a file is to give."""

    def __init__(self, network: SegmentationNetwork, output: Output) -> None:
        """Take a network as it is."""
        super().__init__()
        self.network, self.output = network, output

    def forward(self, image: Tensor) -> Tensor:
        """float32 [B, 3, H, W] to logits [B, K, h, w] or labels [B, H, W]."""
        logits = self.network.low_resolution_logits(image)
        if self.output == "logits":
            return logits
        resized = resize_bilinear(logits, image.shape[-2:], self.network.resize)
        return resized.argmax(dim=1).to(torch.uint8 if self.network.num_classes <= 255 else torch.int32)


def answering(network: SegmentationNetwork, output: Output) -> Answer:
    """The network on the CPU with its norms folded, ready to be written."""
    return Answer(folded(network.cpu()).to(memory_format=torch.contiguous_format), output).eval()


def card_of(network: SegmentationNetwork, info: CheckpointInfo, output: Output = "logits") -> ExportCard:
    """What an exported file of a checkpoint says about itself; the network may have another output stride."""
    pixels = network.pixels
    return ExportCard(
        name=info.name,
        labels=info.labels,
        output=output,
        resize=network.resize,
        output_stride=network.output_stride,
        pixels={"mean": pixels.mean.flatten().tolist(), "std": pixels.std.flatten().tolist(), "order": pixels.order},
        scores=info.scores,
        provenance=info.provenance,
        network=info.network.model_dump(mode="json"),
    )


def write_onnx(path: Path, network: SegmentationNetwork, card: ExportCard) -> None:
    """Write the network, its norms folded, with the card in the file's metadata.

    The input `image` is float32 RGB [B, 3, H, W] in 0..1. The output is `logits` [B, K, h, w], at the network's own
    resolution, or `labels` [B, H, W]; the card says which.

    Raises:
        ConfigError: If the exporter is not installed, or cannot express the network.
        OutputError: If the place cannot be written.
    """
    answer = answering(network, card.output)
    sizes = {0: "batch", 2: "height", 3: "width"}
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            program = torch.onnx.export(
                answer,
                (torch.rand(TRACED),),
                dynamo=True,
                verbose=False,
                input_names=["image"],
                output_names=[card.output],
                dynamic_shapes={"image": sizes},
                opset_version=OPSET,
            )
    except ImportError:
        raise ConfigError("The ONNX exporter is not installed: run `pip install 'atrous[export]'`.") from None
    except torch.onnx.errors.OnnxExporterError as error:
        cause = str(error).strip().splitlines()[0][:200]
        raise ConfigError(f"torch cannot write this network as ONNX ({cause}): choose another network.") from None
    assert program is not None
    program.model.metadata_props[METADATA_KEY] = card.model_dump_json()
    with replacing(path) as beside:
        program.save(str(beside))


def restamp_onnx(source: Path, path: Path, card: ExportCard) -> None:
    """Write an ONNX file again, with another card."""
    import onnx_ir

    model = onnx_ir.load(source)
    model.metadata_props[METADATA_KEY] = card.model_dump_json()
    onnx_ir.save(model, path)
