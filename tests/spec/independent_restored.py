"""FORMAT.md's restored codec, with the standard library and NumPy alone."""

import numpy as np
from independent_coding import unpack_numbers
from independent_pixel import decode_pixel
from independent_spatial import convolved


def decode_restored(config, model, data, count):
    """uint8[count, height, width, channels] of a block."""
    size = int.from_bytes(model[:4], "little")
    coded = decode_pixel(config["pixel"], model[4 : 4 + size], data, count).astype(np.int64)
    numbers = np.array(list(unpack_numbers(model[4 + size :])), np.int64)
    channels, largest = config["image_shape"][2], config["pixel"]["step"] // 2
    hidden = [(layer["outputs"], layer["shift"], 0, layer["high"]) for layer in config["hidden"]]
    inputs, at, x = channels, 0, coded
    for outputs, shift, low, high in [*hidden, (channels, config["change"]["shift"], -largest, largest)]:
        weight = numbers[at : (at := at + 9 * outputs * inputs)].reshape(outputs, inputs, 3, 3)
        bias = numbers[at : (at := at + outputs)]
        x, inputs = convolved((weight, bias, shift, low, high), x), outputs
    if at != len(numbers):
        raise ValueError("numbers left over")
    return (coded + x).clip(0, 255).astype(np.uint8)
