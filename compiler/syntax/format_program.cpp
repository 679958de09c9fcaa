#include "compiler/syntax/format_program.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "compiler/syntax/lex.h"

namespace bgw::syntax {
namespace {

using Tokens = std::vector<SourceToken>;

bool is_one_of(std::string_view kind, std::initializer_list<std::string_view> kinds) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}
bool opens(std::string_view kind) { return is_one_of(kind, {"LPAREN", "LBRACK", "LBRACE"}); }
bool closes(std::string_view kind) { return is_one_of(kind, {"RPAREN", "RBRACK", "RBRACE"}); }
/// After such a token a value is complete: a `-` is a difference, a `(` a call, a `[` an index.
bool ends_value(std::string_view kind) {
  return is_one_of(kind, {"ID", "NUMBER", "STRING", "TRUE", "FALSE", "NONE", "RPAREN", "RBRACK", "RBRACE"});
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// What the spaces around a token depend on, beyond its neighbours.
struct Role {
  std::size_t match = 0;       // of a bracket: its partner
  bool body = false;           // a brace of a block, not of a map
  bool in_brackets = false;    // inside ( [ or the braces of a map
  bool of_type = false;        // the < and > of `list<int>`
  bool prefix = false;         // the - of `-x`
  bool after_break = false;    // first on its line
  bool after_blank = false;    // a blank stands before it
};

/// Finds the roles in one pass.
class RoleFinder {
 public:
  explicit RoleFinder(const Tokens& tokens) : tokens_(tokens), roles_(tokens.size()) {}

  std::vector<Role> run() {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      look_before(i);
      if (tokens_[i].channel != Channel::program) continue;
      if (tokens_[i].kind == "NL" && roles_[i].in_brackets) continue;  // separates nothing
      look_at(i);
      last_ = tokens_[i].kind;
    }
    return std::move(roles_);
  }

 private:
  void look_before(std::size_t i) {
    roles_[i].after_break = i == 0 || tokens_[i - 1].kind == "NL";
    roles_[i].after_blank = i > 0 && tokens_[i - 1].range.end < tokens_[i].range.begin;
    roles_[i].in_brackets = !open_.empty() && !roles_[open_.back()].body;
  }

  void look_at(std::size_t i) {
    const std::string& kind = tokens_[i].kind;
    if (opens(kind)) {
      roles_[i].body = kind == "LBRACE" && is_one_of(last_, {"ID", "RBRACK", "RPAREN"});
      open_.push_back(i);
    } else if (closes(kind) && !open_.empty()) {
      roles_[i].match = open_.back();
      roles_[i].body = roles_[open_.back()].body;
      roles_[open_.back()].match = i;
      open_.pop_back();
      roles_[i].in_brackets = !open_.empty() && !roles_[open_.back()].body;
    }
    roles_[i].prefix = kind == "MINUS" && !ends_value(last_);
    look_for_type(i);
  }

  /// `: name <` opens the arguments of a type, the colon of a map entry does not.
  void look_for_type(std::size_t i) {
    const std::string& kind = tokens_[i].kind;
    const bool in_map = !open_.empty() && tokens_[open_.back()].kind == "LBRACE" && !roles_[open_.back()].body;
    if ((kind == "COLON" && !in_map) || kind == "ARROW") {
      type_begins_ = true;
    } else if (kind == "LT" && (type_named_ || angles_ > 0)) {
      roles_[i].of_type = true;
      ++angles_;
      type_named_ = false;
    } else if (kind == "GT" && angles_ > 0) {
      roles_[i].of_type = true;
      --angles_;
    } else {
      type_named_ = type_begins_ && kind == "ID";
      type_begins_ = false;
    }
  }

  const Tokens& tokens_;
  std::vector<Role> roles_;
  std::vector<std::size_t> open_;
  std::string last_;
  bool type_begins_ = false, type_named_ = false;
  std::size_t angles_ = 0;
};

/// A place in a line that stands in one column with that of its neighbours.
struct Stop {
  char sign = '=';  // `:`, `=`, `i` for in, `{`
  std::size_t at = 0;
};

struct Line {
  std::string text;     // may hold line ends, where the author broke a list
  std::string comment;  // behind it
  std::string group;    // lines of one group that follow each other are aligned; "" is none
  std::vector<Stop> stops;
};

class Layout {
 public:
  explicit Layout(const source::SourceFile& file)
      : file_(file), tokens_(lex(file)), roles_(RoleFinder(tokens_).run()) {}

