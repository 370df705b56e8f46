#!/usr/bin/env bash
# Wheels that do not fit, hashes, permissions, networks, full disks. Needs what pip.sh needs.
. "$(dirname "$0")/record.sh"
OLD="pip 23.2.1, Python 3.11.7"
rm -rf "$WORK/project"; mkdir -p "$WORK/project"; cd "$WORK/project" || exit 1
python3.11 -m venv .venv

# A real wheel, under the names that people give it.
.venv/bin/pip download -q --no-deps -d . einops==0.8.0
cp einops-0.8.0-py3-none-any.whl flash_attn-2.8.3+cu12torch2.7cxx11abiTRUE-cp312-cp312-linux_x86_64.whl
cp einops-0.8.0-py3-none-any.whl flash_attn-2.8.3+cu128torch2.8-cp311-cp311-win_amd64.whl
cp einops-0.8.0-py3-none-any.whl flash_attn-2.8.3-cp311-cp311-linux_aarch64.whl
cp einops-0.8.0-py3-none-any.whl flash_attn.whl
cp einops-0.8.0-py3-none-any.whl flash_attn-2.8.3-py3-none-any.whl
head -c 20000 einops-0.8.0-py3-none-any.whl > truncated-0.8.0-py3-none-any.whl
printf 'Not Found' > flash_attn-2.7.4-py3-none-any.whl
record wheel-python-tag-mismatch pip-cp312-on-311 "$OLD" "is not a supported wheel on this platform" \
  ".venv/bin/pip install flash_attn-2.8.3+cu12torch2.7cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
record wheel-python-tag-mismatch uv-cp312-on-311 "uv 0.13.9, Python 3.11.7" "cp312" \
  "uv pip install ./flash_attn-2.8.3+cu12torch2.7cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
record wheel-platform-mismatch pip-windows-wheel-on-linux "$OLD" "is not a supported wheel on this platform" \
  ".venv/bin/pip install flash_attn-2.8.3+cu128torch2.8-cp311-cp311-win_amd64.whl"
record wheel-platform-mismatch pip-aarch64-wheel-on-x86 "$OLD" "is not a supported wheel on this platform" \
  "uname -sm; .venv/bin/python -V; .venv/bin/pip install --no-deps flash_attn-2.8.3-cp311-cp311-linux_aarch64.whl"
record wheel-platform-mismatch uv-windows-wheel-on-linux "uv 0.13.9, Python 3.11.7" "win_amd64" \
  "uv pip install ./flash_attn-2.8.3+cu128torch2.8-cp311-cp311-win_amd64.whl"
record wheel-filename-invalid pip-no-tags "$OLD" "is not a valid wheel filename" ".venv/bin/pip install flash_attn.whl"
record wheel-filename-invalid uv-no-tags "uv 0.13.9" "flash_attn.whl" "uv pip install ./flash_attn.whl"
record wheel-filename-invalid pip-renamed-wheel "$OLD" "flash" ".venv/bin/pip install --no-deps flash_attn-2.8.3-py3-none-any.whl"
record wheel-filename-invalid pip-truncated-zip "$OLD" "is invalid" ".venv/bin/pip install truncated-0.8.0-py3-none-any.whl"
record wheel-filename-invalid pip-html-saved-as-wheel "$OLD" "is invalid" ".venv/bin/pip install flash_attn-2.7.4-py3-none-any.whl"
record wheel-filename-invalid uv-html-saved-as-wheel "uv 0.13.9" "flash" "uv pip install ./flash_attn-2.7.4-py3-none-any.whl"

printf 'einops==0.8.0 --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000\n' > locked.txt
record hash-mismatch pip-require-hashes "$OLD" "DO NOT MATCH THE HASHES" ".venv/bin/pip install --require-hashes -r locked.txt"
record hash-mismatch uv-require-hashes "uv 0.13.9" "Hash mismatch" "uv pip install --no-cache --require-hashes -r locked.txt"

record no-matching-distribution pip-no-such-version "$OLD" "No matching distribution found" ".venv/bin/pip install flash-attn==2.9.9"
record no-matching-distribution pip-only-binary "$OLD" "No matching distribution found" ".venv/bin/pip install --only-binary :all: flash-attn"
record no-matching-distribution uv-torch-local-version "uv 0.13.9" "torch==2.13.0+cu130" "uv pip install torch==2.13.0+cu130"
record no-matching-distribution pip-torch-local-version "$OLD" "No matching distribution found" ".venv/bin/pip install torch==2.13.0+cu130"
record no-matching-distribution uv-no-such-version "uv 0.13.9" "flash-attn==2.9.9" "uv pip install flash-attn==2.9.9"

record externally-managed-environment debian-pip "pip 23.0.1 of Debian 12, Python 3.11.2" "externally-managed-environment" \
  "/usr/bin/python3 -m pip install flash-attn"
record externally-managed-environment debian-uv "uv 0.13.9, Python 3.11.2 of Debian 12" "externally managed" \
  "uv pip install --system --python /usr/bin/python3 einops"

record tls-proxy-download pip-dead-proxy "$OLD" "ProxyError" \
  ".venv/bin/pip install --retries 1 --timeout 3 --proxy http://127.0.0.1:3128 flash-attn"
record tls-proxy-download uv-dead-proxy "uv 0.13.9" "tunnel" \
  "HTTPS_PROXY=http://127.0.0.1:3128 UV_HTTP_RETRIES=0 uv pip install --no-cache flash-attn"
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 2>/dev/null
cat > serve.py <<'PY'
import http.server, ssl
server = http.server.HTTPServer(("127.0.0.1", 8443), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
PY
python3.11 serve.py >/dev/null 2>&1 & server=$!
sleep 1
record tls-proxy-download pip-self-signed "$OLD, an https server with a certificate of its own on 127.0.0.1" "CERTIFICATE_VERIFY_FAILED" \
  ".venv/bin/pip install --retries 1 --index-url https://127.0.0.1:8443/simple flash-attn"
record tls-proxy-download uv-self-signed "uv 0.13.9, the same server" "certificate" \
  "UV_HTTP_RETRIES=0 uv pip install --no-cache --index-url https://127.0.0.1:8443/simple flash-attn"
record tls-proxy-download curl-self-signed "curl 7.88.1, the same server" "self-signed certificate" \
  "curl -LO https://127.0.0.1:8443/flash_attn-2.8.3-cp311-cp311-linux_x86_64.whl"
record tls-proxy-download urllib-self-signed "Python 3.11.7, the same server" "CERTIFICATE_VERIFY_FAILED" \
  "python3.11 -c 'import urllib.request; urllib.request.urlretrieve(\"https://127.0.0.1:8443/flash_attn-2.8.3-cp311-cp311-linux_x86_64.whl\", \"wheel\")'"
kill $server
record tls-proxy-download pip-no-dns "$OLD" "Name or service not known" \
  ".venv/bin/pip install --retries 1 --index-url https://download.pytorch.org/whl/cu130 torch"
