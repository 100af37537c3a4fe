#!/usr/bin/env bash
# Servers and clients of other projects, installed into a folder of their own and tried: simcap against the servers, and the
# clients' reports against simcap's.
#
#     tests/oracle/matrix.sh target/release/simcap [FOLDER]
#
# Some minutes once installed (guidellm and aiperf bring half a gigabyte each; npm and cargo are wanted too). What is there
# already is not installed again; what cannot be is said, and its checks are skipped aloud.
set -euo pipefail
simcap=$(realpath "$1")
mkdir -p "${2:-target/matrix}"
folder=$(realpath "${2:-target/matrix}")
here=$(dirname "$(realpath "$0")")
export PIP_DISABLE_PIP_VERSION_CHECK=1

# put COMMAND INSTALLER…: runs it, unless the folder holds the command.
put() {
  local command=$1
  shift
  [ -x "$folder/$command" ] || "$@" > "$folder/install.log" 2>&1 || { echo "not installed: $command"; tail -n 3 "$folder/install.log"; }
}
# They do not agree on their dependencies.
venv() { python3 -m venv "$folder/$1" && "$folder/$1/bin/pip" install --quiet "${@:2}"; }

put python/bin/f2py venv python numpy scipy
put llmock/bin/llmock venv llmock llmock
put guidellm/bin/guidellm venv guidellm guidellm
put aiperf/bin/aiperf venv aiperf aiperf
put inference-perf/bin/inference-perf venv inference-perf inference-perf
put node_modules/.bin/aimock npm install --prefix "$folder" @copilotkit/aimock
put cargo/bin/llmsim cargo install --locked --root "$folder/cargo" llmsim
put cargo/bin/oha cargo install --locked --root "$folder/cargo" oha --no-default-features --features rustls

for bin in llmock/bin guidellm/bin aiperf/bin inference-perf/bin node_modules/.bin cargo/bin; do
  PATH=$PATH:$folder/$bin
done
status=0
"$folder/python/bin/python3" "$here/servers.py" "$simcap" || status=1
"$folder/python/bin/python3" "$here/clients.py" "$simcap" || status=1
exit $status
