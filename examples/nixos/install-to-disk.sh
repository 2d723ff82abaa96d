#!/usr/bin/env bash
# Installs a NixOS system on the one disk that may be written, and tells the server that it did.
#
#   install-to-disk --system PATH [--disk RULE] [--among DEVICE]… [--consent wipe] [--report URL]
#
# RULE is `auto` (the only disk that is free), `smallest`, `largest`, or a device. A disk is free where
# nothing on it is mounted or otherwise in use, and no signature of a file system, partition table or
# RAID is on it. `--consent wipe` allows a disk with signatures, never one in use. Nothing is written
# before a disk is chosen, and the server is told only after everything is on it.
set -euo pipefail

readonly least_bytes=$((2 * 1024 * 1024 * 1024))

system='' rule=auto consent='' report='' among=()

say() { printf 'install-to-disk: %s\n' "$*" >&2; }

fail() {
  say "$@"
  exit 1
}

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0"; }

while (($#)); do
  case $1 in
    --system | --disk | --among | --consent | --report)
      (($# > 1)) || fail "$1 needs a value; --help shows how it is called"
      case $1 in
        --system) system=$2 ;;
        --disk) rule=$2 ;;
        --among) among+=("$2") ;;
        --consent) consent=$2 ;;
        --report) report=$2 ;;
      esac
      shift 2
      ;;
    --help)
      usage
      exit 0
      ;;
    *) fail "$1 is not known; --help shows how it is called" ;;
  esac
done

[[ -n $system ]] || fail 'which system? give --system with its path in the Nix store'
[[ -d $system ]] || fail "the system $system is not here"
[[ $consent == '' || $consent == wipe ]] || fail "--consent $consent is not known; there is only --consent wipe"

# Every disk of the machine, or those that were named.
candidates() {
  if ((${#among[@]})); then
    printf '%s\n' "${among[@]}"
  else
    lsblk --nodeps --noheadings --raw --paths --output NAME,TYPE,RM |
      awk '$2 == "disk" && $3 == 0 { print $1 }'
  fi
}

# Why the disk cannot be written whoever consents, or nothing.
hindrance() {
  local disk=$1 size used
  [[ -b $disk ]] || {
    echo 'is no block device'
    return
  }
  size=$(lsblk --nodeps --noheadings --raw --bytes --output SIZE "$disk")
  ((size >= least_bytes)) || {
    echo "is smaller than $((least_bytes >> 30)) GiB"
    return
  }
  [[ $(lsblk --nodeps --noheadings --raw --output RO "$disk") == 0 ]] || {
    echo 'is read-only'
    return
  }
  used=$(lsblk --noheadings --raw --output MOUNTPOINTS "$disk" | sed '/^$/d; s/\\x0a/ and /g' | head -n 1)
  [[ -z $used ]] || {
    echo "is in use: $used"
    return
  }
  used=$(lsblk --noheadings --raw --output TYPE "$disk" | sed 1d | grep -vx part | head -n 1 || true)
  [[ -z $used ]] || echo "is in use: it holds a volume of type $used"
}

# The signatures on the disk and its partitions, in one line.
signatures() {
  local part
  lsblk --noheadings --raw --paths --output NAME "$1" | while read -r part; do
    wipefs --noheadings --output TYPE "$part"
  done | sort -u | tr -s '[:space:]' ' ' | sed 's/ $//'
}

free=() signed=() reasons=()
if [[ $rule == /* ]]; then among=("$(readlink -f "$rule")"); fi
while read -r disk; do
  why=$(hindrance "$disk")
  if [[ -n $why ]]; then
    reasons+=("$disk $why")
  elif found=$(signatures "$disk") && [[ -n $found ]]; then
    signed+=("$disk")
    reasons+=("$disk is not empty: $found")
  else
    free+=("$disk")
  fi
done < <(candidates)

chosen=("${free[@]}")
if ((${#chosen[@]} == 0)) && [[ $consent == wipe ]]; then chosen=("${signed[@]}"); fi

if ((${#chosen[@]} == 0)); then
  say 'no disk may be written:'
  if ((${#reasons[@]})); then printf '  %s\n' "${reasons[@]}" >&2; else say '  there is no disk'; fi
  if ((${#signed[@]})); then
    say 'if what is on it may be lost, consent to that: netboot.wipe=yes on the command line of this machine'
  fi
  exit 1
fi

by_size() { lsblk --nodeps --noheadings --raw --bytes --paths --output SIZE,NAME "${chosen[@]}" | sort -n "$@"; }

case $rule in
  auto | /*)
    ((${#chosen[@]} == 1)) || fail "several disks would do: ${chosen[*]}; name one with netboot.disk="
    disk=${chosen[0]}
    ;;
  smallest | largest)
    order=()
    [[ $rule == smallest ]] || order=(--reverse)
    mapfile -t sizes < <(by_size "${order[@]}")
    [[ ${#sizes[@]} == 1 || ${sizes[0]% *} != "${sizes[1]% *}" ]] ||
      fail "two disks are equally $rule: ${sizes[0]#* } and ${sizes[1]#* }; name one with netboot.disk="
    disk=${sizes[0]#* }
    ;;
  *) fail "the rule $rule is not known: auto, smallest, largest or a device" ;;
esac

root=''
leave() {
  [[ -z $root ]] && return
  umount --recursive "$root" 2>/dev/null || true
  rmdir "$root" 2>/dev/null || true
}
trap leave EXIT

# Whoever else would write the disk fails from here on; the lock ends with this program.
exec {lock}<"$disk"
flock --exclusive --nonblock "$lock" || fail "$disk is being written by another program"

say "writing $disk"
while read -r part; do wipefs --quiet --all "$part"; done < <(lsblk --noheadings --raw --paths --output NAME "$disk" | tac)
# A BIOS boot partition, an EFI system partition, and the rest.
sfdisk --quiet --lock=no "$disk" <<'LAYOUT'
label: gpt
size=1MiB, type=21686148-6449-6E6F-744E-656564454649
size=512MiB, type=U
type=L
LAYOUT
partx --update "$disk"
if command -v udevadm >/dev/null; then udevadm settle; fi
mapfile -t parts < <(lsblk --noheadings --raw --paths --output NAME "$disk" | sed 1d)
((${#parts[@]} == 3)) || fail "$disk has ${#parts[@]} partitions where three were made"

mkfs.vfat -n ESP "${parts[1]}" >/dev/null
mkfs.ext4 -q -F -L nixos "${parts[2]}"
root=$(mktemp -d)
mount "${parts[2]}" "$root"
mkdir "$root/boot"
mount "${parts[1]}" "$root/boot"

nixos-install --root "$root" --system "$system" --no-root-passwd --no-channel-copy
sync --file-system "$root"
umount --recursive "$root"
rmdir "$root"
root=''
say "$disk holds $system"

if [[ -n $report ]]; then
  curl --fail --silent --show-error --retry 5 --retry-connrefused --request POST "$report" ||
    fail "the system is on $disk, but the server was not told: it would be installed again at the next boot; run netboot machine NAME installed there"
  say 'the server knows that it is installed'
fi
