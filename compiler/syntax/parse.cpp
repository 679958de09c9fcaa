// The doorway to ANTLR: tokens and parse trees end here, the tree of ast.h goes on.
#include "compiler/syntax/parse.h"

#include <antlr4-runtime.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <typeinfo>

#include "compiler/syntax/lex.h"
#include "compiler/syntax/raw_tokens.h"
#include "compiler/syntax/token.h"
#include "grammar/BgwLexer.h"
#include "grammar/BgwParser.h"

namespace bgw::syntax {
namespace {

using grammar::BgwLexer;
using grammar::BgwParser;
using source::Diagnostic;
using source::DiagnosticSink;
using source::SourceFile;

/// An expression that nests without brackets (a + b + ... thousands of times) would overflow the stack of later stages.
constexpr int kDeepestTree = 1000;
struct TooDeep {
  SourceRange range;
};

TokenKind kind_of(std::size_t type) {
  switch (type) {
    case BgwLexer::ID: return TokenKind::identifier;
    case BgwLexer::NUMBER: return TokenKind::number;
    case BgwLexer::STRING: return TokenKind::string;
    case BgwLexer::LPAREN: case BgwLexer::LBRACK: case BgwLexer::LBRACE: return TokenKind::open;
    case BgwLexer::RPAREN: case BgwLexer::RBRACK: case BgwLexer::RBRACE: return TokenKind::close;
    case BgwLexer::COMMA: return TokenKind::comma;
    case BgwLexer::ASSIGN: return TokenKind::assign;
    case BgwLexer::COLON: return TokenKind::colon;
    case BgwLexer::NL: return TokenKind::newline;
    case BgwLexer::SEMI: return TokenKind::semicolon;
    case BgwLexer::BGW: case BgwLexer::IMPORT: case BgwLexer::PARAM: case BgwLexer::FN: case BgwLexer::AXIS:
    case BgwLexer::TARGET: return TokenKind::top_keyword;
    case BgwLexer::MINUS: case BgwLexer::NOT: return TokenKind::prefix;
    case BgwLexer::CARET: case BgwLexer::LT: case BgwLexer::IF: case BgwLexer::ELSE: return TokenKind::chained;
    case BgwLexer::UNTERMINATED_STRING: return TokenKind::unterminated_string;
    case BgwLexer::ERROR_CHAR: return TokenKind::meaningless;
    case antlr4::Token::EOF: return TokenKind::end;
    case BgwLexer::PLUS: case BgwLexer::STAR: case BgwLexer::SLASH: case BgwLexer::RANGE: case BgwLexer::LE:
    case BgwLexer::GT: case BgwLexer::GE: case BgwLexer::EQ: case BgwLexer::NE: case BgwLexer::AND: case BgwLexer::OR:
      return TokenKind::other_operator;
    default: return TokenKind::keyword;
  }
}

/// Remembers where the parser stumbled first; the wording is not ANTLR's.
class FirstStumble : public antlr4::BaseErrorListener {
 public:
  void syntaxError(antlr4::Recognizer*, antlr4::Token* token, size_t, size_t, const std::string&,
                   std::exception_ptr) override {
    if (token && !index) index = token->getTokenIndex();
  }
  std::optional<std::size_t> index;  // among the tokens of the statement
};

/// A doc comment line: where it stands and what it says.
struct DocLine {
  std::size_t line;
  std::string text;
};

/// What ANTLR takes for the origin of tokens: it asks each for it when it conjures up a missing one.
class Origin : public antlr4::TokenSource {
 public:
  std::unique_ptr<antlr4::Token> nextToken() override { return std::make_unique<antlr4::CommonToken>(antlr4::Token::EOF); }
  size_t getLine() const override { return 1; }
  size_t getCharPositionInLine() override { return 0; }
  antlr4::CharStream* getInputStream() override { return &nothing_; }
  std::string getSourceName() override { return "program"; }
  antlr4::TokenFactory<antlr4::CommonToken>* getTokenFactory() override { return antlr4::CommonTokenFactory::DEFAULT.get(); }

