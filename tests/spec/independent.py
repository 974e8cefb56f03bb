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

MAGIC = bytes.fromhex("89 45 47 4d 0d 0a 1a 0a")


class Refused(Exception):
    """The bytes are not an archive of version 1."""


def require(condition, message):
    if not condition:
        raise Refused(message)


def read(data, model=None):
    """The archive's content: images, labels, class_names, names, header."""
    header, model_offset = read_header(data)
    footer = read_footer(data)
    require(footer["header_checksum"] == crc(data[: model_offset - 4]), "footer of another header")
    block_size, count = header["block_size"], footer["count"]
    blocks = -(-count // block_size)

    lengths, checksums, index_offset = read_index(data, footer, blocks)
    embedded = header["model"]["embedded"]
    model_bytes = header["model"]["bytes"] if embedded else 0
    if embedded:
        model = data[model_offset : model_offset + model_bytes]
    require(model is not None and len(model) == header["model"]["bytes"], "no such model")
    require(hashlib.sha256(model).hexdigest() == header["model"]["sha256"], "another model")

    offset = model_offset + model_bytes
    coded = []
    for length, checksum in zip(lengths, checksums, strict=True):
        coded.append(data[offset : offset + length])
        require(crc(coded[-1]) == checksum, "damaged block")
        offset += length
    sections = {}
    for name in ("class_names", "labels", "names"):
        length, checksum = footer[name]
        section = data[offset : offset + length]
        require(crc(section) == checksum, "damaged section")
        sections[name] = inflate(section) if length else None
        offset += length
    require(offset == index_offset, "bytes that belong to nothing")

    shape = tuple(header["config"]["image_shape"])
    images = np.empty((count, *shape), np.uint8)
    for number, block in enumerate(coded):
        first = number * block_size
        stop = min(first + block_size, count)
        images[first:stop] = DECODERS[header["codec"]](header["config"], model, block, stop - first)
    class_names = read_class_names(sections["class_names"])
    return {
        "header": header,
        "images": images,
        "class_names": class_names,
        "labels": read_labels(sections["labels"], count, len(class_names)),
        "names": read_names(sections["names"], count),
    }


BUNDLE_MAGIC = bytes.fromhex("89 45 42 4E 0d 0a 1a 0a")


def read_any(data, model=None):
    """The content of an archive or a bundle."""
    return (read_bundle if data[-8:] == BUNDLE_MAGIC else read)(data, model)


def read_bundle(data, model=None):
    """The content of a bundle; images is a list, for they may be of many sizes."""
    require(data[-8:] == BUNDLE_MAGIC, "no trailer")
    length, checksum = struct.unpack("<II", data[-16:-8])
    require(length <= min(2**26, len(data) - 16), "directory too long")
    text = data[len(data) - 16 - length : -16]
    require(crc(text) == checksum, "damaged directory")
    directory = json.loads(text)
    require(set(directory) == {"engram_bundle", "headers", "parts"}, "directory keys")
    require(directory["engram_bundle"] == 1, "another version")
    end, models, before = 0, {}, ()
    images, labels, names = [], [], []
    for part in directory["parts"]:
        require(set(part) == {"images", "members", "order", "sizes"}, "part keys")
        found = []
        for member in part["members"]:
            require(set(member) == {"bytes", "footer_crc32", "header", "images", "offset"}, "member keys")
            require(member["offset"] >= end and (member["offset"] == 0) == (end == 0), "overlap")
            end = member["offset"] + member["bytes"]
            archive = data[member["offset"] : end]
            header = directory["headers"][member["header"]]
            sha256 = header["model"]["sha256"]
            found.append(read(archive, models.get(sha256, model)))
            if header["model"]["embedded"]:
                _, start = read_header(archive)
                models.setdefault(sha256, archive[start : start + header["model"]["bytes"]])
            require(found[-1]["header"] == header, "another header")
            require(len(found[-1]["images"]) == member["images"], "another count")
            require(struct.unpack("<I", archive[-12:-8])[0] == member["footer_crc32"], "another footer")
            require(found[-1]["class_names"][: len(before)] == before, "other classes")
            before = found[-1]["class_names"]
        sections = {}
        for name in ("order", "sizes"):
            sections[name] = None
            if part[name] is not None:
                require(part[name]["offset"] >= end, "overlap")
                end = part[name]["offset"] + part[name]["bytes"]
                section = data[part[name]["offset"] : end]
                require(crc(section) == part[name]["crc32"], "damaged section")
                sections[name] = inflate(section)
        images_of, labels_of, names_of = read_part(part, found, sections)
        images, labels, names = images + images_of, labels + labels_of, names + names_of
    require(end <= len(data) - 16 - length, "overlap")
    require(len({len(set(map(type, each))) for each in (labels, names)} - {0, 1}) == 0, "known of some images")
    unknown = [None] * len(images)
    return {
        "images": images,
        "class_names": before,
        "labels": None if labels == unknown else np.array(labels, np.int64),
        "names": None if names == unknown else tuple(names),
    }


def read_part(part, found, sections):
    """Images, labels and names of a part, None in the place of what is not known."""
    require((len(found) == 1) == (sections["order"] is None), "order")
    order = np.zeros(part["images"], int)
    if len(found) > 1:
        order = np.frombuffer(sections["order"], "u1" if len(found) <= 256 else "<u2")
    counts = [int((order == number).sum()) for number in range(len(found))]
    require(len(order) == part["images"] and counts == [len(each["images"]) for each in found], "order")
    over = np.zeros((2, part["images"]), int)
    if sections["sizes"] is not None:
        require(len(sections["sizes"]) == 4 * part["images"], "sizes")
        over = np.frombuffer(sections["sizes"], "<u2").reshape(2, -1).astype(int)
    images, labels, names, at = [], [], [], [0] * len(found)
    for number, rows, columns in zip(order, *over, strict=True):
        member, row = found[number], at[number]
        at[number] += 1
        height, width = member["images"].shape[1:3]
        require(rows < height and columns < width, "sizes")
        images.append(member["images"][row, : height - rows, : width - columns])
        labels.append(None if member["labels"] is None else int(member["labels"][row]))
        names.append(None if member["names"] is None else member["names"][row])
    return images, labels, names


def crc(data):
    return zlib.crc32(data)


def read_header(data):
    require(data[:8] == MAGIC, "not an archive")
    version, length = struct.unpack("<II", data[8:16])
    require(version == 1, "another version")
    require(length <= 2**20, "header too long")
    box, checksum = data[: 16 + length], data[16 + length : 20 + length]
    require(checksum == struct.pack("<I", crc(box)), "damaged header")
    header = json.loads(data[16 : 16 + length])
    require(set(header) == {"block_size", "codec", "config", "model"}, "header keys")
    require(set(header["model"]) == {"bytes", "embedded", "sha256"}, "header keys")
    height, width, channels = header["config"]["image_shape"]
    require(1 <= header["block_size"] <= 65536, "block size")
    require(1 <= height <= 65535 and 1 <= width <= 65535 and channels in (1, 3), "image shape")
    require(header["block_size"] * height * width * channels <= 2**28, "block too large")
    return header, 20 + length


def read_footer(data):
    require(data[-8:] == MAGIC, "no footer")
    fields = struct.unpack("<Q QI QI QI II II", data[-68:-8])
    require(fields[-1] == crc(data[-68:-12]), "damaged footer")
    require(1 <= fields[7] <= 4, "index width")
    return {
        "count": fields[0],
        "class_names": fields[1:3],
        "labels": fields[3:5],
        "names": fields[5:7],
        "width": fields[7],
        "index_checksum": fields[8],
        "header_checksum": fields[9],
    }


def read_index(data, footer, blocks):
    width = footer["width"]
    offset = len(data) - 68 - blocks * (width + 4)
    require(offset >= 0, "index too long")
    index = data[offset:-68]
    require(crc(index) == footer["index_checksum"], "damaged index")
    lengths = [int.from_bytes(index[k * width : (k + 1) * width], "little") for k in range(blocks)]
    return lengths, struct.unpack(f"<{blocks}I", index[blocks * width :]), offset


def inflate(section):
    stream = zlib.decompressobj()
    text = stream.decompress(section)
    require(stream.eof and not stream.unused_data, "section is not one zlib stream")
    return text


def read_class_names(text):
    return () if text is None else tuple(json.loads(text))


def read_labels(text, count, classes):
    if text is None:
        return None
    labels = np.frombuffer(text, "u1" if classes <= 256 else "<u2")
    require(len(labels) == count and (labels < classes).all(), "labels")
    return labels.astype(np.int64)


def read_names(text, count):
    if text is None:
        return None
    names, before, at = [], b"", 0
    while at < len(text):
        if text[at]:
            front, digits, rest = re.fullmatch(rb"(.*?)([0-9]+)([^0-9]*)", before, re.DOTALL).groups()
            before = front + str(int(digits) + text[at]).encode().rjust(len(digits), b"0") + rest
            at += 1
        else:
            shared, length = text[at + 1], text[at + 2]
            before = before[:shared] + text[at + 3 : at + 3 + length]
            at += 3 + length
        names.append(before.decode())
    require(at == len(text) and len(names) == count, "names")
    return tuple(names)
