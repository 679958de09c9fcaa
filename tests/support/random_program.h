#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>

namespace bgw::test {

/// Text that the grammar accepts and a person would not write: every operator and statement, comments, odd spacing,
/// `;`, both line ends. The same seed gives the same text everywhere (no distribution of the library is used).
class RandomProgram {
 public:
  explicit RandomProgram(std::uint64_t seed) : random_(seed) {}

  std::string text(int statements) {
    crlf_ = one_in(4);
    std::string out = one_in(2) ? "bgw 1" + separator() : blank_lines();
    for (int i = 0; i < statements; ++i) out += statement() + separator();
    return out;
  }

 private:
  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <std::size_t N>
  std::string any(const std::array<const char*, N>& choices) { return choices[below(N)]; }

  std::string newline() { return crlf_ ? "\r\n" : "\n"; }
  std::string gap() { return std::string(below(4) == 0 ? below(3) + 1 : 1, one_in(9) ? '\t' : ' '); }
  std::string maybe() { return one_in(3) ? gap() : ""; }
  std::string comment() { return any(std::array{"# plain", "## doc", "#", "##", "##  two  ", "# \"quoted\" { [ ; ö"}); }
  std::string blank_lines() {
    std::string out;
    while (one_in(3)) out += maybe() + (one_in(2) ? comment() : "") + newline();
    return out;
  }
  std::string separator() {
    if (one_in(6)) return maybe() + ";" + maybe();
    return (one_in(5) ? maybe() + ";" : "") + maybe() + (one_in(5) ? comment() : "") + newline() + blank_lines() + indent();
  }
  /// Inside brackets a line begins with blanks: a statement in the first column tells the parser of an unclosed bracket.
  std::string indent() { return nesting_ > 0 ? gap() : maybe(); }
  std::string break_in_brackets() {
    return one_in(8) ? maybe() + (one_in(3) ? comment() : "") + newline() + gap() : maybe();
  }

  std::string name() { return any(std::array{"a", "bg", "size", "T", "learning_rate", "größe", "x_1", "_q", "draws"}); }
  std::string number() { return any(std::array{"0", "1", "64", "1_000", "2.5", "7e-5", "1.25E+3"}); }
  std::string string() { return any(std::array{"\"\"", "\"text\"", "\"a \\\" b \\\\\"", "\"# none { ;\"", "\"Überschrift\\n\""}); }
  std::string type(int depth = 2) {
    std::string out = name();
    if (depth > 0 && one_in(4)) out += maybe() + "<" + maybe() + type(depth - 1) + maybe() + (one_in(2) ? "," + type(0) : "") + ">";
    return out + (one_in(5) ? "[" + maybe() + "]" : "");
  }

  std::string expression(int depth) {
    if (depth == 0) return primary(0);
    const auto part = [&] { return expression(depth - 1); };
    switch (below(9)) {
      case 0: return part() + maybe() + any(std::array{"^", "*", "/", "+", "-", "<", ">", "<=", ">=", "==", "!="}) + maybe() + part();
      case 1: return "-" + maybe() + part();
      case 2: return part() + gap() + any(std::array{"and", "or"}) + gap() + part();
      case 3: return "not" + gap() + part();
      case 4: return part() + maybe() + ".." + maybe() + part() + (one_in(2) ? gap() + "step" + gap() + part() : "");
      case 5: return "if" + gap() + part() + gap() + "then" + gap() + part() + gap() + "else" + gap() + part();
      default: return primary(depth - 1);
    }
  }

