"""A download failed on the way: certificate, proxy, firewall, name resolution, time-out.

Shows as what OpenSSL, urllib3 (pip, requests), rustls (uv), curl, git, conda, Go (docker) and apt say. Not for it: a
retry that ended well, a 404 (prebuilt-wheel-not-found-source-fallback), a model hub or a cluster's own network at run
time.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.log import Log

CATEGORY = "tls-proxy-download"
SUCCESS = ("Successfully installed", "Successfully built", "Installed 1 package", "packages in ")
RUNTIME = (
    "huggingface.co",
    "hf.co",
    "hf-mirror",
    "wandb",
    "localhost",
    "127.0.0.1:2",
    "NCCL",
    "store->get",
    "TCPStore",
)
FETCHES = (
    *(
        "pip",
        "HTTP",
        "/simple/",
        "flash",
        "uv",
        "conda",
        "wheel",
        "http",
        "git",
        "apt",
        "urlopen",
        "docker",
        "poetry",
        "download",
        "Download",
        "proxy",
    ),
    *("index", "torch", "setup.py"),
)
TLS = (
    "CERTIFICATE",
    "certificate",
    "SSLError",
    "x509",
    "SSL_",
    "PEER_CERT",
    "TLS",
    "tls",
    "gnutls",
    "CaUsed",
    "UnknownIssuer",
)
PROXY = ("roxy", "407", "tunnel")
NO_SSL = ("SSL module is not available", "ssl module in Python is not available")
REFUSED = ("HANDSHAKE_FAILURE", "handshake failure", "TLSV1_ALERT", "UNSUPPORTED_PROTOCOL")


def weigh(match: Match, log: Log) -> Strength | None:
    after = log.lines[log.position(match.line) + 1 :]
    if any(word in line.text for line in after[:4000] for word in SUCCESS):
        return None  # a later attempt went well
    text = match.line.text
    if is_of_git(text) and not any(word in text for word in (*TLS, *PROXY)):
        return None  # git-source-problem
    if match.strength < PROOF and any(word in text for word in RUNTIME):
        return None
    if match.strength == PROOF and any(word in text for word in RUNTIME) and not any(word in text for word in TLS):
        return HINT
    if match.strength < PROOF:
        about = " ".join(line.text for line in log.around(match.line, before=8, after=4))
        return match.strength if any(word in about for word in FETCHES) else None
    return match.strength


def is_of_git(text: str) -> bool:
    """Whether it is git that cannot fetch sources."""
    return "unable to access" in text or "early EOF" in text or "fatal: " in text or ".git/" in text


def explain(match: Match, _case: Case) -> str:
    text = match.line.text
    if any(word in text for word in NO_SSL):
        return (
            "This Python has no ssl module, so it fetches nothing by https. It was built without OpenSSL's headers, or "
            "its OpenSSL is not found: on Windows a conda environment that is not activated."
        )
    if any(word in text for word in REFUSED):
        return (
            "The server, or a proxy in between, broke off the TLS handshake before any certificate was looked at. It "
            "may have been out of order for a while; else this Python's OpenSSL is too old for it, or a proxy filters."
        )
    if any(word in text for word in TLS):
        return (
            "The certificate of the server was not accepted. Mostly a company's proxy or virus scanner opens the "
            "connection and signs it with an authority of its own, which Python and uv do not know; else the clock is "
            "wrong, or the certificates are old."
        )
    if any(word in text for word in PROXY):
        return (
            "The proxy that is set was not reached, or does not let the request through: its address, name or password."
        )
    return (
        "The server was not reached, or the connection broke off: no network, a firewall, a proxy that is not set, or "
        "a download that takes longer than the time-out. What follows (no matching distribution, no wheel) only "
        "follows."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    text, log = match.line.text, case.log
    if any(word in text for word in NO_SSL):
        yield 'python -c "import ssl; print(ssl.OPENSSL_VERSION)"   (has to print a version; import errors say more)'
        yield "conda activate NAME first where it is conda's Python; else another Python: uv venv --python 3.12"
        yield "built by yourself: sudo apt install libssl-dev   (openssl-devel), then build Python again"
    elif any(word in text for word in REFUSED):
        yield "the same command again, a few minutes later   (where it worked before)"
        yield 'python -c "import ssl; print(ssl.OPENSSL_VERSION)"   (older than 1.1.1: take a newer Python)'
        yield "echo $HTTPS_PROXY; and once from another network   (is it the proxy that hangs up?)"
    elif any(word in text for word in TLS):
        if log.has("uv", "invalid peer certificate", "rustls"):
            yield (
                "uv --system-certs ...   (UV_SYSTEM_CERTS=1; --native-tls in older releases: takes the authorities of "
                "the system)"
            )
        yield (
            "pip install --use-feature=truststore ...   (takes the authorities of the system; on by default since pip "
            "24.2)"
        )
        yield (
            "export SSL_CERT_FILE=/path/company-ca.pem REQUESTS_CA_BUNDLE=/path/company-ca.pem "
            "PIP_CERT=/path/company-ca.pem"
        )
        yield "--trusted-host and switching verification off let anybody on the way change what you install: better not"
    elif any(word in text for word in PROXY):
        yield "echo $HTTPS_PROXY $HTTP_PROXY $NO_PROXY; pip config list   (which proxy is set, and where)"
        yield (
            "export HTTPS_PROXY=http://user:password@host:port   (special characters of the password as %40 and so on)"
        )
    else:
        yield "curl -sSI https://download.pytorch.org/whl/torch/ | head -1   (is the server reached at all?)"
        yield (
            "pip install --timeout 120 --retries 10 ..., UV_HTTP_TIMEOUT=300 uv pip install ...   (large files, slow "
            "line)"
        )
    if log.has("Guessing wheel URL", "flash_attn", "flash-attn"):
        yield (
            "fetch the wheel where there is a network, then pip install --no-deps ./FILE.whl; attn-doctor wheels "
            "--offline names it"
        )


CAUSE = Cause(
    category=CATEGORY,
    stage="install",
    title="A download failed: certificate, proxy or network",
    signs=(
        Sign("CERTIFICATE_VERIFY_FAILED", by="OpenSSL, by way of Python"),
        Sign("certificate verify failed", by="OpenSSL"),
        Sign("SSLCertVerificationError", by="Python ssl"),
        Sign("confirming the ssl certificate", by="pip/_internal/index/collector.py"),
        Sign("invalid peer certificate", by="rustls: uv"),
        Sign("SSL certificate problem", by="curl, git"),
        Sign("server certificate verification failed", by="git with GnuTLS"),
        Sign("x509: certificate", by="Go: docker, containerd"),
        Sign("CondaSSLError", by="conda/exceptions.py"),
        Sign("SSLError(", None, PROOF, "urllib3: pip, requests"),
        Sign("SSLEOFError", None, PROOF, "Python ssl: a firewall that hangs up"),
        Sign("WRONG_VERSION_NUMBER", None, PROOF, "OpenSSL: a proxy that speaks http"),
        Sign("gnutls_handshake() failed", None, PROOF, "git with GnuTLS"),
        Sign("TLS handshake timeout", None, PROOF, "Go: docker"),
        Sign("SSL module is not available", None, PROOF, "pip: a Python that was built without OpenSSL"),
        Sign("ProxyError(", None, PROOF, "urllib3: pip, requests"),
        Sign("Tunnel connection failed", None, PROOF, "Python http.client"),
        Sign("Cannot connect to proxy", None, PROOF, "urllib3"),
        Sign("Proxy Authentication Required", None, PROOF, "HTTP 407"),
        Sign("tunnel error", None, PROOF, "hyper: uv"),
        Sign("Could not resolve proxy", None, PROOF, "curl"),
        Sign("ReadTimeoutError", r"ReadTimeoutError[(:]", SIGN, "urllib3: pip"),
        Sign("ConnectTimeoutError", None, SIGN, "urllib3: pip"),
        Sign("NewConnectionError", None, SIGN, "urllib3: pip"),
        Sign("NameResolutionError", None, SIGN, "urllib3 2: pip"),
        Sign("after connection broken by", None, SIGN, "urllib3 Retry: pip"),
        Sign("Max retries exceeded with url", None, SIGN, "urllib3: requests"),
        Sign("Connection to ", r"Connection to [^\n]{1,80} timed out", SIGN, "urllib3"),
        Sign("IncompleteRead(", None, SIGN, "Python http.client: pip"),
        Sign("IncompleteDownload", None, SIGN, "pip 25.1 and later"),
        Sign("incomplete-download", None, PROOF, "pip 25.1 and later"),
        Sign("Download failed because not enough bytes", None, PROOF, "pip 25.1 and later"),
        Sign("Temporary failure in name resolution", None, SIGN, "getaddrinfo of glibc"),
        Sign("Name or service not known", None, SIGN, "getaddrinfo of glibc"),
        Sign("getaddrinfo failed", None, SIGN, "Windows"),
        Sign("nodename nor servname", None, SIGN, "macOS"),
        Sign("failed to lookup address information", None, SIGN, "Rust: uv"),
        Sign("error sending request for url", None, SIGN, "reqwest: uv"),
        Sign("operation timed out", None, SIGN, "reqwest: uv"),
        Sign("Failed to download distribution due to network timeout", None, PROOF, "uv"),
        Sign("UV_HTTP_TIMEOUT", None, SIGN, "uv: hint"),
        Sign("could not connect to the server", None, SIGN, "uv, curl"),
        Sign("request or response body error", None, SIGN, "reqwest: uv"),
        Sign("error decoding response body", None, SIGN, "reqwest: uv"),
        Sign("Could not resolve host", None, SIGN, "curl, git"),
        Sign("Failed to connect to ", r"Failed to connect to [^\n]{1,100} port \d+", SIGN, "curl, git"),
        Sign("curl: (", r"curl: \((?:5|6|7|18|28|35|51|52|56|60|77|92)\)", PROOF, "curl"),
        Sign("CondaHTTPError", None, SIGN, "conda/exceptions.py"),
        Sign("ConnectionFailed", r"CONNECTION FAILED", SIGN, "conda"),
        Sign("HTTP 000 CONNECTION FAILED", None, PROOF, "conda/exceptions.py"),
        Sign("<urlopen error", r"<urlopen error (?!\[Errno 2\])", SIGN, "Python urllib: flash-attn's set-up"),
        Sign("Connection reset by peer", None, SIGN, "strerror(ECONNRESET)"),
        Sign("Remote end closed connection", None, SIGN, "Python http.client"),
        Sign("RemoteDisconnected", None, SIGN, "Python http.client"),
        Sign("dial tcp: lookup", None, SIGN, "Go: docker"),
        Sign("i/o timeout", None, SIGN, "Go: docker"),
        Sign("Could not connect to ", r"Could not connect to [\w.:-]{3,80}", SIGN, "apt"),
        Sign("Could not fetch URL", None, SIGN, "pip/_internal/index/collector.py"),
        Sign("403 Forbidden", r"(?i)(?:proxy|tunnel|firewall|blocked)", SIGN, "proxies"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(
        *("no-matching-distribution", "python-version-unsupported", "prebuilt-wheel-not-found-source-fallback"),
        *(
            "git-source-problem",
            "aarch64-no-wheel",
            "hash-mismatch",
            "build-deps-missing",
            "torch-missing-build-isolation",
        ),
        *("uv-build-isolation", "cutlass-submodule-missing"),
    ),
)
