"""Why a broker cannot be reached, in words: one for each fault of the way to it and of TLS, so that `run` and `check`
say the same."""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

_OF_OURS = {
    "TLSV1_ALERT_UNKNOWN_CA": "does not know the authority of our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "says that our certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "says that our certificate was revoked",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "asks for a client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "does not accept our certificate",
}
"""What a broker says of the client's certificate, by OpenSSL's names."""


@dataclass(frozen=True, slots=True)
class DialFault:
    """``words`` go on from "the broker …"; ``advice`` says what to do, and ``about`` is the configuration key."""

    words: str
    advice: str
    about: str = "mqtt.url"


def dial_fault(error: BaseException, ca_file: Path | None) -> DialFault:
    """What an exception of connecting means, the TLS handshake included. ``ca_file`` is whom we trust; None: the
    system's authorities."""
    match error:
        case ssl.SSLCertVerificationError(verify_code=code):
            return _of_the_broker(code, ca_file)
        case ssl.SSLError(reason=str(reason)) if reason in _OF_OURS:
            advice = "correct mqtt.cert_file and mqtt.key_file: a certificate of the broker's own authority"
            return DialFault(_OF_OURS[reason], advice, "mqtt.cert_file")
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ConnectionResetError() | BrokenPipeError():
            advice = (
                "correct mqtt.url, if the broker does not speak TLS on this port (mqtt://), or mqtt.cert_file and"
                " mqtt.key_file, if it asks for a client certificate"
            )
            return DialFault("ends the connection in the TLS handshake, without a reason", advice)
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "RECORD_LAYER_FAILURE"):
            advice = "correct mqtt.url: mqtt:// or mqtts://, as the broker has it on this port"
            return DialFault("does not speak TLS on this port", advice)
        case ssl.SSLError():
            advice = "correct mqtt.cert_file and mqtt.key_file: a certificate of the broker's own authority"
            return DialFault(
                f"ends the TLS handshake ({(error.reason or 'unknown').lower()})", advice, "mqtt.cert_file"
            )
        case ConnectionRefusedError():
            advice = "start the broker, or correct mqtt.url"
            return DialFault("cannot be reached: nobody listens there", advice)
        case socket.gaierror() | UnicodeError():
            return DialFault("names a host that is not known here", "correct mqtt.url, or this machine's DNS")
        case TimeoutError():
            advice = "look at the network and the broker's firewall, or correct mqtt.url"
            return DialFault("does not answer", advice)
        case _:
            why = (getattr(error, "strerror", "") or type(error).__name__).lower()
            advice = "look at the network, start the broker, or correct mqtt.url"
            return DialFault(f"cannot be reached: {why}", advice)


def _of_the_broker(code: int, ca_file: Path | None) -> DialFault:
    """The certificate that the broker showed was not accepted, with that number of OpenSSL's (X509_V_ERR_…, in
    https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/)."""
    ca = ca_file or "the system's authorities"
    match code:
        case 10:
            return DialFault("shows a certificate that has expired", "issue the broker's certificate anew")
        case 9:
            advice = "set this machine's clock: sudo timedatectl set-ntp true"
            return DialFault("shows a certificate whose time has not begun", advice)
        case 62 | 64:
            advice = "correct mqtt.url: the name or address that the broker's certificate has, or issue it for this one"
            return DialFault("shows a certificate for another name", advice)
        case 23:
            return DialFault("shows a certificate that was revoked", "issue the broker's certificate anew")
        case 3 | 12:
            advice = "put the authority's newest revocation list behind its certificate in that file, or take it out"
            words = f"cannot be judged: the revocation list in {ca} is too old, or another authority's"
            return DialFault(words, advice, "mqtt.ca_file")
        case _:
            advice = "correct mqtt.ca_file: the certificate of the authority that issued the broker's"
            return DialFault(f"shows a certificate that {ca} did not issue", advice, "mqtt.ca_file")


def in_words(error: BaseException, ca_file: Path | None) -> str:
    """For the log, with what to do about a fault of TLS; for any other what the system says of it."""
    if isinstance(error, ssl.SSLError):
        fault = dial_fault(error, ca_file)
        return f"the broker {fault.words}; {fault.advice}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
