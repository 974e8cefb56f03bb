"""FORMAT.md's `pixel`, with the standard library and NumPy alone.

Integers are Python's or int64; nothing here is a float but what the four tables are rounded from.
"""

import zlib

import numpy as np
from independent_coding import range_reader, unpack_numbers


def decode_pixel(config, model, data, count):
    """uint8[count, height, width, channels] of a block."""
    height, width, channels = config["image_shape"]
    step = config["step"]
    gray = [min(symbol * step, 255) for symbol in range((255 + step // 2) // step + 1)]
    if data[0] == 1:
        symbols = np.frombuffer(zlib.decompress(data[1:]), np.uint8)
        return usual_order(np.array(gray, np.uint8)[symbols].reshape(count, height, width, channels))
    if data[0] != 0:
        raise ValueError("a block begins with 0 or 1")
    offsets = pixel_offsets(config["radius"])
    networks = pixel_networks(config, model, len(offsets) * channels + channels - 1)
    read = range_reader(data[1:])
    decide = lambda weight: read([2**24 - weight, weight])  # noqa: E731
    images = np.zeros((count, height, width, channels), np.int64)
    for wave in pixel_waves(height, width, channels):
        outputs = {}
        for y, x, c in wave:
            for image, row in enumerate(pixel_outputs(config, networks[c], offsets, images, y, x, c).tolist()):
                if decide(NOT_ZERO[row[0] + 1023]):
                    outputs[image, y, x, c] = row
        found = dict.fromkeys(outputs, 0)
        depth = (len(gray) - 2).bit_length()
        ends = {place: (0, mixture_below(row, gray, 1 << depth)) for place, row in outputs.items()}
        for level in range(depth - 1, -1, -1):
            for place, row in outputs.items():
                low, high = ends[place]
                middle = mixture_below(row, gray, found[place] + (1 << level))
                if decide(256 * (1 + 65534 * (high - middle) // (high - low))):
                    found[place] += 1 << level
                    ends[place] = middle, high
                else:
                    ends[place] = low, middle
        for place, value in found.items():
            images[place] = gray[value + 1]
    return usual_order(images.astype(np.uint8))


def usual_order(images):
    """Red, green, blue, of green, red, blue."""
    return images[..., [1, 0, 2]] if images.shape[-1] == 3 else images


def mixture_below(row, gray, value):
    """F(value) of FORMAT.md, of what a network says in `row`."""
    count = len(row) // 3
    logits, means, scales = (row[1 + part * count : 1 + (part + 1) * count] for part in range(3))
    total = 0
    for logit, mean, scale in zip(logits, means, scales, strict=True):
        share = EXPONENTIAL[min(max(logits) - logit, 1023)]
        part = 0
        if value >= len(gray) - 1:
            part = 2**20
        elif value:
            u = (8 * (gray[value] + gray[value + 1]) - mean) * INVERSE[scale + 74] >> 9
            part = LOGISTIC[min(max(u, -12288), 12287) + 12288]
        total += share * part
    return total + 4096 * value


def _rounded(numbers):
    return np.rint(numbers).astype(np.int64).tolist()


NOT_ZERO = [min(max(w, 256), 2**24 - 256) for w in _rounded(2**24 / (1 + np.exp(-np.arange(-1023, 1024) / 64)))]
EXPONENTIAL = _rounded(2**12 * np.exp(-np.arange(1024) / 64))
INVERSE = _rounded(2**15 * np.exp(-np.arange(-74, 183) / 32))
LOGISTIC = _rounded(2**20 / (1 + np.exp(-np.arange(-12288, 12288) / 1024)))


def pixel_offsets(radius):
    """(dy, dx) of a pixel's neighbours."""
    return [
        (dy, dx)
        for dy in range(-radius, 1)
        for dx in range(-radius, 3)
        if abs(dy) + abs(dx) <= radius + 2 and (dy < 0 or dx < 0)
    ]


def pixel_waves(height, width, channels):
    """[(y, x, c)] of the values that are decoded together, in order of time."""
    waves = {}
    for y in range(height):
        for x in range(width):
            for c in range(channels):
                waves.setdefault((x + 3 * y, c), []).append((y, x, c))
    return [waves[time] for time in sorted(waves)]


def pixel_networks(config, model, inputs):
    """[(weight, bias, shift)] of each channel of a pixel codec."""
    numbers = iter(unpack_numbers(model))
    take = lambda count: np.array([next(numbers) for _ in range(count)], np.int64)  # noqa: E731
    shifts = iter(config["shifts"])
    taken = inputs + 2 * config["knots"]
    sizes = [*config["hidden"], 1 + 3 * config["components"]]
    networks = []
    for _ in range(config["image_shape"][2]):
        layers, width = [], taken
        for number, size in enumerate(sizes):
            if number == len(sizes) - 1:
                width += taken
            layers.append((take(width * size).reshape(width, size), take(size), next(shifts)))
            width = size
        networks.append(layers)
    if next(numbers, None) is not None or next(shifts, None) is not None:
        raise ValueError("numbers left over")
    return networks


def pixel_neighbour(config, y, x, dy, dx):
    """(row, column) of what stands for a neighbour, or None for 0."""
    width = config["image_shape"][1]
    if "edges" not in config:
        return (y + dy, x + dx) if y + dy >= 0 and 0 <= x + dx < width else None
    row = max(y - 1 if x == 0 and dy == 0 else y + dy, 0)
    column = min(max(x + dx, 0), width - 1)
    if row == y:
        column = min(column, x - 1)
    return None if column < 0 else (row, column)


def pixel_outputs(config, layers, offsets, images, y, x, c):
    """int64[count, 1 + 3M]: what the network says of value (y, x, c) of each image."""
    count, height, width, channels = images.shape
    nothing = np.zeros(count, np.int64)
    a = []
    for dy, dx in offsets:
        place = pixel_neighbour(config, y, x, dy, dx)
        a += [images[(slice(None), *place, k)] if place else nothing for k in range(channels)]
    a += [images[:, y, x, k] if k < c else nothing for k in range(channels - 1)]
    for at, side in ((y, height), (x, width)):
        span = max(1, side - 1)
        for knot in range(config["knots"]):
            away = abs(at * (config["knots"] - 1) - knot * span)
            a.append(np.full(count, max(0, 255 - 255 * away // span)))
    a = np.stack(a, 1)
    h = a
    for number, (weight, bias, shift) in enumerate(layers):
        last = number == len(layers) - 1
        h = np.hstack([h, a]) if last else h
        h = (h @ weight + bias + (1 << shift >> 1)) >> shift
        h = h if last else np.clip(h, 0, config.get("high", 1023))
    components = config["components"]
    limits = [(-1023, 1023)] * (1 + components) + [(-1024, 5119)] * components + [(-74, 182)] * components
    return np.clip(h, [least for least, _ in limits], [most for _, most in limits])
