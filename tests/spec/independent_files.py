"""FORMAT.md's picture-files, with the standard library and NumPy; Pillow makes pixels of the rebuilt files."""

import io
import re
import struct
import zlib

import numpy as np
from independent_coding import unpack_numbers
from PIL import Image

CHANNELS = {"gray": 1, "gray-alpha": 2, "rgb": 3, "rgba": 4, "gray16": 1, "rgb16": 3}


def decode_picture_files(config, model, data, count):
    """uint8 or uint16[count, height, width, channels] of a block."""
    return cells_of(config, picture_files(config, model, data, count))


def cells_of(config, files):
    """The pixels of files."""
    height, width, channels = config["image_shape"]
    require(channels == CHANNELS[config["kind"]], "channels")
    dtype = np.uint16 if config["kind"].endswith("16") else np.uint8
    cells = np.zeros((len(files), height, width, channels), dtype)
    for cell, file in zip(cells, files, strict=True):
        picture = pixels_of(file)
        require(picture.dtype == cell.dtype and picture.shape[2] == channels, "a picture of another kind")
        require(picture.shape[0] <= height and picture.shape[1] <= width, "a larger picture")
        cell[: picture.shape[0], : picture.shape[1]] = picture
    return cells


def picture_files(config, model, data, count):
    """The bytes of a block's files."""
    skeletons, state = read_model(model)
    head, rest = cut(data)
    stream, stored = cut(rest)
    dictionary = b"".join(skeletons)[-32768:]
    plain = inflate(head, dictionary)
    added, at = read_skeletons(plain, 0)
    skeletons, files, layouts = skeletons + added, [], []
    sides = sorted(config["image_shape"][:2])
    for _ in range(count):
        number, at = read_number(plain, at)
        if number == 0:
            length, at = read_number(plain, at)
            require(length <= len(stored), "a stored file is cut")
            files.append(stored[:length])
            stored = stored[length:]
            continue
        (height, width), loose = config["image_shape"][:2], b""
        if number % 2 == 0:
            height, at = read_number(plain, at)
            width, at = read_number(plain, at)
            length, at = read_number(plain, at)
            loose, at = plain[at : at + length], at + length
        require(1 <= min(height, width) <= sides[0] and max(height, width) <= sides[1], "sides")
        require((number - 1) // 2 < len(skeletons), "a skeleton that there is not")
        layouts.append(Layout(skeletons[(number - 1) // 2], height, width))
        files.append((layouts[-1], loose))
    require(at == len(plain) and not stored, "bytes that belong to nothing")
    require(sum(len(part.blocks) for layout in layouts for part in layout.components) <= 2**22, "too many blocks")
    decode_coefficients(state, stream, layouts)
    return [each if isinstance(each, bytes) else Writer(*each).file() for each in files]


def require(condition, message):
    if not condition:
        raise ValueError(message)


def cut(data):
    """(a piece behind its length, the rest)."""
    require(len(data) >= 4, "no length")
    end = 4 + struct.unpack_from("<I", data)[0]
    require(end <= len(data), "a piece is cut")
    return data[4:end], data[end:]


def inflate(piece, dictionary=b""):
    stream = zlib.decompressobj(-15, zdict=dictionary)
    try:
        plain = stream.decompress(piece, 2**24 + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    require(stream.eof and not stream.unused_data and len(plain) <= 2**24, "not one deflated stream")
    return plain


def read_number(data, at):
    number = 0
    for byte in range(4):
        require(at < len(data), "a number is cut")
        number |= (data[at] & 127) << 7 * byte
        at += 1
        if data[at - 1] < 128:
            return number, at
    raise ValueError("a number without an end")


def read_skeletons(data, at):
    count, at = read_number(data, at)
    found = []
    for _ in range(count):
        length, at = read_number(data, at)
        require(at + length <= len(data), "a skeleton is cut")
        found.append(data[at : at + length])
        at += length
    return found, at


def read_model(model):
    """(skeletons, the state that coefficients begin with)."""
    if not model:
        return [], State()
    packed, rest = cut(model)
    plain = inflate(packed)
    skeletons, at = read_skeletons(plain, 0)
    require(at == len(plain) and len(skeletons) <= 256, "skeletons")
    return skeletons, State(list(unpack_numbers(rest)) if rest else None)


# --------------------------------------------------------------------------------------------------------- skeletons


def zigzag():
    """The places (v, u) of a block, T.81 A.6: diagonal by diagonal, every other one upwards."""
    diagonals = [[(v, total - v) for v in range(8) if 0 <= total - v < 8] for total in range(15)]
    return [place for total, found in enumerate(diagonals) for place in (found if total % 2 else found[::-1])]


PLACES = zigzag()
ORDER = [8 * v + u for v, u in PLACES]
RANK = [ORDER.index(place) for place in range(64)]
TAKEN = {0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, *range(0xE0, 0xFF), *range(0x02, 0xC0)}


class Component:
    """Its blocks, each 64 coefficients row by row."""

    def __init__(self, name, factors, table):
        self.name, self.h, self.v, self.table = name, factors >> 4, factors & 15, table
        self.steps = None


class Layout:
    """What a skeleton says: `parts` are bytes, "size", a DHT segment's tables, and scans."""

    def __init__(self, skeleton, height, width):
        require(skeleton[:2] == b"\xff\xd8", "no SOI")
        require(max(height, width) <= 16384, "sides")
        self.height, self.width, self.parts, self.components = height, width, [], []
        self.read(skeleton)
        require(self.components and any(isinstance(part, Scan) for part in self.parts), "no scan")
        for component in self.components:
            if component.steps is None:
                component.steps = self.quantisation.get(component.table)
            require(component.steps is not None and min(component.steps) >= 1, "steps")
        self.measure()

    def read(self, skeleton):
        self.quantisation, interval, made, at, begun = {}, 0, set(), 2, 0
        while at < len(skeleton):
            while skeleton[at : at + 2] == b"\xff\xff":
                at += 1
            if skeleton[at : at + 2] == b"\xff\xd9":
                break
            require(at + 4 <= len(skeleton) and skeleton[at] == 0xFF and skeleton[at + 1] in TAKEN, "marker")
            marker, end = skeleton[at + 1], at + 2 + int.from_bytes(skeleton[at + 2 : at + 4])
            require(at + 4 <= end <= len(skeleton), "a segment is cut")
            body = skeleton[at + 4 : end]
            if marker in (0xC0, 0xC1, 0xC2):
                self.frame(marker, body)
                self.parts += [skeleton[begun : at + 5], "size"]
                begun = at + 9
            elif marker == 0xC4:
                tables = read_tables(body)
                for table in tables:
                    require(len(table) > 1 or table[0] not in made, "a table is made twice")
                    made |= {table[0]} if len(table) == 1 else set()
                self.parts += [skeleton[begun:at], tables]
                begun = end
            elif marker == 0xDB:
                self.quantisation |= read_steps(body)
            elif marker == 0xDD:
                interval = int.from_bytes(body[:2])
            elif marker == 0xDA:
                scan = Scan(self, body, interval)
                for component in scan.components:
                    component.steps = component.steps or self.quantisation.get(component.table, [0])
                self.parts += [skeleton[begun:end], scan]
                begun, made = end, set()
            at = end
        self.parts.append(skeleton[begun:])

    def frame(self, marker, body):
        require(not self.components and len(body) >= 6 and body[0] == 8, "frame")
        require(1 <= body[5] <= 4 and len(body) == 6 + 3 * body[5], "frame")
        self.progressive = marker == 0xC2
        self.components = [Component(*body[at : at + 3]) for at in range(6, len(body), 3)]
        require(len({each.name for each in self.components}) == body[5], "identifiers")
        require(all(1 <= each.h <= 4 and 1 <= each.v <= 4 for each in self.components), "factors")
        if body[5] == 1:
            self.components[0].h = self.components[0].v = 1

    def measure(self):
        h, v = (max(getattr(each, name) for each in self.components) for name in "hv")
        self.units = -(-self.height // (8 * v)), -(-self.width // (8 * h))
        for each in self.components:
            each.rows, each.columns = self.units[0] * each.v, self.units[1] * each.h
            each.inner = -(-self.height * each.v // (8 * v)), -(-self.width * each.h // (8 * h))
        blocks, work = sum(each.rows * each.columns for each in self.components), 0
        for part in self.parts:
            if isinstance(part, Scan):
                one = part.components[0].inner
                work += one[0] * one[1] if len(part.components) == 1 else 10 * self.units[0] * self.units[1]
        require(blocks <= 2**21 and work <= 2**26, "too many blocks")
        for each in self.components:
            each.blocks = [[0] * 64 for _ in range(each.rows * each.columns)]


class Scan:
    def __init__(self, layout, body, interval):
        self.interval, self.progressive = interval, len(layout.components) > 0 and layout.progressive
        count = body[0] if body else 0
        require(1 <= count <= len(layout.components) and len(body) == 4 + 2 * count, "scan")
        named = {each.name: each for each in layout.components}
        require(len(set(body[1:-3:2])) == count and set(body[1:-3:2]) <= set(named), "components")
        self.components = [named[name] for name in body[1:-3:2]]
        self.tables = [(each >> 4, each & 15) for each in body[2:-3:2]]
        require(all(max(each) < 4 for each in self.tables), "destinations")
        self.first, self.last, self.high, self.low = body[-3], body[-2], body[-1] >> 4, body[-1] & 15
        if self.progressive:
            dc, ac = self.first == self.last == 0, 1 <= self.first <= self.last <= 63 and count == 1
            require((dc or ac) and max(self.high, self.low) <= 13, "band")
        else:
            require(body[-3:] == bytes([0, 63, 0]), "band")
        require(count == 1 or sum(each.h * each.v for each in self.components) <= 10, "units")

    def needs(self):
        """Classes and destinations."""
        dc = set() if self.first or self.high else {(0, d) for d, _ in self.tables}
        return dc | ({(1, a) for _, a in self.tables} if self.last else set())

    def order(self, layout):
        """The blocks of each MCU: (number in the scan, coefficients)."""
        alone = len(self.components) == 1
        rows, columns = self.components[0].inner if alone else layout.units
        for row in range(rows):
            for column in range(columns):
                found = []
                for i, each in enumerate(self.components):
                    v, h = (1, 1) if alone else (each.v, each.h)
                    places = [(row * v + y) * each.columns + column * h + x for y in range(v) for x in range(h)]
                    found += [(i, each.blocks[place]) for place in places]
                yield found


def read_tables(body):
    tables, at = [], 0
    while at < len(body):
        require(body[at] & 0x6C == 0, "class and destination")
        end = at + 1 if body[at] >= 128 else at + 17 + sum(body[at + 1 : at + 17])
        require(end <= len(body) and end - at <= 273, "a table is cut")
        tables.append(body[at:end])
        at = end
    return tables


def read_steps(body):
    found, at = {}, 0
    while at < len(body):
        wide = body[at] >> 4
        end = at + 1 + 64 * (1 + wide)
        require(wide <= 1 and end <= len(body), "quantisation")
        steps = [0] * 64
        for place, step in zip(ORDER, struct.unpack(">64H" if wide else ">64B", body[at + 1 : end]), strict=True):
            steps[place] = step
        found[body[at] & 15], at = steps, end
    return found


# ------------------------------------------------------------------------------------------------------------- scans


def codes_of(table):
    """T.81 C.2: (code, length) by symbol."""
    found, code, at = {}, 0, 16
    for length in range(1, 17):
        for _ in range(table[length - 1]):
            require(code < 1 << length and table[at] not in found, "codes")
            found[table[at]] = code, length
            code, at = code + 1, at + 1
        code *= 2
    return found


def made_table(counts):
    """T.81 K.2."""
    require(counts, "a table of no symbols")
    frequency = dict(counts) | {256: 1}
    size, trees = dict.fromkeys(frequency, 0), {symbol: [symbol] for symbol in frequency}
    while len(frequency) > 1:
        first, second = sorted(frequency, key=lambda symbol: (frequency[symbol], -symbol))[:2]
        frequency[first] += frequency.pop(second)
        trees[first] += trees.pop(second)
        for symbol in trees[first]:
            size[symbol] += 1
    require(max(size.values()) <= 32, "a code size above 32")
    bits = [0] * 33
    for each in size.values():
        bits[each] += 1
    for i in range(32, 16, -1):
        while bits[i]:
            j = i - 2
            while bits[j] == 0:
                j -= 1
            bits[i], bits[i - 1], bits[j + 1], bits[j] = bits[i] - 2, bits[i - 1] + 1, bits[j + 1] + 2, bits[j] - 1
    longest = max(i for i in range(33) if bits[i])
    bits[longest] -= 1
    return bytes(bits[1:17]) + bytes(sorted((s for s in size if s < 256), key=lambda s: (size[s], s)))


class Writer:
    """A file from its layout, coefficients and loose bytes."""

    def __init__(self, layout, loose):
        self.layout, self.loose, self.out, self.tables, self.intervals = layout, loose, bytearray(), {}, 0

    def file(self):
        parts = self.layout.parts
        for number, part in enumerate(parts):
            if isinstance(part, bytes):
                self.out += part
            elif part == "size":
                self.out += struct.pack(">HH", self.layout.height, self.layout.width)
            elif isinstance(part, Scan):
                require(all(each in self.tables for each in part.needs()), "a table is missing")
                self.scan(part, False)
            else:
                body = b""
                for table in part:
                    whole, where = table, (table[0] >> 4 & 1, table[0] & 3)
                    if table[0] >= 128:
                        following = next((each for each in parts[number:] if isinstance(each, Scan)), None)
                        require(following is not None, "a table is made of no scan")
                        self.scan(following, True)
                        whole = bytes([table[0] - 128]) + made_table(self.counts.get(where, {}))
                    self.tables[where] = codes_of(whole[1:])
                    body += whole
                require(len(body) + 2 <= 65535, "a long segment")
                self.out += b"\xff\xc4" + struct.pack(">H", len(body) + 2) + body
        return bytes(self.out)

    def scan(self, scan, counting):
        self.scanned, self.counting, self.counts = scan, counting, {}
        self.begin()
        for number, unit in enumerate(scan.order(self.layout)):
            if scan.interval and number and number % scan.interval == 0:
                self.end()
                if not counting:
                    self.out += bytes([0xFF, 0xD0 + (number // scan.interval - 1) % 8])
                self.begin()
            for i, block in unit:
                self.block(i, [block[place] for place in ORDER])
        self.end()

    def begin(self):
        self.bits, self.run, self.corrections, self.predictions = [], 0, [], [0] * 4

    def end(self):
        self.end_run()
        if self.counting:
            return
        filling = self.loose[min(self.intervals, len(self.loose) - 1)] if self.loose else 0x7F
        missing = -len(self.bits) % 8
        self.bits += [filling >> i & 1 for i in reversed(range(missing))]
        self.out += np.packbits(np.array(self.bits, np.uint8)).tobytes().replace(b"\xff", b"\xff\0")
        self.intervals += 1

    def symbol(self, where, symbol, extra=0, length=0):
        counts = self.counts.setdefault(where, {})
        counts[symbol] = counts.get(symbol, 0) + 1
        if not self.counting:
            require(symbol in self.tables[where], "a code is missing")
            self.number(*self.tables[where][symbol])
            self.number(extra, length)

    def number(self, number, length):
        self.bits += [number >> i & 1 for i in reversed(range(length))]

    def signed(self, where, zeros, number):
        length = abs(number).bit_length()
        require(length <= 15, "a coefficient is too large")
        self.symbol(where, 16 * zeros + length, number if number > 0 else number + (1 << length) - 1, length)

    def block(self, i, values):
        scan = self.scanned
        dc, ac = (0, scan.tables[i][0]), (1, scan.tables[i][1])
        if scan.first == 0 and scan.high:
            self.number(values[0] >> scan.low & 1, 1)
        elif scan.first == 0:
            value = values[0] >> scan.low
            self.signed(dc, 0, value - self.predictions[i])
            self.predictions[i] = value
        if scan.last == 0:
            return
        if scan.high:
            self.refine(ac, values)
            return
        zeros = 0
        for k in range(max(scan.first, 1), scan.last + 1):
            magnitude = abs(values[k]) >> scan.low
            if magnitude == 0:
                zeros += 1
                continue
            self.end_run()
            while zeros > 15:
                self.symbol(ac, 0xF0)
                zeros -= 16
            self.signed(ac, zeros, magnitude if values[k] > 0 else -magnitude)
            zeros = 0
        if zeros and scan.progressive:
            self.join_run([])
        elif zeros:
            self.symbol(ac, 0)

    def refine(self, ac, values):
        scan, zeros, own = self.scanned, 0, []
        m = [abs(value) >> scan.low for value in values]
        for k in range(scan.first, scan.last + 1):
            if m[k] == 0:
                zeros += 1
                continue
            while zeros > 15 and 1 in m[k : scan.last + 1]:
                self.end_run()
                self.symbol(ac, 0xF0)
                self.bits += own
                own, zeros = [], zeros - 16
            if m[k] > 1:
                own.append(m[k] % 2)
            else:
                self.end_run()
                self.symbol(ac, 16 * zeros + 1, int(values[k] > 0), 1)
                self.bits += own
                own, zeros = [], 0
        if zeros or own:
            self.join_run(own)

    def join_run(self, corrections):
        self.run += 1
        self.corrections += corrections
        if self.run == 32767 or len(self.corrections) > 937:
            self.end_run()

    def end_run(self):
        if self.run:
            e = self.run.bit_length() - 1
            self.symbol((1, self.scanned.tables[0][1]), 16 * e, self.run - (1 << e), e)
            self.bits += self.corrections
            self.run, self.corrections = 0, []


# ------------------------------------------------------------------------------------------------------ coefficients

SHAPES = {
    "SIZE": (4, 48, 12),
    "PLACE": (128, 12),
    "NEAR": (4, 64, 12),
    "OTHER": (6, 16, 12, 12),
    "LOW": (4, 17, 3, 48),
    "LOWB": (4, 17, 3, 24),
    "SIGN": (8, 2, 4, 21),
    "SIGNS": (2, 4, 15, 15),
    "I": (3, 4, 22, 64),
    "J": (3, 16, 64),
    "K": (3, 64),
}
STARTS = dict(zip(SHAPES, np.cumsum([0, *(np.prod(shape) for shape in SHAPES.values())]).tolist(), strict=False))
SLOTS = 58728
E = (2896, 4201, 4449, 4667, 4634, 4163, 3173, 1722)
POINT = """22 36 60 98 162 267 439 720 1179 1921 3108 4971 7812 11955 17625 24743 32768 40793 47911 53581 57724
60565 62428 63615 64357 64816 65097 65269 65374 65438 65476 65500 65514"""
STEPS = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0), (2, 2), (-1, 1), (1, -1))
ZONE_ENDS = (1, 3, 6, 10, 15, 21, 36)
ZEROS = [0] * 64


def logistic():
    point = [int(word) for word in POINT.split()]
    parts = (divmod(i + 2048, 128) for i in range(-2047, 2048))
    return [(point[d] * (128 - r) + point[d + 1] * r) // 128 for d, r in parts]


LOGISTIC = logistic()
STRETCH = [next((i - 2047 for i, p in enumerate(LOGISTIC) if p >= 16 * part + 8), 2047) for part in range(4096)]


def clip(x, most):
    return min(max(x, -most), most)


def trunc(x, y):
    return x // y if x >= 0 else -(-x // y)


def half(x):
    n = x.bit_length()
    return x if x < 4 else 2 * n - 2 + (x >> n - 2) % 2


def quarter(x):
    n = x.bit_length()
    return x if x < 4 else 4 * n - 8 + (x >> n - 3) % 4


def side(x, m):
    return m - min(half(-x), m) if x < 0 else m + min(half(x), m)


def slot(name, *places):
    at = 0
    for side, place in zip(SHAPES[name], places, strict=False):
        assert 0 <= place < side
        at = at * side + place
    return STARTS[name] + at


class State:
    """What is learned, and the stream that it is learned of."""

    def __init__(self, numbers=None):
        self.p, self.k = [1 << 15] * SLOTS, [0] * SLOTS
        inputs = [4] * 192 + [2] * 145 + [3] * 3
        self.weights = [[26214 * (i < slots) for i in range(20)] for slots in inputs]
        first = [16000] * 2 + [4000] * 8 + [0] * 12
        self.scales = [[first[:] for _ in range(64)] for _ in range(3)]
        if numbers is None:
            return
        require(len(numbers) == SLOTS + 340 * 20 + 3 * 64 * 22, "numbers of a model")
        require(max(map(abs, numbers[:SLOTS])) <= 32 and max(map(abs, numbers)) <= 2048, "numbers of a model")
        for at, r in enumerate(numbers[:SLOTS]):
            if r:
                self.p[at], self.k[at] = min(max(LOGISTIC[clip(64 * r, 2047) + 2047], 16), 65519), 128
        more = iter(numbers[SLOTS:])
        for row in self.weights:
            row[:] = [clip(weight + (next(more) << 13), 1 << 20) for weight in row]
        for row in (row for part in self.scales for row in part):
            row[:] = [clip(scale + (next(more) << 10), 1 << 20) for scale in row]

    def begin(self, data):
        self.data, self.read = data, 4
        self.low, self.high, self.point = 0, 2**32 - 1, int.from_bytes(data[:4].ljust(4, b"\0"))

    def even(self, chance):
        """A bit of a chance."""
        middle = self.low + ((self.high - self.low) * chance >> 16)
        bit = int(self.point <= middle)
        self.low, self.high = (self.low, middle) if bit else (middle + 1, self.high)
        while self.low >> 24 == self.high >> 24:
            byte = self.data[self.read] if self.read < len(self.data) else 0
            self.read += 1
            self.low, self.high = self.low * 256 % 2**32, (self.high * 256 + 255) % 2**32
            self.point = (self.point * 256 + byte) % 2**32
        return bit

    def decide(self, slots, chosen, further=()):
        weights = self.weights[chosen]
        inputs = [*(STRETCH[self.p[each] >> 4] for each in slots), *further, 256]
        total = sum(x * weight for x, weight in zip(inputs, weights, strict=False))
        chance = LOGISTIC[clip(total >> 16, 2047) + 2047]
        bit = self.even(chance)
        for i, x in enumerate(inputs):
            weights[i] = clip(weights[i] + (x * (65536 * bit - chance) + 32768 >> 16), 1 << 20)
        for each in slots:
            p, k = self.p[each], self.k[each]
            moved = p + ((65535 * bit - p) * (327680 // (5 * k + 8)) >> 16)
            self.p[each], self.k[each] = min(max(moved, 16), 65519), min(k + 1, 255)
        return bit


def decode_coefficients(state, stream, layouts):
    """Fills the blocks of the layouts."""
    state.begin(stream)
    for layout in layouts:
        for number, component in enumerate(layout.components):
            component.lasts = []
            for at in range(len(component.blocks)):
                decode_block(state, layout.components[: number + 1], at)
    require(stream[-1:] != b"\0" and len(stream) <= (state.read if layouts else 0), "a stream is too long")


def decode_block(state, components, at):
    own, first = components[-1], components[0]
    t, (y, x), columns = min(len(components) - 1, 2), divmod(at, own.columns), own.columns
    have = (y > 0) + 2 * (x > 0)
    above = own.blocks[at - columns] if y else ZEROS
    left = own.blocks[at - 1] if x else ZEROS
    corners = [
        own.blocks[at - columns - 1] if y and x else ZEROS,
        own.blocks[at - columns + 1] if y and x + 1 < columns else ZEROS,
    ]
    near = (own.lasts[at - columns] if y else 0) + (own.lasts[at - 1] if x else 0)
    near = (near + 1) // 2 if have == 3 else near
    there, before, other = [], ZEROS, 0
    if t:
        top, side_ = y * first.rows // own.rows, x * first.columns // own.columns
        bottom = min(top + 1, ((y + 1) * first.rows - 1) // own.rows)
        end = min(side_ + 1, ((x + 1) * first.columns - 1) // own.columns)
        there = [i * first.columns + j for i in range(top, bottom + 1) for j in range(side_, end + 1)]
        other = sum(first.lasts[i] for i in there) // len(there)
    if t == 2:
        same = (components[-2].rows, components[-2].columns) == (own.rows, own.columns)
        before, other = (components[-2].blocks[at], components[-2].lasts[at]) if same else (ZEROS, 0)
    node = 1
    for _ in range(6):
        slots = [slot("I", t, have, near // 3, node), slot("J", t, other // 4, node), slot("K", t, node)]
        node = 2 * node + state.decide(slots, 337 + t)
    last = node - 64
    own.lasts.append(last)
    around = [above, left, *corners]
    beside = [first.blocks[i] for i in there]
    Block(state, own, t, have, around, beside, before).decode(own.blocks[at], last)


class Block:
    def __init__(self, state, own, t, have, around, beside, before):
        self.state, self.q, self.t, self.c, self.have = state, own.steps, t, min(t, 1), have
        self.around, self.beside, self.before, self.sum = around, beside, before, 0
        above, left = around[:2]
        self.down, self.across = [0] * 8, [0] * 8
        for place in range(64):
            v, u = divmod(place, 8)
            self.down[u] += (-1) ** v * above[place] * self.q[place] * E[v]
            self.across[v] += (-1) ** u * left[place] * self.q[place] * E[u]

    def decode(self, block, last):
        for z in range(last, -1, -1):
            self.coefficient(block, z, last)

    def coefficient(self, block, z, last):
        v, u = PLACES[z]
        place, q, have = ORDER[z], self.q[ORDER[z]], self.have
        a = clip(trunc(4 * self.down[u], E[v] * q), 1 << 17) if have % 2 else 0
        l = clip(trunc(4 * self.across[v], E[u] * q), 1 << 17) if have >= 2 else 0  # noqa: E741
        b = trunc(a + l, 2) if have == 3 else a + l
        expected = 0 if z else trunc(b - 2 if b < 0 else b + 2, 4)
        s = []
        for i, j in STEPS:
            inside = 0 <= v + i < 8 and 0 <= u + j < 8
            known = inside and RANK[8 * (v + i) + u + j] > z
            s.append(block[8 * (v + i) + u + j] if known else 0)
        luma = sum(abs(each[place]) for each in self.beside)
        mean = luma // len(self.beside) if self.beside else 0
        around, before = [each[place] for each in self.around], self.before[place]
        sizes = [*s, *around, mean, before]
        told = [b, a, l] if z else [a - l if have == 3 else 0, 0, 0]
        features = [16 * min(abs(x), 255) for x in sizes] + [4 * min(abs(x), 1020) for x in told] + [16]
        scales = self.state.scales[self.t][z]
        size = min(max(sum(x * scale for x, scale in zip(features, scales, strict=True)) >> 16, 1), 4095)
        o = min(half([self.sum, luma, 2 * abs(before)][self.t]), 15)
        m, n = self.magnitude(z, z == last > 0, s, quarter(size), o, b)
        value = m
        if m:
            zone, ended = sum(z >= end for end in ZONE_ENDS), min(n, 3)
            x, y, w = (b, a, l) if z else (0, 0, 0)
            slots = [
                slot("SIGN", zone, self.c, ended, side(x, 10)),
                slot("SIGNS", self.c, ended, side(y, 7), side(w, 7)),
            ]
            further = [16 * a, 16 * l, *(64 * x for x in (before, *around[:2], *s[:10]))] if z else []
            negative = self.state.decide(slots, 192 + 64 * self.c + z, [clip(x, 1024) for x in further])
            value = -m if negative else m
        slope = clip(trunc((16 * min(m, 255) - size) * 65536, (size + 8) ** 2), 4096)
        scales[:] = [clip(scale + (slope * x >> 11), 1 << 20) for scale, x in zip(scales, features, strict=True)]
        block[place] = found = (expected + value + 32768) % 65536 - 32768
        self.down[u] -= found * q * E[v]
        self.across[v] -= found * q * E[u]
        self.sum += min(abs(found), 255)

    def magnitude(self, z, least, s, f, o, b):
        """(M, n)."""
        g, h, zone = 2 * self.c + (z == 0), 2 * self.t + (z == 0), sum(z >= end for end in ZONE_ENDS)
        w = [min(abs(x), 3) for x in s[:3]]
        n = int(least)
        while n < 16:
            k = min(n, 11)
            slots = [
                slot("SIZE", g, f, k),
                slot("PLACE", 64 * self.c + z, k),
                slot("NEAR", g, 16 * w[0] + 4 * w[1] + w[2], k),
                slot("OTHER", h, o, min(f // 4, 11), k),
            ]
            if not self.state.decide(slots, 48 * g + 6 * zone + min(n, 5)):
                break
            n += 1
        m = int(n > 0)
        for i in range(n - 1):
            if i < 2:
                j = 0 if i == 0 else 1 + m % 2
                slots = [slot("LOW", g, n, j, f), slot("LOWB", g, n, j, min(half(abs(b)), 23))]
                m = 2 * m + self.state.decide(slots, 320 + n)
            else:
                m = 2 * m + self.state.even(1 << 15)
        return m, n


# ------------------------------------------------------------------------------------------------------------ pixels


def pixels_of(file):
    """The picture of a file, turned upright, as Pillow decodes it; none of several kinds that no test has."""
    with Image.open(io.BytesIO(file)) as opened:
        turn = opened.getexif().get(0x0112)
        said = re.search(rb'tiff:Orientation(?:="|>)([0-9])', opened.info.get("xmp", b""))
        turn = turn or (int(said[1]) if said else 1)
        found = np.asarray(opened)
    if file[:4] == b"\x89PNG" and file[24:26] == b"\x10\x02":
        found = wide_colours(file)
    found = found[..., None] if found.ndim == 2 else found
    if turn >= 5:
        found = found.transpose(1, 0, 2)
    upside_down, mirrored = turn in (3, 4, 7, 8), turn in (2, 3, 6, 7)
    found = found[::-1] if upside_down else found
    return found[:, ::-1] if mirrored else found


def wide_colours(file):
    """A PNG file of 16-bit colours whose rows have no filter: Pillow gives their high bytes alone."""
    width, height = struct.unpack(">II", file[16:24])
    data, at = b"", 8
    while at < len(file):
        length = int.from_bytes(file[at : at + 4])
        data += file[at + 8 : at + 8 + length] if file[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + length
    rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + 6 * width)
    require(not rows[:, 0].any(), "a filter")
    return rows[:, 1:].copy().view(">u2").astype(np.uint16).reshape(height, width, 3)
