#include "conform/context.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {

Cases transactions() { return {}; }

}  // namespace aprotic::conform
