"""The codecs' decoders once more, written from FORMAT.md with the standard library and NumPy alone.

Nothing of engram is imported. Integers are Python's or int64; nothing here is a float.
"""

import zlib

import numpy as np
from independent_coding import range_decode, table_weights, unpack_numbers
from independent_files import decode_picture_files
from independent_jpeg import decode_jpeg_coefficients
from independent_pixel import decode_pixel
from independent_restored import decode_restored
from independent_spatial import decode_spatial


def decode_raw(config, model, data, count):
    """uint8[count, height, width, channels] of a block."""
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(count, *config["image_shape"])


def decode_frozen(config, model, data, count):
    """uint8[count, height, width, channels] of a block."""
    base, multiplier, tables, layers = frozen_model(config, model)
    symbols = np.array(range_decode(data, tables, count), np.int64).reshape(len(tables), count)
    x = (base[:, None] + multiplier[:, None] * symbols).T.reshape(count, *config["code_shape"])
    for settings, numbers in layers:
        x = run_layer(settings, numbers, x)
    return x.transpose(0, 2, 3, 1).astype(np.uint8)


DECODERS = {
    "raw": decode_raw,
    "frozen": decode_frozen,
    "spatial": decode_spatial,
    "pixel": decode_pixel,
    "restored": decode_restored,
    "jpeg-coefficients": decode_jpeg_coefficients,
    "picture-files": decode_picture_files,
}
"""By codec id."""


def frozen_model(config, model):
    """(base, multiplier, tables of weights, [(settings, numbers)]) of a frozen network."""
    numbers = iter(unpack_numbers(model))
    take = lambda count: np.array([next(numbers) for _ in range(count)], np.int64)  # noqa: E731
    units = int(np.prod(config["code_shape"]))
    base, multiplier, sizes = take(units), take(units), take(units)
    tables = [table_weights(take(size).tolist()) for size in sizes.tolist()]
    layers, shape = [], config["code_shape"]
    for settings in config["layers"]:
        arrays = None
        if "outputs" in settings:
            weight_shape, shape = shapes_of(settings, shape)
            if settings["kind"] == "product dense":
                weight = codeword_weights(settings, weight_shape, take)
            else:
                weight = take(int(np.prod(weight_shape))).reshape(weight_shape)
            bias = take(settings["outputs"])
            entries = settings["high"] - settings["low"] + 1
            arrays = weight, bias, np.cumsum(take(entries)) if settings["table"] else None
        elif settings["kind"] == "crop":
            shape = [shape[0], settings["height"], settings["width"]]
        else:
            shape = settings["shape"]
        layers.append((settings, arrays))
    if next(numbers, None) is not None:
        raise ValueError("numbers left over")
    return base, multiplier, tables, layers


def codeword_weights(settings, shape, take):
    """Each row of the matrix, its codewords one after another."""
    codewords, length = settings["codewords"], settings["length"]
    codebook = [take(length) for _ in range(codewords)]
    row = lambda chosen: np.concatenate([codebook[c + codewords // 2] for c in chosen])  # noqa: E731
    return np.array([row(take(shape[1] // length).tolist()) for _ in range(shape[0])])


def shapes_of(settings, shape):
    """The shape of a layer's weights, and of what it gives."""
    outputs = settings["outputs"]
    if settings["kind"] in ("dense", "product dense"):
        return (int(np.prod(shape)), outputs), [outputs]
    kernel, stride, padding = settings["kernel"], settings["stride"], settings["padding"]
    if settings["kind"] == "convolution":
        sides = [(side + 2 * padding - k) // stride + 1 for side, k in zip(shape[1:], kernel, strict=True)]
        return (outputs, shape[0], *kernel), [outputs, *sides]
    sides = [(side - 1) * stride - 2 * padding + k for side, k in zip(shape[1:], kernel, strict=True)]
    return (shape[0], outputs, *kernel), [outputs, *sides]


def run_layer(settings, arrays, x):
    """One layer on int64[n, ...]."""
    if settings["kind"] == "reshape":
        return x.reshape(len(x), *settings["shape"])
    if settings["kind"] == "crop":
        return x[:, :, : settings["height"], : settings["width"]]
    weight, bias, table = arrays
    if settings["kind"] in ("dense", "product dense"):
        y = x.reshape(len(x), -1) @ weight + bias
    else:
        y = convolve(settings, weight, x) + bias[:, None, None]
    if settings["shift"]:
        y = (y + (1 << settings["shift"] - 1)) >> settings["shift"]
    y = np.clip(y, settings["low"], settings["high"])
    return y if table is None else table[y - settings["low"]]


def convolve(settings, weight, x):
    """A convolution or a transposed convolution, tap by tap."""
    (height, width), stride, padding = settings["kernel"], settings["stride"], settings["padding"]
    n, _, rows, columns = x.shape
    if settings["kind"] == "convolution":
        x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        _, (_, rows, columns) = shapes_of(settings, [0, rows, columns])
        y = np.zeros((n, settings["outputs"], rows, columns), np.int64)
        for i in range(height):
            for j in range(width):
                part = x[:, :, i : i + rows * stride : stride, j : j + columns * stride : stride][:, :, :rows, :columns]
                y += np.einsum("nihw,oi->nohw", part, weight[:, :, i, j])
        return y
    y = np.zeros((n, settings["outputs"], (rows - 1) * stride + height, (columns - 1) * stride + width), np.int64)
    for i in range(height):
        for j in range(width):
            part = np.einsum("nihw,io->nohw", x, weight[:, :, i, j])
            y[:, :, i : i + rows * stride : stride, j : j + columns * stride : stride] += part
    return y[:, :, padding : y.shape[2] - padding, padding : y.shape[3] - padding]
