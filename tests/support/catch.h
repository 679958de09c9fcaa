#pragma once
// The one way to Catch2. Torch defines CHECK (through glog); included after Catch2 it would silently replace
// Catch2's, so torch comes first.
#ifdef BGW_TEST_TORCH
#include "runtime/tensor/tensor.h"
#undef CHECK
#undef CHECK_FALSE
#undef REQUIRE
#undef FAIL
#undef INFO
#undef WARN
#endif

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
