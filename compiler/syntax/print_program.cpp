#include "compiler/syntax/print_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace bgw::syntax {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else out += c;
  }
  return out + '"';
}

template <class Items, class Text>
std::string joined(const Items& items, Text text) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + text(item);
  return out;
}

std::string text_of(const ExpressionPtr& expression);

/// How tightly an expression binds, as the alternatives of `expr` in grammar/Bgw.g4 stand; ranges and conditionals
/// swallow what follows them.
enum Level { kOpen, kOr, kAnd, kNot, kCompare, kAdd, kMultiply, kNegate, kPower, kPrimary };

Level level_of(BinaryOperator op) {
  switch (op) {
    case BinaryOperator::power: return kPower;
    case BinaryOperator::multiply:
    case BinaryOperator::divide: return kMultiply;
    case BinaryOperator::add:
    case BinaryOperator::subtract: return kAdd;
    case BinaryOperator::logical_and: return kAnd;
    case BinaryOperator::logical_or: return kOr;
    default: return kCompare;
  }
}

Level level_of(const Expression& expression) {
  if (const auto* binary = std::get_if<Binary>(&expression.what)) return level_of(binary->op);
  if (const auto* unary = std::get_if<Unary>(&expression.what)) return unary->op == UnaryOperator::negate ? kNegate : kNot;
  const bool open = std::holds_alternative<RangeExpression>(expression.what) || std::holds_alternative<Conditional>(expression.what);
  return open ? kOpen : kPrimary;
}

/// In parentheses where it binds less than its place asks for.
std::string operand(const ExpressionPtr& expression, Level least) {
  const std::string text = text_of(expression);
  return level_of(*expression) < least ? '(' + text + ')' : text;
}
Level tighter(Level level) { return static_cast<Level>(level + 1); }

const char* sign_of(BinaryOperator op) {
  static constexpr std::array signs = {"^", "*", "/", "+", "-", "<", "<=", ">", ">=", "==", "!=", "and", "or"};
  return signs[static_cast<std::size_t>(op)];
}

struct TrailerText {
  std::string operator()(const IndexTrailer& t) const {
    return '[' + joined(t.arguments, [](const IndexArgument& a) {
      return a.all ? std::string("*") : (a.axis ? a.axis->text + " = " : "") + text_of(a.value);
    }) + ']';
  }
  std::string operator()(const MemberTrailer& t) const { return '.' + t.name.text; }
  std::string operator()(const CallTrailer& t) const {
    return '(' + joined(t.arguments, [](const CallArgument& a) {
      return (a.name ? a.name->text + " = " : "") + text_of(a.value);
    }) + ')';
  }
};

struct ExpressionText {
  std::string operator()(const NumberLiteral& e) const { return e.unit ? e.digits + ' ' + e.unit->text : e.digits; }
  std::string operator()(const StringLiteral& e) const { return quoted(e.value); }
  std::string operator()(const BoolLiteral& e) const { return e.value ? "true" : "false"; }
  std::string operator()(const NoneLiteral&) const { return "none"; }
  std::string operator()(const ListExpression& e) const { return '[' + joined(e.items, text_of) + ']'; }
  std::string operator()(const Comprehension& e) const {
    const std::string filter = e.condition ? " if " + text_of(e.condition) : "";
    return fmt::format("[{} for {} in {}{}]", text_of(e.item), e.variable.text, text_of(e.domain), filter);
  }
  std::string operator()(const MapExpression& e) const {
    return "{ " + joined(e.entries, [](const MapEntry& m) { return m.key.text + ": " + text_of(m.value); }) + " }";
  }
  std::string operator()(const Reference& e) const {
    std::string out = e.name.text;
    for (const Trailer& trailer : e.trailers) out += std::visit(TrailerText{}, trailer.what);
    return out;
  }
  std::string operator()(const Unary& e) const {
    return e.op == UnaryOperator::negate ? '-' + operand(e.operand, kNegate) : "not " + operand(e.operand, kNot);
  }
  std::string operator()(const Binary& e) const {
    const Level level = level_of(e.op);
    if (e.op == BinaryOperator::power) return operand(e.left, kPrimary) + '^' + operand(e.right, kNegate);
    return fmt::format("{} {} {}", operand(e.left, level), sign_of(e.op), operand(e.right, tighter(level)));
  }
  std::string operator()(const RangeExpression& e) const {
    return fmt::format("{} .. {}{}", operand(e.first, kAdd), operand(e.last, kAdd),
                       e.step ? " step " + operand(e.step, kAdd) : "");
  }
  std::string operator()(const Conditional& e) const {
    return fmt::format("if {} then {} else {}", text_of(e.condition), text_of(e.then), text_of(e.otherwise));
  }
};

