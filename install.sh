#!/bin/sh
# Install unstoppable backups and start backing up one directory of this machine, or of a server.
#
# usage: ./install.sh [--yes] [--no-schedule] [--prefix P] DIR
#        ./install.sh [--yes] [--prefix P] --program-only    sets nothing up; for a recovery
#        ./install.sh [--yes] [--prefix P] --uninstall       keeps backups, key, pins and settings
#
# DIR is a directory, or ftps://USER@HOST/PATH. The password is asked for, unless
# UNSTOPPABLE_SOURCE_PASSWORD_FILE names a file that holds it.
#
#   --yes            do not ask
#   --no-schedule    have nobody call the schedule
#   --prefix P       program, settings and backups all beneath P, beside any other installation
#
# As root the program goes to /opt/unstoppable and its link to /usr/local/bin, as a user to
# ~/.local/share/unstoppable/app and ~/.local/bin. Then `unstoppable init --with-schedule DIR`
# sets up what is missing, makes the first backup, and has the others made every night.
# The same command upgrades, and does nothing where nothing is to be done. Interrupted at any
# moment it leaves the installation as it was; run again it goes on.
#
# Wheels in dist/ are taken only with checksums signed by a key in packaging/release-signers;
# without dist/ the program is built here. Other packages come from PyPI, each by its hash.
set -eu

fail() { # fail SENTENCE HINT [EXIT CODE]
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit "${3:-1}"
}

say() { printf '%s\n' "$1" >&2; }

root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
requirements=$root/packaging/requirements.txt
usage="usage: ./install.sh DIR; ./install.sh --help says more"

# --- the arguments, before anything slow ---
action=set-up may_ask=yes with_schedule=yes prefix='' directory=''
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit 0 ;;
        --yes) may_ask= ;;
        --no-schedule) with_schedule= ;;
        --program-only | --uninstall) action=${1#--} ;;
        --prefix=?*) prefix=${1#--prefix=} ;;
        --prefix | --prefix=)
            # Never the installation without a prefix, where a variable was empty.
            if [ "$1" != --prefix ] || [ -z "${2-}" ]; then
                fail "--prefix names no folder" "$usage" 2
            fi
            prefix=$2
            shift
            ;;
        -*) fail "unknown option $1" "$usage" 2 ;;
        *)
            [ -z "$directory" ] || fail "one directory, not $directory and $1" "$usage; quote a name with spaces" 2
            directory=$1
            ;;
    esac
    shift
done
if [ "$action" = set-up ]; then
    [ -n "$directory" ] || fail "no directory given" "$usage" 2
    case $directory in
        ftps://*) source=$directory ;; # the program knows whether it can be one
        *)
            [ -d "$directory" ] || fail "$directory is not a directory" "name the directory that is to be backed up" 2
            source=$(CDPATH='' cd -- "$directory" 2>/dev/null && pwd -P) ||
                fail "$directory cannot be entered" "run this as a user who may read it, or as root" 2
            ;;
    esac
else
    [ -z "$directory" ] || fail "--$action takes no directory, and there is $directory" "$usage" 2
fi

