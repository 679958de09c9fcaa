#pragma once

#include "compiler/source/read_source.h"

namespace bgw::store {

using source::valid_utf8;

}  // namespace bgw::store
