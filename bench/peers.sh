#!/bin/sh
# Print the paths of the programs we compare with; builds what the cache has not.
#
# usage: bench/peers.sh restic|rustic …
# restic needs go, rustic needs cargo; both come from their language's registry, with checksums.
set -eu

peers=${UNSTOPPABLE_CACHE:-$HOME/.cache/unstoppable}/peers
restic_version=0.19.1
rustic_version=0.11.4

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
        *) printf 'error: unknown peer %s\nhint: restic or rustic\n' "$name" >&2; exit 2 ;;
    esac
done