 private:
  antlr4::ANTLRInputStream nothing_{std::string()};
};

/// The tokens of a program in both forms, index by index, without comments and blanks.
struct Tokens {
  Origin origin;
  std::vector<std::size_t> types;  // of which ANTLR's tokens are made, statement by statement
  std::vector<Token> ours;
  std::vector<DocLine> docs;
};

void add_doc(const RawToken& token, const SourceFile& file, std::vector<DocLine>& docs) {
  const bool whole_line = file.text({file.line_begin(token.range.begin), token.range.begin}).find_first_not_of(" \t") == std::string_view::npos;
  if (!whole_line) return;  // behind a statement it would be read as that of the next
  std::string text(file.text(token.range).substr(2));
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.pop_back();
  if (text.starts_with(' ')) text.erase(0, 1);
  docs.push_back({token.line, std::move(text)});
}

void read_tokens(const SourceFile& file, Tokens& tokens) {
  std::size_t last_line = 1;
  for (const RawToken& token : raw_tokens(file)) {
    if (token.type == BgwLexer::DOC) add_doc(token, file, tokens.docs);
    if (token.type == BgwLexer::DOC || token.type == BgwLexer::COMMENT || token.type == BgwLexer::WS) continue;
    tokens.ours.push_back({kind_of(token.type), token.range, token.line, token.column + 1});
    tokens.types.push_back(token.type);
    last_line = token.line;
  }
  tokens.ours.push_back({TokenKind::end, {file.end() - 1, file.end() - 1}, last_line, 0});
}

/// True when each bracket is closed by its own.
bool brackets_match(const Tokens& tokens) {
  std::vector<std::size_t> open;
  const auto closing = [](std::size_t type) { return type == BgwLexer::LPAREN ? BgwLexer::RPAREN : type == BgwLexer::LBRACK ? BgwLexer::RBRACK : BgwLexer::RBRACE; };
  for (std::size_t i = 0; i < tokens.types.size(); ++i) {
    if (tokens.ours[i].kind == TokenKind::open) open.push_back(tokens.types[i]);
    if (tokens.ours[i].kind != TokenKind::close) continue;
    if (open.empty() || closing(open.back()) != tokens.types[i]) return false;
    open.pop_back();
  }
  return open.empty();
}

/// Inside ( [ and the braces of a map a line end separates nothing. Where a bracket is missing it stays: it may be the
/// end of the statement.
void drop_inner_line_ends(Tokens& tokens) {
  if (!brackets_match(tokens)) return;
  std::vector<bool> separates;  // for every open bracket: the braces of a block
  std::size_t kept = 0;
  for (std::size_t i = 0; i < tokens.types.size(); ++i) {
    const TokenKind kind = tokens.ours[i].kind;
    if (kind == TokenKind::newline && !separates.empty() && !separates.back()) continue;
    if (kind == TokenKind::open) {
      const TokenKind before = kept == 0 ? TokenKind::newline : tokens.ours[kept - 1].kind;
      separates.push_back(tokens.types[i] == BgwLexer::LBRACE && (before == TokenKind::identifier || before == TokenKind::close));
    } else if (kind == TokenKind::close) {
      separates.pop_back();
    }
    tokens.types[kept] = tokens.types[i];
    tokens.ours[kept++] = tokens.ours[i];
  }
  tokens.ours[kept] = tokens.ours.back();
  tokens.types.resize(kept);
  tokens.ours.resize(kept + 1);
}

/// ANTLR's form of a token; its place is in bytes, its text is in the file.
std::unique_ptr<antlr4::Token> antlr_token(Tokens& tokens, std::size_t index) {
  const Token& ours = tokens.ours[index];
  auto token = std::make_unique<antlr4::CommonToken>(std::pair<antlr4::TokenSource*, antlr4::CharStream*>(&tokens.origin, tokens.origin.getInputStream()),
                                                     tokens.types[index], antlr4::Token::DEFAULT_CHANNEL, ours.range.begin, ours.range.end);
  token->setLine(ours.line);
  token->setCharPositionInLine(ours.column - 1);
  return token;
}

// ---------------------------------------------------------------------------------------- parse tree to AST

SourceRange range_of(const antlr4::Token* token) { return {token->getStartIndex(), token->getStopIndex()}; }
SourceRange range_of(antlr4::ParserRuleContext* context) {
  return {context->getStart()->getStartIndex(), context->getStop()->getStopIndex()};
}

std::string unquoted(const std::string& text) {
  std::string value;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == '\\' && i + 2 < text.size()) {
      const char c = text[++i];
      value += c == 'n' ? '\n' : c == 't' ? '\t' : c;
    } else {
      value += text[i];
    }
  }
  return value;
}

