// The sibling of ours on Proton C++.

#include "program.hpp"

int main(int argc, char** argv) {
    using namespace bench::proton_cpp;
    try {
        const bench::Arguments arguments(argc, argv);
        auto program = make_messages(arguments);
        if (!program) program = make_calls(arguments);
        if (!program) program = make_connections(arguments);
        if (!program) throw std::runtime_error(bench::usage);
        proton::container(*program).run();
        program->report();
    } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
