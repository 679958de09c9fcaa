#!/bin/sh
# Builds bgw and its tests (release, warnings are errors) and runs every test that is meant for each run.
# Options go to ctest: tests/run.sh -R compiler, tests/run.sh -L long (the long ones).
set -u
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
. cmake/build.sh
build_release || exit $?

labels='-LE long'
for option in "$@"; do
  case $option in
    -L* | --label*) labels= ;;   # the caller chooses the labels
  esac
done
# shellcheck disable=SC2086
exec ctest --test-dir "$release_tree" --output-on-failure $labels "$@" < /dev/null
