"""The example broker of Proton C++ (Debian: libqpid-proton11-dev-examples), built by tests/interop/CMakeLists.txt."""
from intermediary import Intermediary, package_version
from run import need_program

NO_OPTIONS = "the example has no options for TLS or users"
NOTHING_BACK = "the example takes nothing back: what is released is gone"
NO_DRAIN = "the example does not answer a drain"
KEEPS_GIVING = "the example goes on giving messages to receivers whose connection went without a close"
QUEUES_ONLY = "the example has queues only: no message goes to two receivers"


class ProtonBroker(Intermediary):
    name = "proton"
    title = "Proton C++ example broker"
    unbearable = dict.fromkeys(("pause", "cut", "silence", "half-silence"), KEEPS_GIVING)
    cannot = {"fanout": QUEUES_ONLY, "requeue": NOTHING_BACK, "drain": NO_DRAIN, "TLS": NO_OPTIONS, "SASL": NO_OPTIONS}

    def find(self):
        need_program(self.options.proton_broker, "Proton's example broker (libqpid-proton11-dev-examples)")

    def version(self):
        return package_version("libqpid-proton11-dev-examples")

    def command(self):
        return (self.options.proton_broker, "-a", self.at)
