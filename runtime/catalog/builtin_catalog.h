#pragma once

#include "compiler/schema/catalog.h"

namespace bgw::catalog {

/// Every block kind and constructor of this version, with its defaults and its domain checks. Torch-free: the
/// compiler's program links it, the factories of the same kinds live with the tasks.
schema::Catalog builtin_catalog();

}  // namespace bgw::catalog
