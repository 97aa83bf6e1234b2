#include "conform/context.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {

Cases sources_and_targets() { return {}; }

}  // namespace aprotic::conform
