"""FORMAT.md's spatial codec, with the standard library and NumPy alone."""

import numpy as np
from independent_coding import range_reader, table_weights, unpack_numbers

NEIGHBOURS = [(-2, -1), (-2, 0), (-2, 1), (-1, -2), (-1, -1), (-1, 0), (-1, 1), (0, -2), (0, -1)]


def decode_spatial(config, model, data, count):
    """uint8[count, height, width, channels] of a block."""
    height, width, channels = config["image_shape"]
    rows, columns, units = -(-height // 4), -(-width // 4), 16 * channels
    limits, tables, prior, synthesis = spatial_model(config, model, units)
    features = features_of(rows, columns, config["step"])
    read = range_reader(data)
    symbols = np.zeros((count, rows, columns, units), np.int64)
    for wave in range(columns + 2 * rows):
        cells = [(y, wave - 2 * y) for y in range(rows) if 0 <= wave - 2 * y < columns]
        for unit in range(units):
            limit = max(1, limits[unit] * 16 // config["step"])
            for image in range(count):
                for y, x in cells:
                    centre, scale = expected(prior, symbols[image], y, x, unit, features[y, x])
                    nearest = (centre + 8) // 16
                    found = nearest + read(tables[scale][centre - 16 * nearest + 8]) - config["reach"]
                    symbols[image, y, x, unit] = min(max(found, -limit), limit)
    matrix, first, second, last = synthesis
    codes = symbols * config["step"]
    hidden = convolved(second, convolved(first, codes, features @ matrix))
    values = convolved(last, np.concatenate([hidden, codes], 3))
    blocks = values.reshape(count, rows, columns, channels, 4, 4).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(count, 4 * rows, 4 * columns, channels)[:, :height, :width].astype(np.uint8)


def spatial_model(config, model, units):
    """(limits, tables[scale][fraction + 8], prior, synthesis): a half is its features' matrix, and its layers.

    A layer is (weight, bias, shift, low, high).
    """
    numbers = iter(unpack_numbers(model))

    def take(*shape):
        return np.array([next(numbers) for _ in range(int(np.prod(shape)))], np.int64).reshape(shape)

    limits = take(units).tolist()
    tables = []
    for _ in range(config["scale"]["high"] + 1):
        stored = [np.cumsum(take(2 * config["reach"] + 1)).tolist() for _ in range(9)]
        tables.append([table_weights(levels) for levels in (*stored, *(row[::-1] for row in stored[7:0:-1]))])

    def dense(settings, inputs, outputs, low=0):
        return take(inputs, outputs), take(outputs), settings["shift"], low, settings["high"]

    first, second, third, fourth = config["prior"]
    centre, scale = config["centre"], config["scale"]
    last = fourth["outputs"] + second["outputs"] + 10 * units
    prior = [
        take(21, first["outputs"]),
        dense(first, 9 * units, first["outputs"]),
        dense(second, first["outputs"], second["outputs"]),
        dense(third, second["outputs"] + units, third["outputs"]),
        dense(fourth, third["outputs"], fourth["outputs"]),
        dense(centre, last, units, -centre["high"]),
        dense(scale, last, units),
    ]

    def convolution(settings, inputs, outputs):
        return take(outputs, inputs, 3, 3), take(outputs), settings["shift"], 0, settings.get("high", 255)

    one, two = config["synthesis"]
    synthesis = [
        take(21, one["outputs"]),
        convolution(one, units, one["outputs"]),
        convolution(two, one["outputs"], two["outputs"]),
        convolution(config["pixels"], two["outputs"] + units, units),
    ]
    if next(numbers, None) is not None:
        raise ValueError("numbers left over")
    return limits, tables, prior, synthesis


def features_of(rows, columns, step):
    """int64[rows, columns, 21]."""

    def triangles(at, size):
        span = max(1, size - 1)
        return [max(0, 16 - 16 * abs(6 * at - knot * span) // span) for knot in range(7)]

    octave = 0
    while 32 << octave <= step:
        octave += 1
    part = 16 * (step - (16 << octave)) // (16 << octave)
    coarse = [0] * 8
    coarse[octave : octave + 2] = [16 - part, part]
    return np.array(
        [[triangles(y, rows) + triangles(x, columns) + coarse[:7] for x in range(columns)] for y in range(rows)]
    )


def expected(prior, symbols, y, x, unit, features):
    """(centre, scale) of a unit of a cell of an image; what is not decoded yet does not matter."""
    matrix, first, second, third, fourth, *ends = prior
    _, columns, units = symbols.shape
    nothing = np.zeros(units, np.int64)
    places = [(y + dy, x + dx) for dy, dx in NEIGHBOURS]
    around = np.concatenate([symbols[p] if p[0] >= 0 and 0 <= p[1] < columns else nothing for p in places])
    own = symbols[y, x]
    c = applied(second, applied(first, around, features @ matrix))
    h = applied(fourth, applied(third, np.concatenate([c, own])))
    return [int(applied(end, np.concatenate([h, c, around, own]))[unit]) for end in ends]


def applied(layer, a, added=0):
    weight, bias, shift, low, high = layer
    return np.clip((a @ weight + bias + added + (1 << shift >> 1)) >> shift, low, high)


def convolved(layer, a, added=0):
    """A layer on int64[n, rows, columns, inputs]."""
    weight, bias, shift, low, high = layer
    rows, columns = a.shape[1:3]
    padded = np.pad(a, ((0, 0), (1, 1), (1, 1), (0, 0)))
    sums = bias + added + (1 << shift >> 1)
    for i in range(3):
        for j in range(3):
            sums = sums + padded[:, i : i + rows, j : j + columns] @ weight[:, :, i, j].T
    return np.clip(sums >> shift, low, high)