  std::string run() {
    sequence(0, tokens_.size(), 0);
    align();
    return joined();
  }

 private:
  using Range = std::pair<std::size_t, std::size_t>;

  std::string_view kind(std::size_t i) const { return tokens_[i].kind; }
  bool is_comment(std::size_t i) const { return tokens_[i].channel != Channel::program; }
  bool is_separator(std::size_t i) const { return kind(i) == "NL" || kind(i) == "SEMI"; }
  std::string text_of(std::size_t i) const {
    std::string text(file_.text(tokens_[i].range));
    if (is_comment(i)) text.erase(text.find_last_not_of(" \t") + 1);
    return text;
  }

  // ------------------------------------------------------------------------------------- statements and members

  /// The statements of a program or the members of a block, row by row as the author wrote them.
  void sequence(std::size_t begin, std::size_t end, std::size_t depth) {
    std::size_t breaks = 0;
    for (std::size_t i = begin; i < end;) {
      if (is_separator(i)) {
        if (kind(i) == "NL") ++breaks;
        ++i;
        continue;
      }
      if (is_comment(i) && breaks == 0 && i == begin && i > 0) {  // behind the opening brace
        lines_.back().comment = text_of(i++);
        continue;
      }
      if (breaks > 1) blank_line();
      breaks = 0;
      if (is_comment(i)) {
        lines_.push_back({std::string(2 * depth, ' ') + text_of(i++), "", "", {}});
        after_brace_ = false;
      } else {
        i = row(i, end, depth);
      }
    }
  }

  void blank_line() {
    const bool wanted = !lines_.empty() && (!after_brace_ || !lines_.back().comment.empty());
    if (wanted) lines_.push_back({});
  }

  /// What stands on one line up to its end; returns the token behind it.
  std::size_t row(std::size_t i, std::size_t end, std::size_t depth) {
    std::vector<Range> statements;
    std::string comment;
    while (i < end && kind(i) != "NL") {
      if (is_comment(i)) {
        comment = text_of(i++);
      } else if (kind(i) == "SEMI") {
        ++i;
      } else {
        const std::size_t last = end_of_statement(i, end);
        statements.emplace_back(i, last);
        i = last;
      }
    }
    if (!one_line(statements, depth)) {
      for (const Range& statement : statements) {
        if (!one_line({statement}, depth)) broken(statement, depth);
      }
    }
    lines_.back().comment = comment;
    return i;
  }

  std::size_t end_of_statement(std::size_t i, std::size_t end) const {
    while (i < end && !is_separator(i) && !is_comment(i)) i = opens(kind(i)) ? roles_[i].match + 1 : i + 1;
    return i;
  }

  bool has_body(const Range& statement) const {
    return kind(statement.second - 1) == "RBRACE" && roles_[statement.second - 1].body;
  }

  bool is_empty_body(std::size_t brace) const {
    for (std::size_t i = brace + 1; i < roles_[brace].match; ++i) {
      if (!is_separator(i)) return false;
    }
    return true;
  }

  /// No line end inside the braces of its blocks; those inside lists and calls do not matter.
  bool written_on_one_line(const Range& statement) const {
    for (std::size_t i = statement.first; i < statement.second; ++i) {
      if (kind(i) == "LBRACE" && roles_[i].body && is_empty_body(i)) i = roles_[i].match;
      if (kind(i) == "NL" && !roles_[i].in_brackets) return false;
    }
    return true;
  }

