#!/bin/sh
# Files that no author would write: `bgw check` ends with the documented exit code and says why, in UTF-8, within seconds
# and a bounded memory, whatever it is given.
#
#   tests/scripts/hostile_input.sh BGW [unbounded]     unbounded: no limit of memory (a sanitizer reserves terabytes)
set -u
LC_ALL=C
export LC_ALL
usage='usage: hostile_input.sh BGW [unbounded]'
bgw=$(readlink -f "${1:?$usage}")
bound=${2:-bounded}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
failures=0
most_seconds=60   # one second on a machine with nothing else to do, save for a million errors
most_kilobytes=4000000

fail() {
  echo "FAILED: $*"
  head -c 1000 said.txt
  failures=$((failures + 1))
}

# ends WHAT CODE WORDS [ARGUMENT of check ...]: the exit code, and words of what is said ("" for any)
ends() {
  what=$1; code=$2; words=$3; shift 3
  (
    [ "$bound" = unbounded ] || ulimit -v $most_kilobytes
    ulimit -c 0
    exec timeout $most_seconds "$bgw" check "$@" > said.txt 2>&1 < /dev/null
  )
  got=$?
  case $got in
    "$code") ;;
    124) fail "$what: not done after $most_seconds s"; return ;;
    *) fail "$what: exit code $got, not $code"; return ;;
  esac
  [ -s said.txt ] || { fail "$what: nothing is said"; return; }
  [ "$(wc -c < said.txt)" -le 2000000 ] || { fail "$what: $(wc -c < said.txt) bytes are said"; return; }
  iconv -f UTF-8 -t UTF-8 said.txt > /dev/null 2>&1 || { fail "$what: what is said is not UTF-8"; return; }
  grep -q -- "$words" said.txt || { fail "$what: \`$words\` is not said"; return; }
  echo "$what: exit code $code"
}

# repeat TIMES TEXT
repeat() {
  awk -v times="$1" -v text="$2" 'BEGIN { for (i = 0; i < times; ++i) printf "%s", text }'
}

# lines COUNT FORMAT: lines by the format, which is given the number of the line from 1, then twice the number before it
lines() {
  awk -v count="$1" -v format="$2" 'BEGIN { for (i = 1; i <= count; ++i) printf format "\n", i, i - 1, i - 1 }'
}

program() { printf 'bgw 1\nensemble a { kind = nvt; temperature = 200 K }\n'; }

# ---- bytes
printf 'bgw 1\nlet a = "\377"\n' > bytes.bgw;                       ends 'a byte that is not UTF-8' 3 'is no text: byte 15 is 0xff' bytes.bgw
printf 'bgw 1\n# \355\240\200\n' > surrogate.bgw;                   ends 'a surrogate' 3 'is no text' surrogate.bgw
printf 'bgw 1\n# \300\257\n' > overlong.bgw;                        ends 'an overlong sequence' 3 'is no text' overlong.bgw
printf 'bgw 1\n# \342\202' > cut.bgw;                               ends 'a sequence cut short' 3 'is no text' cut.bgw
printf 'bgw 1\nlet a\0 = 1\n' > nul.bgw;                            ends 'a NUL' 3 'is no text' nul.bgw
{ printf '\357\273\277'; program; } > bom.bgw;                      ends 'a byte order mark' 0 'ok:' bom.bgw
program | sed 's/$/\r/' > crlf.bgw;                                 ends 'CRLF' 0 'ok:' crlf.bgw
program | tr '\n' '\r' > cr.bgw;                                    ends 'CR alone' 3 'error' cr.bgw
: > empty.bgw;                                                      ends 'an empty file' 3 'E0100' empty.bgw
printf '\n\n  \t\n' > blank.bgw;                                    ends 'blanks' 3 'E0100' blank.bgw
head -c 300000 "$bgw" > binary.bgw;                                 ends 'a binary' 3 'is no text' binary.bgw
printf 'bgw 1\nlet \360\235\224\270\314\210 = "\342\200\256\360\237\246\200" + K\n' > letters.bgw
ends 'letters beyond the first plane' 3 'error' letters.bgw
ends 'the same as JSON' 3 '"ok":false' letters.bgw --json

