// Configuration as services have it: files, environment, URL.
#include <aprotic/driver/config.hpp>
#include <aprotic/driver/notifier.hpp>
#include <aprotic/driver/transport.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

using namespace aprotic::driver;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

Config parsed(std::string_view text, const Config::Environment& environment = {}) {
    auto config = Config::parse(text, "nova.conf", environment);
    INFO(config.error());
    REQUIRE(config);
    return *config;
}

std::string refusal(std::string_view text, const Config::Environment& environment = {}) {
    const auto config = Config::parse(text, "nova.conf", environment);
    INFO(text);
    REQUIRE_FALSE(config);
    return config.error();
}

Config::Setting setting(const Config& config, std::string_view name, std::string_view url = {},
                        std::string_view group = {}) {
    const auto all = config.settings(url);
    INFO(all.error());
    REQUIRE(all);
    const auto found = std::ranges::find_if(*all, [&](const Config::Setting& each) {
        return each.info.name == name && (group.empty() || each.info.group == group);
    });
    REQUIRE(found != all->end());
    return *found;
}

/// The original's 38 options, in the order of its own list.
constexpr std::string_view original_options[] = {"container_name",
                                                 "idle_timeout",
                                                 "trace",
                                                 "ssl",
                                                 "ssl_ca_file",
                                                 "ssl_cert_file",
                                                 "ssl_key_file",
                                                 "ssl_key_password",
                                                 "ssl_verify_vhost",
                                                 "sasl_mechanisms",
                                                 "sasl_config_dir",
                                                 "sasl_config_name",
                                                 "sasl_default_realm",
                                                 "connection_retry_interval",
                                                 "connection_retry_backoff",
                                                 "connection_retry_interval_max",
                                                 "link_retry_delay",
                                                 "default_reply_retry",
                                                 "default_reply_timeout",
                                                 "default_send_timeout",
                                                 "default_notify_timeout",
                                                 "default_sender_link_timeout",
                                                 "addressing_mode",
                                                 "pseudo_vhost",
                                                 "server_request_prefix",
                                                 "broadcast_prefix",
                                                 "group_request_prefix",
                                                 "rpc_address_prefix",
                                                 "notify_address_prefix",
                                                 "multicast_address",
                                                 "unicast_address",
                                                 "anycast_address",
                                                 "default_notification_exchange",
                                                 "default_rpc_exchange",
                                                 "reply_link_credit",
                                                 "rpc_server_credit",
                                                 "notify_server_credit",
                                                 "pre_settled"};

constexpr std::string_view service_file = R"(# A service's file: most of it is none of our business.
[DEFAULT]
debug = true
my_ip = 10.0.0.7
rpc_user = me
transport_url = amqp://$rpc_user:p%40ss;word@$my_ip:5673,backup/v ; not a comment
rpc_response_timeout = 7
control_exchange: nova
rpc_thread_pool_size = 12

[database]
connection = mysql+pymysql://nova:$secret@db/nova?charset=utf8
nonsense

[oslo_messaging_amqp]
# comment
idle_timeout = 4
ssl_key_password = "with blanks "
pre_settled = rpc-cast
pre_settled = rpc-call
sasl_mechanisms = PLAIN
   SCRAM-SHA-256
addressing_mode = Legacy

[oslo_messaging_notifications]
driver = messagingv2
transport_url = rabbit://elsewhere
)";

}  // namespace

TEST_CASE("a service's own file configures the driver") {
    std::string text(service_file);
    text.erase(text.find("nonsense\n"), 9);
    const auto config = parsed(text);
    CHECK(config.transport_url() == "amqp://me:p%40ss;word@10.0.0.7:5673,backup/v ; not a comment");
    CHECK(config.notification_url() == "rabbit://elsewhere");
    const auto& options = config.options();
    CHECK(options.rpc_response_timeout == 7s);
    CHECK(options.control_exchange == "nova");
    CHECK(options.executor_thread_pool_size == 12);
    CHECK(options.idle_timeout == 4s);
    CHECK(options.ssl_key_password == "with blanks ");
    CHECK(options.pre_settled.rpc_call);
    CHECK(options.pre_settled.rpc_cast);
    CHECK_FALSE(options.pre_settled.rpc_reply);
    CHECK(options.sasl_mechanisms == std::vector<std::string>{"PLAIN", "SCRAM-SHA-256"});
    CHECK(options.addressing_mode == AddressingMode::legacy);

    CHECK(setting(config, "idle_timeout").source == "nova.conf:16");
    CHECK(setting(config, "idle_timeout").value == "4");
    CHECK(setting(config, "idle_timeout").default_value == "0");
    CHECK(setting(config, "executor_thread_pool_size").source == "nova.conf:9");
    CHECK(setting(config, "trace").source == "default");
    CHECK(setting(config, "ssl_key_password").value == "***");
    CHECK_THAT(setting(config, "transport_url", {}, "DEFAULT").value, Contains("me:***@10.0.0.7:5673"));
    CHECK(setting(config, "driver").value == "messagingv2");
}

