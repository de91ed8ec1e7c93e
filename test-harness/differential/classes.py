"""The classes of tokens on which the gate and joserfc differ, each told by a look at the token.

docs/differential.md says of each who refuses and why. A class explains a difference only in its own direction.
"""

import base64
import binascii
import json
import re

MAX_TOKEN = 16 * 1024
MAX_HEADER = 4 * 1024
MAX_DEPTH = 16
LAST_DATE = 253_402_300_800

NAMED = {"gate": {}, "verifier": {}}


def refused_by(who):
    """A rule that takes a token's parts, and is named by its function."""

    def keep(rule):
        NAMED[who][rule.__name__.replace("_", "-")] = rule
        return rule

    return keep


class Part:
    """A header or payload: its bytes, and the JSON in them as Python reads it."""

    def __init__(self, encoded):
        self.encoded = encoded
        self.repeats = False
        self.depth = 0
        self.odd_number = False
        self.value = None
        try:
            padded = encoded + "=" * (-len(encoded) % 4)
            self.bytes = base64.b64decode(padded.encode(), b"-_", validate=True)
            self.value = json.loads(
                self.bytes,
                object_pairs_hook=self.object,
                parse_constant=self.constant,
                parse_float=self.float,
            )
            self.depth = depth(self.value)
        except (ValueError, binascii.Error, RecursionError):
            self.bytes = b""

    def object(self, pairs):
        self.repeats |= len({name for name, _ in pairs}) < len(pairs)
        return dict(pairs)

    def constant(self, name):
        self.odd_number = True
        return float(name.replace("Infinity", "inf"))

    def float(self, text):
        number = float(text)
        self.odd_number |= number in (float("inf"), float("-inf"))
        return number

    def get(self, name):
        return self.value.get(name) if isinstance(self.value, dict) else None

    def has(self, name):
        return isinstance(self.value, dict) and name in self.value


def depth(value):
    if isinstance(value, dict):
        return 1 + max((depth(item) for item in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth(item) for item in value), default=0)
    return 0


@refused_by("gate")
def repeated_member(token, header, payload):
    return header.repeats or payload.repeats


@refused_by("gate")
def not_utf8(token, header, payload):
    """A byte order mark, UTF-16 or UTF-32, or surrogates written in UTF-8: json.loads guesses."""

    def odd(part):
        try:
            return part.bytes.decode("utf-8").startswith("\ufeff") or 0 in part.bytes[:4]
        except UnicodeDecodeError:
            return True

    return odd(header) or odd(payload)


@refused_by("gate")
def half_a_character(token, header, payload):
    """An escaped surrogate without its other half."""
    half = re.compile("[\ud800-\udfff]")
    return any(half.search(json.dumps(part.value, ensure_ascii=False)) for part in (header, payload))


@refused_by("gate")
def no_json_number(token, header, payload):
    """NaN and Infinity, and numbers that overflow to it."""
    return header.odd_number or payload.odd_number


@refused_by("gate")
def nested_too_deep(token, header, payload):
    return max(header.depth, payload.depth) > MAX_DEPTH


@refused_by("gate")
def too_large(token, header, payload):
    return len(token) > MAX_TOKEN or len(header.encoded) > MAX_HEADER


@refused_by("gate")
def other_type(token, header, payload):
    typ = header.get("typ")
    return header.has("typ") and not (isinstance(typ, str) and typ.lower() == "jwt")


@refused_by("gate")
def extension(token, header, payload):
    return any(header.has(name) for name in ("crit", "b64", "enc", "zip"))


@refused_by("gate")
def key_in_the_header(token, header, payload):
    return header.has("jwk")


@refused_by("gate")
def nonce_of_another_type(token, header, payload):
    return payload.get("nonce") is not None and not isinstance(payload.get("nonce"), str)


@refused_by("gate")
def date_out_of_range(token, header, payload):
    def outside(value):
        return isinstance(value, (int, float)) and not 0 <= value < LAST_DATE

    return any(outside(payload.get(name)) for name in ("exp", "nbf", "iat"))


@refused_by("verifier")
def null_claim(token, header, payload):
    return any(payload.has(name) and payload.get(name) is None for name in ("sub", "jti"))


@refused_by("verifier")
def address_that_is_no_url(token, header, payload):
    def odd(value):
        return isinstance(value, str) and not value.startswith(("http://", "https://"))

    return odd(header.get("jku")) or odd(header.get("x5u"))


def classes_of(token, refuser):
    """The names of the classes that a token is in, of those in which this side refuses."""
    header, _, rest = token.partition(".")
    payload = rest.partition(".")[0]
    header, payload = Part(header), Part(payload)
    return [name for name, rule in NAMED[refuser].items() if rule(token, header, payload)]
