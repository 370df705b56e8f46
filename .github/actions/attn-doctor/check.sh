#!/usr/bin/env bash
# Run attn-doctor check: annotations and summary, SARIF where it is asked for, its own exit code as the step's.
# Everything comes through the environment: nothing that a pull request can write becomes part of this script.
set -eu -o pipefail

options=()

# each OPTION WORDS: the option once for each word; blanks, commas and line ends separate
each() {
  local word words
  IFS=$' ,\t\r\n' read -r -d '' -a words <<< "$2" || true
  for word in ${words[@]+"${words[@]}"}; do
    options+=("$1" "$word")
  done
}

# each_line OPTION LINES: once for each line, which may hold blanks; without an option the line itself
each_line() {
  local line
  while IFS= read -r line; do
    line="${line%$'\r'}"
    [ -n "${line//[[:space:]]/}" ] || continue
    [ -z "$1" ] || options+=("$1")
    options+=("$line")
  done < <(printf '%s\n' "$2")
}

# annotate TEXT: what is wrong with the call or the policy, at its line where it names one (pyproject.toml:14:1: ...)
annotate() {
  local text="$1" place="" below=""
  if [[ "${1%%$'\n'*}" =~ ^(attn-doctor:\ )?([^:,%]+):([0-9]+): ]]; then
    below="${PWD#"${GITHUB_WORKSPACE:-$PWD}"}"
    below="${below#/}"
    place="file=${below:+$below/}${BASH_REMATCH[2]},line=${BASH_REMATCH[3]},"
  fi
  text="${text//'%'/%25}"
  text="${text//$'\r'/%0D}"
  text="${text//$'\n'/%0A}"
  echo "::error ${place}title=attn-doctor::$text"
}

# by_policy OPTIONS: whether the policy names what is examined; where the call is wrong, the check itself says so
by_policy() {
  local said code=0
  said="$("$ATTN_DOCTOR" check "$@" --format json 2> /dev/null)" || code=$?
  [ "$code" -eq 2 ] || [[ "$said" == *'"target.'* ]]
}

# before the rest, so that an option among the further ones takes its place
target() {
  local given=(${options[@]+"${options[@]}"})
  options=()
  if [ -n "${INPUT_PYTHON:-}" ]; then
    options+=(--python "$INPUT_PYTHON")
  elif by_policy ${given[@]+"${given[@]}"}; then
    :
  elif [ -e .venv/pyvenv.cfg ]; then
    options+=(--venv .venv)
  elif [ -z "${VIRTUAL_ENV:-}" ]; then
    # setup-python makes no virtual environment: what the job installs lies in the python on PATH
    local python
    python="$(command -v python || command -v python3 || true)"
    [ -z "$python" ] || options+=(--python "$python")
  fi
  options+=(${given[@]+"${given[@]}"})
}

each --require "${INPUT_REQUIRE:-}"
each --need "${INPUT_NEED:-}"
each --ignore "${INPUT_IGNORE:-}"
each_line --what-if "${INPUT_WHAT_IF:-}"
[ -z "${INPUT_POLICY:-}" ] || options+=(--policy "$INPUT_POLICY")
[ -z "${INPUT_FAIL_ON:-}" ] || options+=(--fail-on "$INPUT_FAIL_ON")
each_line "" "${INPUT_ARGS:-}"
target

code=0
said="$(mktemp)"
"$ATTN_DOCTOR" check --format github ${options[@]+"${options[@]}"} 2> "$said" || code=$?
cat "$said" >&2
if [ "$code" -ge 2 ] && [ -s "$said" ]; then
  annotate "$(cat "$said")"
fi
rm -f "$said"

sarif=""
if [ -n "${INPUT_SARIF:-}" ] && [ "$code" -ne 2 ]; then
  GITHUB_STEP_SUMMARY="" "$ATTN_DOCTOR" check --format sarif --output "$INPUT_SARIF" ${options[@]+"${options[@]}"} || true
  [ ! -s "$INPUT_SARIF" ] || sarif="$(cd "$(dirname "$INPUT_SARIF")" && pwd)/$(basename "$INPUT_SARIF")"
  sarif="${sarif#"${GITHUB_WORKSPACE:-}"/}"
fi

{
  echo "exit-code=$code"
  echo "sarif=$sarif"
} >> "$GITHUB_OUTPUT"
exit "$code"