class Builder {
 public:
  Builder(const std::vector<DocLine>& docs, const SourceFile& source) : docs_(docs), source_(source) {}

  Item item(BgwParser::ItemContext* c) {
    Item result{what(c), range_of(c), doc_above(c->getStart())};
    return result;
  }

 private:
  std::variant<Import, Param, Let, Function, Axis, Require, Target, Block> what(BgwParser::ItemContext* c) {
    if (auto* i = c->importDecl()) {
      return Import{unquoted(text_of(i->STRING())), range_of(i->STRING()->getSymbol()), optional_name(i->ID())};
    }
    if (auto* p = c->paramDecl()) return param(p);
    if (auto* l = c->letDecl()) return let(l);
    if (auto* f = c->fnDecl()) return function(f);
    if (auto* a = c->axisDecl()) return Axis{name_of(a->ID()), optional_type(a->type()), expression(a->expr())};
    if (auto* r = c->requireDecl()) return require(r);
    if (auto* t = c->targetDecl()) return Target{name_of(t->ID()), expression(t->expr())};
    return block(c->blockDecl());
  }

  Param param(BgwParser::ParamDeclContext* c) {
    Param result{name_of(c->ID()), type(c->type()), nullptr, nullptr};
    std::size_t next = 0;
    if (c->ASSIGN()) result.value = expression(c->expr(next++));
    if (c->IN()) result.domain = expression(c->expr(next));
    return result;
  }
  Let let(BgwParser::LetDeclContext* c) { return {name_of(c->ID()), optional_type(c->type()), expression(c->expr())}; }
  Require require(BgwParser::RequireDeclContext* c) {
    Require result{expression(c->expr()), {}};
    if (c->STRING()) result.message = unquoted(text_of(c->STRING()));
    return result;
  }
  Function function(BgwParser::FnDeclContext* c) {
    Function result{name_of(c->ID()), {}, type(c->type()), expression(c->expr())};
    for (auto* argument : c->fnArg()) result.arguments.push_back({name_of(argument->ID()), type(argument->type())});
    return result;
  }
  Block block(BgwParser::BlockDeclContext* c) {
    Block result{name_of(c->ID(0)), name_of(c->ID(1)), indices(c->indexDecl()), nullptr, body(c->body())};
    if (c->ref()) result.base = make(reference(c->ref()), range_of(c->ref()));
    return result;
  }
  std::vector<IndexBinding> indices(BgwParser::IndexDeclContext* c) {
    std::vector<IndexBinding> result;
    if (!c) return result;
    for (auto* binding : c->idxBind()) result.push_back({name_of(binding->ID(0)), name_of(binding->ID(1))});
    return result;
  }
  Body body(BgwParser::BodyContext* c) {
    Body result{{}, range_of(c)};
    for (auto* m : c->member()) result.members.push_back(member(m));
    return result;
  }
  /// The first part of a rule when it is itself one, nullptr for a token.
  static antlr4::ParserRuleContext* first_rule(antlr4::ParserRuleContext* c) {
    return dynamic_cast<antlr4::ParserRuleContext*>(c->children.front());
  }

