"""Write the small checkpoints beside this file, with TensorFlow itself: pip install tensorflow, then run this.

The values are those of `expected` in tests/weights/formats/test_bundle.py: each variable counts up from its number.
"""

from pathlib import Path

import tensorflow as tf

SHAPES = {
    "MobilenetV2/Conv/weights": (3, 3, 3, 8),
    "MobilenetV2/Conv/BatchNorm/gamma": (8,),
    "MobilenetV2/Conv/BatchNorm/moving_variance": (8,),
    "MobilenetV2/expanded_conv/depthwise/depthwise_weights": (3, 3, 8, 1),
    "logits/semantic/biases": (21,),
}


def main() -> None:
    tf.compat.v1.disable_eager_execution()
    for number, (name, shape) in enumerate(SHAPES.items()):
        count = 1
        for side in shape:
            count *= side
        values = tf.reshape(tf.range(number, number + count, dtype=tf.float32), shape)
        tf.compat.v1.get_variable(name, initializer=values)
    tf.compat.v1.get_variable("global_step", initializer=tf.constant(30000, tf.int64))
    with tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver()
        saver.save(session, str(Path(__file__).parent / "model.ckpt"), write_meta_graph=False, write_state=False)
        tf.compat.v1.get_variable("half", initializer=tf.constant([0.5, -2, 1e-3], tf.float16))
        tf.compat.v1.get_variable("double", initializer=tf.constant([0.5, 1 / 3], tf.float64))
        tf.compat.v1.get_variable("whole", initializer=tf.constant([[-1, 2], [3, 4]], tf.int32))
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(write_version=tf.compat.v1.train.SaverDef.V1)
        saver.save(session, str(Path(__file__).parent / "single.ckpt"), write_meta_graph=False, write_state=False)


if __name__ == "__main__":
    main()