# --- where everything goes ---
absolute() { # absolute VALUE DEFAULT: as the program reads XDG variables
    case $1 in
        /*) printf '%s' "$1" ;;
        *) printf '%s' "$2" ;;
    esac
}

if [ -n "$prefix" ]; then
    prefix=$(realpath -m -- "$prefix")
    apps=$prefix/app links=$prefix/bin configuration=$prefix/etc data=$prefix/var
elif [ "$(id -u)" -eq 0 ]; then
    apps=/opt/unstoppable links=/usr/local/bin configuration=/etc/unstoppable data=/var/lib/unstoppable
else
    apps=$HOME/.local/share/unstoppable/app links=$HOME/.local/bin
    configuration=$(absolute "${XDG_CONFIG_HOME-}" "$HOME/.config")/unstoppable
    data=$(absolute "${XDG_DATA_HOME-}" "$HOME/.local/share")/unstoppable
fi
case $apps in
    *[\&\|\[\*\?\\\'\"\$\`]* | *"
"*) fail "$apps is no place for a program" "choose a folder without quotes and signs such as \$ & | * with --prefix" 2 ;;
esac
lock=$apps/.unstoppable.lock
# Somebody else's folder of that name is not filled, and never emptied.
if [ -e "$apps" ] && { [ -L "$lock" ] || [ ! -f "$lock" ]; } && [ -n "$(ls -A -- "$apps")" ]; then
    fail "$apps is not ours: it holds something else" "choose another place with --prefix" 2
fi
program=$links/unstoppable
installed=$(readlink -- "$program") || installed=
[ -n "$installed" ] || [ ! -e "$program" ] || installed=itself
case $installed in
    "" | "$apps"/*) ;;
    *) fail "$program is not ours: it leads to $installed" "remove it, or choose another place with --prefix" ;;
esac
if [ "$(id -u)" -eq 0 ] && [ -d /run/systemd/system ]; then
    caller="a systemd timer"
else
    caller="a line in the crontab of $(id -un)"
fi

agree() { # agree TEXT: go on only if somebody says yes
    [ -n "$may_ask" ] || return 0
    [ -t 0 ] || fail "nobody can be asked whether to go on" "add --yes" 2
    say "$1"
    printf 'Go on? [y/N] ' >&2
    read -r answer || answer=
    case $answer in
        [yY] | [yY][eE][sS]) ;;
        *) fail "nothing was changed" "answer y, or add --yes" 130 ;;
    esac
}

lock_apps() { # one installer at a time
    exec 9>>"$lock"
    flock -n 9 || fail "another installation into $apps is going on" "wait for its end"
    # What a killed one left.
    rm -rf -- "$apps"/.new.*
}

take_away() { # take_away FOLDER: first its name, so that no half of it is ever taken for a whole
    mv -T -- "$1" "$apps/.new.gone.$$"
    rm -rf -- "$apps/.new.gone.$$"
}

# --- take it away ---
someone_calls() { # the lines and units that call this program
    crontab -l 2>/dev/null | grep -F -- "$program " || true
    grep -lF -- "$program " /etc/systemd/system/unstoppable*.service 2>/dev/null || true
}

uninstall() {
    [ -d "$apps" ] || { say "nothing is installed in $apps"; return; }
    agree "This will remove the program in $apps and $program, and have nobody call the schedule.
Backups in $data and settings, key and pins in $configuration stay."
    lock_apps
    for installed in "$program" "$apps"/*+*/bin/unstoppable; do
        [ -x "$installed" ] || continue
        case $("$installed" status --json 2>/dev/null) in
            *'"is_running": true'*) fail "a backup is going on" "wait for its end, or stop it with Ctrl-C or SIGTERM" ;;
        esac
        "$installed" schedule remove >&2 ||
            fail "the schedule is still called" "see above; if the program itself is broken, ./install.sh --program-only mends it"
        break
    done
    calls=$(someone_calls)
    [ -z "$calls" ] || fail "something else calls the program: $calls" \
        "take it away first: $program --env-file FILE schedule remove"
    rm -f -- "$program"
    for app in "$apps"/*+*; do
        [ ! -d "$app" ] || take_away "$app"
    done
    rm -f -- "$lock"
    rmdir -- "$apps" 2>/dev/null || say "note: $apps holds something that is not ours and stays"
    say "kept: settings, key and pins in $configuration"
    say "kept: backups in $data, unless $configuration/.env names other places"
}

if [ "$action" = uninstall ]; then
    uninstall
    exit
fi

# --- what this machine has to bring ---
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "this needs python3 of version 3.11 or newer" "apt-get install python3 (Debian 12 or newer)"
python3 -c 'import venv, ensurepip' 2>/dev/null ||
    fail "python3 cannot make private environments" "apt-get install python3-venv"
if [ -d "$root/dist" ]; then
    command -v ssh-keygen >/dev/null || fail "the signature of dist/ cannot be checked" "apt-get install openssh-client"
else
    "$root/packaging/engine-wheel" --dry-run
fi
if [ "$action" = set-up ] && [ -n "$with_schedule" ] && [ "$caller" != "a systemd timer" ]; then
    command -v crontab >/dev/null ||
        fail "nothing here can call the schedule every minute" "apt-get install cron, or add --no-schedule"
fi

# --- another directory than before is refused now, not after the installation ---
if [ "$action" = set-up ] && [ -x "$program" ]; then
    refuse=yes
    # Without settings nobody was asked for a password yet.
    case $source in ftps://*) [ -e "$configuration/.env" ] || refuse= ;; esac
    [ -z "$refuse" ] || refusal=$("$program" init --dry-run "$source" 2>&1 >/dev/null </dev/null) || {
        [ $? -ne 2 ] || { printf '%s\n' "$refusal" >&2; exit 2; }
    }
fi

# --- what will be done ---
plan="This will
  install the program in $apps and link it as $program"
if [ "$action" = set-up ]; then
    if [ -e "$configuration/.env" ]; then
        plan="$plan
  keep the settings, key and pins in $configuration"
    else
        plan="$plan
  write settings, a new key, pins and a sheet of the key to print in $configuration
  keep backups of $source in $data, and make the first one now"
    fi
    [ -z "$with_schedule" ] || plan="$plan
  have the schedule called every minute by $caller"
fi
agree "$plan"

mkdir -p "$apps" "$links"
lock_apps
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
    [ -f "$root/dist/SHA256SUMS.sig" ] || fail "dist/ has no signature (SHA256SUMS.sig)" "$hint"
    # Copied before it is checked: nobody can swap it in between.
    cp "$root"/dist/SHA256SUMS "$root"/dist/SHA256SUMS.sig "$root"/dist/unstoppable_*.whl "$work/wheels"
    cd "$work/wheels"
    ssh-keygen -Y verify -f "$root/packaging/release-signers" -I release -n unstoppable-release \
        -s SHA256SUMS.sig <SHA256SUMS >/dev/null 2>&1 ||
        fail "dist/ is not signed by a key in packaging/release-signers" "$hint"
    wrong=$(sha256sum -- *.whl | grep -vxF -f SHA256SUMS) || true
    [ -z "$wrong" ] || fail "${wrong##* } differs from its signed checksum" "$hint"
    machine=$(uname -m)
    for engine in unstoppable_engine-*linux*.whl; do
        case $engine in *_"$machine".whl) ;; *) rm -f -- "$engine" ;; esac
    done
    find . -name 'unstoppable_engine-*' | grep -q . || fail "dist/ has no engine for $machine" "remove dist/ to build from source"
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
# An environment is bound to the Python that made it.
maker=$(python3 -c 'import os, sys; print(sys.version, os.path.realpath(sys.executable))')
app=$apps/$version+$({ cat -- *.whl "$requirements"; echo "$maker"; } | sha256sum | cut -c 1-8)
if [ -d "$app" ] && ! "$app/bin/unstoppable" --version >/dev/null 2>&1; then
    say "note: $app is broken and made anew"
    take_away "$app"
fi
if [ ! -d "$app" ]; then
    say "installing into $app"
    new=$work/app
    python3 -m venv "$new"
    pip "$new/bin/python" install --no-compile --require-hashes -r "$requirements"
    pip "$new/bin/python" install --no-compile --no-deps --no-index ./*.whl
    sed -i "1,3s|$new/|$app/|" "$new/bin/unstoppable"
    [ -z "$prefix" ] || printf '%s' "$prefix" >"$new/unstoppable-prefix"
    "$new/bin/python" -m compileall -q -s "$new" -p "$app" "$new/lib"
    # Otherwise a machine that loses its power could come back to names without content.
    sync -f "$new"
    mv -T "$new" "$app"
fi
if [ "$installed" != "$app/bin/unstoppable" ]; then
    ln -s "$app/bin/unstoppable" "$work/link"
    mv -T "$work/link" "$program"
    # The one before stays, because a backup may be going on with it.
    for old in "$apps"/*+*; do
        [ "$old" = "$app" ] || [ "$old/bin/unstoppable" = "$installed" ] || take_away "$old"
    done
fi
case :$PATH: in
    *:"$links":*) ;;
    *) say "note: $links is not on your PATH; add it, or call $program" ;;
esac
cd /
rm -rf "$work"
exec 9>&-

# --- the program does the rest ---
[ "$action" = set-up ] || exit 0
[ -z "$with_schedule" ] || exec "$program" init --with-schedule "$source"
exec "$program" init "$source"
