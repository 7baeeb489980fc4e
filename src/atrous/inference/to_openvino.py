"""An ONNX file as OpenVINO's own: an .xml with the graph, and a .bin with the weights beside it."""

from pathlib import Path

from atrous.errors import ConfigError
from atrous.inference.exported_file import METADATA_KEY, ExportCard


def write_openvino(source: Path, path: Path, card: ExportCard) -> None:
    """Write the graph of an ONNX file, in float32 or int8 as it is there, with the card in the .xml.

    Raises:
        ConfigError: If OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError:
        raise ConfigError("openvino is not installed: run `pip install 'atrous[openvino]'`.") from None
    model = openvino.Core().read_model(source)
    model.set_rt_info("onnx", ["framework"])  # instead of the ONNX file's own card
    model.set_rt_info(card.model_dump_json(), [METADATA_KEY])
    openvino.save_model(model, path, compress_to_fp16=False)
