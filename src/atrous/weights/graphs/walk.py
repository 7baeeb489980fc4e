"""A graph of layers that can be walked in both directions."""

from atrous.weights.graphs.layers import Graph, Layer


class Walk:
    """A graph with its edges in both directions, and the stride of every layer."""

    def __init__(self, graph: Graph) -> None:
        self.layers = graph.by_name
        self.after: dict[str, list[Layer]] = {name: [] for name in self.layers}
        self.strides: dict[str, int] = {}
        for layer in graph.layers:
            for name in set(layer.inputs):
                self.after[name].append(layer)
            self.strides[layer.name] = layer.stride * max((self.strides[name] for name in layer.inputs), default=1)

    def source(self, layer: Layer) -> Layer:
        """What a layer reads, behind any resize."""
        before = self.layers[layer.inputs[0]]
        return self.source(before) if before.kind in ("resize", "pad") else before

    def readers(self, layer: Layer) -> list[Layer]:
        """What reads a layer, behind any resize."""
        found = []
        for reader in self.after[layer.name]:
            found += self.readers(reader) if reader.kind in ("resize", "pad") else [reader]
        return found

    def ancestors(self, layer: Layer) -> set[str]:
        """The names of a layer and of all before it."""
        reached: set[str] = set()
        waiting = [layer.name]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += self.layers[name].inputs
        return reached
