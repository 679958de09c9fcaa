#pragma once

#include <functional>

#include "compiler/syntax/ast.h"

namespace bgw::tests {

using VisitExpression = std::function<void(const syntax::Expression&)>;

/// The expression and every one in it, the outer before the inner.
void walk(const syntax::Expression& expression, const VisitExpression& visit);
/// Every expression of a body, or of a file, and all in it.
void walk(const syntax::Body& body, const VisitExpression& visit);
void walk(const syntax::File& file, const VisitExpression& visit);

}  // namespace bgw::tests
