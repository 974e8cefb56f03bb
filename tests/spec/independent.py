"""A second reader of .egm archives that follows FORMAT.md: the standard library and NumPy, nothing of engram.

It is plain and slow, and laid out in the order of FORMAT.md. What is inside a block is decoded by independent_codecs.
"""

import hashlib
import json
import re
import struct
import zlib

import numpy as np
from independent_codecs import DECODERS
from independent_files import cells_of, picture_files

MAGIC = bytes.fromhex("89 45 47 4d 0d 0a 1a 0a 02 00 00 00")
END_MAGIC = bytes.fromhex("89 45 47 54 0d 0a 1a 0a")


class Refused(Exception):
    """The bytes are not an archive of version 2."""


def require(condition, message):
    if not condition:
        raise Refused(message)


def read(data, model=None):
    """The content of a file: images, a list; columns and their categories, each a list by its name; files.

    as_files: by row, the pictures that are kept as files.
    """
    require(data[:12] == MAGIC, "not an archive of version 2")
    before = read_directory(data)["before"]
    segments, start = [], 12
    for number, stop in enumerate([*(each["stop"] for each in before), len(data)]):
        require(start < stop <= len(data), "segments that do not lie one after another")
        directory = read_directory(data[:stop])
        require(directory["before"] == before[:number], "another history")
        segments.append((directory, *read_boxes(data[start:stop], directory)))
        if stop < len(data):
            named = {"stop": stop, "rows": directory["rows"], "crc32": trailer(data[:stop])[1]}
            require(before[number] == named, "another segment")
        start = stop
    return join(segments, model)


def read_set(files):
    """The content of a shard set, whose files are given by their names."""
    manifest = parse_json(files["shards.json"])
    require(manifest["engram_shards"] == 2, "another version")
    segments = []
    for shard in manifest["shards"]:
        data, directory = files[shard["name"]], shard["directory"]
        check_directory(directory)
        require(directory["before"] == [] and len(data) == shard["bytes"], "another shard")
        require(data[:12] == MAGIC and trailer(data)[1] == shard["crc32"], "another shard")
        segments.append((directory, *read_boxes(data[12:], directory)))
    return join(segments, None if manifest["model"] is None else files[manifest["model"]])


def join(segments, model):
    """What the rows of all segments have."""
    models = {sha256: data for _, found, _ in segments for sha256, data in found.items()}
    if model is not None:
        models.setdefault(hashlib.sha256(model).hexdigest(), model)
    images, columns, categories, files, as_files = [], {}, {}, {}, {}
    for directory, _, boxes in segments:
        pieces = iter(boxes)
        groups = [read_group(directory, group, models, pieces) for group in directory["groups"]]
        read = {head["name"]: read_column(head, directory["rows"], pieces) for head in directory["columns"]}
        table = {name: values for name, (values, _) in read.items()}
        files |= {name: inflate(next(pieces), 2**28) for name in directory["files"]}
        for name in table:
            columns.setdefault(name, [None] * len(images))
            require(set(categories.get(name, ())) <= set(read[name][1]), "a category that was forgotten")
            categories[name] = read[name][1]
        for name in columns:
            columns[name] += table.get(name, [None] * directory["rows"])
        found, kept = place(directory, groups, table)
        as_files |= {len(images) + row: file for row, file in kept.items()}
        images += found
    require(None not in columns.get("path", ()), "a row without a path")
    shown = {name: values for name, values in columns.items() if name[0] != "."}
    return {"images": images, "columns": shown, "categories": categories, "files": files, "as_files": as_files}


# ---------------------------------------------------------------------------------------------------------- the file


def trailer(data):
    require(len(data) >= 28 and data[-8:] == END_MAGIC, "no trailer")
    return struct.unpack("<II", data[-16:-8])


def read_directory(data):
    """That of the last segment."""
    length, checksum = trailer(data)
    require(12 + length + 16 <= len(data), "directory too long")
    deflated = data[len(data) - 16 - length : -16]
    require(zlib.crc32(deflated) == checksum, "damaged directory")
    directory = parse_json(inflate(deflated, min(2**22, 64 * length)))
    check_directory(directory)
    return directory


