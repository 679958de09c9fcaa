#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "compiler/syntax/token.h"

namespace bgw::syntax {
namespace {

using source::Diagnostic;
using source::Severity;
using source::SourceFile;

// The parser recurses: 20,000 brackets would overflow its stack, no program needs this many.
constexpr std::size_t kDeepestNesting = 256;

Diagnostic error(const char* id, source::SourceRange range, std::string message, std::vector<std::string> helps = {}) {
  return {id, Severity::error, range, std::move(message), "", {}, {}, std::move(helps)};
}

/// What to write for a character that the language does not know.
std::string instead_of(const std::string& character) {
  static const std::map<std::string, std::string> kMeant{
      {"；", ";"}, {"，", ","}, {"：", ":"}, {"（", "("}, {"）", ")"}, {"“", "\""}, {"”", "\""}, {"„", "\""}, {"‘", "\""}, {"’", "\""}, {"'", "\""},
      {"−", "-"},  {"–", "-"}, {"×", "*"}, {"·", "*"}, {"÷", "/"}, {"²", "^2"}, {"³", "^3"}, {"≤", "<="}, {"≥", ">="}, {"≠", "!="},
      {"%", "percent"}, {"&", "and"}, {"|", "or"}, {"!", "not"}, {"…", ".."}, {"∈", "in"}};
  const auto meant = kMeant.find(character);
  return meant == kMeant.end() ? "leave it out" : fmt::format("write `{}`", meant->second);
}

class Scanner {
 public:
  Scanner(const std::vector<Token>& tokens, const SourceFile& file, source::DiagnosticSink& sink)
      : tokens_(tokens), file_(file), sink_(sink), balanced_(is_balanced()) {}

  std::vector<Statement> run() {
    for (std::size_t i = 0; i < tokens_.size() && !too_deep_; ++i) visit(i);
    if (too_deep_) return {};
    if (!open_.empty()) unclosed(nullptr);
    finish(tokens_.size());
    return statements_;
  }

 private:
  void visit(std::size_t i) {
    const Token& token = tokens_[i];
    if (!balanced_ && !open_.empty() && begins_statement(i)) {
      unclosed(&token);
      finish(i);
    }
    count_nesting(token);
    switch (token.kind) {
      case TokenKind::open: open_.push_back(i); break;
      case TokenKind::close: close(i); break;
      case TokenKind::newline:
      case TokenKind::semicolon:
        if (open_.empty()) finish(i);
        break;
      case TokenKind::end: break;
      case TokenKind::unterminated_string:
        tell(error("E0101", token.range, "the string is not closed on this line", {"write `\"` at its end"}));
        break;
      case TokenKind::meaningless:
        tell(error("E0107", token.range, fmt::format("`{}` has no meaning in .bgw", file_.text(token.range)), {instead_of(std::string(file_.text(token.range)))}));
        break;
      case TokenKind::number: check_grouped_digits(i); break;
      default: break;
    }
  }

  void tell(Diagnostic diagnostic) {
    sink_.add(std::move(diagnostic));
    told_ = true;
  }

  /// True when every bracket is closed by its own: then none is missing, however the program is indented.
  bool is_balanced() const {
    std::string open;
    for (const Token& token : tokens_) {
      if (token.kind == TokenKind::open) open += file_.text(token.range);
      if (token.kind != TokenKind::close) continue;
      const char opened = open.empty() ? ' ' : open.back();
      const char sign = file_.text(token.range).front();
      if (sign != (opened == '(' ? ')' : opened == '[' ? ']' : opened == '{' ? '}' : '\0')) return false;
      open.pop_back();
    }
    return open.empty();
  }

  /// A word at the start of a line that can only begin a statement: inside brackets it shows that one is not closed.
  bool begins_statement(std::size_t i) const {
    if (tokens_[i].column != 1 || (i > 0 && tokens_[i - 1].line == tokens_[i].line && tokens_[i - 1].kind != TokenKind::newline)) return false;
    if (tokens_[i].kind == TokenKind::top_keyword) return true;
    if (tokens_[i].kind != TokenKind::identifier || i + 1 >= tokens_.size()) return false;
    if (tokens_[i + 1].kind != TokenKind::identifier) return false;  // kind name {, kind name [, kind name extends
    for (std::size_t k = i + 2; k < tokens_.size() && tokens_[k].line == tokens_[i].line; ++k) {
      if (tokens_[k].kind == TokenKind::open && file_.text(tokens_[k].range) == "{") return true;
    }
    return false;
  }