# ---- files
truncate -s 100M large.bgw;                                         ends '100 MB' 3 'larger than the limit' large.bgw
ends 'a file without end' 3 'larger than the limit' /dev/zero
ends 'the empty device' 3 'E0100' /dev/null
mkdir folder.bgw;                                                   ends 'a directory' 2 'it is a directory' folder.bgw
ends 'no file' 2 'cannot read' none.bgw
ends 'no name' 2 '' ''
ln -s loop.bgw loop.bgw;                                            ends 'a link to itself' 2 'cannot read' loop.bgw
mkfifo pipe.bgw; program > pipe.bgw & ends 'a pipe' 0 'ok:' pipe.bgw; wait
program > locked.bgw; chmod 000 locked.bgw
[ -r locked.bgw ] || ends 'a file one may not read' 2 'cannot read' locked.bgw   # root may read all

# ---- depth
for pair in '( )' '[ ]' '{a: }'; do
  { printf 'bgw 1\nlet a = '; repeat 20000 "${pair%??}"; printf 1; repeat 20000 "${pair##*[ :]}"; echo; } > deep.bgw
  ends "20 000 nested ${pair%??}" 3 'E0108' deep.bgw
  { printf 'bgw 1\nlet a = '; repeat 20000 "${pair%??}"; echo; } > open.bgw
  ends "20 000 open ${pair%??}" 3 'E010' open.bgw
done
{ printf 'bgw 1\n'; repeat 20000 'a b { '; repeat 20000 ' }'; echo; } > blocks.bgw;                 ends '20 000 nested blocks' 3 'E0108' blocks.bgw
{ printf 'bgw 1\nlet a = '; repeat 20000 '-'; echo 1; } > minus.bgw;                               ends '20 000 signs' 3 'error' minus.bgw
{ printf 'bgw 1\nlet a = '; repeat 20000 'not '; echo true; } > not.bgw;                           ends '20 000 times not' 3 'error' not.bgw
{ printf 'bgw 1\nlet a = '; repeat 20000 'if true then '; echo 1; } > if.bgw;                      ends '20 000 open ifs' 3 'error' if.bgw
{ printf 'bgw 1\nlet a = '; repeat 20000 'if true then 1 else '; echo 1; } > else.bgw;             ends '20 000 nested ifs' 3 'error' else.bgw
{ printf 'bgw 1\nlet a = '; repeat 20000 '1 ^ '; echo 1; } > power.bgw;                            ends '20 000 powers' 3 'error' power.bgw
{ printf 'bgw 1\nlet a = '; repeat 100000 '1 + '; echo 1; } > sum.bgw;                             ends '100 000 terms' 3 'error' sum.bgw
{ printf 'bgw 1\nlet a = b'; repeat 100000 '.b'; echo; } > dots.bgw;                               ends '100 000 dots' 3 'error' dots.bgw
{ printf 'bgw 1\nlet a = b'; repeat 20000 '[1]'; echo; } > index.bgw;                              ends '20 000 indices' 3 'error' index.bgw
{ printf 'bgw 1\nlet a0 = 1\n'; lines 20000 'let a%d = a%d + 1'; echo 'require a20000 > 0'; } > chain.bgw
ends 'a chain of 20 000 lets' 3 'error' chain.bgw
{ printf 'bgw 1\nfn f0(x: int) -> int = x\n'; lines 20000 'fn f%d(x: int) -> int = f%d(x)'; echo 'let a = f20000(1)'; echo 'require a > 0'; } > calls.bgw
ends 'a chain of 20 000 functions' 3 'error' calls.bgw

# ---- size
{ printf 'bgw 1\n'; yes 'x = = 1' | head -n 1000000; } > errors.bgw;                                       ends 'a million errors' 3 'error' errors.bgw
{ printf 'bgw 1\n'; repeat 3000000 '#'; echo; } > comment.bgw;                                     ends 'a comment of 3 MB' 0 'ok:' comment.bgw
{ printf 'bgw 1\nlet a = "'; repeat 3000000 'x'; echo '"'; echo 'require a == 1'; } > string.bgw;  ends 'a string of 3 MB' 3 'error' string.bgw
{ printf 'bgw 1\nlet '; repeat 1000000 'x'; echo ' = y'; echo 'require 1 > 2'; } > name.bgw;       ends 'a name of 1 MB' 3 'error' name.bgw
{ printf 'bgw 1\nlet a = '; repeat 1000000 '9'; echo; echo 'require a == 1'; } > digits.bgw;       ends 'a number of a million digits' 3 'error' digits.bgw
{ printf 'bgw 1\naxis i = 1 .. 1_000_000\naxis j = 1 .. 1_000_000\n'
  echo 'ensemble a[x in i, y in j] { kind = nvt; temperature = 200 K }'; } > family.bgw;           ends 'a family of 10^12' 3 'E0410' family.bgw