def check_directory(directory):
    require(directory["needs"] == [], "a newer engram is needed")
    lists = [directory[key] for key in ("models", "codings", "groups", "columns", "files", "before")]
    require(max(map(len, lists)) <= 4096, "too many entries")
    for group in directory["groups"]:
        layers = layers_of(directory, group)
        shapes = [directory["codings"][number]["config"]["image_shape"] for number in group["codings"]]
        height, width, _ = shapes[0]
        require(shapes == [[height, width, channels] for channels in layers], "layers")
        require(1 <= height <= 16384 and 1 <= width <= 16384 and 1 <= group["block_size"] <= 65536, "sizes")
        require(group["block_size"] * height * width * sum(KINDS[group["kind"]]) <= 2**28, "block too large")
    cells = sum(group["cells"] for group in directory["groups"])
    columns = [head["name"] for head in directory["columns"]]
    require(directory["rows"] <= cells or ".cell" in columns, "rows")
    require((directory["rows"] == 0) == (cells == 0), "rows")
    for names in (directory["files"], columns):
        require(len(set(names)) == len(names), "one name twice")


def read_boxes(segment, directory):
    """(models by their SHA-256, all pieces) of a segment."""
    models, at = {}, 0
    for model in directory["models"]:
        if model["embedded"]:
            data = segment[at : at + model["bytes"]]
            require(hashlib.sha256(data).hexdigest() == model["sha256"], "damaged model")
            models[model["sha256"]], at = data, at + model["bytes"]
    chunks = -(-directory["rows"] // 16384)
    count = sum(-(-group["cells"] // group["block_size"]) for group in directory["groups"]) + len(directory["files"])
    count += sum((head["type"] == "category") + chunks for head in directory["columns"])
    width, end = directory["width"], len(segment) - 16 - trailer(MAGIC + segment)[0]
    require(at + count * (width + 4) <= end, "index too long")
    index = segment[end - count * (width + 4) : end]
    require(zlib.crc32(index) == directory["index_crc32"], "damaged index")
    lengths = [int.from_bytes(index[k * width : (k + 1) * width], "little") for k in range(count)]
    require(width == max(1, -(-max(lengths, default=0).bit_length() // 8)), "index too wide")
    pieces = []
    for length, checksum in zip(lengths, struct.unpack(f"<{count}I", index[count * width :]), strict=True):
        pieces.append(segment[at : at + length])
        require(zlib.crc32(pieces[-1]) == checksum, "damaged piece")
        at += length
    require(at == end - len(index), "bytes that belong to nothing")
    return models, pieces


def parse_json(data):
    def once(pairs):
        require(len(dict(pairs)) == len(pairs), "a key twice")
        return dict(pairs)

    value = json.loads(data.decode(), object_pairs_hook=once, parse_constant=lambda name: require(False, name))
    json.dumps(value, ensure_ascii=False).encode()
    return value


def inflate(piece, most):
    stream = zlib.decompressobj()
    data = stream.decompress(piece, most + 1)
    require(stream.eof and not stream.unused_data and len(data) <= most, "not one zlib stream")
    return data


# ---------------------------------------------------------------------------------------------------------- pictures

PLACES = (".group", ".cell", ".height", ".width")
KINDS = {"gray": (1,), "gray-alpha": (1, 1), "rgb": (3,), "rgba": (3, 1), "gray16": (1, 1), "rgb16": (3, 3)}


def layers_of(directory, group):
    """The channels of each layer; a codec with a kind codes all of them."""
    layers = KINDS[group["kind"]]
    kinds = [directory["codings"][number]["config"].get("kind") for number in group["codings"]]
    require(kinds in ([group["kind"]], [None] * len(layers)), "a codec of another kind")
    if None in kinds:
        return layers
    return (layers[0],) if group["kind"].endswith("16") else (sum(layers),)


def read_group(directory, group, models, pieces):
    """All cells of a group, and all files."""
    cells, files = [], []
    for first in range(0, group["cells"], group["block_size"]):
        data, count = next(pieces), min(group["block_size"], group["cells"] - first)
        layers = []
        for number in group["codings"]:
            coding, part = directory["codings"][number], data
            if len(layers) < len(group["codings"]) - 1:
                (length,) = struct.unpack_from("<I", data)
                require(4 + length <= len(data), "a layer is too long")
                part, data = data[4 : 4 + length], data[4 + length :]
            model = b"" if coding["model"] is None else models[directory["models"][coding["model"]]["sha256"]]
            if coding["id"] == "picture-files":
                rebuilt = picture_files(coding["config"], model, part, count)
                files += rebuilt
                layers.append(cells_of(coding["config"], rebuilt))
            else:
                layers.append(DECODERS[coding["id"]](coding["config"], model, part, count))
        if group["kind"].endswith("16") and not files:
            layers = [layers[0].astype(np.uint16) * 256 + layers[1]]
        cells.extend(np.concatenate(layers, axis=-1))
    return cells, files


def place(directory, groups, table):
    """(the pictures, put together of the cells of all groups; by row, the files that they are kept as)."""
    images, as_files, taken = [], {}, [0] * len(groups)
    require(all(None not in table.get(name, ()) for name in PLACES), "a row without a place")
    for row in range(directory["rows"]):
        group = table[".group"][row] if ".group" in table else 0
        shape, *_ = (directory["codings"][number]["config"] for number in directory["groups"][group]["codings"])
        cell_height, cell_width, _ = shape["image_shape"]
        height = table[".height"][row] if ".height" in table else cell_height
        width = table[".width"][row] if ".width" in table else cell_width
        require(1 <= height <= 16384 and 1 <= width <= 16384, "sides")
        down, across = -(-height // cell_height), -(-width // cell_width)
        require(down * across <= 65536, "too many cells")
        first = table[".cell"][row] if ".cell" in table else taken[group]
        taken[group] += down * across
        cells, files = groups[group]
        mine = cells[first : first + down * across]
        require(first >= 0 and len(mine) == down * across, "cells that there are not")
        rows = [np.concatenate(mine[k * across : (k + 1) * across], axis=1) for k in range(down)]
        images.append(np.concatenate(rows)[:height, :width])
        if files:
            require(down == across == 1, "a file in several cells")
            as_files[row] = files[first]
    require(".cell" in table or taken == [len(cells) for cells, _ in groups], "cells that belong to nothing")
    return images, as_files


# ----------------------------------------------------------------------------------------------------------- columns


def read_column(head, rows, pieces):
    """(the values of a column, None for a missing one; its categories)."""
    categories, found = [], []
    if head["type"] == "category":
        categories = read_texts(inflate(next(pieces), 2**26), head["categories"])
        require(len(set(categories)) == len(categories) <= 65536, "categories")
    for first in range(0, rows, 16384):
        data, count = inflate(next(pieces), 2**26), min(16384, rows - first)
        require(data[:1] in (b"\0", b"\1"), "mask")
        present, at = [True] * count, 1
        if data[0]:
            at += -(-count // 8)
            present = read_bits(data[1:at], count)
        values = iter(read_values(head["type"], data[at:], sum(present), categories))
        found += [next(values) if there else None for there in present]
    return found, categories


def read_bits(data, count):
    require(len(data) == -(-count // 8), "bits")
    bits = np.unpackbits(np.frombuffer(data, np.uint8)).astype(bool).tolist()
    require(not any(bits[count:]), "bits after the last")
    return bits[:count]


def read_values(kind, data, count, categories):
    """The values that there are."""
    if kind == "integer":
        require(len(data) >= 9 and data[0] <= 8 and len(data) == 9 + data[0] * count, "integers")
        least = int.from_bytes(data[1:9], "little", signed=True)
        more = [int.from_bytes(data[9 + row :: count], "little") for row in range(count)]
        return [(least + each + 2**63) % 2**64 - 2**63 for each in more]
    if kind == "number":
        require(len(data) == 8 * count, "numbers")
        return [struct.unpack("<d", data[row::count])[0] for row in range(count)]
    if kind == "boolean":
        return read_bits(data, count)
    if kind == "category":
        numbers = np.frombuffer(data, "u1" if len(categories) <= 256 else "<u2").tolist()
        require(len(numbers) == count and max(numbers, default=-1) < len(categories), "categories")
        return [categories[number] for number in numbers]
    require(kind in ("text", "json"), "another type")
    found = read_texts(data, count)
    return found if kind == "text" else [parse_json(each.encode()) for each in found]


def read_texts(data, count):
    """The texts of records."""
    found, before, at = [], b"", 0
    while at < len(data):
        if data[at]:
            front, digits, rest = re.fullmatch(rb"(.*?)([0-9]+)([^0-9]*)", before, re.DOTALL).groups()
            require(len(digits) <= 18, "a long number")
            before = front + str(int(digits) + data[at]).encode().rjust(len(digits), b"0") + rest
            at += 1
        else:
            shared, at = read_length(data, at + 1)
            length, at = read_length(data, at)
            require(shared <= len(before) and at + length <= len(data), "a record takes too much")
            before, at = before[:shared] + data[at : at + length], at + length
        found.append(before.decode())
        require(len(before) <= 2**20, "a long text")
    require(len(found) == count, "another number of texts")
    require(sum(len(text.encode()) for text in found) <= 2**26, "long texts")
    return found


def read_length(data, at):
    length = 0
    for byte in range(4):
        length += (data[at + byte] & 127) << 7 * byte
        if data[at + byte] < 128:
            return length, at + byte + 1
    raise Refused("a length without an end")
