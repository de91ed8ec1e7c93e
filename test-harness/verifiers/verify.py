"""Verifies an assertion of the gate, as an upstream in Python would: `pip install joserfc`.

    verify.py KEY_SET ISSUER AUDIENCE < assertion

KEY_SET is a file with what the gateway serves at /.well-known/jobgate/jwks.json. Prints the claims, or says why not and
ends with 1.
"""

import json
import sys

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet


def verify(assertion: str, key_set: dict, issuer: str, audience: str) -> dict:
    """The claims of an assertion that this gateway made for this upstream, and that has not ended."""
    keys = KeySet.import_key_set(key_set)
    token = jwt.decode(assertion, keys, algorithms=["ES256", "EdDSA", "Ed25519"])
    wanted = jwt.JWTClaimsRegistry(
        leeway=5,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
        nbf={"essential": True},
    )
    wanted.validate(token.claims)
    return token.claims


def main() -> None:
    path, issuer, audience = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        key_set = json.load(file)
    try:
        claims = verify(sys.stdin.read().strip(), key_set, issuer, audience)
    except (JoseError, ValueError) as error:
        sys.exit(f"not verified: {error}")
    print(json.dumps(claims))


if __name__ == "__main__":
    main()
