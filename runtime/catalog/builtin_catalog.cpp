#include "runtime/catalog/builtin_catalog.h"

#include "runtime/catalog/kinds.h"

namespace bgw::catalog {

schema::Catalog builtin_catalog() {
  schema::Catalog catalog;
  add_crystal_kinds(catalog);
  add_model_kinds(catalog);
  add_train_kinds(catalog);
  add_sample_kinds(catalog);
  add_relax_kind(catalog);
  add_estimate_kinds(catalog);
  add_observable_kinds(catalog);
  add_phase_kinds(catalog);
  add_report_kinds(catalog);
  return catalog;
}

}  // namespace bgw::catalog
