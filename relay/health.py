"""Ask a running relay whether it serves, over the same TLS as everybody else."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2

from hotline.crypto.tls import certificate_name, pem
from hotline.errors import LocalError
from relay.config import RelayConfig
from relay.relayd import SERVICE_NAME, Materials

_SECONDS = 3


def ask_health(config: RelayConfig, materials: Materials) -> str:
    """The relay's answer. Raises LocalError if it does not serve."""
    der = materials.secret.tls_certificate_der
    credentials = grpc.ssl_channel_credentials(pem(der), materials.secret.tls_private_pem, pem(der))
    address = config.listen
    if config.port_file is not None and config.port_file.exists():
        address = f"{address.rpartition(':')[0]}:{config.port_file.read_text().strip()}"
    options = (("grpc.ssl_target_name_override", certificate_name(der)),)
    with grpc.secure_channel(address, credentials, options=options) as channel:
        try:
            ask = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            answer: health_pb2.HealthCheckResponse = ask(
                health_pb2.HealthCheckRequest(service=SERVICE_NAME), timeout=_SECONDS
            )
        except grpc.RpcError as error:
            raise LocalError(f"{address}: no relay answers there") from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise LocalError(f"{address}: the relay says it is not serving")
    return "serving"
