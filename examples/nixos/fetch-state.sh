#!/usr/bin/env bash
# Fetches this machine's state from the boot server and puts it where operation-dbus reads it.
#
#   fetch-state [FILE]
#
# The kernel command line says where it is and what it must be: netboot.state=URL and
# netboot.state-digest=sha256:HEX. A machine without a state has netboot.state-digest=none.
# The file appears whole, or the old one stays.
set -euo pipefail

file=${1:-/etc/operation-dbus/state.json}

say() { printf 'fetch-state: %s\n' "$*" >&2; }

fail() {
  say "$@"
  exit 1
}

argument() { tr -s '[:space:]' '\n' <"${CMDLINE:-/proc/cmdline}" | sed -n "s/^$1=//p" | tail -n 1; }

url=$(argument netboot.state)
digest=$(argument netboot.state-digest)

[[ -n $url ]] || fail 'the kernel command line has no netboot.state=URL; see cmdline of this image on the boot server'
if [[ $digest == none ]]; then
  say 'this machine has no state'
  exit 0
fi
[[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || fail "netboot.state-digest=$digest is no digest; see cmdline of this image on the boot server"

mkdir -p "$(dirname "$file")"
new=$(mktemp "$file.XXXXXX")
trap 'rm -f "$new"' EXIT
curl --fail --silent --show-error --retry 10 --retry-connrefused --max-filesize 16M --output "$new" "$url" ||
  fail "the state cannot be fetched from $url; the boot server gives it only to this machine's own address"
found=sha256:$(sha256sum <"$new" | cut -d ' ' -f 1)
[[ $found == "$digest" ]] ||
  fail "the state from $url is $found, and this boot was given $digest; it has changed since: boot again"
chmod 0600 "$new"
mv "$new" "$file"
say "$file is this machine's state"
