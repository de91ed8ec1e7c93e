"""OpenSSL's opinion of RSA signatures, through cryptography.

In come, each number big-endian with four bytes: how many keys; for each its modulus and its exponent, as their
lengths and bytes; then batches. A batch is its length in bytes, and cases: a byte for the key, one for the scheme
(0 PKCS #1 v1.5, 1 PSS), one for the hash's bytes, then the message and the signature as keys are. Out comes for each
batch a byte for each of its cases: 1 where the signature is the message's.
"""

import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

HASHES = {32: hashes.SHA256(), 48: hashes.SHA384(), 64: hashes.SHA512()}
SCHEMES = {}
for length, function in HASHES.items():
    SCHEMES[0, length] = (PKCS1v15(), function)
    SCHEMES[1, length] = (PSS(MGF1(function), length), function)

NUMBER = struct.Struct(">I")
LEADS = struct.Struct(">BBBI")


def number(pipe):
    return NUMBER.unpack(pipe.read(4))[0]


def read(pipe):
    return pipe.read(number(pipe))


def opinions(keys, batch):
    place = 0
    while place < len(batch):
        key, scheme, length, size = LEADS.unpack_from(batch, place)
        place += LEADS.size
        message = batch[place : place + size]
        place += size
        (size,) = NUMBER.unpack_from(batch, place)
        place += NUMBER.size
        signature = batch[place : place + size]
        place += size
        try:
            keys[key](signature, message, *SCHEMES[scheme, length])
            yield 1
        except InvalidSignature:
            yield 0


def main(pipe, out):
    keys = []
    for _ in range(number(pipe)):
        modulus, exponent = (int.from_bytes(read(pipe), "big") for _ in range(2))
        keys.append(RSAPublicNumbers(exponent, modulus).public_key().verify)
    while size := pipe.read(4):
        batch = pipe.read(NUMBER.unpack(size)[0])
        out.write(bytes(opinions(keys, batch)))
        out.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