  NestedBlock nested_block(BgwParser::NestedBlockContext* n) {
    NestedBlock nested{name_of(n->ID(0)), {}, indices(n->indexDecl()), std::make_shared<const Body>(body(n->body()))};
    if (n->ID().size() > 1) nested.name = name_of(n->ID(1));
    return nested;
  }

  Member member(BgwParser::MemberContext* c) {
    Member result{Require{}, range_of(c), doc_above(c->getStart())};
    auto* part = first_rule(c);
    switch (part->getRuleIndex()) {
      case BgwParser::RuleAttribute: {
        auto* attribute = static_cast<BgwParser::AttributeContext*>(part);
        result.what = Attribute{name_of(attribute->ID()), expression(attribute->expr())};
        break;
      }
      case BgwParser::RuleLetDecl: result.what = let(static_cast<BgwParser::LetDeclContext*>(part)); break;
      case BgwParser::RuleRequireDecl: result.what = require(static_cast<BgwParser::RequireDeclContext*>(part)); break;
      default: result.what = nested_block(static_cast<BgwParser::NestedBlockContext*>(part));
    }
    return result;
  }

  TypeName type(BgwParser::TypeContext* c) {
    TypeName result{name_of(c->ID()), {}, c->LBRACK() != nullptr, range_of(c)};
    for (auto* argument : c->type()) result.arguments.push_back(type(argument));
    return result;
  }
  std::optional<TypeName> optional_type(BgwParser::TypeContext* c) {
    if (!c) return std::nullopt;
    return type(c);
  }
  std::string text_of(antlr4::tree::TerminalNode* node) const { return std::string(source_.text(range_of(node->getSymbol()))); }
  Name name_of(antlr4::tree::TerminalNode* node) const { return {text_of(node), range_of(node->getSymbol())}; }
  std::optional<Name> optional_name(antlr4::tree::TerminalNode* node) const {
    if (!node) return std::nullopt;
    return name_of(node);
  }

  template <class T>
  static ExpressionPtr make(T node, SourceRange range) {
    return std::make_shared<const Expression>(Expression{std::move(node), range});
  }

  ExpressionPtr expression(BgwParser::ExprContext* c) {
    const SourceRange range = range_of(c);
    if (++depth_ > kDeepestTree) throw TooDeep{range};
    ExpressionPtr result = expression_at(c, range);
    --depth_;
    return result;
  }

  ExpressionPtr binary(BinaryOperator op, BgwParser::ExprContext* left, BgwParser::ExprContext* right,
                       const antlr4::Token* sign, SourceRange range) {
    return make(Binary{op, expression(left), expression(right), range_of(sign)}, range);
  }

  static BinaryOperator operator_of(const antlr4::Token* sign) {
    switch (sign->getType()) {
      case BgwParser::STAR: return BinaryOperator::multiply;
      case BgwParser::SLASH: return BinaryOperator::divide;
      case BgwParser::PLUS: return BinaryOperator::add;
      case BgwParser::MINUS: return BinaryOperator::subtract;
      case BgwParser::LT: return BinaryOperator::less;
      case BgwParser::LE: return BinaryOperator::less_equal;
      case BgwParser::GT: return BinaryOperator::greater;
      case BgwParser::GE: return BinaryOperator::greater_equal;
      case BgwParser::EQ: return BinaryOperator::equal;
      default: return BinaryOperator::not_equal;
    }
  }

