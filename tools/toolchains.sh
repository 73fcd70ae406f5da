#!/bin/sh
# Installs what lazydiff builds and tests with, from the machine's own package sources. Debian 12/13, Ubuntu 24.04.
#
#   tools/toolchains.sh base    what the library itself needs: Python's venv and headers, a C compiler, make
#   tools/toolchains.sh all     base, and every cross compiler, emulator and interpreter the tests can use
#   tools/toolchains.sh check   installs nothing, says what is missing; exit status 1 if something is
#
# `base` and `all` need root or a sudo that asks nothing; without, they print the command to run. They always exit with
# 0: whatever could not be had gets one line, and the tests that need it are skipped. Run again, they do nothing.
set -u
cd "$(dirname "$0")/.." || exit 1
python=${PYTHON:-python3}
node_package=@micropython/micropython-webassembly-pyscript
node_version=1.27.0

have() { command -v "$1" >/dev/null 2>&1; }
say() { printf 'toolchains: %s\n' "$*"; }

# has THING: true if it is there. The names are those of `wanted` below.
has() {
    case $1 in
        headers) "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' 2>/dev/null ;;
        venv) "$python" -c 'import ensurepip, venv' 2>/dev/null ;;
        libc) echo '#include <stdio.h>' | cc -fsyntax-only -xc - 2>/dev/null ;;
        newlib) [ -f "$(arm-none-eabi-gcc -print-file-name=libc.a 2>/dev/null)" ] ;;
        arm64-libc) [ -f /usr/aarch64-linux-gnu/lib/libc.a ] ;;
        armhf-libc) [ -f /usr/arm-linux-gnueabihf/lib/libc.a ] ;;
        qemu-user) (have qemu-aarch64-static || have qemu-aarch64) && (have qemu-arm-static || have qemu-arm) ;;
        clang-rt) find /usr/lib/llvm-* -name 'libclang_rt.asan*' 2>/dev/null | grep -q . ;;
        micropython-wasm) [ -f "build/node/node_modules/$node_package/package.json" ] ;;
        micropython-unix) [ -x build/micropython/root/usr/bin/micropython ] ;;
        *) have "$1" ;;
    esac
}

# Each line: the thing, then the packages that give it; the first one that the machine's sources know is taken.
base_wanted() {
    cat <<END
$python python3
venv python3-venv
headers python3-dev
cc gcc
libc libc6-dev
make make
END
}
wanted() {
    base_wanted
    [ "$1" = base ] && return
    cat <<END
g++ g++
cmake cmake
clang clang
clang-rt libclang-rt-dev libclang-rt-$(clang_major)-dev
valgrind valgrind
arm-none-eabi-gcc gcc-arm-none-eabi
newlib libnewlib-arm-none-eabi
qemu-system-arm qemu-system-arm
aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
arm64-libc libc6-dev-arm64-cross
arm-linux-gnueabihf-gcc gcc-arm-linux-gnueabihf
armhf-libc libc6-dev-armhf-cross
qemu-user qemu-user-static qemu-user
node nodejs
npm npm
END
}
clang_major() { apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -1; }

missing() { # missing base|all: the lines of `wanted` whose thing is not there
    wanted "$1" | while read -r thing packages; do
        has "$thing" || echo "$thing $packages"
    done
}

known() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif have sudo && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

apt_install() { # quiet when it works
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 \
        install "$@" >build/apt.log 2>&1
}

install_packages() {
    lines=$(missing "$1")
    [ -n "$lines" ] || return 0
    if ! have apt-get; then
        echo "$lines" | while read -r thing packages; do say "no apt-get here: install $thing yourself"; done
        return 0
    fi
    mkdir -p build
    if ! as_root true; then
        say "not root and no passwordless sudo; run: sudo apt-get update && sudo apt-get install -y" \
            "--no-install-recommends$(echo "$lines" | awk '{printf " %s", $2}')"
        return 0
    fi
    as_root apt-get -qq update >build/apt.log 2>&1 || say "apt-get update failed (build/apt.log); trying the old lists"
    lines=$(missing "$1") # clang-rt's name may be known only now
    chosen=
    while read -r thing packages; do
        for package in $packages; do
            known "$package" && { chosen="$chosen $package"; break; }
        done
    done <<END
$lines
END
    if [ -n "$chosen" ]; then
        say "installing$chosen"
        # shellcheck disable=SC2086 # a list of words
        apt_install $chosen || for package in $chosen; do
            apt_install "$package" || true # its thing is named below
        done
    fi
    missing "$1" | while read -r thing packages; do
        say "could not install $thing (package ${packages%% *})"
    done
}

