# Sourced by the scripts beside it. POSIX sh.

# A number in [0, 1) of the minimal standard generator, in $random: the same moments for the same $seed.
next_random() {
  state=$((16807 * ${state:-$(((seed * 1000003 + 12345) % 2147483646 + 1))} % 2147483647))
  random=$(awk -v s="$state" 'BEGIN { printf "%.6f", s / 2147483647 }')
}

# The checksums of all results that can be seen in cache $1, by their places.
hashes_of() {
  (cd "$1/objects" 2> /dev/null && find . -name result.h5 | sort | xargs -r sha256sum)
}