  ExpressionPtr expression_at(BgwParser::ExprContext* c, SourceRange range) {
    // Most are plain; casts that fail one after the other would cost as much as the parser.
    if (typeid(*c) == typeid(BgwParser::PrimContext)) return primary(static_cast<BgwParser::PrimContext*>(c)->primary(), range);
    if (auto* e = dynamic_cast<BgwParser::PowContext*>(c)) {
      return binary(BinaryOperator::power, e->expr(0), e->expr(1), e->CARET()->getSymbol(), range);
    }
    if (auto* e = dynamic_cast<BgwParser::NegContext*>(c)) return make(Unary{UnaryOperator::negate, expression(e->expr())}, range);
    if (auto* e = dynamic_cast<BgwParser::NotContext*>(c)) return make(Unary{UnaryOperator::logical_not, expression(e->expr())}, range);
    if (auto* e = dynamic_cast<BgwParser::MulContext*>(c)) return binary(operator_of(e->op), e->expr(0), e->expr(1), e->op, range);
    if (auto* e = dynamic_cast<BgwParser::AddContext*>(c)) return binary(operator_of(e->op), e->expr(0), e->expr(1), e->op, range);
    if (auto* e = dynamic_cast<BgwParser::CmpContext*>(c)) return binary(operator_of(e->op), e->expr(0), e->expr(1), e->op, range);
    if (auto* e = dynamic_cast<BgwParser::AndContext*>(c)) {
      return binary(BinaryOperator::logical_and, e->expr(0), e->expr(1), e->AND()->getSymbol(), range);
    }
    if (auto* e = dynamic_cast<BgwParser::OrContext*>(c)) {
      return binary(BinaryOperator::logical_or, e->expr(0), e->expr(1), e->OR()->getSymbol(), range);
    }
    if (auto* e = dynamic_cast<BgwParser::RangeContext*>(c)) {
      return make(RangeExpression{expression(e->expr(0)), expression(e->expr(1)),
                                  e->expr().size() > 2 ? expression(e->expr(2)) : nullptr}, range);
    }
    if (auto* e = dynamic_cast<BgwParser::CondContext*>(c)) {
      return make(Conditional{expression(e->expr(0)), expression(e->expr(1)), expression(e->expr(2))}, range);
    }
    return primary(dynamic_cast<BgwParser::PrimContext&>(*c).primary(), range);
  }

  ExpressionPtr primary(BgwParser::PrimaryContext* c, SourceRange range) {
    auto* part = first_rule(c);
    if (part == nullptr) {
      if (c->STRING()) return make(StringLiteral{unquoted(text_of(c->STRING()))}, range);
      if (c->TRUE()) return make(BoolLiteral{true}, range);
      if (c->FALSE()) return make(BoolLiteral{false}, range);
      if (c->NONE()) return make(NoneLiteral{}, range);
      return expression(c->expr());
    }
    switch (part->getRuleIndex()) {
      case BgwParser::RuleQuantity: return make(number(static_cast<BgwParser::QuantityContext*>(part)), range);
      case BgwParser::RuleListExpr: return list(static_cast<BgwParser::ListExprContext*>(part), range);
      case BgwParser::RuleMapExpr: return map(static_cast<BgwParser::MapExprContext*>(part), range);
      default: return make(reference(static_cast<BgwParser::RefContext*>(part)), range);
    }
  }

