#!/bin/sh
# Install unstoppable backups and start backing up one directory of this machine.
#
# usage: ./install.sh DIR
#
# As root the program goes to /opt/unstoppable and its link to /usr/local/bin,
# as a user to ~/.local/share/unstoppable/app and ~/.local/bin; then `unstoppable init DIR` runs.
# Interrupted at any moment it leaves the installation as it was. Running it again is fine.
#
# Wheels in dist/ are taken only with checksums signed by a key in packaging/release-signers;
# without dist/ the program is built here. Other packages come from PyPI, each by its hash.
set -eu

fail() { # fail SENTENCE HINT
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit "${3:-1}"
}

say() { printf '%s\n' "$1" >&2; }

root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
requirements=$root/packaging/requirements.txt

# --- the argument, before anything slow ---
case ${1-} in
    -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) fail "unknown option $1" "usage: ./install.sh DIR" 2 ;;
    "") fail "no directory given" "usage: ./install.sh DIR" 2 ;;
esac
[ $# -eq 1 ] || fail "one directory, not $#" "usage: ./install.sh DIR; quote a name with spaces" 2
[ -d "$1" ] || fail "$1 is not a directory" "name the directory that is to be backed up" 2
source=$(CDPATH='' cd -- "$1" 2>/dev/null && pwd) ||
    fail "$1 cannot be entered" "run this as a user who may read it, or as root" 2

# --- what this machine has to bring ---
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "this needs python3 of version 3.11 or newer" "apt-get install python3 (Debian 12 or newer)"
python3 -c 'import venv, ensurepip' 2>/dev/null ||
    fail "python3 cannot make private environments" "apt-get install python3-venv"

if [ "$(id -u)" -eq 0 ]; then
    apps=/opt/unstoppable links=/usr/local/bin
else
    apps=$HOME/.local/share/unstoppable/app links=$HOME/.local/bin
fi
mkdir -p "$apps" "$links"
work=$(mktemp -d "$apps/.new.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# --- our two wheels, in $work/wheels: released and signed, or built here ---
pip() { # pip PYTHON ARGUMENT…: the tools beside PYTHON come first
    python=$1
    shift
    PATH=${python%/*}:$PATH "$python" -m pip --quiet --disable-pip-version-check --no-input "$@" >&2
}

verify_release() {
    hint="get the release again, or remove dist/ to build from source"
    command -v ssh-keygen >/dev/null || fail "the signature of dist/ cannot be checked" "apt-get install openssh-client"
    [ -f "$root/dist/SHA256SUMS.sig" ] || fail "dist/ has no signature (SHA256SUMS.sig)" "$hint"
    # Copied before it is checked: nobody can swap it in between.
    cp "$root"/dist/SHA256SUMS "$root"/dist/SHA256SUMS.sig "$root"/dist/unstoppable_*.whl "$work/wheels"
    cd "$work/wheels"
    ssh-keygen -Y verify -f "$root/packaging/release-signers" -I release -n unstoppable-release \
        -s SHA256SUMS.sig <SHA256SUMS >/dev/null 2>&1 ||
        fail "dist/ is not signed by a key in packaging/release-signers" "$hint"
    wrong=$(sha256sum -- *.whl | grep -vxF -f SHA256SUMS) || true
    [ -z "$wrong" ] || fail "${wrong##* } differs from its signed checksum" "$hint"
}

build_wheels() {
    engine=$("$root/packaging/engine-wheel")
    cp "$engine" "$work/wheels"
    python3 -m venv "$work/build"
    pip "$work/build/bin/python" install --require-hashes -r "$root/packaging/build-requirements.txt"
    pip "$work/build/bin/python" wheel --no-build-isolation --no-deps --wheel-dir "$work/wheels" "$root"
}

mkdir "$work/wheels"
if [ -d "$root/dist" ]; then verify_release; else build_wheels; fi

# --- the private environment, made aside and put in place by one rename ---
cd "$work/wheels"
version=$(echo unstoppable_backups-*.whl | cut -d - -f 2)
app=$apps/$version+$(cat -- *.whl "$requirements" | sha256sum | cut -c 1-8)
if [ ! -d "$app" ]; then
    say "installing into $app"
    new=$work/app
    python3 -m venv "$new"
    pip "$new/bin/python" install --no-compile --require-hashes -r "$requirements"
    pip "$new/bin/python" install --no-compile --no-deps --no-index ./*.whl
    sed -i "1,3s|$new/|$app/|" "$new/bin/unstoppable"
    "$new/bin/python" -m compileall -q -s "$new" -p "$app" "$new/lib"
    mv -T "$new" "$app"
fi
ln -s "$app/bin/unstoppable" "$work/link"
mv -T "$work/link" "$links/unstoppable"
case :$PATH: in
    *:"$links":*) ;;
    *) say "note: $links is not on your PATH; add it, or call $links/unstoppable" ;;
esac
cd "$source"
rm -rf "$work"
exec "$links/unstoppable" init "$source"
