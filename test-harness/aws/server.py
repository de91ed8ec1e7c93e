"""AWS on a free port of the loopback interface: STS, IAM and S3, by moto.

moto verifies signatures with botocore and checks roles' policies. It takes any web identity token for any role, and
asks even that call for a signature where it asks for them at all. So the call is answered here as STS does it: it looks
at the role and its trust policy, the token's signature, issuer, audience and dates. The keys are moto's.

The first line of the standard input is a JSON object: the issuer of the jobs' tokens, its keys, and the objects of the
bucket by their keys. The first line of the output is one, too: the port. The server ends with its input.

`GET /-/seen` tells what came: every request to S3, and every credential that STS gave.
"""

import io
import json
import logging
import sys
import threading
import time
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import boto3
import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.sts.models import sts_backends
from werkzeug.serving import make_server

ACCOUNT = "123456789012"
REGION = "eu-central-1"
BUCKET = "releases"

# As in the API Reference of STS.
GRANTED = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>{subject}</SubjectFromWebIdentityToken>
    <Audience>{audience}</Audience>
    <AssumedRoleUser>
      <Arn>{arn}</Arn>
      <AssumedRoleId>AROACLKWSDQRAOEXAMPLE:session</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <SessionToken>{token}</SessionToken>
      <SecretAccessKey>{secret}</SecretAccessKey>
      <Expiration>{end}</Expiration>
      <AccessKeyId>{key}</AccessKeyId>
    </Credentials>
    <Provider>{provider}</Provider>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata>
    <RequestId>ad4156e9-bce1-11e2-82e6-6b6efEXAMPLE</RequestId>
  </ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>
"""


class Refused(Exception):
    """What STS answers."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def body(self):
        return (
            '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
            f"<Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error>"
            "<RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId></ErrorResponse>"
        ).encode()


class Aws:
    """moto's application behind the checks that it lacks."""

    def __init__(self, described):
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.issuer = described["issuer"]
        self.provider = self.issuer.split("://", 1)[1]
        self.keys = KeySet.import_key_set(described["jwks"])
        self.requests, self.issued = [], []
        self.lock = threading.Lock()

    def __call__(self, environ, start):
        if environ["PATH_INFO"] == "/-/seen":
            with self.lock:
                seen = json.dumps({"requests": self.requests, "issued": self.issued})
            start("200 OK", [("content-type", "application/json")])
            return [seen.encode()]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        if body.startswith(b"Action=AssumeRoleWithWebIdentity&"):
            return self.sts(environ, start, body)
        self.remember(environ, body)
        return self.moto(environ, start)

    def remember(self, environ, body):
        headers = [
            [name[5:].replace("_", "-").lower(), value]
            for name, value in environ.items()
            if name.startswith("HTTP_") and isinstance(value, str)
        ]
        if environ["PATH_INFO"].startswith("/moto-api"):
            return
        with self.lock:
            self.requests.append(
                {
                    "line": f"{environ['REQUEST_METHOD']} {environ.get('RAW_URI', '')}",
                    "headers": headers,
                    "body": body.decode("utf-8", "replace"),
                }
            )

    def sts(self, environ, start, body):
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        try:
            claims = self.check(form)
        except Refused as refused:
            start(f"{refused.status} -", [("content-type", "text/xml")])
            return [refused.body()]
        role = sts_backends[ACCOUNT]["aws"].assume_role_with_web_identity(
            region_name=REGION,
            role_session_name=form["RoleSessionName"],
            role_arn=form["RoleArn"],
            policy=None,
            duration=int(form.get("DurationSeconds", 3600)),
            external_id=None,
        )
        with self.lock:
            self.issued.append([role.access_key_id, role.secret_access_key, role.session_token])
        start("200 OK", [("content-type", "text/xml")])
        return [
            GRANTED.format(
                subject=escape(claims["sub"]),
                audience=escape(claims["aud"]),
                arn=role.arn,
                token=role.session_token,
                secret=role.secret_access_key,
                end=role.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
                key=role.access_key_id,
                provider=f"arn:aws:iam::{ACCOUNT}:oidc-provider/{self.provider}",
            ).encode()
        ]

    def check(self, form):
        denied = Refused(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        session = form.get("RoleSessionName", "")
        fits = all(it.isascii() and (it.isalnum() or it in "_=,.@-") for it in session)
        if not 2 <= len(session) <= 64 or not fits:
            raise Refused(400, "ValidationError", "1 validation error detected: roleSessionName")
        try:
            role = iam_backends[ACCOUNT]["aws"].get_role_by_arn(form["RoleArn"])
        except Exception:
            raise denied from None
        if not 900 <= int(form.get("DurationSeconds", 3600)) <= int(role.max_session_duration):
            raise Refused(
                400,
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            )
        try:
            token = jwt.decode(form["WebIdentityToken"], self.keys, algorithms=["RS256"])
        except (JoseError, ValueError):
            raise Refused(400, "InvalidIdentityToken", "Couldn't verify the token") from None
        claims = token.claims
        if claims.get("iss") != self.issuer:
            raise Refused(400, "InvalidIdentityToken", "No OpenIDConnect provider found")
        if claims.get("exp", 0) <= time.time():
            raise Refused(400, "ExpiredTokenException", "Token expired")
        trust = role.assume_role_policy_document
        trust = json.loads(trust) if isinstance(trust, str) else trust
        (statement,) = trust["Statement"]
        wanted = statement["Condition"]["StringEquals"]
        has = {f"{self.provider}:{claim}": claims.get(claim) for claim in ("aud", "sub")}
        if statement["Principal"]["Federated"] != f"arn:aws:iam::{ACCOUNT}:oidc-provider/{self.provider}":
            raise denied
        if any(has.get(name) != value for name, value in wanted.items()):
            raise denied
        return claims


def prepare(url, aws, described):
    """The roles, the bucket and its objects, made while nothing is verified yet."""
    options = {
        "endpoint_url": url,
        "region_name": REGION,
        "aws_access_key_id": "setup",
        "aws_secret_access_key": "setup",
    }
    iam, s3 = boto3.client("iam", **options), boto3.client("s3", **options)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:ListBucketVersions"],
                "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
            }
        ],
    }
    for name, audience in described["roles"].items():
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{aws.provider}"},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {"StringEquals": {f"{aws.provider}:aud": audience}},
                }
            ],
        }
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName=name, PolicyName="objects", PolicyDocument=json.dumps(policy))
    where = {"LocationConstraint": REGION}
    for bucket in (BUCKET, "others"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for key, text in described["objects"].items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=text.encode())
    with aws.lock:
        aws.requests.clear()


def main():
    described = json.loads(sys.stdin.readline())
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    aws = Aws(described)
    server = make_server("127.0.0.1", 0, aws, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.port}"
    prepare(url, aws, described)
    # From now on signatures and policies count.
    requests.post(f"{url}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
    print(json.dumps({"port": server.port}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
