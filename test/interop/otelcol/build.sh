#!/usr/bin/env bash
# build.sh FOLDER: builds FOLDER/otelcol and FOLDER/strict from the Collector's sources as Debian's unstable suite packages them, with its Go.
# The system's own apt is left as it is: all lists and packages go to a folder that is removed at the end.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$1
work=$(mktemp -d)
# timeout(1) sends TERM twice, and the second must not end the removal.
trap 'trap "" TERM; chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 143' TERM

# The same mirror as the system's.
site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Release: bookworm' | head -n 1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$work"/{lists/partial,cache/archives/partial,packages,root,path/src/otelcol}
echo "deb [signed-by=$keys] $site sid main" >"$work/sources.list"
touch "$work/status"
options=(
  -q -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists"
  -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root -o Debug::NoLocking=1
)
apt-get "${options[@]}" update >/dev/null
go=$(apt-cache "${options[@]}" depends golang-go | sed -n 's/.*Depends: \(golang-1\.[0-9]*-go\)$/\1/p' | head -n 1)

# What the Collector's package depends on, without large ones that nothing in main.go reaches.
without='aws|cloudflare|google-api|google-cloud|golang-x-(image|tools)|gonum-v1-plot|mongodb|arrow|pjbgf|gofpdf'
mapfile -t packages < <(
  apt-get "${options[@]}" --no-install-recommends --print-uris install golang-opentelemetry-collector-dev |
    sed -nE "s/^'[^']*' (golang-[^_]*-dev)_.*/\1/p" | grep -vE "$without"
)
cd "$work/packages"
apt-get "${options[@]}" download "${packages[@]}" "$go" "${go%-go}-src" >/dev/null
for package in *.deb; do dpkg --extract "$package" "$work/root"; done
version=$(printf '%s\n' golang-opentelemetry-collector-dev_*.deb | cut -d _ -f 2)

cp -r "$here/main.go" "$here/strict" "$work/path/src/otelcol"
cd "$work/path/src/otelcol"
export GO111MODULE=off GOPATH="$work/path:$work/root/usr/share/gocode" GOCACHE="$work/go-cache" GOTOOLCHAIN=local CGO_ENABLED=0
number=${go#golang-}
go=$work/root/usr/lib/go-${number%-go}/bin/go
nice "$go" build -trimpath -ldflags "-s -w -X main.version=$version" -o "$work/otelcol" .
nice "$go" build -trimpath -ldflags '-s -w' -o "$work/strict" ./strict

mkdir -p "$folder"
mv "$work/strict" "$work/otelcol" "$folder"
"$folder/otelcol" --version
