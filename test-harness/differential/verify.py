"""An independent opinion of tokens, by joserfc and cryptography.

In goes a file. Its first line is a JSON object: the time, and each issuer's name, audiences, algorithms, leeway,
longest lifetime and keys. Each further line is an object with a token and whether the gate accepts it. Out comes,
for each of these, a line: whether it is accepted here, why not, and where the two opinions differ the classes of
docs/differential.md that the token is in.
"""

import json
import sys

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

from classes import classes_of

TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class Registry(JWSRegistry):
    """joserfc's rules for headers, with room for what the gate has room for."""

    max_header_length = 16 * 1024
    max_payload_length = 16 * 1024
    max_signature_length = 16 * 1024


class Issuer:
    def __init__(self, described, now):
        self.keys = []
        for jwk in described["keys"]:
            try:
                self.keys.append(JWKRegistry.import_key(jwk))
            except (JoseError, ValueError):
                continue
        self.max_lifetime = described["max_lifetime"]
        # Members of a header that nobody knows are to be ignored (RFC 7515, section 4).
        self.registry = Registry(algorithms=described["algorithms"], strict_check_header=False)
        addresses = {name: HeaderParameter("URL", "str") for name in ("jku", "x5u")}
        self.any_address = Registry(addresses, described["algorithms"], strict_check_header=False)
        self.claims = jwt.JWTClaimsRegistry(
            now=now,
            leeway=described["leeway"],
            iss={"essential": True, "value": described["issuer"]},
            aud={"essential": True, "values": described["audiences"]},
            exp={"essential": True},
        )

    def key(self, jws):
        """The one key that fits: of the token's kid, or without a kid the only one for its algorithm."""
        header = jws.headers()
        name = header["alg"]
        fitting = [
            key
            for key in self.keys
            if key.key_type == TYPES.get(name[:2])
            and key.get("alg") in (None, name)
            and key.get("use") in (None, "sig")
            and ("kid" not in header or key.kid == header["kid"])
        ]
        if len(fitting) != 1:
            raise ValueError(f"{len(fitting)} keys fit")
        return fitting[0]

    def check(self, token, without):
        """Raises what is wrong with a token, without the strictness of some classes."""
        registry = self.any_address if "address-that-is-no-url" in without else self.registry
        claims = jwt.decode(token, self.key, registry=registry).claims
        if "null-claim" in without:
            null = [name for name in ("sub", "jti") if name in claims and claims[name] is None]
            claims = {name: value for name, value in claims.items() if name not in null}
        self.claims.validate(claims)
        start = claims.get("iat", claims.get("nbf"))
        if start is None:
            raise ValueError("neither iat nor nbf")
        if claims["exp"] - start > self.max_lifetime:
            raise ValueError("it lives too long")


def opinion(issuers, token, without=()):
    """Why each issuer refuses it; nothing if one accepts it."""
    reasons = []
    for issuer in issuers:
        try:
            issuer.check(token, without)
            return None
        # Whatever a library raises on what a stranger sent is a refusal.
        except Exception as error:
            reasons.append(f"{type(error).__name__}: {error}")
    return "; ".join(reasons)


def main(path):
    with open(path, encoding="utf-8") as lines:
        world = json.loads(next(lines))
        issuers = [Issuer(described, world["now"]) for described in world["issuers"]]
        for line in lines:
            case = json.loads(line)
            why = opinion(issuers, case["token"])
            verdict = {"accepts": why is None}
            if verdict["accepts"] != case["gate_accepts"]:
                refuser = "gate" if why is None else "verifier"
                classes = classes_of(case["token"], refuser)
                # What is refused here and let in by the gate is explained only if nothing else is wrong with it.
                if refuser == "verifier" and opinion(issuers, case["token"], classes) is not None:
                    classes = []
                verdict["classes"] = classes
                verdict["why"] = why
            print(json.dumps(verdict))


if __name__ == "__main__":
    main(sys.argv[1])
