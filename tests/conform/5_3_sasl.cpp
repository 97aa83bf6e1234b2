#include "conform/context.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {

Cases sasl() { return {}; }

}  // namespace aprotic::conform
