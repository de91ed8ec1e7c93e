"""botocore's signatures.

In come lines of JSON, each a request: method, path, query, headers, whether its body is not signed, the service, the
region, the keys and the stamp of the time. Out comes for each a line with the header that authorizes it.
"""

import json
import sys
from urllib.parse import quote, unquote_to_bytes

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def parameters(query):
    """What a query means: botocore writes it from that, in place of taking it as it was sent."""
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        yield unquote_to_bytes(name), unquote_to_bytes(value).decode()


def path(described):
    """botocore leaves a path to S3 as it is sent, since it wrote it itself; S3 decodes and encodes it again."""
    if described["service"] != "s3":
        return described["path"]
    return quote(unquote_to_bytes(described["path"]), safe="/-_.~")


def authorization(described):
    is_s3 = described["service"] == "s3"
    auth = (S3SigV4Auth if is_s3 else SigV4Auth)(
        Credentials(*described["keys"]), described["service"], described["region"]
    )
    request = AWSRequest(
        method=described["method"],
        url=f"https://{described['host']}{path(described)}",
        params=list(parameters(described["query"])),
    )
    for name, value in described["headers"]:
        request.headers[name] = value
    request.headers["host"] = described["host"]
    request.headers["X-Amz-Date"] = request.context["timestamp"] = described["stamp"]
    if len(described["keys"]) == 3:
        request.headers["X-Amz-Security-Token"] = described["keys"][2]
    if is_s3:
        request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD" if described["body"] else EMPTY
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    auth._inject_signature_to_request(request, signature)
    return request.headers["Authorization"]


for line in sys.stdin:
    print(json.dumps(authorization(json.loads(line))))
