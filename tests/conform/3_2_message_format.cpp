#include "conform/context.hpp"
#include "conform/suite.hpp"

namespace aprotic::conform {

Cases message_format() { return {}; }

}  // namespace aprotic::conform