  std::string primary(int depth) {
    const auto part = [&] { return expression(depth > 0 ? depth - 1 : 0); };
    switch (depth == 0 ? below(6) : below(10)) {
      case 0: return number();
      case 1: return number() + gap() + any(std::array{"K", "angstrom", "kcal"});
      case 2: return string();
      case 3: return any(std::array{"true", "false", "none"});
      case 4:
      case 5: return name();
      case 6: return "[" + break_in_brackets() + list(part) + break_in_brackets() + "]";
      case 7: return "[" + break_in_brackets() + part() + gap() + "for" + gap() + name() + gap() + "in" + gap() + part() +
                     (one_in(2) ? gap() + "if" + gap() + part() : "") + maybe() + "]";
      case 8: return "{" + break_in_brackets() + list([&] { return name() + maybe() + ":" + maybe() + part(); }) + break_in_brackets() + "}";
      default: return one_in(2) ? "(" + break_in_brackets() + part() + break_in_brackets() + ")" : reference(depth);
    }
  }
  template <class Part>
  std::string list(const Part& part) {
    std::string out = part();
    while (one_in(2)) out += maybe() + "," + break_in_brackets() + part();
    return out + (one_in(6) ? "," : "");
  }
  std::string reference(int depth) {
    const auto value = [&] { return (one_in(3) ? name() + maybe() + "=" + maybe() : "") + expression(depth > 0 ? depth - 1 : 0); };
    std::string out = name();
    do {
      switch (below(3)) {
        case 0: out += maybe() + "[" + maybe() + (one_in(3) ? "*" : value()) + (one_in(2) ? "," + maybe() + "*" : "") + "]"; break;
        case 1: out += maybe() + "." + maybe() + name(); break;
        default: out += maybe() + "(" + break_in_brackets() + (one_in(3) ? "" : list(value)) + ")"; break;
      }
    } while (one_in(2));
    return out;
  }

  std::string index() {
    if (!one_in(3)) return "";
    return maybe() + "[" + maybe() + name() + gap() + "in" + gap() + name() + (one_in(2) ? " ,b in size" : "") + maybe() + "]";
  }
  std::string body(int depth) {
    ++nesting_;
    std::string out = "{" + maybe() + (one_in(2) ? (one_in(4) ? comment() : "") + newline() + blank_lines() + gap() : "");
    for (std::uint64_t n = below(4); n > 0; --n) out += member(depth) + separator();
    if (one_in(2)) out += member(depth) + maybe();
    --nesting_;
    return out + "}";
  }
  std::string member(int depth) {
    switch (below(depth > 0 ? 7 : 5)) {
      case 0: return let();
      case 1: return require();
      case 5:
      case 6: return name() + gap() + (one_in(2) ? name() : "") + index() + maybe() + body(depth - 1);
      default: return name() + maybe() + "=" + maybe() + expression(3);
    }
  }
  std::string let() { return "let" + gap() + name() + (one_in(3) ? maybe() + ":" + maybe() + type() + gap() : maybe()) + "=" + maybe() + expression(3); }
  std::string require() { return "require" + gap() + expression(3) + (one_in(2) ? gap() + "else" + gap() + string() : ""); }
  std::string statement() {
    switch (below(11)) {
      case 0: return "import" + maybe() + string() + (one_in(2) ? gap() + "as" + gap() + name() : "");
      case 1: return "param" + gap() + name() + maybe() + ":" + maybe() + type() + (one_in(3) ? "" : gap() + "=" + maybe() + expression(2)) +
                     (one_in(2) ? gap() + "in" + gap() + expression(2) : "");
      case 2: return let();
      case 3: return "fn" + gap() + name() + maybe() + "(" + maybe() + name() + maybe() + ":" + maybe() + type() + maybe() + ")->" + type() + gap() + "=" + maybe() + expression(3);
      case 4: return "axis" + gap() + name() + (one_in(2) ? maybe() + ":" + maybe() + type() + gap() : maybe()) + "=" + maybe() + expression(2);
      case 5: return require();
      case 6: return "target" + gap() + name() + maybe() + "=" + maybe() + expression(2);
      default: return name() + gap() + name() + index() + (one_in(4) ? gap() + "extends" + gap() + reference(2) : "") + maybe() + body(2);
    }
  }

  std::mt19937_64 random_;
  bool crlf_ = false;
  int nesting_ = 0;  // of block bodies
};

}  // namespace bgw::test