TEST_CASE("every option of the original is there under its name, in its group and in the old one") {
    CHECK(std::size(original_options) == 38);
    const Config defaults;
    for (const auto name : original_options) {
        INFO(name);
        const auto found = setting(defaults, name);
        CHECK(found.info.group == "oslo_messaging_amqp");
        CHECK_FALSE(found.info.help.empty());
        // Its default can be written into a file, and is what it was.
        for (const std::string group : {"oslo_messaging_amqp", "amqp1", "OSLO_MESSAGING_AMQP"}) {
            const auto config = parsed("[" + group + "]\n" + std::string(name) + " = " + found.default_value + "\n");
            CHECK(setting(config, name).value == (found.info.secret ? "" : found.default_value));
            CHECK(setting(config, name).source == "nova.conf:2");
        }
    }
}

TEST_CASE("files are overridden by later files, by the environment and by the URL") {
    const auto folder = std::filesystem::temp_directory_path() / "aprotic-config-test";
    std::filesystem::create_directories(folder);
    const std::string first = (folder / "first.conf").string();
    const std::string second = (folder / "second.conf").string();
    std::ofstream(first)
        << "[amqp1]\nidle_timeout = 1\ntrace = yes\nlink_retry_delay = 3\n[DEFAULT]\nrpc_backend = amqp\n";
    std::ofstream(second) << "[oslo_messaging_amqp]\nidle_timeout = 2\nlink_retry_delay = 4\n";
    const auto config = Config::read({first, second}, {{"OS_OSLO_MESSAGING_AMQP__LINK_RETRY_DELAY", "5"},
                                                       {"OS_DEFAULT__TRANSPORT_URL", "amqp://from-the-environment"},
                                                       {"OS_AUTH_URL", "http://keystone"}});
    INFO(config.error());
    REQUIRE(config);
    CHECK(config->transport_url() == "amqp://from-the-environment");
    CHECK(config->options().trace);
    CHECK(config->options().idle_timeout == 2s);
    CHECK(config->options().link_retry_delay == 5s);
    CHECK(setting(*config, "idle_timeout").source == second + ":2");
    CHECK(setting(*config, "link_retry_delay").source == "environment OS_OSLO_MESSAGING_AMQP__LINK_RETRY_DELAY");

    const std::string url = "amqp://h/?link_retry_delay=6&ssl_key_password=hidden";
    CHECK(setting(*config, "link_retry_delay", url).value == "6");
    CHECK(setting(*config, "link_retry_delay", url).source == "URL");
    CHECK_THAT(setting(*config, "transport_url", url, "DEFAULT").value, !Contains("hidden"));
    CHECK(Config::read({folder.string()}, {}).error() == folder.string() + ": the file cannot be read");
    std::filesystem::remove_all(folder);

    const auto gone = Config::read({first}, {});
    REQUIRE_FALSE(gone);
    CHECK(gone.error() == first + ": the file cannot be read");
}

TEST_CASE("within a file names of today win over those of former times") {
    CHECK(parsed("[oslo_messaging_amqp]\nidle_timeout = 1\n[amqp1]\nidle_timeout = 2\n").options().idle_timeout == 1s);
    CHECK(parsed("[amqp1]\nidle_timeout = 2\n[oslo_messaging_amqp]\nidle_timeout = 1\n").options().idle_timeout == 1s);
    for (const auto* text : {"[DEFAULT]\nrpc_thread_pool_size = 2\nexecutor_thread_pool_size = 1\n",
                             "[DEFAULT]\nexecutor_thread_pool_size = 1\nrpc_thread_pool_size = 2\n"})
        CHECK(parsed(text).options().executor_thread_pool_size == 1);
    CHECK(parsed("[DEFAULT]\namqp_auto_delete = yes\n").options().amqp_auto_delete);
}

