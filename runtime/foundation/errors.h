#pragma once

#include <stdexcept>
#include <string>

namespace bgw {

/// A broken promise between functions: a tensor or array of another shape than the callee documents.
struct ShapeError : std::logic_error {
  using std::logic_error::logic_error;
};

/// Numbers that went wrong: not finite, not converged, no overlap, an imaginary mode. Ends a task with cause `nan`.
struct NumericalError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The author of the program asked for something that cannot be; the message says what to write instead.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The cache, the disk or the machine: exit code 6.
struct StoreError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A task was asked to stop and has saved its state: exit code 75.
struct Stopped : std::runtime_error {
  Stopped() : std::runtime_error("stopped on request") {}
};

}  // namespace bgw