  static bool fits(std::string_view text) {
    while (true) {
      const std::size_t end = text.find('\n');
      if (characters(text.substr(0, end)) > kWidestLine) return false;
      if (end == std::string_view::npos) return true;
      text.remove_prefix(end + 1);
    }
  }

  bool one_line(const std::vector<Range>& statements, std::size_t depth) {
    const bool breakable = statements.size() > 1 || has_body(statements.front());
    if (!std::all_of(statements.begin(), statements.end(), [&](const Range& s) { return written_on_one_line(s); })) return false;
    Line line{std::string(2 * depth, ' '), "", "", {}};
    for (const Range& statement : statements) {
      if (&statement != &statements.front()) line.text += "; ";
      append(statement, depth, line);
    }
    if (breakable && !fits(line.text)) return false;
    if (statements.size() == 1 && line.text.find('\n') == std::string::npos) line.group = group_of(statements.front(), depth);
    lines_.push_back(std::move(line));
    after_brace_ = false;
    return true;
  }

  /// A block over several lines.
  void broken(const Range& statement, std::size_t depth) {
    const std::size_t closing = statement.second - 1;
    const std::size_t opening = roles_[closing].match;
    Line head{std::string(2 * depth, ' '), "", "", {}};
    append({statement.first, opening + 1}, depth, head);
    lines_.push_back(std::move(head));
    after_brace_ = true;
    sequence(opening + 1, closing, depth + 1);
    lines_.push_back({std::string(2 * depth, ' ') + "}", "", "", {}});
    after_brace_ = false;
  }

  /// Lines of the same kind at the same depth: attributes, lets, params, blocks of one kind.
  std::string group_of(const Range& statement, std::size_t depth) const {
    const std::size_t second = statement.first + 1;
    const bool attribute = second < statement.second && kind(second) == "ASSIGN";
    return std::to_string(depth) + (attribute ? "=" : text_of(statement.first));
  }

  // ------------------------------------------------------------------------------------------------ tokens

  /// Writes tokens with their spaces; line ends inside brackets stay where they are.
  void append(const Range& range, std::size_t depth, Line& line) {
    std::vector<std::size_t> levels;  // for every open bracket: the level of the line it stands on
    std::size_t level = depth;
    bool at_begin = true;
    for (std::size_t i = range.first; i < range.second; ++i) {
      if (is_separator(i) && kind(i) == "NL") {
        at_begin = true;
        continue;
      }
      if (kind(i) == "SEMI" && (kind(i + 1) == "RBRACE" || kind(i + 1) == "SEMI" || kind(i - 1) == "LBRACE")) continue;
      if (at_begin && i > range.first && !(kind(i) == "RBRACE" && roles_[i].body)) {
        level = levels.empty() ? depth : levels.back() + (closes(kind(i)) ? 0 : 1);
        line.text += '\n' + std::string(2 * level, ' ');
      } else if (i > range.first) {
        add_stop(range, i, line);
        line.text += space_before(i);
      }
      at_begin = false;
      line.text += text_of(i);
      if (opens(kind(i))) levels.push_back(level);
      if (closes(kind(i)) && !levels.empty()) levels.pop_back();
    }
  }

  /// The first `:`, `=` and `in` of a declaration and the brace of a block on one line.
  void add_stop(const Range& range, std::size_t i, Line& line) const {
    const char sign = kind(i) == "COLON" ? ':' : kind(i) == "ASSIGN" ? '=' : kind(i) == "IN" ? 'i' : kind(i) == "LBRACE" ? '{' : '\0';
    if (sign == '\0' || has_stop(line, sign) || has_stop(line, '{')) return;
    const bool of_block = has_body({range.first, range.second});
    if (of_block ? !(sign == '{' && roles_[i].body) : sign == '{' || roles_[i].in_brackets) return;
    line.stops.push_back({sign, line.text.size() + 1});
  }
  static bool has_stop(const Line& line, char sign) {
    return std::any_of(line.stops.begin(), line.stops.end(), [&](const Stop& s) { return s.sign == sign; });
  }

