"""A small OpenID Connect provider on this machine, for the tests of the login."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.app.browser_page import free_port

CLIENT_ID, CLIENT_SECRET = "medsym-test", "not-a-secret-of-anybody"


@dataclass
class Provider:
    """Logs in whoever asks, as the person in `claims`; remembers what it was asked."""

    port: int = field(default_factory=free_port)
    claims: dict[str, Any] = field(
        default_factory=lambda: {"email": "reader@clinic.example", "email_verified": True}
    )
    asked: list[str] = field(default_factory=list)
    waiting: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from joserfc.jwk import RSAKey

        self.key = RSAKey.generate_key(2048, parameters={"kid": "k1", "use": "sig"})

    @property
    def issuer(self) -> str:
        """Address of the provider."""
        return f"http://127.0.0.1:{self.port}"

    def login_file(self, *, redirect_uri: str, readers: list[str]) -> str:
        """Text of a login file for this provider."""
        return (
            f'[auth]\nredirect_uri = "{redirect_uri}"\ncookie_secret = "{"c" * 40}"\n'
            f'client_id = "{CLIENT_ID}"\nclient_secret = "{CLIENT_SECRET}"\n'
            f'server_metadata_url = "{self.issuer}/.well-known/openid-configuration"\n'
            f"[medsym]\nreaders = {json.dumps(readers)}\n"
        )

    async def discovery(self, _request: Request) -> Response:
        """What the provider is and can do."""
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def authorize(self, request: Request) -> Response:
        """The login page; nobody is asked for a password here."""
        query = dict(request.query_params)
        self.asked.append(query["redirect_uri"])
        code = f"code-{len(self.asked)}"
        self.waiting[code] = query
        answer = urlencode({"code": code, "state": query["state"]})
        return RedirectResponse(f"{query['redirect_uri']}?{answer}", status_code=302)

    async def token(self, request: Request) -> Response:
        """Exchange a code for an identity token; secret and challenge must fit."""
        form = await request.form()
        query = self.waiting.pop(str(form["code"]))
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if request.headers["authorization"] != f"Basic {basic}":
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        if challenge != query["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        return JSONResponse(
            {"access_token": "a", "token_type": "Bearer", "id_token": self._identity(query)}
        )

    def _identity(self, query: dict[str, str]) -> str:
        from joserfc import jwt

        now = int(time.time())
        times = {"iat": now, "exp": now + 600, "nonce": query["nonce"]}
        who = {"iss": self.issuer, "aud": CLIENT_ID, "sub": "person-1"}
        header = {"alg": "RS256", "kid": "k1"}
        return jwt.encode(header, who | times | self.claims, self.key, algorithms=["RS256"])

    async def jwks(self, _request: Request) -> Response:
        """The public key."""
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    @contextmanager
    def running(self) -> Iterator["Provider"]:
        """Serve until the block ends."""
        routes = [
            Route("/.well-known/openid-configuration", self.discovery),
            Route("/authorize", self.authorize),
            Route("/token", self.token, methods=["POST"]),
            Route("/jwks", self.jwks),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), host="127.0.0.1", port=self.port, log_level="error"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        try:
            yield self
        finally:
            server.should_exit = True
            thread.join(timeout=10)
