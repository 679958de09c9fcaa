#pragma once

#include "compiler/schema/catalog.h"
#include "compiler/schema/value.h"

// What the schema table says of kinds, constructors, functions and units, as values: `bgw doc --json` prints them, the
// text of `bgw doc` is made from them.
namespace bgw::cli {

/// {"name", "makes", "doc", "version", "later", "attributes": [{"name", "type", "unit", "required", "default",
/// "bounds", "variants", "doc", "example", "later"}], "nested": [{"kind", "doc", "many", "required", "attributes"}],
/// "results":
/// [{"name", "type", "dimension", "doc", "arguments"}], "coordinates": [...]}
schema::Map document(const schema::KindSchema& kind);
/// {"name", "makes": "constructor", "doc", "later", "attributes"}
schema::Map document(const schema::ConstructorSchema& constructor);
/// Every unit and constant: {"name", "value", "base_unit", "dimension"}.
schema::List document_units();
/// The built-in functions: {"name", "call", "doc"}.
schema::List document_functions();

}  // namespace bgw::cli
