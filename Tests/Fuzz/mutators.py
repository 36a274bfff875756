"""Small damage to bytes and JSON documents."""

import json
import random
import struct

# Numbers at which conversions, sums and sizes go wrong.
NUMBERS = [
    0, -1, 1, 2**31 - 1, 2**31, -2**31, 2**32, 2**53, 2**63 - 1, 2**63, -2**63, 2**64, 10**19, 10**18, 1e300, -1e300,
    0.5, 1e-320]
TEXTS = ["", "\x00", "\x1b[31m", "a" * 5000, "\u202e", "../../x", "𝕏" * 50, "{{", "%", "\ud7ff"]


def mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    """Bits turned, numbers put in, pieces cut, doubled and moved."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if data:
                data[place % len(data)] ^= 1 << rng.randrange(8)
            case 1:
                data[place:place + 8] = struct.pack("<Q", int(rng.choice(NUMBERS[:14])) % 2**64)
            case 2:
                del data[place:place + rng.randint(1, 64)]
            case 3:
                piece = data[place:place + rng.randint(1, 64)]
                data[place:place] = piece * rng.randint(1, 4)
            case 4:
                data[place:place] = rng.randbytes(rng.randint(1, 16))
            case _:
                del data[place if rng.random() < 0.1 else len(data) - rng.randint(0, 16):]
    return bytes(data)


def mutated_value(value, rng: random.Random):
    """A JSON document with one value replaced, dropped, doubled or nested."""
    places = []

    def walk(node, path):
        places.append(path)
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, child in list(items)[:200]:
            walk(child, path + [key])

    walk(value, [])
    value = json.loads(json.dumps(value))
    for _ in range(rng.randint(1, 3)):
        path = rng.choice(places)
        deep = None
        for _ in range(rng.randint(1, 300)):
            deep = [deep]
        new = rng.choice([rng.choice(NUMBERS), rng.choice(TEXTS), None, True, [], {}, deep, [1] * 3000])
        if not path:
            continue
        node = value
        try:
            for key in path[:-1]:
                node = node[key]
            if rng.random() < 0.2:
                del node[path[-1]]
            else:
                node[path[-1]] = new
        except (KeyError, IndexError, TypeError):
            continue
    return value


def mutated_json(text: str, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return mutated_bytes(text.encode(), rng)
    return json.dumps(mutated_value(json.loads(text), rng)).encode(errors="surrogatepass")
