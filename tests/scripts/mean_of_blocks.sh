# Read by scripts that compare with averages of LAMMPS.
# mean_of_blocks FILE: mean and standard error of its second column of correlated numbers, from sixteen blocks.
mean_of_blocks() {
  awk '/^#/ { next } { x[++n] = $2 } END {
    blocks = 16; size = int(n / blocks)
    for (b = 0; b < blocks; b++) {
      sum = 0
      for (i = 1; i <= size; i++) sum += x[b * size + i]
      mean[b] = sum / size; all += mean[b] / blocks
    }
    for (b = 0; b < blocks; b++) squares += (mean[b] - all) ^ 2
    printf "%.9g %.3g\n", all, sqrt(squares / (blocks * (blocks - 1)))
  }' "$1"
}