install_micropython_wasm() {
    has micropython-wasm && return 0
    if ! have npm; then say "could not install micropython-wasm: no npm"; return 0; fi
    say "installing $node_package $node_version into build/node"
    mkdir -p build/node
    npm install --prefix build/node --no-audit --no-fund --loglevel=error "$node_package@$node_version" \
        >build/npm.log 2>&1 || say "could not install micropython-wasm (build/npm.log)"
}

# MicroPython's unix port is a Debian package since trixie: unpack it and the libraries it needs into a folder of its own,
# from the mirror that this machine has configured, with an apt state that touches nothing outside that folder.
unpack_micropython() (
    set -e
    dir=$PWD/build/micropython
    arch=$(dpkg --print-architecture)
    # shellcheck disable=SC1091
    . /etc/os-release
    case $ID in
        ubuntu) suite=$VERSION_CODENAME parts="main universe" keys=/usr/share/keyrings/ubuntu-archive-keyring.gpg ;;
        *) suite=trixie parts=main keys=/usr/share/keyrings/debian-archive-keyring.gpg ;;
    esac
    rm -rf "$dir"
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/debs" "$dir/new"
    touch "$dir/status"
    # shellcheck disable=SC2016 # apt's own placeholder
    uri=$(apt-get indextargets --format '$(REPO_URI)' | grep -v security | head -1)
    [ -f "$keys" ] && option="[signed-by=$keys] " || option=
    echo "deb $option$uri $suite $parts" >"$dir/sources.list"
    private() {
        command=$1
        shift
        "$command" -qq -o APT::Architecture="$arch" -o APT::Architectures::="$arch" -o APT::Sandbox::User=root \
            -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$dir/lists" \
            -o Dir::State::status="$dir/status" -o Dir::Cache="$dir/cache" "$@"
    }
    private apt-get update
    needs=$(private apt-cache show micropython | sed -n 's/^Depends: //p' | head -1 | sed 's/([^)]*)//g; s/,//g')
    cd "$dir/debs"
    # shellcheck disable=SC2086 # a list of words
    private apt-get download micropython libgcc-s1 $needs
    for deb in ./*.deb; do dpkg-deb -x "$deb" "$dir/new"; done
    # Debian merged /lib into /usr/lib; a package may still bring the real folder.
    [ -e "$dir/new/lib" ] || ln -s usr/lib "$dir/new/lib"
    rm -rf "$dir/lists" "$dir/cache" "$dir/debs"
    mv "$dir/new" "$dir/root" # last: the folder is there only when it is whole
)

install_micropython_unix() {
    has micropython-unix && return 0
    if ! have apt-get || ! have dpkg-deb; then say "could not install micropython-unix: no apt-get here"; return 0; fi
    say "unpacking MicroPython's unix port into build/micropython"
    unpack_micropython >build/micropython.log 2>&1 && has micropython-unix ||
        say "could not install micropython-unix (build/micropython.log)"
}

check() {
    status=0
    gone=$(missing all; for thing in micropython-wasm micropython-unix; do has $thing || echo "$thing"; done)
    [ -z "$gone" ] || status=1
    [ -z "$gone" ] || echo "$gone" | while read -r thing packages; do
        say "missing: $thing${packages:+ (package ${packages%% *})}"
    done
    [ $status = 1 ] || say "everything is there"
    return $status
}

case ${1-} in
    base) install_packages base ;;
    all)
        mkdir -p build
        install_packages all
        install_micropython_wasm
        install_micropython_unix
        ;;
    check) check; exit ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || say "$python is missing or older than 3.11"
exit 0
