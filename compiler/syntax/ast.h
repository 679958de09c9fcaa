#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/source/source_file.h"

// The abstract syntax tree: what the author wrote, with the place of every part. Plain structs, no behaviour.
// Grammar: grammar/Bgw.g4.
namespace bgw::syntax {

using source::SourceRange;

struct Expression;
using ExpressionPtr = std::shared_ptr<const Expression>;

struct Name {
  std::string text;
  SourceRange range;
};

struct NumberLiteral {
  std::string digits;              // as written, "1_000_000", "7e-5"
  double value = 0;
  std::optional<std::int64_t> integer;  // set when written without point and exponent and it fits
  std::optional<Name> unit;        // the juxtaposed identifier: `200 K`
};
struct StringLiteral { std::string value; };
struct BoolLiteral { bool value = false; };
struct NoneLiteral {};

struct ListExpression { std::vector<ExpressionPtr> items; };
struct Comprehension {             // [item for variable in domain if condition]
  ExpressionPtr item;
  Name variable;
  ExpressionPtr domain;
  ExpressionPtr condition;         // may be null
};
struct MapEntry { Name key; ExpressionPtr value; };
struct MapExpression { std::vector<MapEntry> entries; };

struct IndexArgument {             // `*`, `axis = value` or `value`
  bool all = false;
  std::optional<Name> axis;
  ExpressionPtr value;             // null when all
  SourceRange range;
};
struct CallArgument { std::optional<Name> name; ExpressionPtr value; SourceRange range; };

struct IndexTrailer { std::vector<IndexArgument> arguments; };
struct MemberTrailer { Name name; };
struct CallTrailer { std::vector<CallArgument> arguments; };
struct Trailer {
  std::variant<IndexTrailer, MemberTrailer, CallTrailer> what;
  SourceRange range;
};
struct Reference {                 // name, index, attribute and call in any order
  Name name;
  std::vector<Trailer> trailers;
};

enum class UnaryOperator { negate, logical_not };
enum class BinaryOperator { power, multiply, divide, add, subtract, less, less_equal, greater, greater_equal,
                            equal, not_equal, logical_and, logical_or };
struct Unary { UnaryOperator op; ExpressionPtr operand; };
struct Binary { BinaryOperator op; ExpressionPtr left, right; SourceRange operator_range; };
struct RangeExpression { ExpressionPtr first, last, step; };  // step may be null
struct Conditional { ExpressionPtr condition, then, otherwise; };

struct Expression {
  std::variant<NumberLiteral, StringLiteral, BoolLiteral, NoneLiteral, ListExpression, Comprehension, MapExpression,
               Reference, Unary, Binary, RangeExpression, Conditional>
      what;
  SourceRange range;
};

struct TypeName {                  // `temperature`, `list<int>`, `length[]`
  Name name;
  std::vector<TypeName> arguments;
  bool list = false;
  SourceRange range;
};

struct Import { std::string path; SourceRange path_range; std::optional<Name> as; };
struct Param { Name name; TypeName type; ExpressionPtr value; ExpressionPtr domain; };       // value, domain may be null
struct Let { Name name; std::optional<TypeName> type; ExpressionPtr value; };
struct FunctionArgument { Name name; TypeName type; };
struct Function { Name name; std::vector<FunctionArgument> arguments; TypeName result; ExpressionPtr body; };
struct Axis { Name name; std::optional<TypeName> type; ExpressionPtr values; };
struct Require { ExpressionPtr condition; std::optional<std::string> message; };
struct Target { Name name; ExpressionPtr value; };

struct IndexBinding { Name variable; Name axis; };  // `n in size`
struct Attribute { Name name; ExpressionPtr value; };
struct Member;
struct Body {
  std::vector<Member> members;
  SourceRange range;               // from { to }
};
struct NestedBlock { Name kind; std::optional<Name> name; std::vector<IndexBinding> indices; std::shared_ptr<const Body> body; };
struct Member {
  std::variant<Attribute, NestedBlock, Let, Require> what;
  SourceRange range;
  std::string doc;
};
struct Block {
  Name kind;
  Name name;
  std::vector<IndexBinding> indices;
  ExpressionPtr base;              // after `extends`, null when absent
  Body body;
};

struct Item {
  std::variant<Import, Param, Let, Function, Axis, Require, Target, Block> what;
  SourceRange range;
  std::string doc;                 // the `##` lines directly above, joined by line breaks
};

struct File {
  std::optional<std::int64_t> edition;  // from `bgw 1`
  SourceRange edition_range;
  std::vector<Item> items;
};

}  // namespace bgw::syntax
