#include "conform/context.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {

Cases definitions() { return {}; }

}  // namespace aprotic::conform