  NumberLiteral number(BgwParser::QuantityContext* c) {
    NumberLiteral result;
    result.digits = text_of(c->NUMBER());
    std::string plain = result.digits;
    std::erase(plain, '_');
    const auto read = std::from_chars(plain.data(), plain.data() + plain.size(), result.value);
    // Out of range from_chars leaves the value alone; strtod says infinity or the nearest to zero.
    if (read.ec != std::errc()) result.value = std::strtod(plain.c_str(), nullptr);
    if (plain.find_first_of(".eE") == std::string::npos) {
      std::int64_t integer = 0;
      const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), integer);
      if (error == std::errc()) result.integer = integer;
    }
    result.unit = optional_name(c->ID());
    return result;
  }

  ExpressionPtr list(BgwParser::ListExprContext* c, SourceRange range) {
    if (c->FOR()) {
      return make(Comprehension{expression(c->expr(0)), name_of(c->ID()), expression(c->expr(1)),
                                c->IF() ? expression(c->expr(2)) : nullptr}, range);
    }
    ListExpression result;
    for (auto* item : c->expr()) result.items.push_back(expression(item));
    return make(std::move(result), range);
  }

  ExpressionPtr map(BgwParser::MapExprContext* c, SourceRange range) {
    MapExpression result;
    for (auto* entry : c->mapEntry()) result.entries.push_back({name_of(entry->ID()), expression(entry->expr())});
    return make(std::move(result), range);
  }

  Reference reference(BgwParser::RefContext* c) {
    Reference result{name_of(c->ID()), {}};
    for (auto* t : c->trailer()) result.trailers.push_back(trailer(t));
    return result;
  }

  Trailer trailer(BgwParser::TrailerContext* c) {
    const SourceRange range = range_of(c);
    if (auto* i = c->index()) {
      IndexTrailer index;
      for (auto* argument : i->indexArg()) {
        IndexArgument a{argument->STAR() != nullptr, optional_name(argument->ID()), nullptr, range_of(argument)};
        if (argument->expr()) a.value = expression(argument->expr());
        index.arguments.push_back(std::move(a));
      }
      return {std::move(index), range};
    }
    if (c->DOT()) return {MemberTrailer{name_of(c->ID())}, range};
    CallTrailer call;
    for (auto* argument : c->arg()) {
      call.arguments.push_back({optional_name(argument->ID()), expression(argument->expr()), range_of(argument)});
    }
    return {std::move(call), range};
  }

  /// The `##` lines that end on the line above; they are those of the first statement or member of a line.
  std::string doc_above(const antlr4::Token* start) const {
    const std::size_t line = start->getLine();
    const std::size_t begin = source_.line_begin(start->getStartIndex());
    if (source_.text({begin, start->getStartIndex()}).find_first_not_of(" \t;") != std::string_view::npos) return "";
    auto after = std::lower_bound(docs_.begin(), docs_.end(), line, [](const DocLine& d, std::size_t l) { return d.line < l; });
    auto first = after;
    for (std::size_t expected = line - 1; first != docs_.begin() && (first - 1)->line == expected; --expected) --first;
    std::string text;
    for (; first != after; ++first) text += (text.empty() ? "" : "\n") + first->text;
    return text;
  }

  const std::vector<DocLine>& docs_;
  const SourceFile& source_;
  int depth_ = 0;
};

// ------------------------------------------------------------------------------------------- statements

void read_edition(BgwParser::EditionDeclContext* c, bool first, const SourceFile& source, File& file, DiagnosticSink& sink) {
  const std::string number(source.text(range_of(c->NUMBER()->getSymbol())));
  file.edition_range = range_of(c);
  if (!first) {
    sink.add({"E0109", source::Severity::error, file.edition_range, "the edition line stands before everything else", "", {}, {},
              {"write it as the first statement of the file, once"}});
  } else if (number != "1") {
    sink.add({"E0109", source::Severity::error, file.edition_range, "this bgw reads edition 1 of the language, not " + number, "", {}, {},
              {"write `bgw 1`"}});
  }
  file.edition = 1;
}

// In front of every loop and option the default strategy looks whether the next token fits, to recover early. That is a
// sixth of the time of reading, and a right statement needs none of it.
class WithoutSync : public antlr4::DefaultErrorStrategy {
 public:
  void sync(antlr4::Parser*) override {}
};

/// One reading of a statement and all that the tree lives on.
struct StatementParse {
  StatementParse(Tokens& tokens, const Statement& statement, std::shared_ptr<antlr4::ANTLRErrorStrategy> strategy)
      : list(tokens_of(tokens, statement)), stream(&list), parser(&stream) {
    parser.removeErrorListeners();
    parser.addErrorListener(&stumble);
    parser.setErrorHandler(std::move(strategy));
    parser.getInterpreter<antlr4::atn::ParserATNSimulator>()->setPredictionMode(antlr4::atn::PredictionMode::SLL);
    tree = parser.statement();
  }
  static std::vector<std::unique_ptr<antlr4::Token>> tokens_of(Tokens& tokens, const Statement& statement) {
    std::vector<std::unique_ptr<antlr4::Token>> part;
    for (std::size_t i = statement.begin; i < statement.end; ++i) part.push_back(antlr_token(tokens, i));
    return part;
  }

