"""Which network is trained, from which weights, and how its batch norms run."""

from atrous.networks import DeepLabV3PlusConfig, MobileNetV2Config, NetworkConfig, ResNetConfig
from atrous.networks.layers import BatchNormConfig
from atrous.training.planning.choice import Choice, Start
from atrous.training.planning.facts import DataFacts, MachineFacts

TINY = 96
"""Pixels of the longer side up to which a picture has hardly a feature left at output stride 16."""
GPU_MEMORY_OF_RESNET = 6.0
"""GiB from which a ResNet-50 trains in useful batches."""
CORE_MINUTES_OF_RESNET = 2000
"""Cores times minutes from which a ResNet-50 pays on a CPU: most of a day on two cores."""
SMALLEST_BATCH = 4
"""From which the statistics of a batch can be trusted: image pooling has one value per picture and channel."""
SLOW_MOMENTUM = 0.03
"""Of the running statistics where batches are smaller: they then look back over about 33 batches."""


def choose_network(
    data: DataFacts, machine: MachineFacts, minutes: float, start: Start | None
) -> tuple[NetworkConfig, Choice]:
    """Choose the member of the family and its backbone."""
    if start is not None:
        return start.network, Choice("network", words_of(start.network), "it is that of the weights it starts from")
    tiny = max(data.size) <= TINY
    large = machine.gpu and machine.gpu_memory >= GPU_MEMORY_OF_RESNET
    patient = not machine.gpu and machine.cores * minutes >= CORE_MINUTES_OF_RESNET
    if (large or patient) and not tiny:
        network = DeepLabV3PlusConfig(backbone=ResNetConfig(depth=50), output_stride=16)
        why = "the GPU has the memory and the speed for it" if large else "cores and minutes suffice for it"
    else:
        network = DeepLabV3PlusConfig(backbone=MobileNetV2Config(), output_stride=8 if tiny else 16)
        why = "the lightest with a decoder: it sees the most pictures in the time"
        if tiny:
            why = f"light, and fine enough for pictures of {data.size[1]}x{data.size[0]}"
    return network, Choice("network", words_of(network), why)


def words_of(network: NetworkConfig) -> str:
    """A network in a few words: `DeepLab v3+ on MobileNetV2, stride 16`."""
    member = {
        "deeplab_v1": "DeepLab v1",
        "deeplab_v2": "DeepLab v2",
        "deeplab_v3": "DeepLab v3",
        "deeplab_v3plus": "DeepLab v3+",
        "lite_deeplab": "Lite DeepLab",
        "image_classifier": "classifier",
    }[network.kind]
    backbone = network.backbone
    names = {"mobilenet_v2": "MobileNetV2", "mobilenet_v3": "MobileNetV3", "mobilenet_v1": "MobileNetV1"}
    name = names.get(backbone.kind, backbone.kind.replace("_", " "))
    if backbone.kind == "resnet":
        name = f"ResNet-{backbone.depth}"
    return f"{member} on {name}, stride {network.output_stride}"


def choose_start(data: DataFacts, start: Start | None) -> Choice:
    """Say which weights the training starts from."""
    if start is None:
        why = "none are at hand; with weights (--start-from, `atrous models`) the same minutes bring far more"
        return Choice("start", "random weights", why)
    shared = start.shared(data.classes)
    why = "a trained backbone helps on any pictures"
    if shared:
        why = f"it knows {shared} of the {len(data.classes)} classes by name"
    return Choice("start", start.model, why)


def choose_norms(network: NetworkConfig, batch_size: int, start: Start | None) -> tuple[NetworkConfig, Choice]:
    """Choose how batch norms run: by the statistics of batches that are large enough for them."""
    if batch_size >= SMALLEST_BATCH:
        why = f"statistics of {batch_size} pictures can be trusted"
        return network, Choice("batch norm", "learns", why)
    few = f"statistics of {batch_size} picture{'s' * (batch_size > 1)} cannot be trusted"
    if start is not None:
        norms = BatchNormConfig(**{**network.batch_norm.model_dump(), "frozen": True})
        return network.model_copy(update={"batch_norm": norms}), Choice(
            "batch norm", "frozen", f"{few}, those of the weights it starts from can"
        )
    norms = BatchNormConfig(**{**network.batch_norm.model_dump(), "momentum": SLOW_MOMENTUM})
    return network.model_copy(update={"batch_norm": norms}), Choice(
        "batch norm", f"momentum {SLOW_MOMENTUM:g}", f"{few}: the average over many batches is used in prediction"
    )
