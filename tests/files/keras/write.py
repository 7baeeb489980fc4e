"""Write the answers of Keras to weights that the tests can draw again, by hand: python write.py, with TensorFlow 2.21.

Each JSON file holds the layers with the names and shapes of their weights, as Keras lists them, the input's shape, and
the answer. Weights and input are drawn by `tests/weights/keras_files.py`; nothing here is of anybody else.
"""

import json
import sys
from pathlib import Path

import h5py
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.weights.keras_files import drawn, pixels

K = tf.keras
L = K.layers


def norm_relu(x, name=None, epsilon=1e-3, relu=True):
    x = L.BatchNormalization(epsilon=epsilon, name=f"{name}_BN" if name else None)(x)
    return L.Activation("relu")(x) if relu else x


def resized(x, size, mode):
    grid = tf.compat.v1.image.resize_bilinear if mode == "asymmetric" else None
    if grid is not None:
        return L.Lambda(lambda t: grid(t, size, align_corners=False, half_pixel_centers=False))(x)
    return L.Lambda(lambda t: tf.compat.v1.image.resize_bilinear(t, size, align_corners=True))(x)


def tonandr(size, classes=7, width=16):
    """MobileNetV2 up to stride 8, the cell of the configuration, a 3x3 convolution, plain enlargement."""
    mobilenet = K.applications.MobileNetV2((*size, 3), alpha=0.35, weights=None, include_top=False)
    base = K.Model(mobilenet.inputs, mobilenet.get_layer("block_5_add").output, name="base")
    image = K.Input((*size, 3), name="input_image")
    x = base(image)
    found = []
    for rate, source in (((1, 6), -1), ((18, 15), 0), ((6, 3), 1), ((1, 1), 0), ((6, 21), 0)):
        y = x if source == -1 else found[source]
        y = norm_relu(
            L.SeparableConv2D(width, 3, dilation_rate=[2 * r for r in rate], padding="same", use_bias=False)(y)
        )
        found.append(norm_relu(L.Conv2D(width, 1, use_bias=False)(y)))
    x = norm_relu(L.Conv2D(width, 1, use_bias=False)(L.Concatenate()(found)))
    encoder = K.Model(image, x, name="encoder")
    features = K.Input(encoder.output_shape[1:])
    logits = L.Conv2D(classes, 3, padding="same", use_bias=False)(features)
    decoder = K.Model(features, resized(logits, size, "asymmetric"), name="decoder")
    return K.Model(image, decoder(encoder(image)))


def bonlime(size, classes=7):
    """DeepLab v3+ on MobileNetV2 of width 0.5 at output stride 8."""

    def block(x, number, outputs, stride, rate, widen):
        name = f"expanded_conv_{number}_" if number else "expanded_conv_"
        inputs = x.shape[-1]
        y = x
        if number:
            y = L.Conv2D(widen * inputs, 1, use_bias=False, name=f"{name}expand")(y)
            y = L.ReLU(6)(L.BatchNormalization(epsilon=1e-3, name=f"{name}expand_BN")(y))
        y = L.DepthwiseConv2D(3, stride, "same", use_bias=False, dilation_rate=rate, name=f"{name}depthwise")(y)
        y = L.ReLU(6)(L.BatchNormalization(epsilon=1e-3, name=f"{name}depthwise_BN")(y))
        y = L.Conv2D(outputs, 1, use_bias=False, name=f"{name}project")(y)
        y = L.BatchNormalization(epsilon=1e-3, name=f"{name}project_BN")(y)
        return L.Add()([x, y]) if stride == 1 and inputs == outputs else y

    image = K.Input((*size, 3))
    x = L.Conv2D(16, 3, 2, "same", use_bias=False, name="Conv")(image)
    x = L.ReLU(6)(L.BatchNormalization(epsilon=1e-3, name="Conv_BN")(x))
    rows = [(8, 1, 1), (16, 2, 1), (16, 1, 1), (16, 2, 1), (16, 1, 1), (16, 1, 1)]
    rows += [(32, 1, 1)] + 3 * [(32, 1, 2)] + 3 * [(48, 1, 2)] + [(80, 1, 2)] + 2 * [(80, 1, 4)] + [(160, 1, 4)]
    for number, (outputs, stride, rate) in enumerate(rows):
        x = block(x, number, outputs, stride, rate, 6)
    mean = L.GlobalAveragePooling2D(keepdims=True)(x)
    mean = norm_relu(L.Conv2D(256, 1, use_bias=False, name="image_pooling")(mean), "image_pooling", 1e-5)
    mean = resized(mean, x.shape[1:3], "align_corners")
    point = norm_relu(L.Conv2D(256, 1, use_bias=False, name="aspp0")(x), "aspp0", 1e-5)
    x = L.Concatenate()([mean, point])
    x = norm_relu(L.Conv2D(256, 1, use_bias=False, name="concat_projection")(x), "concat_projection", 1e-5)
    x = L.Conv2D(classes, 1, name="custom_logits_semantic")(x)
    return K.Model(image, resized(x, size, "align_corners"))


MODELS = {
    "mobilenet_v2": lambda: K.applications.MobileNetV2(
        (65, 96, 3), alpha=0.35, weights=None, classes=7, classifier_activation=None
    ),
    "mobilenet": lambda: K.applications.MobileNet(
        (64, 96, 3), alpha=0.25, weights=None, classes=7, classifier_activation=None
    ),
    "mobilenet_odd": lambda: K.applications.MobileNet(
        (97, 65, 3), alpha=0.25, weights=None, classes=7, classifier_activation=None
    ),
    "resnet50": lambda: K.applications.ResNet50(
        input_shape=(65, 96, 3), weights=None, classes=7, classifier_activation=None
    ),
    "vgg16_no_top": lambda: K.applications.VGG16(input_shape=(32, 32, 3), weights=None, include_top=False),
    "tonandr": lambda: tonandr((64, 96)),
    "bonlime": lambda: bonlime((64, 96)),
}


def main():
    here = Path(__file__).parent
    for name, make in MODELS.items():
        K.backend.clear_session()
        model = make()
        place = Path("/tmp") / f"{name}.h5"
        model.save(place)
        with h5py.File(place, "r") as file:
            group = file["model_weights"]
            layers = [
                [layer, [[w, list(group[layer][w].shape)] for w in group[layer].attrs["weight_names"]]]
                for layer in group.attrs["layer_names"]
            ]
        place.unlink()
        layers = [[text(layer), [[text(w), shape] for w, shape in weights]] for layer, weights in layers if weights]
        weights = drawn(layers)
        for variable in all_variables(model):
            variable.assign(weights[key(variable)])
        x = pixels(model.input_shape[1:])
        y = model.predict(x, verbose=0)
        content = {"layers": layers, "input": list(x.shape), "shape": list(y.shape)}
        step = max(1, y.size // 400)
        content["answer"] = [float(f"{value:.7g}") for value in y.ravel()[::step]]
        (here / f"{name}.json").write_text(json.dumps(content, separators=(",", ":")))
        print(name, len(layers), y.shape)


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def all_variables(model):
    return {v.path: v for v in model.weights if "seed" not in v.path}.values()


def key(variable):
    return "/".join(variable.path.split("/")[-2:])


main()
