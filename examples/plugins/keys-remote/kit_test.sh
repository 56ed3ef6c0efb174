#!/bin/bash
# kit_test.sh SIGNER KIT PLUGIN: the kit for key providers, against a signer in a folder of its own.
set -u
folder=$(mktemp -d)
coproc signer { exec "$1" "$folder/socket" "$folder/keys"; }
pid=$signer_PID
trap 'kill "$pid" 2>/dev/null; rm -rf "$folder"' EXIT
read -r -t 30 said <&"${signer[0]}" || { echo "the signer does not start"; exit 1; }
echo "$said"
"$2" "$3" "socket=$folder/socket" timeout=30s
