#!/bin/sh
# unpack.sh FOLDER PACKAGE…: programs of Debian packages into FOLDER/usr/bin, and nothing else.
# Nothing is installed and no service starts, so it needs no root: lists and archives of apt's
# that it cannot write are replaced by its own.
set -eu
folder=$1
shift
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
own="-o Dir::State=$work/state -o Dir::Cache=$work/cache -o APT::Sandbox::User="
mkdir -p state/lists/partial cache/archives/partial
apt-get -qq -o APT::Sandbox::User= download "$@" >/dev/null 2>&1 || {
	# shellcheck disable=SC2086 # options, and a path without spaces
	apt-get -qq $own update >/dev/null && apt-get -qq $own download "$@" >/dev/null
}
for archive in *.deb; do
	dpkg -x "$archive" unpacked
done
cd "$OLDPWD"
mkdir -p "$folder/usr/bin"
cp "$work"/unpacked/usr/bin/* "$folder/usr/bin/"
