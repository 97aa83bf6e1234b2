#include "conform/context.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {

Cases links() { return {}; }

}  // namespace aprotic::conform
