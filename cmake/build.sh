# Sourced by ./bgw and tests/run.sh, from the repository root: one release tree, build/release, for both.
# POSIX sh.
#
#   release_is_current        true when the programs are built and no source is newer
#   build_release [target…]   installs what is missing, configures, builds; all targets when none is named
#
# build/release/built holds the CMAKE_PREFIX_PATH of the last good build of the programs, and as its age the moment
# that build began.

release_tree=build/release
release_stamp=$release_tree/built
release_program=$release_tree/runtime/cli/bgw
release_log=$release_tree/build.log

release_is_current() {
  [ -x "$release_program" ] && [ -f "$release_stamp" ] || return 1
  read -r built_with < "$release_stamp"
  [ "$built_with" = "prefix:${CMAKE_PREFIX_PATH:-}" ] || return 1
  [ -z "$(find compiler runtime grammar std docs/diagnostics docs/schemas cmake CMakeLists.txt CMakePresets.json -type f -newer "$release_stamp" -print -quit)" ]
}

# A heavy file takes up to 1.5 GB to compile: fewer jobs than cores where memory is short.
build_jobs() {
  if [ -n "${CMAKE_BUILD_PARALLEL_LEVEL:-}" ]; then
    echo "$CMAKE_BUILD_PARALLEL_LEVEL"
    return
  fi
  awk -v cores="$(nproc)" '/^MemAvailable:/ { fit = int($2 / 1.5e6) }
    END { jobs = fit && fit < cores ? fit : cores; print jobs < 1 ? 1 : jobs }' /proc/meminfo
}

# One line on the terminal that follows ninja's [12/345]; where there is no terminal, a line a minute.
follow_log() {
  while sleep "$1" > /dev/null 2>&1; do   # outlives the follower for a moment, and must not hold the caller's pipe
    count=$(tail -n 1 "$release_log" | sed -n 's/^\(\[[0-9]*\/[0-9]*\]\).*/\1/p')
    if [ -t 2 ]; then printf '\rbgw: %s %s   ' "$2" "$count" >&2; else echo "bgw: $2 $count" >&2; fi
  done
}

# Runs a command with its output in the log. $1: what is going on; the rest: the command.
# The command stays in the foreground, where an interrupt reaches it; the follower is the one in the background.
run_with_log() {
  if [ -t 2 ]; then pause=1; else pause=60; fi
  follow_log $pause "$1" &
  follower=$!
  shift
  interrupted=
  trap 'kill "$follower" 2> /dev/null' EXIT
  trap 'interrupted=130' INT
  trap 'interrupted=143' TERM
  "$@" >> "$release_log" 2>&1 < /dev/null
  outcome=$?
  trap - EXIT INT TERM
  kill "$follower" 2> /dev/null
  [ -t 2 ] && printf '\r%40s\r' '' >&2
  [ -z "$interrupted" ] || exit "$interrupted"
  return $outcome
}

show_failure() {
  printf 'bgw: %s failed; the end of %s:\n' "$1" "$release_log" >&2
  tail -n 30 "$release_log" >&2
  return 1
}

configure_release() {
  # Another LibTorch means other answers to every find_package: start the cache afresh.
  fresh=
  prefix="prefix:${CMAKE_PREFIX_PATH:-}"
  configured_with=
  [ -f "$release_tree/prefix" ] && read -r configured_with < "$release_tree/prefix"
  [ "$configured_with" = "$prefix" ] || fresh=--fresh
  run_with_log "configuring" cmake --preset release -DBGW_WERROR=ON -DBGW_TESTS=ON $fresh || return 1
  echo "$prefix" > "$release_tree/prefix"
}

build_release() (
  sh cmake/setup.sh || exit $?
  mkdir -p "$release_tree"
  exec 9> build/release.lock
  flock 9   # two callers at once: the second waits, then finds the work done
  # What an enclosing shell chose stays; else ccache may see through precompiled headers.
  CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros,include_file_mtime,include_file_ctime}
  export CCACHE_SLOPPINESS
  : > "$release_log"
  echo "prefix:${CMAKE_PREFIX_PATH:-}" > "$release_stamp.begun"
  echo "bgw: building in $release_tree (log: $release_log)" >&2
  configure_release 9>&- || { show_failure "the configuration"; exit 1; }
  jobs=$(build_jobs)
  if [ $# -gt 0 ]; then
    run_with_log "building" cmake --build "$release_tree" -j "$jobs" --target "$@" 9>&- || { show_failure "the build"; exit 1; }
  else
    run_with_log "building" cmake --build "$release_tree" -j "$jobs" 9>&- || { show_failure "the build"; exit 1; }
  fi
  mv "$release_stamp.begun" "$release_stamp"
)
