#include "tests/compiler/walk_ast.h"

#include <type_traits>

namespace bgw::tests {
namespace {

struct Inner {
  const VisitExpression& visit;

  void operator()(const syntax::ExpressionPtr& part) const {
    if (part) walk(*part, visit);
  }
  void operator()(const syntax::ListExpression& list) const {
    for (const auto& item : list.items) (*this)(item);
  }
  void operator()(const syntax::Comprehension& part) const {
    for (const auto& each : {part.item, part.domain, part.condition}) (*this)(each);
  }
  void operator()(const syntax::MapExpression& map) const {
    for (const auto& entry : map.entries) (*this)(entry.value);
  }
  void operator()(const syntax::Reference& reference) const {
    for (const syntax::Trailer& trailer : reference.trailers) {
      if (const auto* index = std::get_if<syntax::IndexTrailer>(&trailer.what)) {
        for (const auto& argument : index->arguments) (*this)(argument.value);
      } else if (const auto* call = std::get_if<syntax::CallTrailer>(&trailer.what)) {
        for (const auto& argument : call->arguments) (*this)(argument.value);
      }
    }
  }
  void operator()(const syntax::Unary& part) const { (*this)(part.operand); }
  void operator()(const syntax::Binary& part) const {
    (*this)(part.left);
    (*this)(part.right);
  }
  void operator()(const syntax::RangeExpression& part) const {
    for (const auto& each : {part.first, part.last, part.step}) (*this)(each);
  }
  void operator()(const syntax::Conditional& part) const {
    for (const auto& each : {part.condition, part.then, part.otherwise}) (*this)(each);
  }
  template <class Literal> void operator()(const Literal&) const {}
};

}  // namespace

void walk(const syntax::Expression& expression, const VisitExpression& visit) {
  visit(expression);
  std::visit(Inner{visit}, expression.what);
}

void walk(const syntax::Body& body, const VisitExpression& visit) {
  const Inner inside{visit};
  for (const syntax::Member& member : body.members) {
    if (const auto* attribute = std::get_if<syntax::Attribute>(&member.what)) inside(attribute->value);
    if (const auto* let = std::get_if<syntax::Let>(&member.what)) inside(let->value);
    if (const auto* require = std::get_if<syntax::Require>(&member.what)) inside(require->condition);
    if (const auto* block = std::get_if<syntax::NestedBlock>(&member.what)) walk(*block->body, visit);
  }
}

void walk(const syntax::File& file, const VisitExpression& visit) {
  const Inner inside{visit};
  for (const syntax::Item& item : file.items) {
    std::visit([&](const auto& what) {
      using T = std::decay_t<decltype(what)>;
      if constexpr (std::is_same_v<T, syntax::Param>) {
        inside(what.value);
        inside(what.domain);
      } else if constexpr (std::is_same_v<T, syntax::Let> || std::is_same_v<T, syntax::Target>) {
        inside(what.value);
      } else if constexpr (std::is_same_v<T, syntax::Function>) {
        inside(what.body);
      } else if constexpr (std::is_same_v<T, syntax::Axis>) {
        inside(what.values);
      } else if constexpr (std::is_same_v<T, syntax::Require>) {
        inside(what.condition);
      } else if constexpr (std::is_same_v<T, syntax::Block>) {
        inside(what.base);
        walk(what.body, visit);
      }
    }, item.what);
  }
}

}  // namespace bgw::tests
