#include "compiler/syntax/raw_tokens.h"

#include <antlr4-runtime.h>

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

#include "grammar/BgwLexer.h"

namespace bgw::syntax {
namespace {

using grammar::BgwLexer;
using source::SourceFile;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }
bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

std::size_t keyword(std::string_view word) {
  static const std::unordered_map<std::string_view, std::size_t> kKeywords{
      {"bgw", BgwLexer::BGW},         {"import", BgwLexer::IMPORT}, {"as", BgwLexer::AS},     {"param", BgwLexer::PARAM},
      {"let", BgwLexer::LET},         {"fn", BgwLexer::FN},         {"axis", BgwLexer::AXIS}, {"require", BgwLexer::REQUIRE},
      {"target", BgwLexer::TARGET},   {"extends", BgwLexer::EXTENDS}, {"for", BgwLexer::FOR}, {"in", BgwLexer::IN},
      {"if", BgwLexer::IF},           {"then", BgwLexer::THEN},     {"else", BgwLexer::ELSE}, {"step", BgwLexer::STEP},
      {"and", BgwLexer::AND},         {"or", BgwLexer::OR},         {"not", BgwLexer::NOT},   {"true", BgwLexer::TRUE},
      {"false", BgwLexer::FALSE},     {"none", BgwLexer::NONE}};
  const auto found = kKeywords.find(word);
  return found == kKeywords.end() ? static_cast<std::size_t>(BgwLexer::ID) : found->second;
}

struct Sign {
  std::string_view text;
  std::size_t type;
};
/// Longer ones first.
constexpr std::array kSigns{Sign{"->", BgwLexer::ARROW}, Sign{"..", BgwLexer::RANGE}, Sign{"<=", BgwLexer::LE}, Sign{">=", BgwLexer::GE},
                            Sign{"==", BgwLexer::EQ}, Sign{"!=", BgwLexer::NE}, Sign{"=", BgwLexer::ASSIGN}, Sign{"<", BgwLexer::LT},
                            Sign{">", BgwLexer::GT}, Sign{"+", BgwLexer::PLUS}, Sign{"-", BgwLexer::MINUS}, Sign{"*", BgwLexer::STAR},
                            Sign{"/", BgwLexer::SLASH}, Sign{"^", BgwLexer::CARET}, Sign{".", BgwLexer::DOT}, Sign{",", BgwLexer::COMMA},
                            Sign{":", BgwLexer::COLON}, Sign{";", BgwLexer::SEMI}, Sign{"(", BgwLexer::LPAREN}, Sign{")", BgwLexer::RPAREN},
                            Sign{"[", BgwLexer::LBRACK}, Sign{"]", BgwLexer::RBRACK}, Sign{"{", BgwLexer::LBRACE}, Sign{"}", BgwLexer::RBRACE}};

/// The rules of grammar/Bgw.g4, section "lexer", one function each: where the token that begins at `at` ends.
class Hand {
 public:
  explicit Hand(std::string_view text) : text_(text) {}

  std::size_t type = 0;

  std::size_t end_of(std::size_t at) {
    const char c = text_[at];
    if (is_letter(c)) return word(at);
    if (is_digit(c)) return number(at);
    if (c == ' ' || c == '\t') return blanks(at);
    if (c == '\n' || (c == '\r' && char_at(at + 1) == '\n')) {
      type = BgwLexer::NL;
      return at + (c == '\n' ? 1 : 2);
    }
    if (c == '#') {
      type = char_at(at + 1) == '#' ? BgwLexer::DOC : BgwLexer::COMMENT;
      return std::min(text_.find_first_of("\r\n", at), text_.size());
    }
    if (c == '"') return string(at);
    for (const Sign& sign : kSigns) {
      if (text_.substr(at, sign.text.size()) != sign.text) continue;
      type = sign.type;
      return at + sign.text.size();
    }
    type = BgwLexer::ERROR_CHAR;
    return at + 1;
  }

