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
        return start.network, Choice("network", words_of(start.network), "that of the weights it starts from")
    tiny = max(data.size) <= TINY
    large = machine.gpu and machine.gpu_memory >= GPU_MEMORY_OF_RESNET
    patient = not machine.gpu and machine.cores * minutes >= CORE_MINUTES_OF_RESNET
    if (large or patient) and not tiny:
        network = DeepLabV3PlusConfig(backbone=ResNetConfig(depth=50), output_stride=16)
        why = "the GPU has the memory and the speed for it" if large else "cores and minutes suffice for it"
    else:
        network = DeepLabV3PlusConfig(backbone=MobileNetV2Config(), output_stride=8 if tiny else 16)
        why = "light: it sees the most pictures in the time"
        if tiny:
            why = f"light; at stride 8 fine enough for {data.size[1]}x{data.size[0]}"
    return network, Choice("network", words_of(network), why)


def words_of(network: NetworkConfig) -> str:
    """A network in a few words: `v3+ on MobileNetV2`."""
    member = {
        "deeplab_v1": "v1",
        "deeplab_v2": "v2",
        "deeplab_v3": "v3",
        "deeplab_v3plus": "v3+",
        "lite_deeplab": "lite",
        "image_classifier": "classifier",
    }[network.kind]
    backbone = network.backbone
    names = {"mobilenet_v2": "MobileNetV2", "mobilenet_v3": "MobileNetV3", "mobilenet_v1": "MobileNetV1"}
    name = names.get(backbone.kind, backbone.kind.replace("_", " "))
    if backbone.kind == "resnet":
        name = f"ResNet-{backbone.depth}"
    return f"{member} on {name}"


def choose_start(data: DataFacts, start: Start | None) -> Choice:
    """Say which weights the training starts from."""
    if start is None:
        why = "no others are at hand; --start-from MODEL would bring far more"
        return Choice("start", "random weights", why)
    shared = start.shared(data.classes)
    why = "a trained backbone helps on any pictures"
    if shared:
        why = f"it knows {shared} of the {len(data.classes)} classes by name"
    return Choice("start", start.model, why)


def choose_norms(network: NetworkConfig, batch_size: int, start: Start | None) -> tuple[NetworkConfig, Choice]:
    """Choose how batch norms run: by the statistics of batches that are large enough for them."""
    if batch_size >= SMALLEST_BATCH:
        why = f"{batch_size} pictures give statistics that can be trusted"
        return network, Choice("batch norm", "learns", why)
    few = f"{batch_size} picture{'s' * (batch_size > 1)} give{'s' * (batch_size == 1)} no good statistics"
    if start is not None:
        norms = BatchNormConfig(**{**network.batch_norm.model_dump(), "frozen": True})
        return network.model_copy(update={"batch_norm": norms}), Choice(
            "batch norm", "frozen", f"{few}; the weights it starts from have them"
        )
    norms = BatchNormConfig(**{**network.batch_norm.model_dump(), "momentum": SLOW_MOMENTUM})
    return network.model_copy(update={"batch_norm": norms}), Choice(
        "batch norm", f"momentum {SLOW_MOMENTUM:g}", f"{few}: prediction averages over many batches"
    )