std::string text_of(const ExpressionPtr& expression) { return std::visit(ExpressionText{}, expression->what); }

std::string type_text(const TypeName& type) {
  const std::string arguments = type.arguments.empty() ? "" : '<' + joined(type.arguments, type_text) + '>';
  return type.name.text + arguments + (type.list ? "[]" : "");
}
std::string of_type(const std::optional<TypeName>& type) { return type ? " : " + type_text(*type) : ""; }
std::string indices_text(const std::vector<IndexBinding>& indices) {
  if (indices.empty()) return "";
  return '[' + joined(indices, [](const IndexBinding& b) { return b.variable.text + " in " + b.axis.text; }) + ']';
}

/// Writes statements and members, each on its line.
class Printer {
 public:
  std::string print(const File& file) {
    if (file.edition) line(fmt::format("bgw {}", *file.edition));
    for (const Item& item : file.items) {
      doc(item.doc);
      std::visit(*this, item.what);
    }
    return std::move(out_);
  }

  void operator()(const Import& i) { line("import " + quoted(i.path) + (i.as ? " as " + i.as->text : "")); }
  void operator()(const Param& p) {
    line(fmt::format("param {} : {}{}{}", p.name.text, type_text(p.type), p.value ? " = " + text_of(p.value) : "",
                     p.domain ? " in " + text_of(p.domain) : ""));
  }
  void operator()(const Let& l) { line("let " + l.name.text + of_type(l.type) + " = " + text_of(l.value)); }
  void operator()(const Function& f) {
    const auto argument = [](const FunctionArgument& a) { return a.name.text + ": " + type_text(a.type); };
    line(fmt::format("fn {}({}) -> {} = {}", f.name.text, joined(f.arguments, argument), type_text(f.result), text_of(f.body)));
  }
  void operator()(const Axis& a) { line("axis " + a.name.text + of_type(a.type) + " = " + text_of(a.values)); }
  void operator()(const Require& r) {
    line("require " + text_of(r.condition) + (r.message ? " else " + quoted(*r.message) : ""));
  }
  void operator()(const Target& t) { line("target " + t.name.text + " = " + text_of(t.value)); }
  void operator()(const Attribute& a) { line(a.name.text + " = " + text_of(a.value)); }
  void operator()(const Block& b) {
    const std::string base = b.base ? " extends " + text_of(b.base) : "";
    block(b.kind.text + ' ' + b.name.text + indices_text(b.indices) + base, b.body);
  }
  void operator()(const NestedBlock& b) {
    block(b.kind.text + (b.name ? ' ' + b.name->text : "") + indices_text(b.indices), *b.body);
  }

 private:
  void line(const std::string& text) { out_ += std::string(2 * depth_, ' ') + text + '\n'; }
  void doc(const std::string& text) {
    if (text.empty()) return;
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      line(begin == end ? "##" : "## " + text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  void block(const std::string& head, const Body& body) {
    line(head + " {");
    ++depth_;
    for (const Member& member : body.members) {
      doc(member.doc);
      std::visit(*this, member.what);
    }
    --depth_;
    line("}");
  }

  std::string out_;
  std::size_t depth_ = 0;
};

}  // namespace

std::string print_program(const File& file) { return Printer().print(file); }

}  // namespace bgw::syntax
