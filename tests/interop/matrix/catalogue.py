"""The intermediaries there may be, in the order of the table."""
from activemq import Activemq
from artemis import Artemis
from broker_j import BrokerJ
from embedded import Embedded
from proton_broker import ProtonBroker
from qdrouterd import Router
from qpidd import Qpidd
from rabbitmq import Rabbitmq

KNOWN = [Embedded, ProtonBroker, Qpidd, Router, Rabbitmq, Artemis, Activemq, BrokerJ]
