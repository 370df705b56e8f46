# shellcheck shell=bash disable=SC2034
# Sourced by the recipes: runs a command that is meant to fail, keeps what it printed, and adds a row to logs.json.
#   WORK   a scratch folder that stands for the user's home folder (its name is replaced by /home/user)
#   INDEX_HOSTS (exported): `host=name` pairs; a package index's host is written as its name, such as PyPI.
#   LOGS   the folder of the logs (tests/explain/logs)
set -u
: "${WORK:?set WORK to a scratch folder}"
LOGS=${LOGS:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../logs" && pwd)}
INCLUDE=$(python3.11 -c 'import sysconfig; print(sysconfig.get_path("include"))')
PYTHONS=$(cd "$INCLUDE/../../.." && pwd)
RECIPES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export HOME=$WORK PIP_CONFIG_FILE=/dev/null LC_ALL=C.UTF-8
unset PIP_FIND_LINKS PIP_DISABLE_PIP_VERSION_CHECK PYTHONDONTWRITEBYTECODE

# record CATEGORY NAME TOOLS PROOF COMMAND [FILTER]
#   ALSO (exported): categories that are as good an answer for this log.
#   RUNNER: what the command line is handed to, `bash -c` unless given.
#   PROOF: a substring of the line that proves the cause.  FILTER: a command that reshapes the raw output (a prefix, an encoding).
record() {
  if [[ -n ${ONLY:-} && "$1/$2" != *$ONLY* ]]; then return; fi
  local log=$LOGS/$1/$2.log
  mkdir -p "$LOGS/$1"
  # The command gets a shell of its own: an `ulimit` or an `export` in it ends with it.
  timeout "${LIMIT:-300}" ${RUNNER:-bash -c} "$5" >"$log.raw" 2>&1 </dev/null
  bash -c "${6:-cat}" <"$log.raw" >"$log"
  rm "$log.raw"
  python3 "$RECIPES/keep.py" "$LOGS" "$1" "$2" "$3" "$4" "$5${6:+ | $6}"
}