  antlr4::ListTokenSource list;
  antlr4::CommonTokenStream stream;
  BgwParser parser;
  FirstStumble stumble;
  BgwParser::StatementContext* tree = nullptr;
};

/// @return false when it could not be read, which was told
bool parse_statement(Tokens& tokens, const Statement& statement, const SourceFile& source, bool first, File& file,
                     DiagnosticSink& sink) {
  if (statement.stray) {
    const SourceRange range = tokens.ours[*statement.stray].range;
    if (statement.complete) {
      sink.add({"E0109", source::Severity::error, range, "`" + std::string(source.text(range)) + "` closes nothing", "", {}, {}, {"leave it out"}});
    }
    return false;
  }
  StatementParse fast(tokens, statement, std::make_shared<WithoutSync>());
  if (fast.stumble.index) {
    const StatementParse careful(tokens, statement, std::make_shared<antlr4::DefaultErrorStrategy>());
    const std::size_t stumble = careful.stumble.index.value_or(*fast.stumble.index);
    const std::size_t at = std::min(statement.begin + stumble, tokens.ours.size() - 1);
    if (statement.complete) sink.add(explain_stumble(tokens.ours, statement, at, source));
    return false;
  }
  if (!statement.complete) return false;
  if (fast.tree->editionDecl()) {
    read_edition(fast.tree->editionDecl(), first, source, file, sink);
    return true;
  }
  try {
    file.items.push_back(Builder(tokens.docs, source).item(fast.tree->item()));
    return true;
  } catch (const TooDeep& deep) {
    sink.add({"E0108", source::Severity::error, deep.range, "this expression chains too many operators", "", {}, {},
              {"give parts of the expression names with `let`"}});
    return false;
  }
}

/// What stands deeper than a statement that could not be read, or is a bracket, belongs to that statement: where a `{`
/// is missing, the lines of the block are no mistakes of their own.
bool belongs_to(const Token& failed, const Token& next) {
  return next.column > failed.column || next.kind == TokenKind::open || next.kind == TokenKind::close;
}

Channel channel_of(std::size_t type) {
  return type == BgwLexer::DOC ? Channel::doc : type == BgwLexer::COMMENT ? Channel::comment : Channel::program;
}

}  // namespace

std::vector<SourceToken> lex(const SourceFile& file) {
  antlr4::ANTLRInputStream nothing{std::string()};
  const BgwLexer lexer(&nothing);
  std::vector<SourceToken> tokens;
  for (const RawToken& token : raw_tokens(file)) {
    if (token.type == BgwLexer::WS) continue;
    tokens.push_back({std::string(lexer.getVocabulary().getSymbolicName(token.type)), channel_of(token.type), token.range});
  }
  return tokens;
}

std::optional<File> parse(const SourceFile& source, DiagnosticSink& sink) {
  Tokens tokens;
  read_tokens(source, tokens);
  drop_inner_line_ends(tokens);
  const std::vector<Statement> statements = scan_statements(tokens.ours, source, sink);
  if (statements.empty()) {
    if (!sink.has_errors()) {
      sink.add({"E0100", source::Severity::error, {source.base(), source.base()}, "the program is empty", "", {}, {},
                {"a program begins with `bgw 1`, then blocks such as `system water { ... }`"}});
    }
    return std::nullopt;
  }
  File file;
  bool first = true;
  const Token* failed = nullptr;  // where the last statement that could not be read begins
  for (const Statement& statement : statements) {
    const Token& begin = tokens.ours[statement.begin];
    if (failed && belongs_to(*failed, begin)) continue;
    failed = parse_statement(tokens, statement, source, first, file, sink) ? nullptr : &begin;
    first = false;
  }
  return file;
}

}  // namespace bgw::syntax
