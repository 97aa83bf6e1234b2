#include "conform/context.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {

Cases delivery_state() { return {}; }

}  // namespace aprotic::conform
