// The programs on Aprotic's event layer; their siblings are in proton_cpp, proton_c, rhea.js and tcp.cpp.

#include "program.hpp"

namespace bench::ours {

ConnectionOptions connection_options(const Arguments& arguments) {
    ConnectionOptions options;
    options.sasl.enabled = !arguments.listen;  // as Proton C++ does without being told
    TlsOptions tls;
    tls.ca_file = arguments.tls_ca;
    tls.certificate_file = arguments.tls_cert;
    tls.key_file = arguments.tls_key;
    tls.resume_sessions = arguments.resume;
    if (tls.ca_file.empty() && tls.certificate_file.empty()) return options;
    const auto made = arguments.listen ? TlsContext::make_server(tls) : TlsContext::make_client(tls);
    if (!made) throw std::runtime_error(made.error().message());
    options.tls.context = *made;
    return options;
}

std::string url(const Arguments& arguments) {
    return (arguments.tls_ca.empty() ? "amqp://" : "amqps://") + arguments.at;
}

Listener listen(Container& container, const Arguments& arguments, const ConnectionOptions& options,
                HandlerFactory make) {
    const auto at = Address::parse(arguments.at);
    if (!at) throw std::runtime_error(at.error());
    auto made = container.listen(*at, options, std::move(make));
    if (!made) throw std::runtime_error(made.error().message());
    say("listening on " + made->address().to_string());
    return *made;
}

void Program::run() {
    auto over = over_.get_future();
    Container container;
    reactor_ = &container.reactor();
    const ConnectionOptions options = connection_options(arguments);
    Listener listener;
    if (arguments.listen)
        listener = ours::listen(container, arguments, options, [self = shared_from_this()] { return self; });
    else
        container.connect(url(arguments), options, shared_from_this());
    over.get();
}

}  // namespace bench::ours

int main(int argc, char** argv) {
    try {
        const bench::Arguments arguments(argc, argv);
        if (bench::ours::run_connections(arguments)) return 0;
        auto program = bench::ours::make_messages(arguments);
        if (!program) program = bench::ours::make_calls(arguments);
        if (!program) throw std::runtime_error(bench::usage);
        program->run();
        program->report();
    } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
