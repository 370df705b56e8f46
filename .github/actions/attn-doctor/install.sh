#!/usr/bin/env bash
# Install attn-doctor into an environment of its own, once for a job; say where its command is.
set -eu -o pipefail

folder="${RUNNER_TEMP:-${TMPDIR:-/tmp}}/attn-doctor"
wanted="${ATTN_DOCTOR_WANTED:-}"
case "$wanted" in
  "") what="attn-doctor" ;;
  [0-9]*) what="attn-doctor==$wanted" ;;
  *) what="$wanted" ;;
esac

find_python() {
  for name in python3 python; do
    if command -v "$name" > /dev/null &&
      "$name" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2> /dev/null; then
      command -v "$name"
      return
    fi
  done
  echo "::error title=attn-doctor::there is no Python 3.10 or newer on PATH; put actions/setup-python before this step" >&2
  exit 2
}

# uv where it is there; else the pip that is there, which may install into another environment from 22.3 on; else both new.
# Nothing is compiled ahead: a check uses a tenth of what is installed
make_environment() {
  if command -v uv > /dev/null; then
    uv venv --quiet --python "$1" "$folder"
    VIRTUAL_ENV="$folder" uv pip install --quiet "$what"
  elif "$1" -m pip --python "$1" --version > /dev/null 2>&1; then
    "$1" -m venv --without-pip "$folder"
    "$1" -m pip --python "$folder" install --quiet --no-compile --disable-pip-version-check "$what"
  else
    "$1" -m venv "$folder"
    local bin="$folder/bin"
    [ -d "$bin" ] || bin="$folder/Scripts"
    "$bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "$what"
  fi
}

# a job may use the action twice: the second time costs nothing
if [ ! -e "$folder/for.txt" ] || [ "$(cat "$folder/for.txt")" != "$what" ]; then
  python="$(find_python)"
  rm -rf "$folder"
  make_environment "$python"
  printf '%s' "$what" > "$folder/for.txt"
fi

bin="$folder/bin"
[ -d "$bin" ] || bin="$folder/Scripts"
"$bin/attn-doctor" --version
echo "command=$bin/attn-doctor" >> "$GITHUB_OUTPUT"