 private:
  char char_at(std::size_t at) const { return at < text_.size() ? text_[at] : '\0'; }

  std::size_t word(std::size_t at) {
    std::size_t end = at;
    while (is_letter(char_at(end)) || is_digit(char_at(end))) ++end;
    type = keyword(text_.substr(at, end - at));
    return end;
  }

  std::size_t blanks(std::size_t at) {
    type = BgwLexer::WS;
    while (char_at(at) == ' ' || char_at(at) == '\t') ++at;
    return at;
  }

  /// Digits with `_` between them: the last is a digit.
  std::size_t digits(std::size_t at) const {
    std::size_t last = at;
    for (; is_digit(char_at(at)) || char_at(at) == '_'; ++at) {
      if (is_digit(text_[at])) last = at;
    }
    return last + 1;
  }

  std::size_t number(std::size_t at) {
    type = BgwLexer::NUMBER;
    std::size_t end = digits(at);
    if (char_at(end) == '.' && is_digit(char_at(end + 1))) end = digits(end + 1);
    if (char_at(end) == 'e' || char_at(end) == 'E') {
      const std::size_t sign = char_at(end + 1) == '+' || char_at(end + 1) == '-' ? 1 : 0;
      if (is_digit(char_at(end + 1 + sign))) end = digits(end + 1 + sign);
    }
    return end;
  }

  /// To the closing quote; without one as far as the line goes. A backslash takes a character with it, but
  /// no line end.
  std::size_t string(std::size_t at) {
    type = BgwLexer::UNTERMINATED_STRING;
    std::size_t end = at + 1;
    while (end < text_.size()) {
      const char c = text_[end];
      if (c == '"') {
        type = BgwLexer::STRING;
        return end + 1;
      }
      if (c == '\r' || c == '\n') break;
      if (c != '\\') {
        ++end;
        continue;
      }
      ++end;
      if (end >= text_.size() || text_[end] == '\r' || text_[end] == '\n') break;
      ++end;
      while (end < text_.size() && is_continuation(text_[end])) ++end;
    }
    return end;
  }

  std::string_view text_;
};

}  // namespace

std::optional<std::vector<RawToken>> raw_tokens_by_hand(const SourceFile& file) {
  const std::string_view text = file.text();
  std::vector<RawToken> tokens;
  tokens.reserve(text.size() / 3);
  Hand hand(text);
  std::size_t line = 1, column = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_ascii(text[at])) return std::nullopt;
    const std::size_t end = hand.end_of(at);
    if (hand.type == BgwLexer::ID && end < text.size() && !is_ascii(text[end])) return std::nullopt;
    tokens.push_back({hand.type, {file.base() + at, file.base() + end}, line, column});
    for (; at < end; ++at) {
      if (text[at] == '\n') {
        ++line;
        column = 0;
      } else if (!is_continuation(text[at])) {
        ++column;
      }
    }
  }
  return tokens;
}

std::vector<RawToken> raw_tokens_by_grammar(const SourceFile& file) {
  const std::string_view text = file.text();
  std::vector<std::size_t> begins;  // of code points, which ANTLR counts
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_continuation(text[i])) begins.push_back(i);
  }
  begins.push_back(text.size());
  antlr4::ANTLRInputStream input{std::string(text)};
  BgwLexer lexer(&input);
  lexer.removeErrorListeners();
  std::vector<RawToken> tokens;
  for (const auto& token : lexer.getAllTokens()) {
    const source::SourceRange range{file.base() + begins.at(token->getStartIndex()), file.base() + begins.at(token->getStopIndex() + 1)};
    tokens.push_back({token->getType(), range, token->getLine(), token->getCharPositionInLine()});
  }
  return tokens;
}

std::vector<RawToken> raw_tokens(const SourceFile& file) {
  if (auto tokens = raw_tokens_by_hand(file)) return *std::move(tokens);
  return raw_tokens_by_grammar(file);
}

}  // namespace bgw::syntax