  void count_nesting(const Token& token) {
    if (token.kind == TokenKind::prefix) ++prefixes_;
    else prefixes_ = 0;
    if (token.kind == TokenKind::chained) ++chained_;
    if (token.kind == TokenKind::comma || token.kind == TokenKind::newline) chained_ = 0;
    if (std::max({open_.size(), prefixes_, chained_}) < kDeepestNesting) return;
    too_deep_ = true;
    sink_.add(error("E0108", token.range, fmt::format("expressions nest deeper than {} levels here", kDeepestNesting),
                    {"give parts of the expression names with `let`"}));
  }

  void close(std::size_t i) {
    if (open_.empty()) {
      if (!stray_) stray_ = i;
      return;
    }
    const std::string sign(file_.text(tokens_[i].range)), opened(file_.text(tokens_[open_.back()].range));
    const auto pairs = [&](std::size_t at) {
      const std::string_view other = file_.text(tokens_[at].range);
      return (other == "(" && sign == ")") || (other == "[" && sign == "]") || (other == "{" && sign == "}");
    };
    if (!pairs(open_.back())) {
      const auto own = std::find_if(open_.rbegin(), open_.rend(), pairs);
      const bool opening_missing = own == open_.rend() && opened == "{";
      if (!told_) tell(mismatched(i, sign, opened, own != open_.rend(), opening_missing));
      if (opening_missing) return;  // the block goes on
      if (own != open_.rend()) open_.erase(own.base(), open_.end());
    }
    open_.pop_back();
  }

  /// A bracket that closes another than the innermost, or none of those that are open.
  Diagnostic mismatched(std::size_t i, const std::string& sign, const std::string& opened, bool inner_open, bool opening_missing) const {
    const char opening = sign == ")" ? '(' : sign == "]" ? '[' : '{', closing = opened == "{" ? '}' : opened == "[" ? ']' : ')';
    if (opening_missing) {
      return error("E0109", tokens_[i].range, fmt::format("`{}` closes nothing", sign), {fmt::format("write the `{}` that belongs to it, or leave it out", opening)});
    }
    Diagnostic diagnostic = error("E0109", tokens_[i].range, fmt::format("`{}` stands where `{}` is still open", sign, opened),
                                  {fmt::format("write `{}` {}", closing, inner_open ? "before it" : "in its place")});
    diagnostic.others.push_back({tokens_[open_.back()].range, "opened here"});
    return diagnostic;
  }

  void unclosed(const Token* next_statement) {
    const Token& opened = tokens_[open_.front()];
    const std::size_t line_start = file_.line_begin(opened.range.begin);
    std::string head(file_.text({line_start, opened.range.end}));
    head.erase(0, head.find_first_not_of(" \t"));
    const char closing = file_.text(opened.range) == "{" ? '}' : file_.text(opened.range) == "[" ? ']' : ')';
    Diagnostic diagnostic = error("E0105", opened.range, fmt::format("`{}` is never closed", head));
    if (next_statement) {
      diagnostic.others.push_back({next_statement->range, fmt::format("this begins the next statement: `{}` is probably missing before it", closing)});
      diagnostic.helps.push_back(fmt::format("write `{}` before the next statement", closing));
    } else {
      diagnostic.helps.push_back(fmt::format("write `{}` at its end", closing));
    }
    if (!told_) tell(std::move(diagnostic));
    open_.clear();
  }

  void check_grouped_digits(std::size_t i) {
    if (i == 0 || tokens_[i - 1].kind != TokenKind::number || tokens_[i - 1].line != tokens_[i].line) return;
    std::size_t first = i - 1;
    while (first > 0 && tokens_[first - 1].kind == TokenKind::number && tokens_[first - 1].line == tokens_[i].line) --first;
    std::size_t last = i;
    while (last + 1 < tokens_.size() && tokens_[last + 1].kind == TokenKind::number) ++last;
    if (first != i - 1) return;  // told at the second group
    std::string joined(file_.text(tokens_[first].range));
    for (std::size_t k = first + 1; k <= last; ++k) joined += "_" + std::string(file_.text(tokens_[k].range));
    tell(error("E0106", {tokens_[first].range.begin, tokens_[last].range.end}, "digits are grouped with `_`, not with a space",
               {fmt::format("write `{}`", joined)}));
  }

  void finish(std::size_t end) {
    while (begin_ < end && (tokens_[begin_].kind == TokenKind::newline || tokens_[begin_].kind == TokenKind::semicolon)) ++begin_;
    std::size_t last = end;
    while (last > begin_ && (tokens_[last - 1].kind == TokenKind::end || tokens_[last - 1].kind == TokenKind::newline)) --last;
    if (last > begin_) statements_.push_back({begin_, last, !told_, stray_});
    begin_ = end;
    told_ = false;
    stray_.reset();
    chained_ = 0;
  }