TEST_CASE("rpc_backend chooses the driver where no URL does") {
    CHECK(parsed("[DEFAULT]\nrpc_backend = amqp\n").transport_url() == "amqp://");
    CHECK(setting(parsed("[DEFAULT]\nrpc_backend = amqp\n"), "transport_url", {}, "DEFAULT").source == "nova.conf:2");
    CHECK(parsed("[DEFAULT]\nrpc_backend = rabbit\ntransport_url = amqp://h\n").transport_url() == "amqp://h");
    CHECK(parsed("").transport_url().empty());
    CHECK(refusal("[DEFAULT]\nrpc_backend = rabbit\n") ==
          "nova.conf:2: [DEFAULT] rpc_backend = rabbit: amqp was expected, or a transport_url");
}

TEST_CASE("what a file gets wrong is refused with file, line, key and what was expected") {
    CHECK(refusal("[oslo_messaging_amqp]\n\nidle_timeout = soon\n") ==
          "nova.conf:3: [oslo_messaging_amqp] idle_timeout = soon: a time in seconds was expected, up to 315360000");
    CHECK_THAT(refusal("[amqp1]\nidle_time = 3\n"),
               Contains("nova.conf:2: [amqp1] has no option 'idle_time'; there are ") && Contains("idle_timeout"));
    CHECK_THAT(refusal("[oslo_messaging_notifications]\ntopic = x\n"), Contains("topics"));
    CHECK_THAT(refusal("[oslo_messaging_amqp]\naddressing_mode = best\n"), Contains("legacy, routable or dynamic"));
    CHECK_THAT(refusal("[oslo_messaging_amqp]\nreply_link_credit = 0\n"), Contains("at least 1 was expected"));
    CHECK_THAT(refusal("[oslo_messaging_amqp]\ndefault_reply_retry = -2\n"), Contains("at least -1 was expected"));
    CHECK_THAT(refusal("[oslo_messaging_amqp]\nconnection_retry_interval = 0\n"), Contains("more than 0 seconds"));
    CHECK_THAT(refusal("[oslo_messaging_amqp]\nconnection_retry_backoff = -1\n"), Contains("at least 0"));
    CHECK_THAT(refusal("[oslo_messaging_amqp]\nssl =\n"), Contains("nova.conf:2") && Contains("true or false"));
    CHECK_THAT(refusal("[DEFAULT]\ntransport_url = amqp://h:port/\n"),
               Contains("nova.conf:2: [DEFAULT] transport_url: 'port' is no port of host 'h'"));
    CHECK_THAT(refusal("[DEFAULT]\ntransport_url = rabbit://u:secret@h\n"),
               Contains("'rabbit' is not a scheme known here") && !Contains("secret"));
    CHECK_THAT(refusal("[DEFAULT]\ntransport_url = amqp://u:secret@h/?nonsense=1\n"),
               Contains("nova.conf:2") && Contains("'nonsense'") && !Contains("secret"));
    CHECK_THAT(refusal("[DEFAULT]\ntransport_url = amqp://h/?one\n  two\n"),
               Contains("nova.conf:2: [DEFAULT] transport_url: 'one two' in the query"));
    CHECK_THAT(refusal("[DEFAULT]\ntransport_url = amqp://u:$secret@h\n"),
               Contains("nova.conf:2") && Contains("$secret") && Contains("$$"));
    CHECK_THAT(refusal("[DEFAULT]\na = $b\nb = $a\ntransport_url = amqp://$a\n"), Contains("refers to itself"));
    CHECK_THAT(refusal("", {{"OS_OSLO_MESSAGING_AMQP__IDLE_TIMEOUT", "x"}}),
               Contains("environment OS_OSLO_MESSAGING_AMQP__IDLE_TIMEOUT = x: a time in seconds"));
    CHECK_THAT(refusal("", {{"OS_OSLO_MESSAGING_AMQP__IDLE", "1"}}), Contains("OS_OSLO_MESSAGING_AMQP__IDLE"));
}

TEST_CASE("what is no configuration file is refused with its line") {
    CHECK(refusal("key = 1\n") == "nova.conf:1: [group] was expected first");
    CHECK(refusal("[a]\nb = 1\nnonsense\n") == "nova.conf:3: [group] or key = value was expected");
    CHECK(refusal(service_file) == "nova.conf:13: [group] or key = value was expected");
    CHECK(refusal("[a\n") == "nova.conf:1: [group] or key = value was expected");
    CHECK(refusal("[a]\n= 1\n") == "nova.conf:2: a key was expected before the '='");
    CHECK_THAT(refusal("[a]\nb = 1\n\n  c = 2\n"), Contains("nova.conf:4: the line is indented"));
    CHECK_THAT(refusal(std::string_view("[a]\nb = \0\n", 10)), Contains("nova.conf:2: a control character"));
}