printf 'bgw 1\naxis i = 1 .. 1_000_000_000_000\nensemble a[x in i] { kind = nvt; temperature = 200 K }\n' > axis.bgw
ends 'an axis of 10^12' 3 'E0410' axis.bgw
printf 'bgw 1\nlet a = linspace(0, 1, 1_000_000_000_000)\nrequire len(a) > 1\n' > linspace.bgw;     ends 'a list of 10^12' 3 'error' linspace.bgw
printf 'bgw 1\nlet a = 2 ^ 2 ^ 2 ^ 2 ^ 2 ^ 2\nrequire a > 1\n' > tower.bgw;                         ends 'a tower of powers' 3 'error' tower.bgw
printf 'bgw 1\nlet a = 1e999\nrequire a > 1\n' > infinite.bgw;                                     ends 'a number beyond all' 3 'error' infinite.bgw
{ printf 'bgw 1\nlet a0 = [1, 2]\nlet b0 = [1, 2]\n'; lines 60 'let a%d = [a%d, a%d]'; lines 60 'let b%d = [b%d, b%d]'; } > doubling.bgw
echo 'require len(a60) == len(b60) else "no"' >> doubling.bgw;                                      ends 'lists doubled 60 times' 0 'ok:' doubling.bgw
echo 'require a60 == b60 else "no"' >> doubling.bgw;                                                ends 'their comparison' 3 'E0410' doubling.bgw
{ printf 'bgw 1\nfn f0(x: int) -> int = x\n'; lines 60 'fn f%d(x: int) -> int = f%d(x) + f%d(x)'; echo 'let a = f60(1)'; echo 'require a > 0'; } > exponential.bgw
ends 'functions that double the work 60 times' 3 'E0410' exponential.bgw
{ printf 'bgw 1\nlet a = '; repeat 12 '[x for x in '; printf '1 .. 1000'; repeat 12 ']'; printf '\nlet b = '; repeat 6 '[ '
  printf '1'; repeat 6 ' for x in a]'; printf '\nrequire len(b) > 1\n'; } > comprehension.bgw;     ends 'lists of lists of 10^18' 3 'error' comprehension.bgw

# ---- imports
printf 'bgw 1\nimport "self.bgw" as a\nlet x = a.x\nrequire x > 1\n' > self.bgw;                         ends 'a file that imports itself' 3 'E0222' self.bgw
printf 'bgw 1\nimport "two.bgw" as a\nlet x = a.y\nrequire x > 1\n' > one.bgw
printf 'bgw 1\nimport "one.bgw" as a\nlet y = a.x\n' > two.bgw;                                       ends 'two files that import each other' 3 'E0222' one.bgw
for i in $(seq 1 300); do printf 'bgw 1\nimport "link%d.bgw" as a\nlet x = a.x\n' $((i + 1)) > "link$i.bgw"; done
ends 'a chain of 300 imports' 3 'E0219' link1.bgw
printf 'bgw 1\nimport "bytes.bgw" as a\n' > imports_bytes.bgw;                                        ends 'an import that is no text' 3 'is no text' imports_bytes.bgw
printf 'bgw 1\nimport "/dev/zero" as a\n' > imports_zero.bgw;                                          ends 'an import without end' 3 'larger than the limit' imports_zero.bgw
printf 'bgw 1\nimport "folder.bgw" as a\nimport "none.bgw" as b\n' > imports_none.bgw;                ends 'imports that are no files' 3 'E0219' imports_none.bgw

# ---- parameters
printf 'bgw 1\nparam T : temperature = 200 K\nensemble a { kind = nvt; temperature = T }\n' > param.bgw
ends 'a parameter that is not UTF-8' 3 'error\|UTF-8' param.bgw -p "T=$(printf '\377')"
ends 'a parameter of 20 000 brackets' 3 'error' param.bgw -p "T=$(repeat 20000 '(')"
ends 'a parameter without a value' 2 'NAME=VALUE' param.bgw -p T=
ends 'a parameter of two lines' 3 'error' param.bgw -p "T=200 K
let x = 1"

[ $failures -eq 0 ] || { echo "$failures failures"; exit 1; }
echo "everything ends as documented"