  const std::vector<Token>& tokens_;
  const SourceFile& file_;
  source::DiagnosticSink& sink_;
  std::vector<Statement> statements_;
  std::vector<std::size_t> open_;  // indices of the brackets that are open
  bool balanced_;
  std::size_t begin_ = 0;
  std::size_t prefixes_ = 0;
  std::size_t chained_ = 0;
  bool told_ = false;
  std::optional<std::size_t> stray_;
  bool too_deep_ = false;
};

/// The innermost bracket that is open before token `at` within the statement, or none.
std::optional<std::size_t> innermost_open(const std::vector<Token>& tokens, const Statement& statement, std::size_t at) {
  std::vector<std::size_t> open;
  for (std::size_t i = statement.begin; i < at; ++i) {
    if (tokens[i].kind == TokenKind::open) open.push_back(i);
    if (tokens[i].kind == TokenKind::close && !open.empty()) open.pop_back();
  }
  if (open.empty()) return std::nullopt;
  return open.back();
}

/// True for the brace of a block, false for that of a map, which follows an operator, a comma or another bracket.
bool opens_body(const std::vector<Token>& tokens, std::size_t brace, const SourceFile& file) {
  if (file.text(tokens[brace].range) != "{" || brace == 0) return false;
  const TokenKind before = tokens[brace - 1].kind;
  return before == TokenKind::identifier || before == TokenKind::close;
}

std::string rest_of_line(const SourceFile& file, std::size_t begin) {
  const std::string_view line = file.line_at(begin);
  std::string rest(line.substr(begin - file.line_begin(begin)));
  rest.erase(std::min(rest.find('#'), rest.size()));
  while (!rest.empty() && rest.back() == ' ') rest.pop_back();
  return rest;
}

std::string missing_after(const Token& previous, const SourceFile& file) {
  const std::string text(file.text(previous.range));
  switch (previous.kind) {
    case TokenKind::assign:
    case TokenKind::prefix:
    case TokenKind::chained:
    case TokenKind::other_operator: return fmt::format("a value is missing after `{}`", text);
    case TokenKind::comma: return "an item is missing after `,`";
    case TokenKind::colon: return "a type is missing after `:`";
    default: return fmt::format("something is missing after `{}`", text);
  }
}

bool is_word(std::string_view text) { return !text.empty() && text[0] >= 'a' && text[0] <= 'z'; }

/// A reserved word where a name belongs: behind a word that is followed by one, or in front of a `=` or `:` within
/// brackets. `true`, `not`, `if` begin values: in front of `=` they are told by what is missing there.
bool is_reserved_as_name(const std::vector<Token>& tokens, const Statement& statement, std::size_t at, const SourceFile& file) {
  const Token& token = tokens[at];
  if (token.kind == TokenKind::identifier || !is_word(file.text(token.range))) return false;
  const std::string_view before = at > statement.begin ? file.text(tokens[at - 1].range) : "";
  static const std::string_view named[] = {"param", "let", "fn", "axis", "target", "for", "as", "."};
  if (std::find(std::begin(named), std::end(named), before) != std::end(named)) return true;
  if (at == statement.begin + 1 && tokens[at - 1].kind == TokenKind::identifier) return true;  // kind name {
  const TokenKind after = at + 1 < statement.end ? tokens[at + 1].kind : TokenKind::end;
  return after == TokenKind::assign || after == TokenKind::colon;
}

/// True when the word stands between the last separator and token `at`.
bool stands_before(const std::vector<Token>& tokens, const Statement& statement, std::size_t at, std::string_view word, const SourceFile& file) {
  for (std::size_t i = std::min(at, statement.end); i > statement.begin; --i) {
    const Token& token = tokens[i - 1];
    if (token.kind == TokenKind::newline || token.kind == TokenKind::semicolon) return false;
    if (file.text(token.range) == word) return true;
  }
  return false;
}

/// What to write where the parser stumbled.
std::string help_at(const std::vector<Token>& tokens, const Statement& statement, std::size_t stumble, const SourceFile& file) {
  const Token& token = tokens[stumble];
  const Token& first = tokens[statement.begin];
  const Token* previous = stumble > statement.begin ? &tokens[stumble - 1] : nullptr;
  const std::string text(file.text(token.range)), before(previous ? file.text(previous->range) : "");
  const bool asks = stands_before(tokens, statement, stumble, "if", file);
  if (asks && token.kind == TokenKind::assign) return "write `==` to compare";
  if (asks && !stands_before(tokens, statement, stumble, "then", file)) return "write `if … then … else …`";
  if (asks && !stands_before(tokens, statement, stumble, "else", file)) return "write `else` and a value: `if … then … else …`";
  const auto bracket = innermost_open(tokens, statement, stumble);
  const bool in_body = bracket && opens_body(tokens, *bracket, file);
  if (in_body && token.kind == TokenKind::colon) return fmt::format("write `{} = …`", before);
  if (previous && (previous->kind == TokenKind::assign || previous->kind == TokenKind::other_operator)) return fmt::format("write a value after `{}`", before);
  const bool begins_item = token.kind == TokenKind::number || token.kind == TokenKind::string || token.kind == TokenKind::identifier;
  if (bracket && !in_body && begins_item) return fmt::format("write `,` before `{}`", text);
  if (file.text(first.range) == "for") return "a block with an index set stands for all its members: `axis size : int = [64, 216]`, then `lattice ice[n in size] { … }`";
  const bool head = first.kind == TokenKind::identifier && statement.begin + 1 < statement.end && tokens[statement.begin + 1].kind == TokenKind::identifier;
  if (head && !bracket) return "write `{` on this line, and `}` where the block ends";
  if (in_body) return "an attribute is written `name = value`, a block `kind name { … }`";
  return "a statement is a block `kind name { … }`, or begins with import, param, let, fn, axis, require or target";
}

Diagnostic stumbled(const std::vector<Token>& tokens, const Statement& statement, std::size_t stumble, const SourceFile& file) {
  const Token& token = tokens[stumble];
  const std::string text(file.text(token.range));
  const Token* previous = stumble > statement.begin ? &tokens[stumble - 1] : nullptr;

  if (is_reserved_as_name(tokens, statement, stumble, file)) {
    return error("E0109", token.range, fmt::format("`{}` is a reserved word, take another name", text), {fmt::format("write for instance `my_{}`", text)});
  }
  const bool is_param = file.text(tokens[statement.begin].range) == "param";
  if (is_param && stumble == statement.begin + 2 && token.kind != TokenKind::newline) {
    const std::string name(file.text(tokens[statement.begin + 1].range));
    return error("E0104", token.range, fmt::format("param `{}` lacks its type: a `:` belongs between name and type", name),
                 {fmt::format("write `param {} : {}`", name, rest_of_line(file, token.range.begin))});
  }
  const auto bracket = innermost_open(tokens, statement, stumble);
  const bool in_body = bracket && opens_body(tokens, *bracket, file);
  if (in_body && token.kind == TokenKind::comma) {
    return error("E0103", token.range, "attributes are separated by a new line or `;`, not by `,`", {"write `;` instead"});
  }
  const bool names_something = token.kind == TokenKind::identifier && stumble + 1 < statement.end &&
                               (tokens[stumble + 1].kind == TokenKind::assign || tokens[stumble + 1].kind == TokenKind::open ||
                                tokens[stumble + 1].kind == TokenKind::identifier);
  if (in_body && names_something && previous && previous->line == token.line) {
    return error("E0102", token.range, "two attributes stand on one line",
                 {fmt::format("put `{}` on a new line or write `;` before it", text)});
  }
  const bool at_end = token.kind == TokenKind::newline || token.kind == TokenKind::end || token.kind == TokenKind::semicolon ||
                      stumble >= statement.end;
  if (at_end && previous) return error("E0109", previous->range, missing_after(*previous, file));
  if (token.kind == TokenKind::close && previous && previous->kind != TokenKind::open) {
    return error("E0109", token.range, missing_after(*previous, file));
  }
  Diagnostic diagnostic = error("E0109", token.range, fmt::format("`{}` cannot stand here", text));
  const Token& first = tokens[statement.begin];
  const bool assigns = statement.begin + 1 < statement.end && tokens[statement.begin + 1].kind == TokenKind::assign;
  if (first.kind == TokenKind::identifier && assigns) {
    diagnostic.helps.push_back(fmt::format("write `let {} = ...` to give a value a name", file.text(first.range)));
  } else if (first.kind == TokenKind::identifier && !bracket) {
    diagnostic.helps.push_back("a block is written `kind name { ... }`");
  }
  return diagnostic;
}

}  // namespace

std::vector<Statement> scan_statements(const std::vector<Token>& tokens, const SourceFile& file,
                                       source::DiagnosticSink& sink) {
  return Scanner(tokens, file, sink).run();
}

Diagnostic explain_stumble(const std::vector<Token>& tokens, const Statement& statement, std::size_t stumble,
                           const SourceFile& file) {
  Diagnostic diagnostic = stumbled(tokens, statement, stumble, file);
  if (diagnostic.helps.empty()) diagnostic.helps.push_back(help_at(tokens, statement, stumble, file));
  return diagnostic;
}

}  // namespace bgw::syntax
