#!/bin/sh
# The one list of what bgw needs from Debian 12, and the one place that installs it.
#
#   cmake/setup.sh                  install what is missing (as root, or through sudo if it asks nothing)
#   cmake/setup.sh --with-fuzzing   and what the tests that fuzz need beside it: for who works on bgw
#   cmake/setup.sh --list           print the packages, one a line
#
# Nothing missing: no network, a few hundredths of a second. Not allowed to install: prints the line to run, exit 6.
set -u
LC_ALL=C
export LC_ALL

# package                    why
packages='
g++                          the compiler: C++20, GCC 12
cmake                        describes the build, runs the tests
ninja-build                  runs the build
pkg-config                   tells the find modules of CMake where libraries lie
libtorch-dev                 tensors and derivatives of bgw-task
libopenblas0-pthread         the BLAS behind the tensors; the reference BLAS is many times slower
antlr4                       makes the parser of .bgw programs from grammar/ (brings a Java runtime)
libantlr4-runtime-dev        what the made parser runs on
libsymspg-dev                space groups of crystals
libtbb-dev                   the task graph of the engine
libsqlite3-dev               the index of the cache, and small results
libhdf5-dev                  arrays of results
nlohmann-json3-dev           JSON in and out
libfmt-dev                   formatting of messages and numbers
libcli11-dev                 the command line
libtomlplusplus-dev          files with values of params
libkainjow-mustache-dev      the template of the report page
libssl-dev                   SHA-256
gnuplot-nox                  draws the figures
catch2                       the tests
python3-jsonschema           the test of what --json prints
python3-mdanalysis           the test of trajectories: reads H5MD
python3-h5py                 what it reads HDF5 with
python3-pymbar               the test of MBAR and BAR
python3-ase                  the tests of trajectories and structures: reads and writes extended XYZ and POSCAR
'
# For developers. Without them the tests that fuzz are skipped.
fuzzing_packages='
clang                        the second compiler; GCC has no libFuzzer
libclang-rt-dev              libFuzzer and the sanitizers of clang
'
if [ "${1:-}" = --with-fuzzing ]; then
  packages=$packages$fuzzing_packages
  shift
fi
names=$(printf '%s\n' "$packages" | awk 'NF { print $1 }')

if [ "${1:-}" = --list ]; then
  printf '%s\n' "$names"
  exit 0
fi
if ! command -v dpkg-query > /dev/null 2>&1; then
  echo "bgw: this is no Debian system: install these by its own means, then build with cmake --preset release:" $names >&2
  exit 6
fi

installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $names 2> /dev/null | awk '$2 == "installed" { print $1 }')
missing=
for name in $names; do
  case "
$installed
" in
    *"
$name
"*) ;;
    *) missing="$missing $name" ;;
  esac
done

# $1: what makes us root. apt's talk goes to a log, whose end is shown when it fails.
install_missing() {
  log=$(dirname "$0")/../build/setup.log
  mkdir -p "$(dirname "$log")"
  echo "bgw: installing$missing (log: build/setup.log)" >&2
  # An unreachable further source must not stop us: the installation itself says what it could not find.
  $1 apt-get -q update > "$log" 2>&1 < /dev/null
  # shellcheck disable=SC2086
  $1 env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends install $missing \
    >> "$log" 2>&1 < /dev/null && return 0
  tail -n 15 "$log" >&2
  return 1
}

if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ]; then
    as_root=
  elif command -v sudo > /dev/null 2>&1 && sudo -n true 2> /dev/null; then
    as_root='sudo -n'
  else
    printf 'bgw: packages are missing and only root may install them. Run\n\n  apt-get install --no-install-recommends%s\n\nas root, then try again.\n' "$missing" >&2
    exit 6
  fi
  if ! install_missing "$as_root"; then
    printf 'bgw: the installation failed (above). When that is mended, run\n\n  apt-get install --no-install-recommends%s\n\nas root, then try again.\n' "$missing" >&2
    exit 6
  fi
fi

# Debian lets an administrator point libblas.so.3 elsewhere; the numbers stay right, the time does not.
for link in /usr/lib/*-linux-gnu*/libblas.so.3; do
  [ -e "$link" ] || continue
  case $(readlink -f "$link") in
    */openblas-pthread/*) ;;
    *)
      printf 'bgw: warning: %s leads to %s, not to OpenBLAS with threads; tensor work will be slow. As root: update-alternatives --auto %s\n' \
        "$link" "$(readlink -f "$link")" "libblas.so.3-$(basename "$(dirname "$link")")" >&2 ;;
  esac
done
exit 0