  std::string space_before(std::size_t i) const {
    if (is_comment(i)) return "  ";
    std::size_t before = i - 1;
    while (kind(before) == "NL" || (kind(before) == "SEMI" && kind(i) == "RBRACE")) --before;
    return spaced(before, i) ? " " : "";
  }

  bool spaced(std::size_t before, std::size_t i) const {
    const std::string_view left = kind(before);
    const std::string_view right = kind(i);
    if (left == "LBRACE" && right == "RBRACE") return false;
    if (is_one_of(right, {"COMMA", "SEMI", "RPAREN", "RBRACK", "DOT", "CARET"})) return false;
    if (is_one_of(left, {"LPAREN", "LBRACK", "DOT", "CARET"})) return false;
    if (right == "COLON") return !roles_[i].in_brackets;
    if (right == "LPAREN" || right == "LBRACK") return trails(before) ? false : !roles_[before].prefix && !slash(before, i);
    if (roles_[before].prefix || roles_[i].of_type) return false;
    if (roles_[before].of_type && (left == "LT" || right == "GT")) return false;
    if (right == "SLASH") return roles_[i].after_blank;  // `18 g/mol`, `0.03 /angstrom^3`, `a / b`: as written
    if (left == "SLASH") return !slash(before, i);
    return true;
  }
  /// After these a bracket is an index, a call or the [] of a type.
  bool trails(std::size_t before) const {
    return is_one_of(kind(before), {"ID", "RBRACK", "RPAREN"}) || roles_[before].of_type;
  }
  /// A `/` that the author did not set off from what follows.
  bool slash(std::size_t before, std::size_t i) const { return kind(before) == "SLASH" && !roles_[i].after_blank; }

  // ------------------------------------------------------------------------------------------------ columns

  void align() {
    for (std::size_t begin = 0; begin < lines_.size();) {
      std::size_t end = begin + 1;
      while (end < lines_.size() && !lines_[begin].group.empty() && lines_[end].group == lines_[begin].group) ++end;
      if (end - begin > 1) {
        for (const char sign : {':', '=', 'i', '{'}) align(begin, end, sign);
      }
      begin = end;
    }
  }

  void align(std::size_t begin, std::size_t end, char sign) {
    const auto place = [&](Line& line) -> Stop* {
      const auto stop = std::find_if(line.stops.begin(), line.stops.end(), [&](const Stop& s) { return s.sign == sign; });
      return stop == line.stops.end() ? nullptr : &*stop;
    };
    std::size_t column = 0;
    for (std::size_t i = begin; i < end; ++i) {
      if (const Stop* stop = place(lines_[i])) column = std::max(column, characters(lines_[i].text.substr(0, stop->at)));
    }
    for (std::size_t i = begin; i < end; ++i) {
      const Stop* found = place(lines_[i]);
      if (!found) continue;
      const std::size_t at = found->at;
      const std::size_t missing = column - characters(lines_[i].text.substr(0, at));
      lines_[i].text.insert(at, missing, ' ');
      for (Stop& stop : lines_[i].stops) {
        if (stop.at >= at) stop.at += missing;
      }
    }
  }

  std::string joined() const {
    std::string out;
    for (const Line& line : lines_) {
      out += line.text;
      if (!line.comment.empty()) out += "  " + line.comment;
      out += '\n';
    }
    return out;
  }

  const source::SourceFile& file_;
  Tokens tokens_;
  std::vector<Role> roles_;
  std::vector<Line> lines_;
  bool after_brace_ = false;
};

}  // namespace

std::string format_program(const source::SourceFile& file) { return Layout(file).run(); }

}  // namespace bgw::syntax
