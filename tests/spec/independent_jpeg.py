"""FORMAT.md's `jpeg-coefficients`, with the standard library and NumPy alone. Integers are Python's or int64."""

import struct
import zlib

import numpy as np
from independent_coding import range_reader, table_weights, unpack_numbers

BELOW = [(0, -1), (-1, 0), (-1, -1), (0, -2), (-2, 0), (-1, 1), (-2, 1), (1, -2)]


def decode_jpeg_coefficients(config, model, data, count):
    """uint8[count, height, width, channels] of a block."""
    height, width, channels = config["image_shape"]
    shape = (count, height, width, channels)
    if data[0] == 2:
        return np.frombuffer(zlib.decompress(data[1:]), np.uint8).reshape(shape)
    if data[0] > 2:
        raise ValueError("a block begins with 0, 1 or 2")
    kinds = min(channels, 2)
    numbers = np.array(list(unpack_numbers(model)), np.int64)
    steps, weights, levels = np.split(numbers, [kinds * 64, kinds * 64 * 12])
    steps, weights = steps.reshape(kinds, 8, 8), weights.reshape(kinds * 64, 11).tolist()
    tables = [table_weights(row) for row in levels.reshape(-1, 24).tolist()]
    (length,) = struct.unpack("<I", data[1:5])
    small = 16 if config["halved"] else 8
    grids = [(height // side, width // side) for side in (8, small, small)[:channels]]
    symbols = read_symbols(data[5 : 5 + length], count, grids, weights, tables)
    rest = data[5 + length :]
    bits = "".join(f"{byte:08b}" for byte in rest)
    position, planes = 0, [np.zeros((count, *grid, 8, 8), np.int64) for grid in grids]
    for image in range(count):
        for plane, grid in enumerate(grids):
            for row, column, v, u in np.ndindex(*grid, 8, 8):
                symbol = symbols[image][plane, row, column, v, u]
                if symbol:
                    more = max(0, symbol - 12) if symbol >= 16 else 0
                    digits = bits[position + 1 : position + 1 + more]
                    magnitude = int("1" + digits, 2) if more else symbol
                    planes[plane][image, row, column, v, u] = -magnitude if bits[position] == "1" else magnitude
                    position += 1 + more
    for plane, (rows, columns) in zip(planes, grids, strict=True):
        for row, column in np.ndindex(rows, columns):
            near = [plane[:, row, column - 1, 0, 0]] if column else []
            near += [plane[:, row - 1, column, 0, 0]] if row else []
            if near:
                plane[:, row, column, 0, 0] += sum(near) // len(near)
    pixels = to_pixels([plane * steps[min(n, 1)] for n, plane in enumerate(planes)], config["halved"])
    if data[0] == 1:
        rest = rest[-(-position // 8) :]
        pixels = (pixels + np.frombuffer(zlib.decompress(rest), np.uint8).reshape(shape)) % 256
    return pixels.astype(np.uint8)


def read_symbols(stream, count, grids, weights, tables):
    """For each image {(plane, row, column, v, u): symbol}."""
    read = range_reader(stream)
    waves = {}
    for plane, grid in enumerate(grids):
        for row, column, v, u in np.ndindex(*grid, 8, 8):
            waves.setdefault(row + column + 3 * v + 2 * u, []).append((plane, row, column, v, u))
    symbols = [{} for _ in range(count)]
    for time in sorted(waves):
        for place in waves[time]:
            plane, row, column, v, u = place
            kind = 64 * (plane > 0) + 8 * v + u
            taps = [(plane, row, column, v + dv, u + du) for dv, du in BELOW]
            taps += [(plane, row, column - 1, v, u), (plane, row - 1, column, v, u)]
            for known in symbols:
                total = weights[kind][10]
                total += sum(w * known.get(tap, 0) for w, tap in zip(weights[kind], taps, strict=False))
                total = min(max(total, 0), 2047)
                length = total.bit_length()
                context = total if total < 4 else 4 * (length - 2) + (total >> (length - 3)) % 4
                known[place] = read(tables[40 * (2 * (plane > 0) + (v + u > 0)) + context])
    return symbols


def to_pixels(planes, halved):
    """int64[n, height, width, channels] of coefficients times their steps."""
    samples = []
    for plane in planes:
        columns = transform([plane[..., k, :] for k in range(8)], 11)
        rows = np.stack(columns, -2)
        blocks = np.clip(np.stack(transform([rows[..., k] for k in range(8)], 18), -1) + 128, 0, 255)
        n, down, across = blocks.shape[:3]
        samples.append(blocks.swapaxes(2, 3).reshape(n, 8 * down, 8 * across))
    if len(samples) == 1:
        return samples[0][..., None]
    y, cb, cr = samples[0], *((enlarge(part) if halved else part) - 128 for part in samples[1:])
    red = y + ((91881 * cr + 32768) >> 16)
    green = y + ((-22554 * cb - 46802 * cr + 32768) >> 16)
    blue = y + ((116130 * cb + 32768) >> 16)
    return np.clip(np.stack([red, green, blue], -1), 0, 255)


def transform(d, shift):
    """Eight numbers of eight: FORMAT.md's matrix, applied as it says there."""
    z1 = (d[2] + d[6]) * 4433
    t2, t3 = z1 - d[6] * 15137, z1 + d[2] * 6270
    t0, t1 = (d[0] + d[4]) * 8192, (d[0] - d[4]) * 8192
    even = [t0 + t3, t1 + t2, t1 - t2, t0 - t3]
    z5 = (d[7] + d[3] + d[5] + d[1]) * 9633
    z1, z2 = (d[7] + d[1]) * -7373, (d[5] + d[3]) * -20995
    z3, z4 = z5 - (d[7] + d[3]) * 16069, z5 - (d[5] + d[1]) * 3196
    odd = [d[1] * 12299 + z1 + z4, d[3] * 25172 + z2 + z3, d[5] * 16819 + z2 + z4, d[7] * 2446 + z1 + z3]
    half = 2 ** (shift - 1)
    return [(even[k] + odd[k] + half) >> shift for k in range(4)] + [
        (even[k] - odd[k] + half) >> shift for k in (3, 2, 1, 0)
    ]


def enlarge(small):
    """Twice the rows and columns."""
    n, height, width = small.shape
    rows = np.empty((n, 2 * height, width), np.int64)
    for y in range(height):
        rows[:, 2 * y] = 3 * small[:, y] + small[:, max(y - 1, 0)]
        rows[:, 2 * y + 1] = 3 * small[:, y] + small[:, min(y + 1, height - 1)]
    whole = np.empty((n, 2 * height, 2 * width), np.int64)
    for x in range(width):
        whole[..., 2 * x] = (3 * rows[..., x] + rows[..., max(x - 1, 0)] + 8) >> 4
        whole[..., 2 * x + 1] = (3 * rows[..., x] + rows[..., min(x + 1, width - 1)] + 7) >> 4
    return whole
