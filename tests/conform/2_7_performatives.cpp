#include "conform/context.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {

Cases performatives() { return {}; }

}  // namespace aprotic::conform