TEST_CASE("values are taken as they are, however long") {
    const std::string password(1000, ';');
    std::string url = "amqp://u:";
    for (int host = 0; host < 50; ++host) url += "p ; " + password + "@host" + std::to_string(host) + ",u:";
    url += "p@last/v ;w";
    CHECK(parsed("[DEFAULT]\r\ntransport_url = " + url + "\r\n").transport_url() == url);
    CHECK(parsed("[DEFAULT]\ntransport_url : 'amqp://quoted'\n").transport_url() == "amqp://quoted");
    CHECK(parsed("[DEFAULT]\ntransport_url = amqp://u:$$p\\$@${host}x\nhost = h\n").transport_url() ==
          "amqp://u:$p$@hx");
    CHECK(parsed("[DEFAULT]\ntransport_url = amqp://h$\n").transport_url() == "amqp://h$");
    CHECK(parsed("[g]\nhost = h\n[DEFAULT]\ntransport_url = amqp://$g.host\n").transport_url() == "amqp://h");
    // An indented line is value, whatever it begins with; so it is to oslo.config.
    CHECK_THAT(refusal("[oslo_messaging_amqp]\npre_settled = notify\n  # rpc-call\n"), Contains("rpc-call, rpc-reply"));
}

TEST_CASE("a program's defaults are overridden by files and told apart") {
    const auto config = Config::parse("[oslo_messaging_amqp]\nlink_retry_delay = 3\n", "f", {},
                                      {.control_exchange = "mine", .link_retry_delay = 1s});
    REQUIRE(config);
    CHECK(config->options().control_exchange == "mine");
    CHECK(config->options().link_retry_delay == 3s);
    CHECK(setting(*config, "control_exchange").source == "program");
    CHECK(setting(*config, "control_exchange").default_value == "openstack");
    CHECK(config->has("oslo_messaging_amqp", "link_retry_delay"));
    CHECK_FALSE(config->has("DEFAULT", "control_exchange"));
}

TEST_CASE("files of Cyrus' settings are read when the transport is made") {
    CHECK_THROWS_WITH(Transport("amqp://h/?sasl_config_dir=/nowhere"),
                      Contains("sasl_config_dir") && Contains("/nowhere"));
}

TEST_CASE("a service's file says how it notifies") {
    const auto config = parsed(
        "[DEFAULT]\ntransport_url = amqp://h\n[oslo_messaging_notifications]\n"
        "driver = messagingv2\ndriver = log\ntopics = one,two\nretry = 3\n");
    const auto options = config.notifier("compute.host1");
    CHECK(options.publisher_id == "compute.host1");
    CHECK(options.drivers == std::vector<NotifierDriver>{NotifierDriver::messagingv2, NotifierDriver::log});
    CHECK(options.topics == std::vector<std::string>{"one", "two"});
    CHECK(options.retry == 3);
    CHECK(config.notification_url() == "amqp://h");
    CHECK(Config().notifier().drivers.empty());
    CHECK(Config().notifier().topics == std::vector<std::string>{"notifications"});
    CHECK(parsed("[DEFAULT]\nnotification_driver = noop\n").notifier().drivers ==
          std::vector<NotifierDriver>{NotifierDriver::noop});

    const std::string group = "[oslo_messaging_notifications]\n";
    CHECK(refusal(group + "driver = rabbit\n") ==
          "nova.conf:2: [oslo_messaging_notifications] driver = rabbit: messaging, messagingv2, log, routing, test or "
          "noop was expected");
    CHECK_THAT(refusal(group + "driver = routing\n"), Contains("routing_config with a file of rules was expected"));
    const auto file = (std::filesystem::temp_directory_path() / "aprotic-routing-test.yaml").string();
    const std::string routing = group + "driver = routing\nrouting_config = " + file + "\n";
    std::filesystem::remove(file);
    CHECK(refusal(routing) ==
          "nova.conf:3: [oslo_messaging_notifications] routing_config = " + file + ": the file cannot be read");
    std::ofstream(file) << "group:\n  log:\n    accepted_event: [x]\n";
    CHECK(refusal(routing) ==
          file + ": group: log: accepted_event: accepted_events or accepted_priorities was expected");
    std::ofstream(file) << "group:\n  log:\n    accepted_events: [x]\n";
    CHECK(parsed(routing).notifier().routing.groups.size() == 1);
    std::filesystem::remove(file);
}
